//! Moments in the life of a small site from which each call of the MAAS driver is reached within one short command.
//!
//! A stage is a folder as it was before a command, and the command. Stages are made once; a case works on a copy, so that it repeats nothing that lies
//! before its call.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use drydock::driver::maas::{CALLS, READS};
use drydock::sim::{FaultRule, RequestRecord, Status, World};
use regex::Regex;

use crate::cli_support::{Ended, Folder, copy};
use crate::perturbed_support::{LIMITS, SPARE, TIMING, change_world, node_mut, world_of};

/// What a case begins with, and what it does.
pub(crate) struct Stage {
    pub(crate) name: &'static str,
    before: Folder,
    /// What is under way when a case begins; it would have ended long before if it had begun with the stage.
    begun: Option<fn(&mut World)>,
    pub(crate) command: &'static [&'static str],
    /// Asks whether anything is left to do.
    pub(crate) check: &'static [&'static str],
    /// What the stage does where nothing fails.
    pub(crate) reference: Reference,
}

/// A run without faults.
pub(crate) struct Reference {
    /// How often each call was made.
    pub(crate) calls: BTreeMap<&'static str, u64>,
    /// How many reads were none of the table.
    pub(crate) other_reads: u64,
    /// What changed something, by method, path and operation.
    pub(crate) changes: BTreeMap<String, usize>,
    /// What the world holds then.
    pub(crate) world: Vec<String>,
}

// A key and a tag that no node uses, and a repository.
const KEY: &str = "    - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEjMBM3IFMkmZPCK9s4VZfi4VGpG1mQvGYzEBvC1ZbNX second@hello-site\n";
const TAG: &str = "    - {tag: big, definition_type: lshw_xpath, definition: '//node[@id=\"memory\"]'}\n";
const OLD: &str =
    "    old: {repo_type: apt, url: 'https://packages.example.net/old', distributions: [jammy], components: [main], arches: [amd64]}\n";

/// The example with one node.
fn design() -> Folder {
    let folder = Folder::hello();
    let nodes = folder.read("design/nodes.yaml");
    let one: Vec<&str> = nodes.split("---\n").filter(|d| !d.contains("name: control01") && !d.contains("name: compute02")).collect();
    folder.write("design/nodes.yaml", &one.join("---\n"));
    let networks = folder.read("design/networks.yaml");
    folder.write("design/networks.yaml", &format!("{networks}{SPARE}"));
    folder.edit("design/region.yaml", "operator@hello-site\n", &format!("operator@hello-site\n{KEY}"));
    folder.edit("design/region.yaml", "  repositories:\n", &format!("{TAG}  repositories:\n"));
    folder.edit("design/region.yaml", "    tools:\n", &format!("{OLD}    tools:\n"));
    folder
}

/// The site changes while it is deployed, and so does what nobody uses.
fn change_design(folder: &Folder) {
    let networks = folder.read("design/networks.yaml");
    folder.write("design/networks.yaml", &networks.replace(SPARE, ""));
    folder.edit("design/networks.yaml", "servers: 10.10.2.2,10.10.2.3", "servers: 10.10.2.2,10.10.2.4");
    folder.edit("design/networks.yaml", "metric: 20", "metric: 30");
    folder.edit("design/region.yaml", KEY, "");
    folder.edit("design/region.yaml", TAG, "");
    folder.edit("design/region.yaml", OLD, "");
    folder.edit("design/region.yaml", "remove_unlisted: false", "remove_unlisted: true");
    folder.edit("design/region.yaml", "example.net/tools", "example.net/tools2");
    folder.edit("design/region.yaml", "@id=\"vmx\"", "@id=\"svm\"");
    folder.edit("design/profiles.yaml", "tags: [compute]", "tags: [compute, gpu]");
    folder.edit("design/profiles.yaml", "team: platform", "team: research");
}

/// A machine that is ready is not as it was: somebody renamed its bond, another node's image lacks an architecture.
fn disturb(world: &mut World) {
    let node = node_mut(world, "compute01");
    node.interfaces.values_mut().find(|i| i.name == "bond0").expect("a bond").name = "bond7".into();
    let pxe = node.interfaces.values_mut().find(|i| i.kind == "physical" && !i.links.is_empty()).expect("a NIC with a link");
    pxe.links[0].mode = "link_up".into();
    for selection in world.site.selections.values_mut() {
        selection.arches = vec!["arm64".to_owned()];
    }
    world.site.boot_resources.clear();
}

/// The machine is being released for some seconds more.
fn release(world: &mut World) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let node = node_mut(world, "compute01");
    node.status = Status::Releasing;
    node.release_due = Some(u64::try_from(now.as_millis()).unwrap() + 4000);
}

/// MAAS has an older password of the machine's BMC, and cannot tell its power any more.
fn forget_password(world: &mut World) {
    let node = node_mut(world, "compute01");
    node.power_parameters.insert("power_pass".to_owned(), "an older one".into());
}

/// The default gateway and the boot disk are others, and a bond has another parameter.
fn disturb_less(world: &mut World) {
    let node = node_mut(world, "compute01");
    node.gateway_links = (None, None);
    let last = node.block_devices.values().filter(|b| b.serial.is_some()).map(|b| b.id).max();
    node.boot_disk = last;
    let bond = node.interfaces.values_mut().find(|i| i.name == "bond0").expect("a bond");
    bond.params.insert("bond_miimon".to_owned(), 50.into());
}

/// Settings with these faults; a request is given up after a second.
pub(crate) fn settings(folder: &Folder, faults: &[FaultRule]) {
    let faults = serde_json::to_string(faults).unwrap();
    folder.write(
        "drydock.yaml",
        &format!(
            "site: hello-site\ndrivers: {{maas: {{owns_region: true, manage_power: true, delete_released: true, request_timeout: 1s, spaces: {{inside: [mgmt, storage]}}, machines: [{{pool: research, zone: rack1, min_kernel: ga-22.04}}]}}}}\nlimits: {{unavailable_per_rack: 3, power_ups_per_rack: 3}}\n{LIMITS}\nsimulate:\n  images_present: false\n  durability: lazy\n  timing: {TIMING}\n  faults: {faults}\n"
        ),
    );
}

/// Everything that a folder holds, the state and the world as well.
fn whole_copy(of: &Folder) -> Folder {
    let folder = Folder::empty();
    copy(of.path(), folder.path());
    let hidden = of.path().join(".drydock");
    if hidden.is_dir() {
        copy(&hidden, &folder.path().join(".drydock"));
    }
    folder
}

const SITE: &[&str] = &["apply", "--auto-approve", "--json", "--goal", "prepare_site"];
const NODES: &[&str] = &["apply", "--auto-approve", "--json", "--goal", "prepare_nodes"];
const DEPLOY: &[&str] = &["apply", "--auto-approve", "--json"];
const DESTROY: &[&str] = &["destroy", "--target", "node=compute01", "--auto-approve", "--json"];

/// All stages, made once.
pub(crate) fn stages() -> &'static [Stage] {
    static STAGES: OnceLock<Vec<Stage>> = OnceLock::new();
    STAGES.get_or_init(|| {
        let checks = [
            (SITE, &["plan", "--detailed-exitcode", "--goal", "prepare_site"][..]),
            (NODES, &["plan", "--detailed-exitcode", "--goal", "prepare_nodes"]),
            (DEPLOY, &["plan", "--detailed-exitcode"]),
            // A second time there is nothing to do.
            (DESTROY, DESTROY),
        ];
        let first = design();
        let mut stages = Vec::new();
        let mut then = |name, before: &Folder, begun, command| -> Folder {
            let (reference, after) = reference(before, begun, command);
            let check = checks.iter().find(|(of, _)| *of == command).expect("a check").1;
            stages.push(Stage { name, before: whole_copy(before), begun, command, check, reference });
            after
        };
        let prepared = then("an empty MAAS", &first, None, SITE);
        let ready = then("a prepared site", &prepared, None, NODES);
        let deployed = then("a ready machine", &ready, None, DEPLOY);
        then("a deployed machine", &deployed, None, DESTROY);
        change_design(&deployed);
        then("a changed design", &deployed, None, DEPLOY);
        change_world(deployed.path(), forget_password);
        then("a forgotten password", &deployed, None, DEPLOY);
        let disturbed = whole_copy(&ready);
        change_world(disturbed.path(), disturb);
        then("a disturbed machine", &disturbed, None, NODES);
        then("a machine that is being released", &ready, Some(release), NODES);
        change_world(ready.path(), disturb_less);
        then("a machine with other parameters", &ready, None, NODES);
        stages
    })
}

/// Method, path as a pattern, operation of a call as the table writes it.
pub(crate) fn rule(call: &str) -> FaultRule {
    let (method, rest) = call.split_once(' ').expect("a method");
    let (path, op) = rest.split_once(' ').map_or((rest, ""), |(path, op)| (path, op));
    let path = format!("/MAAS/api/2[.]0/{}", path.replace("{}", "[^/]+"));
    FaultRule {
        server: Some("maas".to_owned()),
        method: Some(method.to_owned()),
        path: Some(path),
        op: Some(op.to_owned()),
        ..FaultRule::default()
    }
}

/// How often a rule has matched in a world.
pub(crate) fn matches(world: &World, rule: &FaultRule) -> u64 {
    world.meta.fault_matches.get(&serde_json::json!(rule).to_string()).copied().unwrap_or(0)
}

/// All calls of the table.
pub(crate) fn all_calls() -> Vec<&'static str> {
    let mut calls: Vec<&'static str> = CALLS.iter().flat_map(|c| c.calls).chain(READS).copied().collect();
    calls.sort_unstable();
    calls.dedup();
    calls
}

/// A copy with what is under way.
fn begin(before: &Folder, begun: Option<fn(&mut World)>) -> Folder {
    let folder = whole_copy(before);
    if let Some(begun) = begun {
        change_world(folder.path(), begun);
    }
    folder
}

/// Runs a stage without faults, counting calls.
fn reference(before: &Folder, begun: Option<fn(&mut World)>, command: &[&str]) -> (Reference, Folder) {
    let folder = begin(before, begun);
    let counting = |call: &str| FaultRule { count: 0, hang_ms: Some(0), ..rule(call) };
    let any =
        FaultRule { server: Some("maas".to_owned()), method: Some("GET".to_owned()), count: 0, hang_ms: Some(0), ..FaultRule::default() };
    let rules: Vec<FaultRule> = all_calls().into_iter().map(counting).chain([any.clone()]).collect();
    settings(&folder, &rules);
    let made = requests(folder.path()).len();
    // Rules of the stage before have counted as well.
    let earlier = folder.path().join(".drydock").is_dir().then(|| world_of(folder.path()));
    folder.run(command).expect(0);
    let world = world_of(folder.path());
    let count = |rule: &FaultRule| matches(&world, rule) - earlier.as_ref().map_or(0, |w| matches(w, rule));
    let calls: BTreeMap<&str, u64> = all_calls().into_iter().map(|call| (call, count(&counting(call)))).filter(|(_, n)| *n > 0).collect();
    let reads: u64 = calls.iter().filter(|(call, _)| call.starts_with("GET ")).map(|(_, n)| n).sum();
    let reference =
        Reference { other_reads: count(&any) - reads, calls, changes: changes(&requests(folder.path())[made..]), world: summary(&world) };
    (reference, folder)
}

fn requests(folder: &Path) -> Vec<RequestRecord> {
    let world = folder.join(".drydock/sim");
    if world.is_dir() { drydock::sim::read_requests(&world).unwrap() } else { Vec::new() }
}

/// What MAAS was told and accepted, by the call of the table.
fn changes(requests: &[RequestRecord]) -> BTreeMap<String, usize> {
    static SHAPES: OnceLock<Vec<(&str, FaultRule, Regex)>> = OnceLock::new();
    let shapes = SHAPES.get_or_init(|| {
        let of = |call| {
            let rule = rule(call);
            let path = Regex::new(&format!("^{}$", rule.path.as_deref().unwrap())).unwrap();
            (call, rule, path)
        };
        all_calls().into_iter().map(of).collect()
    });
    let mut out = BTreeMap::new();
    for r in requests.iter().filter(|r| r.server == "maas" && r.status < 400) {
        let op = r.op.as_deref().unwrap_or_default();
        let is_it = |(_, rule, path): &&(&str, FaultRule, Regex)| {
            rule.method.as_deref() == Some(&r.method) && rule.op.as_deref() == Some(op) && path.is_match(&r.path)
        };
        let call = shapes.iter().find(is_it).map_or_else(|| format!("{} {} {op} (not in the table)", r.method, r.path), |s| s.0.to_owned());
        *out.entry(call).or_default() += 1;
    }
    out
}

/// What a world holds, without ids: nothing is there twice, and nothing is missing.
fn summary(world: &World) -> Vec<String> {
    let s = &world.site;
    let cidr = |id: i64| s.subnets.get(&id).map_or("?", |n| n.cidr.as_str());
    let vlan = |id: i64| s.vlans.get(&id).map_or("?".to_owned(), |v| format!("{}/{}", s.fabrics[&v.fabric].name, v.vid));
    let mut out: Vec<String> = Vec::new();
    out.extend(s.fabrics.values().map(|f| format!("fabric {}", f.name)));
    out.extend(s.vlans.values().map(|v| format!("vlan {} {} mtu {} dhcp {}", vlan(v.id), v.name, v.mtu, v.dhcp_on)));
    out.extend(
        s.subnets.values().map(|n| format!("subnet {} {} in {} {:?} {:?}", n.cidr, n.name, vlan(n.vlan), n.gateway_ip, n.dns_servers)),
    );
    out.extend(s.ipranges.values().map(|r| format!("range {} {} {} {}", r.kind, cidr(r.subnet), r.start, r.end)));
    out.extend(s.static_routes.values().map(|r| format!("route {} {} {} {}", cidr(r.source), cidr(r.destination), r.gateway_ip, r.metric)));
    out.extend(s.domains.values().map(|d| format!("domain {}", d.name)));
    out.extend(s.tags.iter().map(|t| format!("tag {} {:?} {:?}", t.name, t.definition, t.kernel_opts)));
    out.extend(s.sshkeys.values().map(|k| format!("key {k}")));
    out.extend(s.repositories.values().map(|r| format!("repository {} {} {:?}", r.name, r.url, r.components)));
    out.extend(s.selections.values().map(|n| format!("selection {} {} {:?}", n.os, n.release, n.arches)));
    out.extend(s.boot_resources.values().map(|r| format!("image {} {}", r.name, r.architecture)));
    for n in world.nodes.values() {
        let domain = s.domains.get(&n.domain).map_or("?", |d| d.name.as_str());
        let mut tags = n.tags.clone();
        tags.sort();
        // The action's id stands in the mark.
        let data: BTreeMap<_, _> = n.owner_data.iter().filter(|(k, _)| *k != "drydock.action").collect();
        out.push(format!("machine {}.{domain} {:?} {tags:?} {data:?} {} {:?}", n.hostname, n.status, n.power_type, n.hwe_kernel));
        for i in n.interfaces.values() {
            let mut parents: Vec<&str> = i.parents.iter().map(|p| n.interfaces[p].name.as_str()).collect();
            parents.sort_unstable();
            let at = i.vlan.map_or("nowhere".to_owned(), vlan);
            let links: Vec<String> = i.links.iter().map(|l| format!("{} {:?} {:?}", l.mode, l.subnet.map(cidr), l.ip)).collect();
            out.push(format!("  {} {} of {parents:?} in {at} {:?} {links:?}", i.kind, i.name, i.params));
        }
        for b in n.block_devices.values() {
            let parts: Vec<String> = b
                .partitions
                .iter()
                .map(|p| format!("{} {:?}", p.size, p.filesystem.as_ref().and_then(|f| f.mount_point.clone())))
                .collect();
            out.push(format!("  {} {} {:?} {parts:?}", b.name, b.size, b.filesystem.as_ref().and_then(|f| f.mount_point.clone())));
        }
        out.extend(n.volume_groups.values().map(|g| format!("  volume group {}", g.name)));
    }
    out.sort();
    out
}

/// A case: a copy of a stage with faults of its own.
pub(crate) struct Case {
    folder: Folder,
    made: usize,
}

impl Stage {
    /// A copy of the site with this fault.
    pub(crate) fn case(&self, fault: &FaultRule) -> Case {
        let folder = begin(&self.before, self.begun);
        settings(&folder, std::slice::from_ref(fault));
        let made = requests(folder.path()).len();
        Case { folder, made }
    }
}

impl Case {
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.folder.run(arguments)
    }

    pub(crate) fn world(&self) -> World {
        world_of(self.folder.path())
    }

    /// What MAAS was told since the case began.
    pub(crate) fn changes(&self) -> BTreeMap<String, usize> {
        changes(&requests(self.folder.path())[self.made..])
    }

    /// What is not as in the reference.
    pub(crate) fn differences(world: &World, reference: &Reference) -> Vec<String> {
        let now = summary(world);
        let more = now.iter().filter(|l| !reference.world.contains(l)).map(|l| format!("+ {l}"));
        let less = reference.world.iter().filter(|l| !now.contains(l)).map(|l| format!("- {l}"));
        let twice = (now.len() != reference.world.len()).then(|| format!("{} things instead of {}", now.len(), reference.world.len()));
        more.chain(less).chain(twice).collect()
    }
}
