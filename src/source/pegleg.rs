//! A site of a tree in the Pegleg layout.
//!
//! The files of a site are those below `global/`, `type/TYPE/` and `site/SITE/`, in the tree itself and in every further repository that
//! `site/SITE/site-definition.yaml` names. See <https://docs.airshipit.org/pegleg/>, "Artifact Organization".
//!
//! Trees of 2018 keep several revisions side by side. There, `revision` of the definition names the folder that is read beside `common`: `global/v1.0/`,
//! `type/TYPE/v1.0/`.

use std::path::{Component, Path, PathBuf};

use super::files::{Disk, Files};
use super::git::{Commit, is_commit_id, without_userinfo};
use super::load::{Loader, Root, Rule, slashes};
use super::types::{Pegleg, SourceError};
use crate::diag::Diagnostic;
use crate::document::codes::NO_SITE_TYPE;
use crate::yaml::{self, Node, Span};

const DEFINITION: &str = "site-definition.yaml";

/// A repository that a site definition names.
struct Repository {
    name: String,
    /// URL or path.
    location: String,
    revision: Option<String>,
    /// Where it is named.
    at: String,
}

pub(super) fn collect(loader: &mut Loader<'_>, base: &Root<'_>, commit: Option<&Commit>, site: &Pegleg) -> Result<(), SourceError> {
    let top = base.path.join(&site.root);
    // Paths that are shown, also in plans, must not depend on where this machine keeps the tree.
    let shown_from = if site.root.is_absolute() { top.as_path() } else { base.path };
    let root = Root { rule: Rule::Pegleg, path: shown_from, ..*base };
    if !is_name(&site.site) || !root.is_directory(&top.join("site").join(&site.site)) {
        return Err(no_site(&root, &top, &site.site));
    }
    let folder = top.join("site").join(&site.site);
    directory(loader, &root, &folder)?;
    let definition = root.shown(&folder.join(DEFINITION));
    let Definition { kind, kind_span, revision, repositories } = definition_of(loader, &root, &top, &site.site, &definition)?;
    let shared = Shared { kind: &kind, revision: revision.as_deref() };
    let mut found = shared.read(loader, &root, &top)?;

    for repository in repositories {
        let unusable =
            |what: String, remedy: &str| SourceError::SiteDefinition { at: repository.at.clone(), what, remedy: remedy.to_owned() };
        let mapped = site.repositories.get(&repository.name).map(|path| loader.request.root.join(path));
        let (path, at) = match (mapped, &repository.revision) {
            (Some(path), _) => (path, None),
            (None, revision) if is_local(&repository.location) => (top.join(&repository.location), revision.as_deref()),
            (None, revision) => {
                let shown = without_userinfo(&repository.location);
                let Some(clones) = loader.request.clones else {
                    return Err(unusable(
                        format!("repository `{}` is at {shown}, and nothing is fetched without being asked to", repository.name),
                        "map it to a local folder (`repositories:` beside `root:` in the settings), or allow fetching with `--fetch`",
                    ));
                };
                if repository.location.contains("REPO_USERNAME") {
                    return Err(unusable(
                        format!("the URL of repository `{}` has a placeholder for the user's name", repository.name),
                        "clone it, and map it to that folder (`repositories:` beside `root:` in the settings)",
                    ));
                }
                let commit = Commit::of_repository(&repository.location, revision.as_deref().unwrap_or("HEAD"), clones)?;
                let label = label(&repository);
                let root = Root { path: commit.top(), files: &commit, label: &label, rule: Rule::Pegleg };
                found |= shared.read(loader, &root, commit.top())?;
                directory_if_there(loader, &root, &commit.top().join("site").join(&site.site))?;
                continue;
            }
        };
        let other;
        let label = label(&repository);
        // Git names files by their real paths.
        let path = if at.is_some() { std::fs::canonicalize(&path).unwrap_or(path) } else { path };
        // What is part of the commit that is read is read from there; anything else as it is on disk, or at its revision.
        let inside = commit.filter(|commit| commit.real(&path).is_ok());
        let root = match (inside, at) {
            (Some(commit), None) => Root { path: shown_from, files: commit, label: "", rule: Rule::Pegleg },
            (_, Some(revision)) if Disk.kind(&path).is_ok() => {
                other = Commit::of_local(&path, revision)?;
                Root { path: &path, files: &other, label: &label, rule: Rule::Pegleg }
            }
            _ if path.strip_prefix(shown_from).is_ok() => Root { path: shown_from, files: &Disk, label: "", rule: Rule::Pegleg },
            _ => Root { path: &path, files: &Disk, label: &label, rule: Rule::Pegleg },
        };
        if !root.is_directory(&path) {
            return Err(unusable(
                format!("repository `{}` is not there: {} is no folder", repository.name, slashes(&path)),
                "correct the path, or map the repository to a local folder (`repositories:` beside `root:` in the settings)",
            ));
        }
        found |= shared.read(loader, &root, &path)?;
        directory_if_there(loader, &root, &path.join("site").join(&site.site))?;
    }
    if !found {
        loader.loaded.diagnostics.push(
            Diagnostic::warning(NO_SITE_TYPE, format!("site type `{kind}` is nowhere: there is no folder type/{kind}"))
                .at(kind_span)
                .help("correct `site_type`, or name the repository that holds it under `repositories`"),
        );
    }
    Ok(())
}

/// What a site shares with others.
struct Shared<'a> {
    kind: &'a str,
    /// The revision of a tree that has several side by side.
    revision: Option<&'a str>,
}

impl Shared<'_> {
    /// Reads what all sites and those of a type have in common. Whether there is anything of the type.
    fn read(&self, loader: &mut Loader<'_>, root: &Root<'_>, top: &Path) -> Result<bool, SourceError> {
        let (of_type, global) = (top.join("type").join(self.kind), top.join("global"));
        let side_by_side =
            self.revision.filter(|revision| [&of_type, &global].iter().any(|folder| root.is_directory(&folder.join(revision))));
        let Some(revision) = side_by_side else {
            let found = directory_if_there(loader, root, &of_type)?;
            directory_if_there(loader, root, &global)?;
            return Ok(found);
        };
        let mut found = false;
        for part in ["common", revision] {
            found |= directory_if_there(loader, root, &of_type.join(part))?;
            directory_if_there(loader, root, &global.join(part))?;
        }
        Ok(found)
    }
}

fn directory(loader: &mut Loader<'_>, root: &Root<'_>, path: &Path) -> Result<(), SourceError> {
    loader.directory(root, path, &mut Vec::new())
}

fn directory_if_there(loader: &mut Loader<'_>, root: &Root<'_>, path: &Path) -> Result<bool, SourceError> {
    let there = root.is_directory(path);
    if there {
        directory(loader, root, path)?;
    }
    Ok(there)
}

/// `global@v1.9/`, of a commit its first digits.
fn label(repository: &Repository) -> String {
    match &repository.revision {
        Some(revision) if is_commit_id(revision) => format!("{}@{}/", repository.name, &revision[..12]),
        Some(revision) => format!("{}@{revision}/", repository.name),
        None => format!("{}/", repository.name),
    }
}

fn no_site(root: &Root<'_>, top: &Path, site: &str) -> SourceError {
    let mut sites: Vec<String> = root.files.names(&top.join("site")).map_or_else(
        |_| Vec::new(),
        |names| names.iter().map(|name| name.to_string_lossy().into_owned()).filter(|name| !name.starts_with('.')).collect(),
    );
    sites.sort();
    let known = if sites.is_empty() {
        "correct the root, which is the folder with `site/` in it".to_owned()
    } else {
        format!("the sites are {}", sites.join(", "))
    };
    SourceError::NoSite { root: root.shown(top), site: site.to_owned(), known }
}

/// What a site definition says.
struct Definition {
    kind: String,
    kind_span: Span,
    revision: Option<String>,
    repositories: Vec<Repository>,
}

fn definition_of(loader: &Loader<'_>, root: &Root<'_>, top: &Path, site: &str, definition: &str) -> Result<Definition, SourceError> {
    let map = &loader.loaded.map;
    let Some(file) = loader.loaded.files.iter().find(|id| map.get(**id).is_some_and(|file| file.path == definition)) else {
        return Err(no_site(root, top, site));
    };
    let at = |node: &Node| map.describe(node.span);
    let wrong = |at: String, what: &str, remedy: &str| SourceError::SiteDefinition { at, what: what.to_owned(), remedy: remedy.to_owned() };
    let parsed = yaml::parse(map, *file);
    let is_definition = |node: &&Node| node.get("schema").and_then(Node::as_str).is_some_and(|s| s.starts_with("pegleg/SiteDefinition/"));
    let Some(data) = parsed.documents.iter().find(is_definition).and_then(|node| node.get("data")) else {
        return Err(wrong(
            definition.to_owned(),
            "no `pegleg/SiteDefinition/v1` document with `data`",
            "add one that says `site_type: NAME`",
        ));
    };
    let kind_span = data.get("site_type").map_or(data.span, |kind| kind.span);
    let kind = match data.get("site_type") {
        Some(kind) => kind
            .as_str()
            .filter(|kind| is_name(kind))
            .ok_or_else(|| wrong(at(kind), "`site_type` is not the name of a folder", "write the name of a folder below type/"))?,
        None => return Err(wrong(at(data), "`site_type` is missing", "add `site_type: NAME`, the name of a folder below type/")),
    };
    let revision = revision_of(loader, data).filter(|revision| is_name(revision));
    let mut definition = Definition { kind: kind.to_owned(), kind_span, revision, repositories: Vec::new() };
    let listed = data.get("repositories").filter(|node| !node.is_null());
    let Some(listed) = listed else { return Ok(definition) };
    let Some(listed) = listed.as_map() else {
        return Err(wrong(at(listed), "`repositories` is not a mapping", "write `NAME: {url: …, revision: …}` lines below it"));
    };
    for (key, value) in &listed.entries {
        // The tree itself is the site's repository.
        if &*key.name == "site" {
            continue;
        }
        let Some(location) = value.get("url").and_then(Node::as_str).filter(|url| !url.is_empty()) else {
            return Err(wrong(map.describe(key.span), &format!("repository `{}` has no `url`", key.name), "add `url:`, a path or URL"));
        };
        definition.repositories.push(Repository {
            name: key.name.to_string(),
            location: location.to_owned(),
            revision: revision_of(loader, value),
            at: map.describe(key.span),
        });
    }
    Ok(definition)
}

fn revision_of(loader: &Loader<'_>, node: &Node) -> Option<String> {
    let revision = node.get("revision")?;
    match &revision.value {
        yaml::Value::Str(text) if !text.is_empty() => Some(text.to_string()),
        // A commit id of digits alone, or a tag such as 1.0, reads as a number; the text of the file is what was meant.
        yaml::Value::Int(_) | yaml::Value::Float(_) => written(loader, revision),
        _ => None,
    }
}

/// The text of a value as the file has it.
fn written(loader: &Loader<'_>, node: &Node) -> Option<String> {
    let text = &loader.loaded.map.get(node.span.file)?.text;
    text.get(node.span.start as usize..node.span.end as usize).map(|text| text.trim().to_owned())
}

/// A path below a folder: `a` or `a/b`, nothing that leads out of it.
fn is_name(name: &str) -> bool {
    !name.is_empty() && PathBuf::from(name).components().all(|part| matches!(part, Component::Normal(_)))
}

/// A path, and neither a URL nor `user@host:path`.
fn is_local(location: &str) -> bool {
    let before_slash = location.split('/').next().unwrap_or("");
    !location.contains("://") && (!before_slash.contains(':') || location.starts_with(['.', '/']))
}
