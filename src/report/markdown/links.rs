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
    /// The version that a preview compares with.
    pub base: Option<BaseLinks>,
}

/// Where lines of a preview's base can be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseLinks {
    /// What stands before places of the base ([`crate::plan::Preview::in_base`]).
    pub prefix: String,
    /// As [`Links::template`], at the base's commit.
    pub template: Option<String>,
    /// As [`Links::folder`], in the base.
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
        let of_base = self.base.as_ref().and_then(|base| Some((base, source.strip_prefix(&base.prefix)?)));
        let (template, folder, source) = match of_base {
            Some((base, source)) => (base.template.as_deref()?, &base.folder, source),
            None => (self.template.as_deref()?, &self.folder, source),
        };
        let (file, line) = place(source)?;
        if file.starts_with(['/', '<', '-']) || file.contains("://") {
            return None;
        }
        let mut path: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
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
        let links = Links {
            template: Some("https://git.example/o/r/blob/abc/{path}#L{line}".to_owned()),
            folder: "sites/dc1".to_owned(),
            base: None,
        };
        let url = |source: &str| links.url(source);
        assert_eq!(url("design/a b.yaml:7:3").unwrap(), "https://git.example/o/r/blob/abc/sites/dc1/design/a%20b.yaml#L7");
        assert_eq!(url("../../type/x.yaml:1:1").unwrap(), "https://git.example/o/r/blob/abc/type/x.yaml#L1");
        for no in ["../../../x.yaml:1:1", "/etc/x.yaml:1:1", "https://x/y.yaml:1:1", "x.yaml", "-:1:1", ""] {
            assert_eq!(url(no), None, "{no}");
        }
        assert_eq!(Links::default().place("a:1:1"), "`a:1:1`");
    }
}
