//! Puts the pages of `docs/rules/` into the binary: a table from codes to texts.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?;
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    let folder = Path::new(&root).join("docs/rules");
    println!("cargo::rerun-if-changed=docs/rules");
    let mut pages = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        let code = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if code.starts_with("DD") && path.extension().is_some_and(|ending| ending == "md") {
            pages.push((code, path));
        }
    }
    pages.sort();
    let mut table = String::from("&[\n");
    for (code, path) in pages {
        let _ = writeln!(table, "    ({code:?}, include_str!({:?})),", path.display().to_string());
    }
    table.push_str("]\n");
    fs::write(Path::new(&out).join("rule_pages.rs"), table)
}
