//! Text of a design that wants to be markup, a command or a terminal's escape is text in every format of a plan.

use super::cli_support::Folder;

/// What a terminal, Markdown, HTML, SVG, DOT, Mermaid and GitHub Actions would act on.
const EVIL: &str = "\\e[2J\\x9b31m\\u202e</script><img src=x onerror=alert(1)>`x` **bold** [l](http://evil.example) @org\\n::error::owned\\n# h\\r\\n\\\"]; b [label=x]\\n--> c %%{init}%%";

/// A plan of a design with that text in a label of every compute node, and in the settings' reasons.
fn planned() -> Folder {
    let site = Folder::hello();
    let profiles = site.read("design/profiles.yaml");
    let at = profiles.rfind("owner_data:").expect("labels");
    let line = profiles[at..].find('\n').map(|n| at + n).expect("a line");
    let indent = profiles[line + 1..].chars().take_while(|c| *c == ' ').count();
    site.write("design/profiles.yaml", &format!("{}\n{}note: \"{EVIL}\"{}", &profiles[..line], " ".repeat(indent), &profiles[line..]));
    let settings = site.read("drydock.yaml");
    let guards = format!(
        "guards: {{max_nodes: [{{limit: 1, effect: install, reason: \"{EVIL}\"}}], required: [{{must: 'label.owner=*', otherwise: approve, signers: \"{EVIL}\", reason: \"{EVIL}\"}}]}}\n"
    );
    site.write("drydock.yaml", &format!("{guards}{settings}"));
    site.run(&["discover", "-o", "build.json", "-q"]).expect(0);
    site.run(&["plan", "--build", "build.json", "--out", "plan.json", "-q"]).expect(6);
    site
}

/// Characters that no output has, whatever a design says.
fn raw(text: &str) -> Option<char> {
    text.chars().find(|c| matches!(c, '\u{1b}' | '\u{9b}' | '\u{202e}' | '\r'))
}

/// Markdown without its code spans and fenced blocks (CommonMark 0.31, 6.1): each ends with as many backticks as it begins with.
fn outside_of_code(markdown: &str) -> String {
    let run = |text: &str| text.len() - text.trim_start_matches('`').len();
    let mut out = String::new();
    let mut rest = markdown;
    while let Some(start) = rest.find('`') {
        out.push_str(&rest[..start]);
        let fence = run(&rest[start..]);
        let body = &rest[start + fence..];
        let mut at = 0;
        let end = loop {
            let Some(found) = body[at..].find('`') else { break None };
            let length = run(&body[at + found..]);
            if length == fence {
                break Some(at + found);
            }
            at += found + length;
        };
        // What is never closed is no code.
        let Some(end) = end else {
            rest = body;
            continue;
        };
        rest = &body[end + fence..];
    }
    out + rest
}

#[test]
fn hostile_text_is_text_in_every_format() {
    let site = planned();
    let show = |format: &str| site.run(&["show", "plan.json", "--format", format]).expect(0).stdout;
    let mut all: Vec<(String, String)> =
        ["text", "json", "markdown", "github", "html"].iter().map(|f| ((*f).to_owned(), show(f))).collect();
    for arguments in [
        &["show", "plan.json", "--verbose"][..],
        &["show", "plan.json", "--query", "attribute=*note"],
        &["show", "plan.json", "--query", "attribute=*note", "--format", "json"],
        &["diff", "plan.json", "plan.json", "--format", "json"],
        &["graph", "plan.json", "--format", "svg"],
        &["graph", "plan.json", "--format", "dot"],
        &["graph", "plan.json", "--format", "mermaid"],
        &["rehearse", "plan.json", "--format", "json"],
    ] {
        all.push((arguments.join(" "), site.run(arguments).expect(0).stdout));
    }
    for (format, text) in &all {
        assert_eq!(raw(text), None, "{format}:\n{}", text.escape_debug());
        assert!(!text.lines().any(|line| line.starts_with("::error::") || line.starts_with("# h")), "{format}:\n{text}");
    }
    let of = |name: &str| all.iter().find(|(f, _)| f == name).map(|(_, text)| text.as_str()).expect("a format");
    assert!(of("text").contains("\\u{1b}[2J") && of("text").contains("\\u{202e}"), "it is shown, as an escape");
    // The value is the same for programs.
    let json: serde_json::Value = serde_json::from_str(of("json")).expect("JSON");
    let reason = json["policy"]["denied"].to_string();
    assert!(reason.contains("\u{202e}") && reason.contains("@org"), "{reason}");
    assert!(!of("html").contains("<img") && of("html").matches("<script").count() == 2);
    let outside = outside_of_code(of("markdown"));
    assert!(!outside.contains("<img") && !outside.contains("@org") && !outside.contains("](http://evil"), "{outside}");
    assert!(
        of("github").lines().all(|l| l.starts_with("::notice ") || l.starts_with("::warning ") || l.starts_with("::error title=drydock"))
    );
}
