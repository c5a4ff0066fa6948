//! Designs that were cut, joined, doubled and scrambled at random, always the same ones: nothing panics, positions are inside the text, and what is reported is bounded.
//!
//! `fuzz/` does the same without end.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use drydock::report;
use drydock::yaml::SourceMap;

use crate::mutations::Draw;
use crate::rule_cases::diagnose;

const PIECES: [&str; 24] = [
    "{",
    "}",
    "[",
    "]",
    ": ",
    "\n- ",
    "\n---\n",
    "&a ",
    "*a",
    "<<: *a\n",
    "!",
    "!!str ",
    "null",
    "'",
    "\"",
    "|\n",
    "#",
    "\t",
    "\u{85}",
    "\0",
    "-1",
    "99999999999999999999",
    "{{ x }}",
    "hardwareprofile:cpuset.",
];

/// The text with some bytes removed, doubled, moved or replaced.
fn scrambled(text: &str, draw: &mut Draw) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=draw.below(4) {
        let start = draw.below(bytes.len().max(1)).min(bytes.len());
        let end = (start + draw.below(60)).min(bytes.len());
        match draw.below(5) {
            0 => drop(bytes.drain(start..end)),
            1 => {
                let piece = PIECES[draw.below(PIECES.len())];
                bytes.splice(start..start, piece.bytes());
            }
            2 => {
                let copied = bytes[start..end].to_vec();
                let at = draw.below(bytes.len() + 1);
                bytes.splice(at..at, copied);
            }
            3 => {
                if let Some(byte) = bytes.get_mut(start) {
                    *byte ^= 1 << draw.below(8);
                }
            }
            _ => {
                let piece = PIECES[draw.below(PIECES.len())];
                bytes.splice(start..end, piece.bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn seeds() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut seeds = vec![std::fs::read_to_string(root.join("rules/base.yaml")).expect("base.yaml")];
    for case in ["nodes", "boot-actions", "host-profile-cycle", "secrets", "storage"] {
        seeds.push(std::fs::read_to_string(root.join("check").join(case).join("design.yaml")).expect("a design"));
    }
    seeds
}

#[test]
fn scrambled_designs_are_reported_and_nothing_more() {
    let seeds = seeds();
    let mut draw = Draw(2026);
    for round in 0..400 {
        let text = scrambled(&seeds[round % seeds.len()], &mut draw);
        let mut map = SourceMap::default();
        let file = map.add("design.yaml", text.clone());
        let found = diagnose(&map, &[file]);
        let shown = report::diagnostics::render(&map, &found, report::diagnostics::Style::default());
        for span in found.iter().flat_map(|found| found.span.into_iter().chain(found.labels.iter().map(|label| label.span))) {
            assert!(span.start <= span.end && span.end as usize <= text.len(), "round {round}: {span:?} in {} bytes", text.len());
        }
        let most = 20 + text.lines().count() * 4;
        assert!(found.len() <= most && shown.len() <= most * 4_000, "round {round}: {} problems, {} bytes", found.len(), shown.len());
    }
}

fn document(kind: &str, name: &str, data: &str) -> String {
    format!("---\nschema: drydock/{kind}/v1\nmetadata: {{schema: metadata/Document/v1, name: {name}}}\ndata: {data}\n")
}

/// Few bytes that ask for much: each is refused, cut or counted somewhere.
fn greedy() -> Vec<(&'static str, String)> {
    let list = |n: usize, member: &str| vec![member; n].join(", ");
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for n in 1..20 {
        bomb += &format!("a{n}: &a{n} [{}]\n", list(9, &format!("*a{}", n - 1)));
    }
    let mut merges = String::from("m0: &m0 {k0: 1}\n");
    for n in 1..400 {
        merges += &format!("m{n}: &m{n} {{<<: *m{}, k{n}: {}}}\n", n - 1, "x".repeat(40));
    }
    let interfaces: String = (0..300).map(|n| format!("i{n}: {{slaves: [{}]}}, ", list(10, "eth0"))).collect();
    let mut profiles = document("HostProfile", "p0", &format!("{{interfaces: {{{interfaces}}}}}"));
    for n in 1..190 {
        profiles += &document("HostProfile", &format!("p{n}"), &format!("{{host_profile: p{}}}", n - 1));
    }
    for n in 0..200 {
        profiles += &document("BaremetalNode", &format!("n{n}"), "{host_profile: p189}");
    }
    let template = "{% for a in range(9999) %}{% for b in range(9999) %}{{ 'x' * 9999 }}{% endfor %}{% endfor %}";
    let asset = format!("{{path: /a, type: file, permissions: '0644', data_pipeline: [utf8_decode, template], data: \"{template}\"}}");
    let nodes: String = (0..200).map(|n| document("BaremetalNode", &format!("n{n}"), "{}")).collect();
    let domains: String = (0..300)
        .map(|n| {
            document(
                "Network",
                &format!("w{n}"),
                &format!("{{cidr: 10.{}.{}.0/24, routedomain: all, routes: [{{routedomain: all, gateway: 10.0.0.1}}]}}", n / 250, n % 250),
            )
        })
        .collect();
    vec![
        ("aliases", bomb),
        ("merges", merges),
        ("profiles", profiles),
        ("templates", nodes + &document("BootAction", "a", &format!("{{assets: [{}]}}", list(20, &asset)))),
        ("nesting", format!("a: {}", "[".repeat(19_000))),
        ("quotes", format!("a: {}", "'".repeat(19_000))),
        ("documents", "--- {}\n".repeat(2_800)),
        ("unknown keys", document("Region", "r", &format!("{{{}}}", (0..1_500).map(|n| format!("k{n}: 1, ")).collect::<String>()))),
        ("routes", domains),
    ]
}

/// What a design of this size may take, whatever it says; the program itself takes some 20 MiB.
const MOST_MIB: usize = 256;

/// The kernel ends the program where it would take more (`RLIMIT_DATA`).
#[test]
fn no_design_takes_more_memory_than_is_set() {
    let mut draw = Draw(7);
    let seeds = seeds();
    let mut designs = greedy();
    designs.extend((0..24).map(|n| ("scrambled", scrambled(&seeds[n % seeds.len()], &mut draw))));
    let run = |mib: usize, text: &str| {
        let mut child = Command::new("prlimit")
            .arg(format!("--data={}", mib << 20))
            .args([env!("CARGO_BIN_EXE_drydock"), "validate", "--format", "json", "-"])
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("prlimit of util-linux");
        let mut stdin = child.stdin.take().expect("a pipe");
        let text = text.to_owned();
        let writer = std::thread::spawn(move || drop(stdin.write_all(text.as_bytes())));
        let output = child.wait_with_output().expect("an end");
        writer.join().expect("written");
        output
    };
    let mut wrong = String::new();
    for (what, text) in &designs {
        assert!(text.len() < 120_000, "{what}: {} bytes", text.len());
        let output = run(MOST_MIB, text);
        let code = output.status.code();
        if !matches!(code, Some(0 | 3)) || serde_json::from_slice::<serde_json::Value>(&output.stdout).is_err() {
            wrong += &format!("{what}: {code:?} {}\n", String::from_utf8_lossy(&output.stderr).chars().take(300).collect::<String>());
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    // The limit is one: with a small one the program does not get to its end.
    assert!(!matches!(run(4, &designs[0].1).status.code(), Some(0 | 3)));
}
