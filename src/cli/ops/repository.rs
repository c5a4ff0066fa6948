//! The repository that the working directory lies in.

use std::path::Path;

use crate::report::diagnostics::Paths;

/// How files are named for tools that look at the whole repository. `fallback` stands for what is in no file.
pub fn paths(fallback: Option<String>) -> Paths {
    let Ok(here) = Path::new(".").canonicalize() else { return Paths { fallback, ..Paths::default() } };
    let Some(root) = here.ancestors().find(|folder| folder.join(".git").exists()) else {
        return Paths { root: slashes(&here), folder: String::new(), fallback };
    };
    let folder = here.strip_prefix(root).map(slashes).unwrap_or_default();
    Paths { root: slashes(root), folder, fallback }
}

fn slashes(path: &Path) -> String {
    path.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/")
}
