//! `docs/drivers/redfish.md` lists the vendors that the driver knows.

use std::fmt::Write as _;

use drydock::driver::redfish::VENDORS;

const DOC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/drivers/redfish.md");

#[test]
fn vendors_are_those_of_the_code() {
    let mut table = String::from("| vendor | what is special | source |\n|---|---|---|\n");
    for vendor in &VENDORS {
        let mut special = Vec::new();
        let list = |items: &[&str]| items.iter().map(|i| format!("`{i}`")).collect::<Vec<_>>().join(", ");
        if vendor.whole_boot {
            special.push("boot source, duration and mode are written together".to_owned());
        }
        if !vendor.pxe_shows.is_empty() {
            special.push(format!("`Pxe` may show as {}", list(vendor.pxe_shows)));
        }
        if !vendor.avoid.is_empty() {
            special.push(format!("not used though offered: {}", list(vendor.avoid)));
        }
        if !vendor.later.is_empty() {
            special.push(format!("not now: {}", list(vendor.later)));
        }
        special.push(format!("event log: {}", list(vendor.logs)));
        assert!(!vendor.source.is_empty() && !vendor.words.is_empty());
        writeln!(table, "| {} | {} | {} |", vendor.name, special.join("; "), vendor.source).unwrap();
    }
    let text = std::fs::read_to_string(DOC).unwrap();
    let (begin, end) = ("<!-- vendors: made from src/driver/redfish/vendor.rs -->\n", "<!-- end of vendors -->");
    let (head, rest) = text.split_once(begin).expect("a begin mark");
    let (found, tail) = rest.split_once(end).expect("an end mark");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(DOC, format!("{head}{begin}{table}{end}{tail}")).unwrap();
    } else {
        assert_eq!(found, table, "run the test with UPDATE_DOCS=1");
    }
}
