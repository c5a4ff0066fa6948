//! Settings: what they give, and what is refused.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;
use crate::action::ActionKind;
use crate::check::Level;
use crate::diag::{Code, Severity};

fn read(text: &str) -> Result<Settings, String> {
    parse(text, "drydock.yaml", Path::new("/site")).map_err(|e| match e {
        ConfigError::Invalid(problems) => {
            problems.iter().map(|p| format!("{p} | {}", p.help.clone().unwrap_or_default())).collect::<Vec<_>>().join("\n")
        }
        other => other.to_string(),
    })
}

#[test]
fn defaults() {
    for text in ["", "# nothing\n", "{}\n"] {
        let settings = read(text).unwrap();
        assert_eq!(settings.design, [DesignEntry::Path(PathBuf::from("design"))]);
        assert_eq!(settings.state_file().as_deref(), Some(Path::new("/site/.drydock/state.db")));
        assert_eq!((settings.work_folder(), settings.lease()), (PathBuf::from("/site/.drydock"), Duration::from_mins(5)));
        assert_eq!(settings.guards.max_absent, 10);
        assert!(!settings.simulated);
        let limits = settings.limits.resolve(10);
        assert_eq!((limits.nodes_in_flight, limits.power_ups_per_rack, limits.unavailable_per_rack, limits.max_failures), (10, 2, 1, 3));
        assert_eq!(settings.limits.resolve(1000).max_failures, 50);
    }
}

#[test]
fn everything() {
    let settings = read(
        "site: hello\ndesign: [a.yaml, dir]\nstate: st.db\ndrivers:\n  maas:\n    url: https://maas.example.net/MAAS\n    api_key: {env: KEY}\n    ca_file: ca.pem\n    poll_interval: 10s\n    owns_region: true\n  oob: {override: redfish}\n  redfish:\n    url: 'https://{address}'\n    endpoints: {10.0.0.1: 'https://bmc1/'}\n    certificates: {10.0.0.1: {ca_file: bmc1.pem}}\n    parallel: 16\n    credentials: {username: admin, password: {command: [pass, show, bmc]}}\nlimits: {max_failures: 5%, parallelism: 4}\nguards: {max_absent: 20}\ntimeouts: {deploy_node: 50, set_node_boot: 30s}\n",
    )
    .unwrap();
    assert_eq!(settings.site.as_deref(), Some("hello"));
    assert_eq!(settings.drivers.maas.api_key, Some(SecretRef::Env("KEY".into())));
    assert_eq!(settings.drivers.maas.poll_interval, Some(TimeSpan(Duration::from_secs(10))));
    assert_eq!(settings.maas_transport().ca_file, Some(PathBuf::from("/site/ca.pem")));
    assert_eq!(settings.drivers.oob.override_with, Some(OobOverride::Redfish));
    assert_eq!(settings.drivers.redfish.endpoints["10.0.0.1"], "https://bmc1/");
    let trusted: Vec<_> = settings.redfish_certificates().collect();
    assert_eq!(trusted, [("10.0.0.1", Some(PathBuf::from("/site/bmc1.pem")), [].as_slice())]);
    assert_eq!(settings.timeouts[&ActionKind::DeployNode], Duration::from_mins(50));
    assert_eq!(settings.timeouts[&ActionKind::SetNodeBoot], Duration::from_secs(30));
    let limits = settings.limits.resolve(30);
    assert_eq!((limits.parallelism, limits.max_failures), (4, 2));
}

#[test]
fn rules_of_a_rollout() {
    use crate::plan::{Canaries, Rules, Share, StrategyChoice, UnavailableOf};
    assert_eq!(read("").unwrap().rollout_rules(), Rules::default());
    let settings = read(
        "limits: {calls: {deploy_node: 3}, per_rack: {configure_hardware: 5}, deployments_per_network: 8, requests_per_bmc: 4}\ndrivers: {redfish: {parallel: 9}}\n\
         rollout:\n  max_unavailable: [{per: rack, limit: 10%}, {per: label.zone, limit: 2}, {nodes: tag=a, limit: 0}]\n  canaries: 2\n  \
         waves: [1, 10%, '100 %']\n  gate: {healthy_for: 200ms, within: 2m, max_failed: 3%}\n  deployment_strategy: off\n",
    )
    .unwrap();
    let limits = settings.plan_limits(10);
    assert_eq!((limits.requests_per_bmc, read("").unwrap().plan_limits(10).requests_per_bmc), (4, 1));
    assert_eq!((limits.calls[&ActionKind::DeployNode], limits.per_rack[&ActionKind::ConfigureHardware]), (3, 5));
    assert_eq!(
        limits.requests.into_iter().collect::<Vec<_>>(),
        [("ipmi".to_owned(), 32), ("maas".to_owned(), 16), ("redfish".to_owned(), 9)]
    );
    let rules = settings.rollout_rules();
    let unavailable: Vec<_> = rules.max_unavailable.iter().map(|r| r.limit).collect();
    assert_eq!(unavailable, [Share::Percent(10), Share::Count(2), Share::Count(0)]);
    assert_eq!(rules.max_unavailable[1].of, UnavailableOf::Label("zone".to_owned()));
    assert_eq!((rules.canaries, rules.deployments_per_network), (Some(Canaries::Number(2)), Some(8)));
    assert_eq!(rules.waves, [Share::Count(1), Share::Percent(10), Share::Percent(100)]);
    assert_eq!(
        (rules.healthy_for_s, rules.patience_s, rules.max_failed),
        (Some(1), Some(120), Some(Share::Percent(3))),
        "a part of a second is one"
    );
    assert_eq!(rules.strategy, StrategyChoice::Off);
    let named = read("rollout: {canaries: 'tag=canary', deployment_strategy: late}\n").unwrap().rollout_rules();
    assert_eq!(named.strategy, StrategyChoice::Named("late".to_owned()));
    assert!(matches!(named.canaries, Some(Canaries::Nodes(s)) if s.to_string() == "tag=canary"));
}

#[test]
fn what_is_wrong_has_a_place_and_a_remedy() {
    for (text, expected) in [
        ("site: a\nsites: b\n", "drydock.yaml:2:1: unknown key `sites` | did you mean `site`?"),
        ("drivers:\n  maas:\n    ulr: x\n", "drydock.yaml:3:5: unknown key `ulr` in drivers.maas | did you mean `url`?"),
        ("drivers:\n  oob: {override: ipmi}\n", "drydock.yaml:2:19: unknown value `ipmi` in drivers.oob.override | known here: redfish"),
        ("timeouts: {deploy_nodes: 5}\n", "drydock.yaml:1:12: unknown key `deploy_nodes` in timeouts | did you mean `deploy_node`?"),
        (
            "timeouts:\n  deploy_node: soon\n",
            "drydock.yaml:2:16: timeouts.deploy_node: `soon` is not a duration between 1ms and a week; write for example `30s` or `45m` | ",
        ),
        (
            "drivers: {maas: {poll_interval: 10}}\n",
            "drydock.yaml:1:33: drivers.maas.poll_interval: `10` has no unit; write `10s` or `10m` | ",
        ),
        ("site: a\nsite: b\n", "drydock.yaml:2:1: "),
        ("- a\n", "drydock.yaml:1:1: settings are a mapping, not a list | write `key: value` lines"),
        ("site: a\n---\nsite: b\n", "drydock.yaml:3:1: a second YAML document | "),
        ("limits:\n  parallelism: 0\n", "drydock.yaml:2:3: `limits.parallelism` is 0"),
        ("limits:\n  requests_per_bmc: 0\n", "drydock.yaml:2:3: `limits.requests_per_bmc` is 0"),
        ("limits:\n  max_failures: 0%\n", "drydock.yaml:2:17: limits.max_failures: `0%` is neither a number"),
        ("limits: {calls: {deploy_nod: 1}}\n", "drydock.yaml:1:18: unknown key `deploy_nod` in limits.calls | did you mean `deploy_node`?"),
        ("limits: {per_rack: {deploy_node: 0}}\n", "drydock.yaml:1:21: `limits.per_rack.deploy_node` is 0"),
        ("limits: {deployments_per_network: 0}\n", "drydock.yaml:1:10: `limits.deployments_per_network` is 0"),
        ("rollout: {canary: 1}\n", "drydock.yaml:1:11: unknown key `canary` in rollout | known here: max_unavailable, canaries, "),
        ("rollout: {canaries: 0}\n", "drydock.yaml:1:11: `rollout.canaries` is 0 | write at least 1"),
        ("rollout: {canaries: 'rak=r1'}\n", "drydock.yaml:1:21: rollout.canaries: selector `rak=r1`, column 1: `rak` is not a key"),
        ("rollout: {canaries: 'stage=ready'}\n", "drydock.yaml:1:21: rollout.canaries: selector `stage=ready`: a setting cannot depend on"),
        ("rollout: {waves: [50%, 10%]}\n", "drydock.yaml:1:11: wave 2 of `rollout.waves` (10%) ends where wave 1 (50%) has ended | "),
        ("rollout: {waves: [0]}\n", "drydock.yaml:1:11: a wave of `rollout.waves` is 0 | write at least 1 or 1%"),
        ("rollout: {waves: [101%]}\n", "drydock.yaml:1:19: rollout.waves[0]: `101%` is neither a number"),
        ("rollout: {max_unavailable: [{limit: 1}]}\n", "drydock.yaml:1:11: an entry of `rollout.max_unavailable` has both or neither of"),
        (
            "rollout: {max_unavailable: [{per: row, limit: 1}]}\n",
            "drydock.yaml:1:29: rollout.max_unavailable[0]: `row` is neither `rack` nor `label.KEY`",
        ),
        (
            "limits: {unavailable_per_rack: 2}\nrollout: {max_unavailable: [{per: rack, limit: 1}]}\n",
            "drydock.yaml:2:11: `rollout.max_unavailable` has `per: rack` beside `limits.unavailable_per_rack` | keep one of them",
        ),
        (
            "rollout: {deployment_strategy: true}\n",
            "drydock.yaml:1:32: rollout.deployment_strategy: write the name of a deployment strategy, or",
        ),
        ("design: []\n", "drydock.yaml:1:1: `design` names nothing"),
        ("site: [a\n", "drydock.yaml:1:7: `[` is never closed"),
        (
            "simulate: {}\ndrivers:\n  maas:\n    url: https://maas.example.net/MAAS\n",
            "drydock.yaml:4:5: `drivers.maas.url` names a real endpoint beside `simulate:` | keep one of them",
        ),
        (
            "drivers: {maas: {url: 'http://maas.example.net/MAAS', api_key: {env: K}}}\n",
            "drydock.yaml:1:18: `drivers.maas.url` is plain HTTP | ",
        ),
        (
            "drivers: {maas: {url: 'https://x/MAAS'}}\n",
            "drydock.yaml:1:11: `drivers.maas` has no `api_key` | add `api_key: {env: MAAS_API_KEY}`",
        ),
        ("drivers: {redfish: {url: 'https://bmc'}}\n", "drydock.yaml:1:21: `drivers.redfish.url` has no `{address}`"),
        (
            "drivers: {redfish: {certificates: {10.0.0.1: {}}}}\n",
            "drydock.yaml:1:36: `drivers.redfish.certificates.10.0.0.1` trusts no certificate | give `ca_file` or `pinned_sha256`",
        ),
        (
            "state: {url: 'postgres://db/d', client_cert_file: ours.pem}\n",
            "drydock.yaml:1:1: `state` has one of `client_cert_file` and `client_key` | give both, or neither: ",
        ),
    ] {
        let problem = read(text).unwrap_err();
        assert!(problem.starts_with(expected), "{text}\n got: {problem}\nwant: {expected}");
    }
}

#[test]
fn a_secret_in_the_wrong_place_is_not_repeated() {
    for text in [
        "drivers: {maas: {api_key: hunter2}}\n",
        "drivers: {maas: {api_key: [hunter2]}}\n",
        "drivers: {maas: hunter2}\n",
        "drivers: {redfish: {credentials: hunter2}}\n",
        "drivers: {redfish: {credentials: {username: a, password: hunter2}}}\n",
        "drivers: {maas: {url: 'https://me:hunter2@maas/MAAS', api_key: {env: K}}}\n",
    ] {
        let problem = read(text).unwrap_err();
        assert!(!problem.contains("hunter2"), "{problem}");
        assert!(problem.starts_with("drydock.yaml:1:"), "{problem}");
    }
    let number = read("drivers: {maas: {api_key: 1234567}}\n").unwrap_err();
    assert!(number.contains("a secret is never written here") && !number.contains("1234567"), "{number}");
}

#[test]
fn the_simulated_section_keeps_its_places() {
    #[derive(Debug, Default, PartialEq, serde::Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Options {
        seed: u64,
    }
    assert_eq!(read("site: a\n").unwrap().simulate::<Options>().unwrap(), None);
    for empty in ["simulate:\n", "simulate: {}\n"] {
        assert_eq!(read(empty).unwrap().simulate::<Options>().unwrap(), Some(Options { seed: 0 }));
    }
    assert_eq!(read("simulate: {seed: 7}\n").unwrap().simulate::<Options>().unwrap(), Some(Options { seed: 7 }));
    let error = read("site: a\nsimulate:\n  sed: 7\n").unwrap().simulate::<Options>().unwrap_err();
    assert_eq!(error.to_string(), "drydock.yaml:3:3: unknown key `sed` in simulate");
}

#[test]
fn a_missing_file_is_named() {
    let error = load(Path::new("/nonexistent-folder")).unwrap_err();
    assert_eq!(error.to_string(), "/nonexistent-folder/drydock.yaml does not exist");
}

#[test]
fn the_design_comes_from_paths_trees_and_servers() {
    let settings = read(
        "design:\n- design\n- pegleg: {root: ../tree, site: lab, repositories: {global: ../global}}\n- pegleg: {}\n- https://web.example.net/site.yaml\n\
         - {url: 'https://web.example.net/b.yaml', token: {env: T}, ca_file: ca.pem}\n\
         - deckhand: {url: 'https://dh.example.net/api/v1.0', revision: 7, token: {env: T}}\n\
         - deckhand+https://dh.example.net/api/v1.0/revisions/9/rendered-documents\n",
    )
    .unwrap();
    let [
        DesignEntry::Path(path),
        DesignEntry::Pegleg(tree),
        DesignEntry::Pegleg(bare),
        DesignEntry::Url(plain),
        DesignEntry::Url(url),
        DesignEntry::Deckhand(seven),
        DesignEntry::Deckhand(nine),
    ] = settings.design.as_slice()
    else {
        panic!("{:?}", settings.design)
    };
    assert_eq!(path, Path::new("design"));
    assert_eq!((tree.root.as_path(), tree.site.as_deref()), (Path::new("../tree"), Some("lab")));
    assert_eq!(tree.repositories["global"], Path::new("../global"));
    assert_eq!((bare.root.as_path(), bare.site.as_deref()), (Path::new("."), None));
    assert_eq!(plain.url, "https://web.example.net/site.yaml");
    assert_eq!((&url.token, url.transport.ca_file.as_deref()), (&Some(SecretRef::Env("T".into())), Some(Path::new("ca.pem"))));
    assert_eq!(seven.url, "https://dh.example.net/api/v1.0/revisions/7/rendered-documents");
    assert_eq!((nine.url.as_str(), &nine.token), ("https://dh.example.net/api/v1.0/revisions/9/rendered-documents", &None));

    for (text, message) in [
        ("design: [{pegleg: {root: a}, url: 'https://x.example.net'}]", "has one of `pegleg`, `url` and `deckhand`"),
        ("design: [{pegleg: {roots: a}}]", "unknown key `roots`"),
        ("design: [{deckhand: {url: 'https://x.example.net/api/v1.0'}}]", "needs `revision: NUMBER`"),
        ("design: [{deckhand: {url: 'https://x.example.net/revisions/3/rendered-documents', revision: 4}}]", "write one of them"),
        ("design: [{pegleg: {}, token: {env: T}}]", "do not belong beside it"),
        ("design: ['http://web.example.net/site.yaml']", "is plain HTTP"),
        ("design: ['https://me:pw@web.example.net/site.yaml']", "has credentials in it"),
    ] {
        let found = read(text).unwrap_err();
        assert!(found.contains(message), "{text}: {found}");
        assert!(!found.contains("pw"), "{found}");
    }
}

#[test]
fn the_schema_agrees_with_the_reader() {
    let schema = settings_schema(
        &schemars::json_schema!({"type": "object", "properties": {"seed": {"type": "integer"}}, "additionalProperties": false}),
    );
    let validator = jsonschema::validator_for(&schema).unwrap();
    for (text, right) in [
        (
            "site: dc1\ndesign: [design, {pegleg: {root: ../tree, site: lab}}, {url: 'https://x.example.net/a.yaml', token: {env: T}}]\n",
            true,
        ),
        ("drivers: {maas: {url: 'https://m.example.net/MAAS', api_key: {file: key}, poll_interval: 5s, owns_region: true}}\n", true),
        ("drivers: {maas: {request_timeout: 90s}, redfish: {request_timeout: 2m}}\n", true),
        (
            "limits: {parallelism: 4, max_failures: 5%}\nguards: {max_absent: 20}\ntimeouts: {deploy_node: 90, configure_hardware: 45m}\n",
            true,
        ),
        ("simulate: {seed: 3}\n", true),
        ("simulate:\n", true),
        ("desing: [design]\n", false),
        ("drivers: {maas: {api_key: hunter2}}\n", false),
        ("drivers: {maas: {poll_interval: 5}}\n", false),
        ("timeouts: {deploy_nodes: 90}\n", false),
        ("design: [{pegleg: {roots: x}}]\n", false),
    ] {
        let value: serde_json::Value = serde_yaml::from_str(text).unwrap();
        assert_eq!(
            validator.is_valid(&value),
            right,
            "{text}: {:?}",
            validator.iter_errors(&value).map(|e| e.to_string()).collect::<Vec<_>>()
        );
        // What the reader refuses, editors mark; the section of the simulator is decoded elsewhere.
        assert_eq!(read(text).is_ok(), right, "{text}");
    }
}

#[test]
fn pages_of_rules_are_a_url_with_a_place_for_the_code() {
    let settings = read("rule_pages: http://docs.example.net/rules/{code}.md\n").unwrap();
    assert_eq!(settings.rule_pages.as_deref(), Some("http://docs.example.net/rules/{code}.md"));
    assert_eq!(read("site: a\n").unwrap().rule_pages, None);
    for (text, expected) in [
        ("rule_pages: https://docs.example.net/rules/", "drydock.yaml:1:1: `rule_pages` has no `{code}` | write for example `https://"),
        ("rule_pages: docs/rules/{code}.md", "`rule_pages` is not a URL"),
        ("rule_pages: https://a:b@docs.example.net/{code}", "`rule_pages` has credentials in it"),
    ] {
        let problems = read(text).unwrap_err();
        assert!(problems.contains(expected), "{text}: {problems}");
    }
}

#[test]
fn rules_have_a_level_and_a_reason() {
    let settings =
        read("rules: {DD2107: {level: off, reason: ' later '}, 2213: {level: error, reason: b}, dd2216: {level: false, reason: c}}\n")
            .unwrap();
    let of = |code| settings.rules.of(Code(code)).map(|a| (a.level, a.reason.as_str()));
    assert_eq!(of("DD2107"), Some((Level::Off, "later")));
    assert_eq!(of("DD2213"), Some((Level::At(Severity::Error), "b")));
    assert_eq!(of("DD2216"), Some((Level::Off, "c")));
    assert_eq!(of("DD2214"), None);
    for (text, expected) in [
        ("rules: {DD2170: {level: off, reason: a}}", "drydock.yaml:1:9: there is no rule `DD2170` | did you mean `DD2107`?"),
        ("rules: {racks: {level: off, reason: a}}", "there is no rule `racks` | `drydock validate` shows the code"),
        ("rules: {DD2107: {level: off}}", "drydock.yaml:1:9: `rules.DD2107` has no `reason` | say why"),
        ("rules: {DD2107: {level: off, reason: ' '}}", "`rules.DD2107` has no `reason`"),
        ("rules: {DD2107: {reason: a}}", "`rules.DD2107` has no `level` | write `level: off`"),
        ("rules: {DD2107: off}", "rules.DD2107"),
        ("rules: {DD2107: {level: offf, reason: a}}", "unknown value `offf` in rules.DD2107.level | did you mean `off`?"),
        ("rules: {DD2107: {level: on, reason: a}}", "unknown value `on` in rules.DD2107.level | "),
        ("rules: {DD2107: {levl: off, reason: a}}", "unknown key `levl` in rules.DD2107 | did you mean `level`?"),
        ("rules: {DD2107: {level: off, reason: a}, '2107': {level: off, reason: a}}", "is rule DD2107, which is named twice"),
        (
            "rules: {DD2201: {level: warning, reason: a}}",
            "DD2201 (an address is assigned twice) is an error that cannot be silenced or lowered",
        ),
        (
            "rules: {DD2004: {level: error, reason: a}}",
            "`DD2004` is a code of Airship Drydock that stands for several rules | name the rules one by one: ",
        ),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
    // A code of the original that is one rule here.
    assert!(read("rules: {DD2006: {level: error, reason: a}}").unwrap().rules.of(Code("DD2206")).is_some());
    assert!(read("rules: {DD2004: {level: off, reason: a}}").unwrap_err().contains("DD3107 (Storage Mountpoint)"));
    // Whatever is wrong comes at once.
    assert_eq!(read("rules: {DD2201: {level: off, reason: a}, DD9: {level: off, reason: a}}").unwrap_err().lines().count(), 2);
}

#[test]
fn machines_are_placed_by_the_first_entry_that_says_it() {
    let text = "drivers: {maas: {machines: [{nodes: 'rack=r1 && !tag=x', pool: a}, {pool: b, zone: z}]}}";
    let settings = read(text).unwrap();
    let placements: Vec<_> = settings.drivers.maas.machines.iter().map(super::MachineRule::placement).collect();
    assert_eq!((placements[0].pool.as_deref(), placements[1].zone.as_deref()), (Some("a"), Some("z")));
    for (rule, said) in
        [("{nodes: 'stage=ready', pool: a}", "cannot depend on the stage"), ("{nodes: 'rack=', pool: a}", "selector"), ("{pol: a}", "pol")]
    {
        let error = read(&format!("drivers: {{maas: {{machines: [{rule}]}}}}")).unwrap_err();
        assert!(error.contains(said), "{error}");
    }
}
