//! Inheritance is complete: whatever a host profile may say reaches the nodes, can be changed and removed there alone, and keeps its place.

use std::collections::BTreeMap;

use drydock::document;
use drydock::model::{Filesystem, Located, Node, Size, Text, resolve};
use drydock::yaml::{SourceMap, Span};

const BASE: &str = "---
schema: drydock/Region/v1
metadata: {schema: metadata/Document/v1, name: site}
data: {}
---
schema: drydock/HostProfile/v1
metadata: {schema: metadata/Document/v1, name: base}
data:
  hardware_profile: server
  primary_network: mgmt
  oob: {type: ipmi, network: oob, account: root, credential: not-a-secret}
  interfaces:
    pxe: {device_link: pxe, slaves: [nic01], networks: [pxe]}
    bond0:
      device_link: data
      slaves: [nic02, nic03]
      networks: [mgmt, storage]
      labels: {noconfig: enabled, role: data}
      sriov: {vf_count: 4, trustedmode: true}
  storage:
    physical_devices:
      sda:
        labels: {bootdrive: true, media: ssd}
        partitions:
          - {name: root, size: 30g, bootable: true, part_uuid: root-uuid, filesystem: {mountpoint: /, fstype: xfs, mount_options: noatime, fs_label: r, fs_uuid: r-uuid}}
          - {name: boot, size: 1g, filesystem: {mountpoint: /boot}}
          - {name: var, size: '>100g', filesystem: {mountpoint: /var}}
      sdb: {volume_group: data_vg}
      sdc: {partitions: [{name: pv, size: 100%, volume_group: data_vg}]}
    volume_groups:
      data_vg:
        vg_uuid: data-uuid
        logical_volumes:
          - {name: one, size: 10%, lv_uuid: one-uuid, filesystem: {mountpoint: /one}}
          - {name: two, size: 20%}
          - {name: three, size: 30%}
      spare_vg: {logical_volumes: [{name: spare, size: 5g}]}
  platform: {image: jammy, kernel: ga-22.04, kernel_params: {console: ttyS0, quiet: true, maxcpus: 8}}
  metadata:
    tags: [a, b, c]
    owner_data: {rank: low, zone: east, team: infra}
    rack: rack1
";

fn document(kind: &str, name: &str, parent: &str, data: &str) -> String {
    format!(
        "---\nschema: drydock/{kind}/v1\nmetadata: {{schema: metadata/Document/v1, name: {name}}}\ndata:\n  host_profile: {parent}\n{data}"
    )
}

/// Everything that the node `node` has, one line each; behind `@` stands which document says so.
fn applied(documents: &[String]) -> Vec<String> {
    let text = format!("{BASE}{}", documents.concat());
    let mut map = SourceMap::default();
    let file = map.add("design.yaml", text.clone());
    let read = document::read_all(&map, &[file]);
    assert!(read.diagnostics.is_empty(), "{:#?}", read.diagnostics);
    let (site, found) = resolve(&read.documents, &read.sensitive);
    assert!(found.is_empty(), "{found:#?}");
    let starts: Vec<(usize, String)> = read.documents.iter().map(|d| (d.span.start as usize, d.name.clone())).collect();
    let teller = Teller { starts, lines: Vec::new() };
    teller.node(&site.expect("a site").nodes["node"])
}

struct Teller {
    /// Where documents begin, and their names.
    starts: Vec<(usize, String)>,
    lines: Vec<String>,
}

impl Teller {
    fn at(&self, span: Span) -> &str {
        if !span.is_somewhere() {
            return "default";
        }
        &self.starts.iter().rev().find(|(start, _)| *start <= span.start as usize).expect("a document").1
    }

    fn say<T: std::fmt::Display>(&mut self, path: &str, value: &Located<T>) {
        let line = format!("{path}={}@{}", value.value, self.at(value.span));
        self.lines.push(line);
    }

    fn text(&mut self, path: &str, value: Option<&Text>) {
        if let Some(value) = value {
            self.say(path, value);
        }
    }

    fn list(&mut self, path: &str, values: &[Text]) {
        let values: Vec<String> = values.iter().map(|value| format!("{value}@{}", self.at(value.span))).collect();
        if !values.is_empty() {
            self.lines.push(format!("{path}=[{}]", values.join(" ")));
        }
    }

    fn dict(&mut self, path: &str, values: &BTreeMap<String, Text>) {
        let values: Vec<String> = values.iter().map(|(key, value)| format!("{key}:{value}@{}", self.at(value.span))).collect();
        if !values.is_empty() {
            self.lines.push(format!("{path}={{{}}}", values.join(" ")));
        }
    }

    fn filesystem(&mut self, path: &str, filesystem: Option<&Filesystem>) {
        let Some(filesystem) = filesystem else { return };
        let values: BTreeMap<String, Text> = [
            ("mountpoint", filesystem.mountpoint.clone()),
            ("fstype", Some(filesystem.fstype.clone())),
            ("mount_options", Some(filesystem.mount_options.clone())),
            ("fs_label", filesystem.fslabel.clone()),
            ("fs_uuid", filesystem.fs_uuid.clone()),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?)))
        .filter(|(_, value)| value.span.is_somewhere())
        .collect();
        self.dict(&format!("{path}/fs"), &values);
    }

    fn size(&mut self, path: &str, size: &Located<Size>) {
        self.say(&format!("{path}/size"), size);
    }

    fn node(mut self, node: &Node) -> Vec<String> {
        self.text("hardware_profile", node.hardware_profile.as_ref());
        self.text("primary_network", node.primary_network.as_ref());
        if let Some(kind) = &node.oob.kind {
            let line = format!("oob/type={}@{}", kind.value.name(), self.at(kind.span));
            self.lines.push(line);
        }
        self.text("oob/network", node.oob.network.as_ref());
        self.text("oob/account", node.oob.account.as_ref());
        if let Some(credential) = &node.oob.credential {
            let line = format!("oob/credential={}@{}", credential.value.expose(), self.at(credential.span));
            self.lines.push(line);
        }
        for (name, interface) in &node.interfaces {
            self.text(&format!("{name}/link"), interface.device_link.as_ref());
            self.list(&format!("{name}/slaves"), &interface.slaves);
            self.list(&format!("{name}/networks"), &interface.networks);
            self.dict(&format!("{name}/labels"), &interface.labels);
            if let Some(count) = &interface.sriov_vf_count {
                self.say(&format!("{name}/vf_count"), count);
            }
            if let Some(trusted) = &interface.sriov_trusted {
                self.say(&format!("{name}/trusted"), trusted);
            }
        }
        for (name, disk) in &node.storage.physical_devices {
            self.say("disk", &disk.name);
            self.dict(&format!("{name}/labels"), &disk.labels);
            self.text(&format!("{name}/vg"), disk.volume_group.as_ref());
            for partition in &disk.partitions {
                let path = format!("{name}/{}", partition.name);
                self.size(&path, &partition.size);
                if partition.bootable.span.is_somewhere() {
                    self.say(&format!("{path}/bootable"), &partition.bootable);
                }
                self.text(&format!("{path}/part_uuid"), partition.part_uuid.as_ref());
                self.text(&format!("{path}/vg"), partition.volume_group.as_ref());
                self.filesystem(&path, partition.filesystem.as_ref());
            }
        }
        for (name, group) in &node.storage.volume_groups {
            self.say("vg", &group.name);
            self.text(&format!("{name}/vg_uuid"), group.vg_uuid.as_ref());
            for volume in &group.logical_volumes {
                let path = format!("{name}/{}", volume.name);
                self.size(&path, &volume.size);
                self.text(&format!("{path}/lv_uuid"), volume.lv_uuid.as_ref());
                self.filesystem(&path, volume.filesystem.as_ref());
            }
        }
        self.text("image", node.platform.image.as_ref());
        self.text("kernel", node.platform.kernel.as_ref());
        self.dict("kernel_params", &node.platform.kernel_params);
        self.list("tags", &node.tags);
        self.dict("owner_data", &node.owner_data);
        self.text("rack", node.rack.as_ref());
        self.lines
    }
}

/// What the node has of everything in [`BASE`], where nothing changes it.
fn inherited() -> Vec<String> {
    applied(&[document("BaremetalNode", "node", "base", "")])
}

/// Lines of `before` that are gone with `-`, new ones with `+`.
fn changes(before: &[String], after: &[String]) -> Vec<String> {
    let gone = before.iter().filter(|line| !after.contains(line)).map(|line| format!("-{line}"));
    let new = after.iter().filter(|line| !before.contains(line)).map(|line| format!("+{line}"));
    gone.chain(new).collect()
}

#[test]
fn everything_is_inherited_through_profiles_that_say_nothing() {
    let lines = inherited();
    assert!(lines.iter().all(|line| line.contains("@base") && !line.contains("@node")), "{lines:#?}");
    let (one, two) = (document("HostProfile", "middle", "base", ""), document("HostProfile", "top", "middle", ""));
    assert_eq!(applied(&[one, two, document("BaremetalNode", "node", "top", "")]), lines);
    let expected = [
        "hardware_profile=server@base",
        "primary_network=mgmt@base",
        "oob/type=ipmi@base",
        "oob/network=oob@base",
        "oob/account=root@base",
        "oob/credential=not-a-secret@base",
        "bond0/link=data@base",
        "bond0/slaves=[nic02@base nic03@base]",
        "bond0/networks=[mgmt@base storage@base]",
        "bond0/labels={noconfig:enabled@base role:data@base}",
        "bond0/vf_count=4@base",
        "bond0/trusted=true@base",
        "pxe/link=pxe@base",
        "pxe/slaves=[nic01@base]",
        "pxe/networks=[pxe@base]",
        "disk=sda@base",
        "sda/labels={bootdrive:true@base media:ssd@base}",
        "sda/root/size=30g@base",
        "sda/root/bootable=true@base",
        "sda/root/part_uuid=root-uuid@base",
        "sda/root/fs={fs_label:r@base fs_uuid:r-uuid@base fstype:xfs@base mount_options:noatime@base mountpoint:/@base}",
        "sda/boot/size=1g@base",
        "sda/boot/fs={mountpoint:/boot@base}",
        "sda/var/size=>100g@base",
        "sda/var/fs={mountpoint:/var@base}",
        "disk=sdb@base",
        "sdb/vg=data_vg@base",
        "disk=sdc@base",
        "sdc/pv/size=100%@base",
        "sdc/pv/vg=data_vg@base",
        "vg=data_vg@base",
        "data_vg/vg_uuid=data-uuid@base",
        "data_vg/one/size=10%@base",
        "data_vg/one/lv_uuid=one-uuid@base",
        "data_vg/one/fs={mountpoint:/one@base}",
        "data_vg/two/size=20%@base",
        "data_vg/three/size=30%@base",
        "vg=spare_vg@base",
        "spare_vg/spare/size=5g@base",
        "image=jammy@base",
        "kernel=ga-22.04@base",
        "kernel_params={console:ttyS0@base maxcpus:8@base quiet:@base}",
        "tags=[a@base b@base c@base]",
        "owner_data={rank:low@base team:infra@base zone:east@base}",
        "rack=rack1@base",
    ];
    assert_eq!(lines, expected);
}

/// A change in a node, or in a profile between, and all that differs by it.
#[test]
fn a_change_changes_nothing_else() {
    let before = inherited();
    let cases: &[(&str, &[&str])] = &[
        ("  interfaces: {bond0: {sriov: {vf_count: 8}}}\n", &["-bond0/vf_count=4@base", "+bond0/vf_count=8@node"]),
        ("  interfaces: {bond0: {sriov: {trustedmode: false}}}\n", &["-bond0/trusted=true@base", "+bond0/trusted=false@node"]),
        (
            "  interfaces: {bond0: {labels: {role: other, new: x}}}\n",
            &["-bond0/labels={noconfig:enabled@base role:data@base}", "+bond0/labels={new:x@node noconfig:enabled@base role:other@node}"],
        ),
        (
            "  interfaces: {bond0: {slaves: [nic04], networks: [overlay]}}\n",
            &[
                "-bond0/slaves=[nic02@base nic03@base]",
                "-bond0/networks=[mgmt@base storage@base]",
                "+bond0/slaves=[nic02@base nic03@base nic04@node]",
                "+bond0/networks=[mgmt@base storage@base overlay@node]",
            ],
        ),
        ("  interfaces: {eth9: {device_link: data, sriov: {vf_count: 2}}}\n", &["+eth9/link=data@node", "+eth9/vf_count=2@node"]),
        ("  oob: {account: admin}\n", &["-oob/account=root@base", "+oob/account=admin@node"]),
        (
            "  storage: {physical_devices: {sda: {labels: {media: nvme}}}}\n",
            &[
                "-disk=sda@base",
                "-sda/labels={bootdrive:true@base media:ssd@base}",
                "+disk=sda@node",
                "+sda/labels={bootdrive:true@base media:nvme@node}",
            ],
        ),
        (
            "  storage: {physical_devices: {sda: {partitions: [{name: boot, size: 2g}]}}}\n",
            &["-disk=sda@base", "-sda/boot/size=1g@base", "+disk=sda@node", "+sda/boot/size=2g@node"],
        ),
        (
            "  storage: {physical_devices: {sda: {partitions: [{name: root, filesystem: {mount_options: ro}}]}}}\n",
            &[
                "-disk=sda@base",
                "-sda/root/fs={fs_label:r@base fs_uuid:r-uuid@base fstype:xfs@base mount_options:noatime@base mountpoint:/@base}",
                "+disk=sda@node",
                "+sda/root/fs={fs_label:r@base fs_uuid:r-uuid@base fstype:xfs@base mount_options:ro@node mountpoint:/@base}",
            ],
        ),
        (
            "  storage: {physical_devices: {sda: {partitions: [{name: log, size: 5g}]}}}\n",
            &["-disk=sda@base", "+disk=sda@node", "+sda/log/size=5g@node"],
        ),
        ("  storage: {physical_devices: {sdd: {volume_group: spare_vg}}}\n", &["+disk=sdd@node", "+sdd/vg=spare_vg@node"]),
        (
            "  storage: {physical_devices: {sdb: {volume_group: spare_vg}}}\n",
            &["-disk=sdb@base", "-sdb/vg=data_vg@base", "+disk=sdb@node", "+sdb/vg=spare_vg@node"],
        ),
        (
            "  storage: {volume_groups: {data_vg: {vg_uuid: other}}}\n",
            &["-vg=data_vg@base", "-data_vg/vg_uuid=data-uuid@base", "+vg=data_vg@node", "+data_vg/vg_uuid=other@node"],
        ),
        (
            "  storage: {volume_groups: {data_vg: {logical_volumes: [{name: two, size: 25%}]}}}\n",
            &["-vg=data_vg@base", "-data_vg/two/size=20%@base", "+vg=data_vg@node", "+data_vg/two/size=25%@node"],
        ),
        (
            "  storage: {volume_groups: {data_vg: {logical_volumes: [{name: one, filesystem: {fstype: xfs}}]}}}\n",
            &[
                "-vg=data_vg@base",
                "-data_vg/one/fs={mountpoint:/one@base}",
                "+vg=data_vg@node",
                "+data_vg/one/fs={fstype:xfs@node mountpoint:/one@base}",
            ],
        ),
        (
            "  storage: {volume_groups: {new_vg: {logical_volumes: [{name: n, size: 1g}]}}}\n",
            &["+vg=new_vg@node", "+new_vg/n/size=1g@node"],
        ),
        (
            "  platform: {kernel_params: {console: ttyS1, new: 1}}\n",
            &[
                "-kernel_params={console:ttyS0@base maxcpus:8@base quiet:@base}",
                "+kernel_params={console:ttyS1@node maxcpus:8@base new:1@node quiet:@base}",
            ],
        ),
        ("  platform: {image: noble}\n", &["-image=jammy@base", "+image=noble@node"]),
        ("  metadata: {tags: [d, a]}\n", &["-tags=[a@base b@base c@base]", "+tags=[a@base b@base c@base d@node]"]),
        (
            "  metadata: {owner_data: {rank: high, new: x}}\n",
            &[
                "-owner_data={rank:low@base team:infra@base zone:east@base}",
                "+owner_data={new:x@node rank:high@node team:infra@base zone:east@base}",
            ],
        ),
        ("  metadata: {rack: rack2}\n", &["-rack=rack1@base", "+rack=rack2@node"]),
    ];
    let mut different = String::new();
    for (data, expected) in cases {
        let actual = changes(&before, &applied(&[document("BaremetalNode", "node", "base", data)]));
        if actual != *expected {
            different.push_str(&format!("{data}{actual:#?}\n"));
        }
        // The same in a profile between, but for who says it.
        let chain = [document("HostProfile", "middle", "base", data), document("BaremetalNode", "node", "middle", "")];
        let between: Vec<String> = changes(&before, &applied(&chain)).iter().map(|line| line.replace("@middle", "@node")).collect();
        assert_eq!(between, actual, "{data}");
    }
    assert!(different.is_empty(), "{different}");
}

#[test]
fn a_removal_removes_nothing_else() {
    let before = inherited();
    let cases: &[(&str, &[&str])] = &[
        ("  primary_network: null\n", &["-primary_network=mgmt@base"]),
        ("  interfaces: {pxe: null}\n", &["-pxe/link=pxe@base", "-pxe/slaves=[nic01@base]", "-pxe/networks=[pxe@base]"]),
        ("  interfaces: {'!pxe': {}}\n", &["-pxe/link=pxe@base", "-pxe/slaves=[nic01@base]", "-pxe/networks=[pxe@base]"]),
        ("  interfaces: {bond0: {sriov: null}}\n", &["-bond0/vf_count=4@base", "-bond0/trusted=true@base"]),
        ("  interfaces: {bond0: {sriov: {trustedmode: null}}}\n", &["-bond0/trusted=true@base"]),
        (
            "  interfaces: {bond0: {labels: {noconfig: null}}}\n",
            &["-bond0/labels={noconfig:enabled@base role:data@base}", "+bond0/labels={role:data@base}"],
        ),
        (
            "  interfaces: {bond0: {labels: {'!noconfig': x}}}\n",
            &["-bond0/labels={noconfig:enabled@base role:data@base}", "+bond0/labels={role:data@base}"],
        ),
        (
            "  interfaces: {bond0: {slaves: ['!nic03'], networks: ['!mgmt', overlay]}}\n",
            &[
                "-bond0/slaves=[nic02@base nic03@base]",
                "-bond0/networks=[mgmt@base storage@base]",
                "+bond0/slaves=[nic02@base]",
                "+bond0/networks=[storage@base overlay@node]",
            ],
        ),
        ("  storage: {physical_devices: {sdb: null}}\n", &["-disk=sdb@base", "-sdb/vg=data_vg@base"]),
        ("  storage: {physical_devices: {'!sdc': null}}\n", &["-disk=sdc@base", "-sdc/pv/size=100%@base", "-sdc/pv/vg=data_vg@base"]),
        (
            "  storage: {physical_devices: {sda: {partitions: ['!var']}}}\n",
            &["-disk=sda@base", "-sda/var/size=>100g@base", "-sda/var/fs={mountpoint:/var@base}", "+disk=sda@node"],
        ),
        (
            "  storage: {physical_devices: {sda: {partitions: [{name: '!boot'}, {name: var, size: 1t}]}}}\n",
            &[
                "-disk=sda@base",
                "-sda/boot/size=1g@base",
                "-sda/boot/fs={mountpoint:/boot@base}",
                "-sda/var/size=>100g@base",
                "+disk=sda@node",
                "+sda/var/size=1t@node",
            ],
        ),
        (
            "  storage: {physical_devices: {sda: {partitions: [{name: root, part_uuid: null, filesystem: {fs_label: null}}]}}}\n",
            &[
                "-disk=sda@base",
                "-sda/root/part_uuid=root-uuid@base",
                "-sda/root/fs={fs_label:r@base fs_uuid:r-uuid@base fstype:xfs@base mount_options:noatime@base mountpoint:/@base}",
                "+disk=sda@node",
                "+sda/root/fs={fs_uuid:r-uuid@base fstype:xfs@base mount_options:noatime@base mountpoint:/@base}",
            ],
        ),
        (
            "  storage: {physical_devices: {sda: {partitions: [{name: boot, filesystem: null}]}}}\n",
            &["-disk=sda@base", "-sda/boot/fs={mountpoint:/boot@base}", "+disk=sda@node"],
        ),
        ("  storage: {volume_groups: {spare_vg: null}}\n", &["-vg=spare_vg@base", "-spare_vg/spare/size=5g@base"]),
        (
            "  storage: {volume_groups: {data_vg: {logical_volumes: ['!two'], vg_uuid: '!'}}}\n",
            &["-vg=data_vg@base", "-data_vg/vg_uuid=data-uuid@base", "-data_vg/two/size=20%@base", "+vg=data_vg@node"],
        ),
        (
            "  platform: {kernel_params: {quiet: null, '!maxcpus': null}}\n",
            &["-kernel_params={console:ttyS0@base maxcpus:8@base quiet:@base}", "+kernel_params={console:ttyS0@base}"],
        ),
        (
            "  platform: {kernel_params: {quiet: false}}\n",
            &["-kernel_params={console:ttyS0@base maxcpus:8@base quiet:@base}", "+kernel_params={console:ttyS0@base maxcpus:8@base}"],
        ),
        (
            "  metadata: {tags: ['!b'], owner_data: {zone: null, '!team': x}}\n",
            &[
                "-tags=[a@base b@base c@base]",
                "-owner_data={rank:low@base team:infra@base zone:east@base}",
                "+tags=[a@base c@base]",
                "+owner_data={rank:low@base}",
            ],
        ),
        ("  metadata: {owner_data: null}\n", &["-owner_data={rank:low@base team:infra@base zone:east@base}"]),
    ];
    let mut different = String::new();
    for (data, expected) in cases {
        let actual = changes(&before, &applied(&[document("BaremetalNode", "node", "base", data)]));
        if actual != *expected {
            different.push_str(&format!("{data}{actual:#?}\n"));
        }
        let chain = [document("HostProfile", "middle", "base", data), document("BaremetalNode", "node", "middle", "")];
        let between: Vec<String> = changes(&before, &applied(&chain)).iter().map(|line| line.replace("@middle", "@node")).collect();
        assert_eq!(between, actual, "{data}");
        // What a profile removed stays away, and may be set again below it.
        if data.contains("sdb: null") {
            let again = document("BaremetalNode", "node", "middle", "  storage: {physical_devices: {sdb: {volume_group: spare_vg}}}\n");
            let after = changes(&before, &applied(&[chain[0].clone(), again]));
            assert_eq!(after, ["-disk=sdb@base", "-sdb/vg=data_vg@base", "+disk=sdb@node", "+sdb/vg=spare_vg@node"]);
        }
    }
    assert!(different.is_empty(), "{different}");
}

/// There, a child with storage whose parent has none ended the validation.
#[test]
fn what_no_parent_has_may_begin_in_the_child() {
    let storage = "  storage: {physical_devices: {sda: {partitions: [{name: root, size: 30g}]}}, volume_groups: {vg: {logical_volumes: [{name: l, size: 1g}]}}}\n";
    let rest = "  interfaces: {eth0: {device_link: l, sriov: {vf_count: 2}}}\n  platform: {kernel_params: {a: 1}}\n  metadata: {tags: [t], owner_data: {k: v}}\n";
    let empty = "---\nschema: drydock/HostProfile/v1\nmetadata: {schema: metadata/Document/v1, name: empty}\ndata: {}\n".to_owned();
    let chain = [empty, document("HostProfile", "middle", "empty", storage), document("BaremetalNode", "node", "middle", rest)];
    assert_eq!(
        applied(&chain),
        [
            "eth0/link=l@node",
            "eth0/vf_count=2@node",
            "disk=sda@middle",
            "sda/root/size=30g@middle",
            "vg=vg@middle",
            "vg/l/size=1g@middle",
            "kernel_params={a:1@node}",
            "tags=[t@node]",
            "owner_data={k:v@node}"
        ]
    );
}
