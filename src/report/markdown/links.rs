//! Where a line of the design can be looked at.

use super::escape::{code, url_path};
use crate::report::place::place;

/// How `file:line:column` becomes a link.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    /// URL with `{path}` and `{line}`; `{commit}` is replaced already. Nothing: places are text.
    pub template: Option<String>,
    /// The folder of the design within its repository, without a slash at the end; empty for the root.
    pub folder: String,
}

impl Links {
    /// The place as Markdown: a link to it, or its text.
    pub(super) fn place(&self, source: &str) -> String {
        match self.url(source) {
            Some(url) => format!("[{}]({url})", code(source)),
            None => code(source),
        }
    }

    /// The URL of a place; none for what is in no file of the repository.
    pub(super) fn url(&self, source: &str) -> Option<String> {
        let template = self.template.as_deref()?;
        let (file, line) = place(source)?;
        if file.starts_with(['/', '<', '-']) || file.contains("://") {
            return None;
        }
        let mut path: Vec<&str> = self.folder.split('/').filter(|part| !part.is_empty()).collect();
        for part in file.split('/') {
            match part {
                "." | "" => {}
                ".." => {
                    path.pop()?;
                }
                part => path.push(part),
            }
        }
        Some(template.replace("{path}", &url_path(&path.join("/"))).replace("{line}", &line.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::Links;

    #[test]
    fn places_become_links_within_the_repository() {
        let links = Links { template: Some("https://git.example/o/r/blob/abc/{path}#L{line}".to_owned()), folder: "sites/dc1".to_owned() };
        let url = |source: &str| links.url(source);
        assert_eq!(url("design/a b.yaml:7:3").unwrap(), "https://git.example/o/r/blob/abc/sites/dc1/design/a%20b.yaml#L7");
        assert_eq!(url("../../type/x.yaml:1:1").unwrap(), "https://git.example/o/r/blob/abc/type/x.yaml#L1");
        for no in ["../../../x.yaml:1:1", "/etc/x.yaml:1:1", "https://x/y.yaml:1:1", "x.yaml", "-:1:1", ""] {
            assert_eq!(url(no), None, "{no}");
        }
        assert_eq!(Links::default().place("a:1:1"), "`a:1:1`");
    }
}
