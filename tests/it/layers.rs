//! The import rule of `docs/architecture.md`, held against every file under `src`.
//!
//! The order of modules is read from the document itself, so that the two cannot differ.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What the document says.
struct Rule {
    /// Modules in order.
    order: Vec<String>,
    /// Modules that are pure: all but the effects and edges.
    pure: BTreeSet<String>,
    /// Modules with effects.
    effects: BTreeSet<String>,
}

impl Rule {
    /// Reads the numbered lines `1. base: `yaml`, `diag``.
    fn read(document: &str) -> Self {
        let mut rule = Self { order: Vec::new(), pure: BTreeSet::new(), effects: BTreeSet::new() };
        for line in document.lines() {
            let Some((number, rest)) = line.split_once(". ") else { continue };
            if number.len() != 1 || !number.starts_with(|c: char| c.is_ascii_digit()) {
                continue;
            }
            for name in rest.split('`').skip(1).step_by(2) {
                rule.order.push(name.to_owned());
                match number {
                    "1" | "2" => rule.pure.insert(name.to_owned()),
                    "3" => rule.effects.insert(name.to_owned()),
                    _ => false,
                };
            }
        }
        rule
    }

    /// Why `module` may not name `other`; `None` if it may.
    fn forbids(&self, module: &str, other: &str) -> Option<String> {
        let rank = |name: &str| self.order.iter().position(|m| m == name);
        let (Some(own), Some(its)) = (rank(module), rank(other)) else {
            return Some(format!("`{other}` is not in the list of docs/architecture.md"));
        };
        if module == other || (module, other) == ("yaml", "diag") {
            None
        } else if (module, other) == ("build", "model") || matches!((module, other), ("driver", "sim") | ("sim", "driver")) {
            Some(format!("`{module}` and `{other}` know nothing of each other"))
        } else if module == "report" && self.effects.contains(other) && other != "config" {
            Some(format!("`report` sees pure modules and `config`, not `{other}`"))
        } else if its > own {
            Some(format!("`{other}` stands below `{module}`"))
        } else {
            None
        }
    }
}

/// Paths that pure modules do not name outside tests. Whatever begins with one of them is meant too.
const IMPURE: [&str; 11] = [
    "tokio",
    "reqwest",
    "rusqlite",
    "axum",
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "std::io::stdout",
];

/// Macros that print; only `report` and `cli` may print, and tests.
const PRINTING: [&str; 5] = ["println", "eprintln", "print", "eprint", "dbg"];

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Sign(char),
    PathSep,
}

/// The tokens of a file with their lines; comments, and the contents of strings and characters, left out.
fn tokens(text: &str) -> Vec<(Token, usize)> {
    let chars: Vec<char> = text.chars().collect();
    let mut out = Vec::new();
    let (mut i, mut line) = (0, 1);
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    while i < chars.len() {
        let c = chars[i];
        match c {
            '\n' => {
                line += 1;
                i += 1;
            }
            '/' if at(i + 1) == '/' => {
                while i < chars.len() && chars[i] != '\n' {
                    i += 1;
                }
            }
            '/' if at(i + 1) == '*' => {
                let mut depth = 0;
                while i < chars.len() {
                    if at(i) == '/' && at(i + 1) == '*' {
                        depth += 1;
                        i += 2;
                    } else if at(i) == '*' && at(i + 1) == '/' {
                        depth -= 1;
                        i += 2;
                        if depth == 0 {
                            break;
                        }
                    } else {
                        line += usize::from(chars[i] == '\n');
                        i += 1;
                    }
                }
            }
            '"' => {
                i += 1;
                while i < chars.len() && chars[i] != '"' {
                    i += usize::from(chars[i] == '\\');
                    line += usize::from(at(i) == '\n');
                    i += 1;
                }
                i += 1;
            }
            '\'' => {
                // A character, or a lifetime.
                if at(i + 1) == '\\' {
                    i += 3;
                    while i < chars.len() && chars[i] != '\'' {
                        i += 1;
                    }
                    i += 1;
                } else if at(i + 2) == '\'' {
                    i += 3;
                } else {
                    i += 1;
                }
            }
            c if c.is_alphanumeric() || c == '_' => {
                let start = i;
                while at(i).is_alphanumeric() || at(i) == '_' {
                    i += 1;
                }
                let word: String = chars[start..i].iter().collect();
                let hashes = chars[i..].iter().take_while(|c| **c == '#').count();
                if matches!(&*word, "r" | "br" | "cr") && at(i + hashes) == '"' {
                    i += hashes + 1;
                    while i < chars.len() && !(chars[i] == '"' && (1..=hashes).all(|n| at(i + n) == '#')) {
                        line += usize::from(chars[i] == '\n');
                        i += 1;
                    }
                    i += hashes + 1;
                } else {
                    out.push((Token::Word(word), line));
                }
            }
            ':' if at(i + 1) == ':' => {
                out.push((Token::PathSep, line));
                i += 2;
            }
            c => {
                if !c.is_whitespace() {
                    out.push((Token::Sign(c), line));
                }
                i += 1;
            }
        }
    }
    out
}

/// A path, or the name of a macro, and where it stands.
#[derive(Debug)]
struct Named {
    path: Vec<String>,
    is_macro: bool,
    in_test: bool,
    /// Inline modules around it.
    inside: usize,
    line: usize,
}

/// All paths of a file, with groups (`use a::{b, c::d}`) taken apart.
fn paths(text: &str) -> Vec<Named> {
    let tokens = tokens(text);
    let mut out = Vec::new();
    // Inline modules and test items that are open: the brace depth at which each ends.
    let (mut depth, mut modules, mut tests): (usize, Vec<usize>, Vec<usize>) = (0, Vec::new(), Vec::new());
    let mut test_item = false;
    let mut i = 0;
    let sign = |i: usize, c: char| matches!(tokens.get(i), Some((Token::Sign(s), _)) if *s == c);
    let word = |i: usize| if let Some((Token::Word(w), _)) = tokens.get(i) { Some(w.as_str()) } else { None };
    while i < tokens.len() {
        if sign(i, '#') && sign(i + 1, '[') && word(i + 2) == Some("cfg") && word(i + 4) == Some("test") && sign(i + 5, ')') {
            test_item = true;
            i += 7;
            continue;
        }
        if word(i) == Some("mod") && word(i + 1).is_some() && sign(i + 2, '{') {
            modules.push(depth);
            if std::mem::take(&mut test_item) {
                tests.push(depth);
            }
            depth += 1;
            i += 3;
            continue;
        }
        match &tokens[i].0 {
            Token::Sign('{') => {
                if std::mem::take(&mut test_item) {
                    tests.push(depth);
                }
                depth += 1;
                i += 1;
            }
            Token::Sign('}') => {
                depth = depth.saturating_sub(1);
                modules.pop_if(|d| *d == depth);
                tests.pop_if(|d| *d == depth);
                i += 1;
            }
            Token::Word(_) => {
                let in_test = test_item || !tests.is_empty();
                let context = (in_test, modules.len());
                i = tree(&tokens, i, &mut Vec::new(), context, &mut out);
            }
            _ => {
                if sign(i, ';') {
                    test_item = false;
                }
                i += 1;
            }
        }
    }
    out
}

/// Reads one path or group that starts at a token; returns the position behind it.
fn tree(tokens: &[(Token, usize)], start: usize, prefix: &mut Vec<String>, context: (bool, usize), out: &mut Vec<Named>) -> usize {
    let own = prefix.len();
    let mut i = start;
    while let Some((Token::Word(word), line)) = tokens.get(i) {
        prefix.push(word.clone());
        i += 1;
        let next = tokens.get(i).map(|(t, _)| t);
        if next == Some(&Token::PathSep) {
            match tokens.get(i + 1).map(|(t, _)| t) {
                Some(Token::Word(_)) => {
                    i += 1;
                    continue;
                }
                Some(Token::Sign('{')) => {
                    i += 2;
                    while i < tokens.len() && tokens[i].0 != Token::Sign('}') {
                        i = if matches!(tokens[i].0, Token::Word(_)) { tree(tokens, i, prefix, context, out) } else { i + 1 };
                    }
                    i += 1;
                }
                _ => {
                    out.push(Named { path: prefix.clone(), is_macro: false, in_test: context.0, inside: context.1, line: *line });
                    i += 1;
                }
            }
        } else {
            let is_macro = next == Some(&Token::Sign('!')) && tokens.get(i + 1).map(|(t, _)| t) != Some(&Token::Sign('='));
            out.push(Named { path: prefix.clone(), is_macro, in_test: context.0, inside: context.1, line: *line });
        }
        break;
    }
    prefix.truncate(own);
    i.max(start + 1)
}

/// Where a file stands.
struct File<'a> {
    /// Path below `src`.
    path: &'a str,
    text: &'a str,
    /// Compiled for tests only.
    test_only: bool,
}

/// Every breach of the rule in a file, as `src/PATH:LINE: why`.
fn offenders(rule: &Rule, file: &File) -> Vec<String> {
    let parts: Vec<&str> = file.path.trim_end_matches(".rs").split('/').collect();
    let module = parts[0];
    if parts.len() == 1 && module == "lib" {
        return Vec::new();
    }
    // Modules from the root to this file.
    let depth = if parts.last() == Some(&"mod") { parts.len() - 1 } else { parts.len() };
    let pure = rule.pure.contains(module);
    let mut out = BTreeSet::new();
    let mut say = |line: usize, why: String| out.insert((line, why));
    for named in paths(file.text) {
        let path: Vec<&str> = named.path.iter().map(String::as_str).collect();
        let supers = path.iter().take_while(|p| **p == "super").count();
        let other = match path.as_slice() {
            ["crate", other, ..] => Some(*other),
            ["drydock", other, ..] if module == "main" => Some(*other),
            _ if supers > 0 && supers >= depth + named.inside => path.get(supers).copied(),
            _ => None,
        };
        if let Some(other) = other {
            let why = match module {
                "main" => (other != "cli").then(|| format!("`main` names `cli` alone, not `{other}`")),
                _ => rule.forbids(module, other),
            };
            if let Some(why) = why {
                say(named.line, why);
            }
        }
        let in_test = file.test_only || named.in_test;
        let joined = path.join("::");
        let impure = |p: &&&str| joined == **p || joined.strip_prefix(**p).is_some_and(|rest| rest.starts_with("::"));
        if pure && !in_test {
            if let Some(found) = IMPURE.iter().find(impure) {
                say(named.line, format!("`{module}` is pure and does not name `{found}`"));
            }
            if joined == "std::time" {
                say(named.line, format!("`{module}` is pure: import `std::time::Duration`, not the whole of `std::time`"));
            }
        }
        if named.is_macro && PRINTING.contains(&&*joined) && !in_test && !matches!(module, "cli" | "report" | "main") {
            say(named.line, format!("`{module}` does not print"));
        }
    }
    out.into_iter().map(|(line, why)| format!("src/{}:{line}: {why}", file.path)).collect()
}

/// Files that their parent declares as `#[cfg(test)] mod NAME;`, without `.rs`.
fn test_files(path: &str, text: &str) -> Vec<String> {
    let tokens = tokens(text);
    let folder = match path.strip_suffix("mod.rs") {
        Some(folder) => folder.to_owned(),
        None => format!("{}/", path.trim_end_matches(".rs")),
    };
    let word = |i: usize, w: &str| tokens.get(i).is_some_and(|(t, _)| *t == Token::Word(w.to_owned()));
    let mut out = Vec::new();
    for i in 0..tokens.len() {
        if word(i, "cfg")
            && word(i + 2, "test")
            && word(i + 5, "mod")
            && let Some((Token::Word(name), _)) = tokens.get(i + 6)
        {
            out.push(format!("{folder}{name}"));
        }
    }
    out
}

fn sources(folder: &Path, out: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

fn rule() -> Rule {
    Rule::read(&std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md")).unwrap())
}

#[test]
fn every_module_keeps_the_import_rule() {
    let rule = rule();
    assert!(rule.order.len() > 15, "modules read from docs/architecture.md: {:?}", rule.order);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let texts: BTreeMap<String, String> = files
        .iter()
        .map(|path| (path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/"), std::fs::read_to_string(path).unwrap()))
        .collect();
    let tests: Vec<String> = texts.iter().flat_map(|(path, text)| test_files(path, text)).collect();
    let offences: Vec<String> = texts
        .iter()
        .flat_map(|(path, text)| {
            let stem = path.trim_end_matches(".rs");
            let test_only = tests.iter().any(|t| stem == t || stem.strip_prefix(t.as_str()).is_some_and(|rest| rest.starts_with('/')));
            offenders(&rule, &File { path, text, test_only })
        })
        .collect();
    assert!(offences.is_empty(), "the import rule of docs/architecture.md is broken:\n{}", offences.join("\n"));
}

#[cfg(test)]
mod checker {
    use super::{File, offenders, rule, test_files};

    fn check(path: &str, text: &str) -> Vec<String> {
        offenders(&rule(), &File { path, text, test_only: false })
    }

    #[test]
    fn imports_of_lower_modules_are_found_in_every_form() {
        for text in [
            "use crate::apply::Engine;",
            "use crate::{build::Build, apply};",
            "use crate::{\n    build::{Build, Bmc},\n    apply::{self, Engine},\n};",
            "fn f() -> crate::apply::Outcome { todo() }",
            "use super::super::apply::Engine;",
            "mod inner { use super::super::super::apply::Engine; }",
            "#[cfg(test)]\nmod tests { use crate::apply::Engine; }",
        ] {
            assert_eq!(check("diff/nodes.rs", text).len(), 1, "{text}");
        }
        assert_eq!(check("diff/mod.rs", "use super::apply::X;").len(), 1);
        assert_eq!(check("diff/mod.rs", "\n\nuse crate::plan::Plan;"), ["src/diff/mod.rs:3: `plan` stands below `diff`"]);
        assert_eq!(check("build/mod.rs", "use crate::model::Node;").len(), 1);
        assert_eq!(check("driver/maas.rs", "use crate::sim::World;").len(), 1);
        assert_eq!(check("sim/maas.rs", "use crate::driver::Driver;").len(), 1);
        assert_eq!(check("report/a.rs", "use crate::{store::Store, plan::Plan, config::Config};").len(), 1);
        assert_eq!(check("main.rs", "fn main() { drydock::apply::run() }").len(), 1);
        assert_eq!(check("cli/a.rs", "use crate::unheard_of::X;").len(), 1);
    }

    #[test]
    fn impurities_are_found_in_every_form() {
        for text in [
            "use std::fs;",
            "use std::{collections::BTreeMap, env};",
            "fn f() { std::fs::read(p); }",
            "use std::time::{Duration, Instant};",
            "use std::time;",
            "fn f() -> std::time::SystemTime { x }",
            "async fn f() { tokio::time::sleep(d).await }",
            "use reqwest::Client;",
            "fn f() { println!(\"x\"); }",
            "#[cfg(test)]\nmod tests { use std::fs; }\nuse std::env;",
        ] {
            assert_eq!(check("diff/a.rs", text).len(), 1, "{text}");
        }
        assert_eq!(check("store/a.rs", "fn f() { eprintln!(\"x\"); }").len(), 1);
    }

    #[test]
    fn what_is_allowed_is_not_found() {
        for (path, text) in [
            ("diff/a.rs", "use crate::{build, model::Node, action::Effect}; use super::x; use super::super::build::Y;"),
            (
                "diff/a.rs",
                "// use crate::apply\n/* crate::apply /* std::fs */ tokio */ const S: &str = \"crate::apply \\\" tokio::x\"; const R: &str = r#\"std::fs\" \"#;",
            ),
            ("diff/a.rs", "#[cfg(test)]\nmod tests { fn f<'a>(c: char) { std::fs::read(c == '\"'); eprintln!(\"x\"); } }"),
            ("diff/a.rs", "use std::time::Duration; fn f(tokio_like: u8) { x != y }"),
            ("diff/a/b.rs", "use super::super::change::X;"),
            ("cli/a.rs", "use crate::apply; fn f() { println!(\"x\"); std::fs::read(p); }"),
            ("apply/a.rs", "use tokio::fs; use std::time::Instant; use crate::driver;"),
            ("main.rs", "fn main() { drydock::cli::run() }"),
        ] {
            assert_eq!(check(path, text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn files_of_tests_are_known_by_their_declaration() {
        assert_eq!(test_files("report/mod.rs", "mod a;\n#[cfg(test)]\nmod plan_samples;\nmod b;"), ["report/plan_samples"]);
        assert_eq!(test_files("run/fold.rs", "#[cfg(test)]\nmod tests;"), ["run/fold/tests"]);
    }
}
