//! The plan file: its schema, its bytes, its size, and what is refused.

use std::sync::OnceLock;

use drydock::build::Build;
use drydock::diff::{Goal, Memory};
use drydock::plan::{self, Plan, PlanError};
use serde_json::Value;

use crate::cli_support::{Folder, end};
use crate::random_design::Dice;
use crate::support::{Design, design, facts, hello_site, policy};

/// What of a plan file does not fit the published schema.
pub(crate) fn problems(file: &str) -> Vec<String> {
    static SCHEMA: OnceLock<jsonschema::Validator> = OnceLock::new();
    let schema = SCHEMA.get_or_init(|| jsonschema::validator_for(&plan::json_schema_of_file()).unwrap());
    let value: Value = serde_json::from_str(file).unwrap();
    schema.iter_errors(&value).map(|e| format!("{}: {e}", e.instance_path())).collect()
}

fn first_plan(design: &Design, goal: Goal) -> (Build, Plan) {
    let build = facts::before_first_apply(&design.site);
    let plan = crate::support::plan(design, &build, &Memory::default(), &policy(goal)).unwrap();
    (build, plan)
}

#[test]
fn the_schema_is_published_and_strict() {
    let site = Folder::hello();
    let printed: Value = serde_json::from_str(&site.run(&["schema", "plan"]).expect(0).stdout).unwrap();
    assert_eq!(printed, plan::json_schema_of_file());
    site.run(&["schema", "plam"]).expect(64).says(&["`plan` that of plan files"]);
    let text = plan::write(&first_plan(&hello_site(), Goal::DeployNodes).1);
    assert_eq!(problems(&text), Vec::<String>::new());
    // Everything that it has is needed, and nothing else may be there.
    let value: Value = serde_json::from_str(&text).unwrap();
    for key in value.as_object().unwrap().keys() {
        let mut other = value.clone();
        let taken = other.as_object_mut().unwrap().remove(key).unwrap();
        let optional = taken.is_null();
        assert_eq!(problems(&other.to_string()).is_empty(), optional, "without {key}");
        other.as_object_mut().unwrap().insert(key.clone(), Value::from(-1));
        assert!(!problems(&other.to_string()).is_empty(), "{key}: -1");
        let mut more = value.clone();
        more.as_object_mut().unwrap().insert(format!("{key}s"), taken);
        assert!(!problems(&more.to_string()).is_empty(), "{key}s");
    }
}

#[test]
fn what_is_printed_is_a_plan_file_with_what_it_comes_to() {
    let site = Folder::hello();
    let settings = site.read("drydock.yaml");
    site.write("drydock.yaml", &format!("{settings}\napproval: {{signers: ops/signers, rules: [{{effect: install, approvers: 2}}]}}\n"));
    site.write("ops/signers", "");
    let planned = site.run(&["plan", "--out", "plan.json", "--format", "json"]).expect(0).stdout;
    let shown = site.run(&["show", "plan.json", "--format", "json"]).expect(0).stdout;
    let file: Value = serde_json::from_str(&site.read("plan.json")).unwrap();
    let added = |text: &str| {
        assert_eq!(problems(text), Vec::<String>::new());
        let mut printed: Value = serde_json::from_str(text).unwrap();
        let map = printed.as_object_mut().unwrap();
        let added: Vec<&str> = ["approvals", "summary", "verdict"].into_iter().filter(|name| map.remove(*name).is_some()).collect();
        assert_eq!(printed, file);
        added
    };
    assert_eq!((added(&planned), added(&shown)), (vec!["summary", "verdict"], vec!["approvals", "summary", "verdict"]));
    // It may be kept instead of the file, and says the same of itself whatever the additions say.
    let mut told: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&told["verdict"], &told["approvals"][0]["missing"]), (&"changes".into(), &2.into()), "{told:#}");
    (told["verdict"], told["approvals"][0]["missing"]) = ("no_changes".into(), 0.into());
    site.write("told.json", &told.to_string());
    assert_eq!(site.run(&["show", "told.json", "--format", "json"]).expect(0).stdout, shown);
    site.run(&["apply", "told.json"]).expect(6).says(&["2 missing; approved by nobody so far"]);
    // Additions keep to the schema, too.
    for pointer in
        ["/verdict", "/summary/stages/0/now", "/summary/nodes_by_effect/install", "/approvals/0/by", "/approvals/0/needed/approvers"]
    {
        let mut other: Value = serde_json::from_str(&shown).unwrap();
        *other.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer} in {shown}")) = serde_json::json!({"no": "such"});
        assert_eq!(problems(&other.to_string()).len(), 1, "{pointer}");
    }
    // A part is in the same shape, and nothing that can be applied.
    let part = site.run(&["show", "plan.json", "--node", "compute01", "--format", "json", "-o", "part.json"]).expect(0);
    assert_eq!((part.stdout.as_str(), problems(&site.read("part.json"))), ("", Vec::new()));
    site.run(&["apply", "part.json"]).expect(6).says(&["changed after it was made"]);
}

#[test]
fn the_schema_fits_plans_with_waves_pools_hooks_and_approvals() {
    let site = Folder::hello();
    site.edit("drydock.yaml", "\nlimits:\n", "\nlimits:\n  deployments_per_network: 2\n");
    let settings = site.read("drydock.yaml");
    let more = "on_failure: power_off
rollout: {canaries: node=compute02, waves: [100%], gate: {healthy_for: 1s}, max_unavailable: [{per: label.role, limit: 1}]}
hooks: {before_disrupt: [{name: drain, run: [./drain.sh, now], environment: {TOKEN: {file: token}}}]}
protect: [tag=control]
approval: {signers: ops/signers, rules: [{effect: install, approvers: 2}]}";
    site.write("drydock.yaml", &format!("{settings}\n{more}\n"));
    site.run(&["plan", "--out", "plan.json", "-q"]).expect(0);
    let value: Value = serde_json::from_str(&site.read("plan.json")).unwrap();
    let has = |pointer: &str| value.pointer(pointer).is_some_and(|v| !v.is_null());
    for pointer in ["/rollout/waves/1/after/0", "/limits/pools/0/nodes/0", "/policy/approvals/0/signers", "/policy/rules/0"] {
        assert!(has(pointer), "{pointer} in {value:#}");
        let mut other = value.clone();
        *other.pointer_mut(pointer).unwrap() = serde_json::json!({"no": "such"});
        assert_eq!(problems(&other.to_string()).len(), 1, "{pointer}");
    }
}

#[test]
fn a_node_to_deploy_takes_less_than_four_kilobytes() {
    let size = |copies: usize| {
        let folder = Folder::hello();
        let nodes = folder.read("design/nodes.yaml");
        let one = nodes.split("\n---\n").find(|d| d.contains("name: compute01\n")).unwrap();
        let copy = |n: usize| {
            let other = one.replace("compute01", &format!("copy{n:03}"));
            other
                .replace("10.10.0.31", &format!("10.10.0.{}", 40 + n))
                .replace("10.10.2.31", &format!("10.10.2.{}", 40 + n))
                .replace("10.10.3.31", &format!("10.10.3.{}", 40 + n))
        };
        let copies: Vec<String> = (0..copies).map(copy).collect();
        folder.write("design/copies.yaml", &copies.join("\n---\n"));
        plan::write(&first_plan(&design(folder.path(), &["design"]), Goal::DeployNodes).1).len()
    };
    let (few, many) = (size(10), size(50));
    let each = (many - few) / 40;
    assert!((500..=4096).contains(&each), "{each} bytes for each node");
}

#[test]
fn a_file_is_the_same_wherever_it_is_made() {
    let site = Folder::hello();
    site.run(&["discover", "-o", "build.json", "-q"]).expect(0);
    let folders: Vec<Folder> = (0..3).map(|_| Folder::empty()).collect();
    let mut made = Vec::new();
    let zones = [("C", "UTC"), ("tr_TR.UTF-8", "Pacific/Kiritimati"), ("de_DE.UTF-8", "America/St_Johns")];
    for (n, (folder, (locale, zone))) in folders.iter().zip(zones).enumerate() {
        for name in ["build.json", "drydock.yaml"] {
            folder.write(name, &site.read(name));
        }
        let mut files: Vec<_> = std::fs::read_dir(site.path().join("design")).unwrap().map(|e| e.unwrap().file_name()).collect();
        files.sort();
        if n > 0 {
            files.reverse();
        }
        let names: Vec<String> = files.iter().map(|file| format!("design/{}", file.to_string_lossy())).collect();
        for name in &names {
            folder.write(name, &site.read(name));
        }
        if n == 2 {
            // One by one, the last first.
            folder.edit("drydock.yaml", "\ndesign: [design]\n", &format!("\ndesign: [{}]\n", names.join(", ")));
        }
        let run = |arguments: &[&str]| {
            let mut command = folder.command(arguments);
            command.env("LC_ALL", locale).env("LANG", locale).env("TZ", zone).env("COLUMNS", "40");
            end(&mut command).expect(0).stdout
        };
        run(&["plan", "--build", "build.json", "--out", "plan.json", "-q"]);
        made.push([folder.read("plan.json"), run(&["show", "plan.json"]), run(&["show", "plan.json", "--format", "markdown"])]);
    }
    assert!(made.iter().all(|text| text[0] == made[0][0]), "bytes differ");
    assert_eq!(problems(&made[0][0]), Vec::<String>::new());
    // With the same bytes the digest is the same, and what is said of it.
    let digest = drydock::plan::read(&made[0][0]).unwrap().digests.plan;
    assert!(made.iter().all(|all| all[1] == made[0][1] && all[2] == made[0][2] && all[1].contains(&digest) && all[2].contains(&digest)));
}

#[test]
fn a_design_has_one_digest_wherever_its_values_are_written() {
    let folder = Folder::hello();
    let digest = || plan::design_digest(&design(folder.path(), &["design"]).site);
    let first = digest();
    for file in ["nodes", "region", "profiles"] {
        let name = format!("design/{file}.yaml");
        folder.write(&name, &format!("# A comment, and an empty line.\n\n{}", folder.read(&name)));
    }
    std::fs::rename(folder.path().join("design/networks.yaml"), folder.path().join("design/a.yaml")).unwrap();
    assert_eq!(digest(), first);
    folder.edit("design/nodes.yaml", "team: research", "team: other");
    assert_ne!(digest(), first);
}

/// A small plan, so that it can be read often.
fn small() -> (Plan, String) {
    let plan = first_plan(&hello_site(), Goal::PrepareSite).1;
    let text = plan::write(&plan);
    (plan, text)
}

/// What is in no digest means nothing.
fn meaning(mut plan: Plan) -> Plan {
    (plan.expected_s, plan.observed_at) = (None, 0);
    plan
}

#[test]
fn a_changed_byte_is_refused_or_means_nothing() {
    let (plan, text) = small();
    let plan = meaning(plan);
    let mut dice = Dice(1);
    let mut refused = 0;
    for n in 0..2_000 {
        let mut bytes = text.clone().into_bytes();
        let at = dice.below(bytes.len());
        // Digits and letters as well as any byte, so that what comes out is mostly JSON.
        bytes[at] = match n % 3 {
            0 => b'0' + u8::try_from(dice.below(10)).unwrap(),
            1 => b'a' + u8::try_from(dice.below(26)).unwrap(),
            _ => u8::try_from(dice.below(256)).unwrap(),
        };
        let Ok(changed) = String::from_utf8(bytes) else { continue };
        match plan::read(&changed) {
            Err(PlanError::File(message)) => {
                refused += usize::from(changed != text);
                assert!(!message.is_empty());
            }
            Err(other) => panic!("{other}"),
            Ok(read) => assert!(meaning(read) == plan, "byte {at} was changed, and nobody saw it:\n{changed}"),
        }
    }
    assert!(refused > 1_500, "{refused} were refused");
}

#[test]
fn a_truncated_file_is_refused_with_the_place() {
    let (_, text) = small();
    // The newline at the end is no part of the object.
    let whole = text.trim_end().len();
    for length in (0..whole).step_by(whole / 500) {
        let Some(cut) = text.get(..length) else { continue };
        let error = plan::read(cut).expect_err("cut off").to_string();
        assert!(error.contains("not a plan file, or cut off") && error.contains("line 1 column"), "{length}: {error}");
    }
    assert!(plan::read(&text[..whole]).is_ok());
}

#[test]
fn a_file_of_another_format_says_what_made_it() {
    let (_, text) = small();
    for format in ["0", "2", "99"] {
        let other = text.replacen("\"format\":1", &format!("\"format\":{format}"), 1).replacen(
            &format!("\"drydock\":\"{}\"", env!("CARGO_PKG_VERSION")),
            "\"drydock\":\"9.8.7\"",
            1,
        );
        let error = plan::read(&other).expect_err("another format").to_string();
        for part in [&format!("format {format} "), "made by drydock 9.8.7", "reads format 1: use that version, or plan again"] {
            assert!(error.contains(part), "{error}");
        }
    }
}
