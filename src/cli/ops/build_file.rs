//! The build model as a file.

use std::path::Path;

use crate::build::Build;
use crate::cli::problem::Problem;

/// Version of the build file.
pub const FORMAT: u32 = 1;

/// The largest build file that is read.
const MAX_BYTES: u64 = 1 << 30;

/// The build as a canonical file: one line of JSON with sorted keys.
pub fn to_text(build: &Build) -> anyhow::Result<String> {
    let mut text = serde_json_canonicalizer::to_string(build)?;
    text.push('\n');
    Ok(text)
}

/// Reads a build file.
pub fn read(path: &Path) -> anyhow::Result<Build> {
    let shown = path.display().to_string();
    let help = "write one with `drydock discover -o FILE`";
    let size = std::fs::metadata(path).map_err(|e| Problem::new(format!("cannot read {shown}: {e}")).help(help))?.len();
    if size > MAX_BYTES {
        return Err(Problem::new(format!("{shown} is larger than {} MiB, so it is no build file", MAX_BYTES >> 20)).help(help).into());
    }
    let text = std::fs::read_to_string(path).map_err(|e| Problem::new(format!("cannot read {shown}: {e}")).help(help))?;
    let value: serde_json::Value = serde_json::from_str(&text).map_err(|e| {
        Problem::new(format!("not a build file, or cut off: {e}")).at(format!("{shown}:{}:{}", e.line(), e.column())).help(help)
    })?;
    match value.get("format").and_then(serde_json::Value::as_u64) {
        Some(format) if format == u64::from(FORMAT) => {}
        Some(format) => {
            let message = format!("the build file has format {format}, and this drydock reads format {FORMAT}");
            return Err(Problem::new(message).at(shown).help("discover anew with this version").into());
        }
        None => return Err(Problem::new("not a build file: it has no `format`").at(shown).help(help).into()),
    }
    serde_json::from_value(value)
        .map_err(|e| Problem::new(format!("the build file does not fit this version: {e}")).at(shown).help(help).into())
}
