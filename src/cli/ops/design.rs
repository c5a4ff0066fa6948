//! The settings and the design of a site folder.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::Path;

use anyhow::Context as _;

use super::fetch;
use crate::check::{self, Silenced};
use crate::cli::args::Sources;
use crate::cli::output::Printer;
use crate::cli::problem::{DesignInvalid, Problem};
use crate::config::{self, ConfigError, DesignEntry, PeglegEntry, Settings};
use crate::diag::{Diagnostic, Severity, has_errors};
use crate::document::{self, Document, Sensitive};
use crate::model::{self, Site};
use crate::report;
use crate::source::{self, Entry, Loaded, Pegleg, Request};
use crate::yaml::{FileId, SourceMap};

/// A design as far as it could be read, with everything that is wrong with it.
#[derive(Debug)]
pub struct Checked {
    /// Its files.
    pub map: SourceMap,
    /// Those of them that are read for documents.
    pub files: Vec<FileId>,
    /// Its documents.
    pub documents: Vec<Document>,
    /// Where their secrets are written.
    pub sensitive: Sensitive,
    /// Where secrets are written that are encrypted, and of no use as they are.
    pub encrypted: Sensitive,
    /// The applied model, if there is a document of ours at all.
    pub site: Option<Site>,
    /// What is wrong, as bad as the settings take it.
    pub diagnostics: Vec<Diagnostic>,
    /// What the settings silence.
    pub silenced: Vec<Silenced>,
}

/// A design that can be planned from.
#[derive(Debug)]
pub struct Design {
    /// The settings of its folder.
    pub settings: Settings,
    /// Its files.
    pub map: SourceMap,
    /// Its documents.
    pub documents: Vec<Document>,
    /// Where secrets are written that are encrypted, and of no use as they are.
    pub encrypted: Sensitive,
    /// The applied model.
    pub site: Site,
    /// Warnings, one line each.
    pub warnings: Vec<String>,
}

/// Whether other hosts may be asked for parts of the design.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// Yes: the command talks to the site anyway, or `--fetch` says so.
    Allowed,
    /// No: a design that somebody proposes must be readable without any consequence.
    Forbidden,
}

impl Network {
    /// For commands that need no site.
    pub fn only_if_asked(from: &Sources) -> Self {
        if from.fetch { Self::Allowed } else { Self::Forbidden }
    }
}

/// The settings of the working directory.
///
/// A Pegleg tree needs none: with `--site`, a folder without `drydock.yaml` that has this site is read with default settings.
pub fn settings(from: &Sources) -> anyhow::Result<Settings> {
    let root = Path::new(".");
    let mut settings = settings_of(config::load(root), root, root.join("site").is_dir(), from)?;
    if let Some(reference) = &from.policy_ref {
        policy_at(&mut settings, reference)?;
    }
    Ok(settings)
}

/// The same for settings that were read elsewhere: of the folder `root`, which has a folder `site` or has none.
pub fn settings_of(loaded: Result<Settings, ConfigError>, root: &Path, has_sites: bool, from: &Sources) -> anyhow::Result<Settings> {
    let mut settings = match (loaded, &from.site) {
        (Err(ConfigError::Missing { .. }), None) if has_sites => {
            return Err(Problem::new("this folder has no drydock.yaml, and looks like a tree with several sites")
                .help("name the site: `--site NAME`, one of the folders below site/")
                .into());
        }
        (Err(ConfigError::Missing { .. }), Some(_)) if has_sites => {
            let mut settings = config::parse("", config::SETTINGS_FILE, root)?;
            settings.design = vec![DesignEntry::Pegleg(PeglegEntry { root: root.to_owned(), site: None, repositories: BTreeMap::new() })];
            settings
        }
        (settings, _) => settings?,
    };
    let own_state = settings.state == config::StateSettings::File(config::DEFAULT_STATE.into());
    let expected = settings.site.clone();
    for entry in &mut settings.design {
        let DesignEntry::Pegleg(pegleg) = entry else { continue };
        match (&from.site, &pegleg.site) {
            (Some(asked), Some(only)) if asked != only => {
                let message = format!("`--site {asked}`, and the design of this folder is site `{only}`");
                return Err(Problem::usage(message)
                    .at(&settings.shown)
                    .help("leave `site` out of `pegleg` to choose the site on the command line")
                    .into());
            }
            (_, Some(_)) => {}
            (Some(asked), None) => {
                pegleg.site = Some(asked.clone());
                // Sites that share a folder share no state.
                if own_state {
                    settings.state = config::StateSettings::File(Path::new(config::DEFAULT_STATE).with_file_name(asked).join("state.db"));
                }
            }
            (None, None) => pegleg.site.clone_from(&expected),
        }
    }
    let is_tree = settings.design.iter().any(|entry| matches!(entry, DesignEntry::Pegleg(_)));
    if let (Some(asked), false) = (&from.site, is_tree) {
        match &settings.site {
            Some(only) if only != asked => {
                let message = format!("`--site {asked}`, and {} is for `{only}`", settings.shown);
                return Err(Problem::usage(message).help("work in the folder of that site: `-C DIR`").into());
            }
            _ => settings.site = Some(asked.clone()),
        }
    }
    Ok(settings)
}

/// What a proposed change must not decide about itself comes from the settings as they were before it.
fn policy_at(settings: &mut Settings, reference: &str) -> anyhow::Result<()> {
    let shown = format!("{} at `{reference}`", settings.shown);
    let Some(bytes) = source::file_at(&settings.root, reference, Path::new(config::SETTINGS_FILE))? else {
        return Err(Problem::new(format!("{shown} does not exist, so there is no policy to go by"))
            .help("name a commit, branch or tag that has the site's settings: `--policy-ref GITREF`")
            .into());
    };
    let text = source::text(shown.clone(), bytes)?;
    let before = config::parse(&text, &shown, &settings.root)?;
    settings.guards = before.guards;
    settings.policies = before.policies;
    settings.revoked = before.revoked;
    settings.rules = before.rules;
    settings.policy_ref = Some(reference.to_owned());
    Ok(())
}

/// A file that the policies name: as it is at the commit that they are read at, if there is one and the file is in the repository's folder.
pub fn policy_file(settings: &Settings, path: &Path) -> anyhow::Result<Vec<u8>> {
    let missing = |at: String| Problem::new(format!("{} does not exist", path.display())).at(at).help("correct `approval` in the settings");
    match &settings.policy_ref {
        Some(reference) if path.is_relative() => {
            let at = format!("{} at `{reference}`", settings.shown);
            Ok(source::file_at(&settings.root, reference, path)?.ok_or_else(|| missing(at))?)
        }
        _ => {
            let file = settings.path(path);
            let cannot = |what: String| Problem::new(format!("cannot read {}: {what}", path.display())).at(&settings.shown);
            match std::fs::metadata(&file) {
                Ok(found) if !found.is_file() => return Err(cannot("not a file".to_owned()).into()),
                Ok(found) if found.len() > source::MAX_FILE_BYTES => return Err(cannot("too large".to_owned()).into()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(missing(settings.shown.clone()).into()),
                _ => {}
            }
            std::fs::read(&file).map_err(|error| cannot(error.to_string()).into())
        }
    }
}

/// Reads and checks the design of these settings.
pub async fn check(settings: &Settings, from: &Sources, network: Network) -> anyhow::Result<Checked> {
    check_entries(settings, &settings.design, from, network).await
}

/// Reads and checks a design that consists of these entries.
pub async fn check_entries(settings: &Settings, entries: &[DesignEntry], from: &Sources, network: Network) -> anyhow::Result<Checked> {
    let loaded = read(settings, entries, from, network).await?;
    let document::Read { documents, sensitive, encrypted, mut diagnostics } = document::read_all(&loaded.map, &loaded.files);
    diagnostics.extend(loaded.diagnostics);
    let (site, found) = model::resolve(&documents, &sensitive);
    diagnostics.extend(found);
    if let Some(site) = &site {
        diagnostics.extend(check::run(site));
    }
    diagnostics.extend(check::secrets(&documents, &sensitive));
    sensitive.mask(&mut diagnostics);
    let silenced = settings.rules.judge(&mut diagnostics);
    Ok(Checked { map: loaded.map, files: loaded.files, documents, sensitive, encrypted, site, diagnostics, silenced })
}

/// Reads the files of a design.
pub async fn read(settings: &Settings, entries: &[DesignEntry], from: &Sources, network: Network) -> anyhow::Result<Loaded> {
    let mut sources = Vec::with_capacity(entries.len());
    for entry in entries {
        sources.push(match entry {
            DesignEntry::Path(path) => Entry::Path(path.clone()),
            DesignEntry::Pegleg(pegleg) => {
                let Some(site) = pegleg.site.clone() else {
                    return Err(Problem::new("the design is a tree with several sites, and none is named")
                        .at(&settings.shown)
                        .help("name it: `--site NAME`, or `pegleg: {root: …, site: NAME}`")
                        .into());
                };
                Entry::Pegleg(Pegleg { root: pegleg.root.clone(), site, repositories: pegleg.repositories.clone() })
            }
            DesignEntry::Stdin => Entry::Text { name: "<stdin>".to_owned(), text: stdin()? },
            DesignEntry::Url(url) => fetch::text(settings, url, fetch::Service::Plain, network).await?,
            DesignEntry::Deckhand(url) => fetch::text(settings, url, fetch::Service::Deckhand, network).await?,
        });
    }
    let clones = settings.work_folder().join("repositories");
    let request = Request {
        root: &settings.root,
        reference: from.reference.as_deref(),
        clones: (network == Network::Allowed).then_some(clones.as_path()),
    };
    Ok(source::load(request, &sources)?)
}

/// Standard input as a file of a design.
fn stdin() -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    io::stdin().lock().take(source::MAX_FILE_BYTES + 1).read_to_end(&mut bytes).context("cannot read standard input")?;
    Ok(source::text("<stdin>".to_owned(), bytes)?)
}

/// Reads the settings and a design without errors; shows the errors if there are any.
pub async fn load(from: &Sources, printer: &Printer) -> anyhow::Result<Design> {
    ready(settings(from)?, from, Network::Allowed, printer).await
}

/// Reads the design of these settings, without errors; shows the errors if there are any.
pub async fn ready(settings: Settings, from: &Sources, network: Network, printer: &Printer) -> anyhow::Result<Design> {
    let Checked { map, documents, encrypted, site, diagnostics, silenced, .. } = check(&settings, from, network).await?;
    let Some(site) = site.filter(|_| !has_errors(&diagnostics)) else {
        let errors: Vec<Diagnostic> = diagnostics.into_iter().filter(|d| d.severity == Severity::Error).collect();
        let style = report::diagnostics::Style { color: printer.stderr_color(), width: printer.width() };
        printer.stderr(&report::diagnostics::render_short(&map, &errors, style));
        return Err(DesignInvalid.into());
    };
    expect_name(&settings, &site, &map)?;
    let mut warnings: Vec<String> = diagnostics.iter().filter(|d| d.severity == Severity::Warning).map(|d| one_line(&map, d)).collect();
    if !warnings.is_empty() {
        printer.detail(&format!("{} in the design; `drydock validate` shows them", report::diagnostics::summary(&diagnostics)));
    }
    // Whoever approves the plan sees what nobody looks at any more.
    for (code, (times, reason)) in check::silenced_rules(&silenced) {
        warnings.push(format!("{times} silenced in {}: {reason} [{}]", settings.shown, code.0));
    }
    Ok(Design { settings, map, documents, encrypted, site, warnings })
}

/// The name of the site, also of one whose design has errors.
pub async fn site_name(settings: &Settings, from: &Sources) -> anyhow::Result<String> {
    if let Some(name) = &settings.site {
        return Ok(name.clone());
    }
    let checked = check(settings, from, Network::Allowed).await?;
    checked.site.map(|s| s.name.value).ok_or_else(|| {
        Problem::new("the design has no Region document, so the site has no name")
            .at(&settings.shown)
            .help("add `site: NAME` to the settings")
            .into()
    })
}

/// The name in the settings guards against working on the wrong site.
pub fn expect_name(settings: &Settings, site: &Site, map: &SourceMap) -> anyhow::Result<()> {
    match &settings.site {
        Some(expected) if *expected != site.name.value => {
            let at = Some(map.describe(site.name.span)).filter(|at| !at.is_empty()).unwrap_or_else(|| settings.shown.clone());
            let message = format!("the design is of site `{}`, and {} is for `{expected}`", site.name.value, settings.shown);
            Err(Problem::new(message).at(at).help("correct `site:` in the settings, or the name of the Region document").into())
        }
        _ => Ok(()),
    }
}

fn one_line(map: &SourceMap, diagnostic: &Diagnostic) -> String {
    let at = diagnostic.span.map(|s| format!("{}: ", map.describe(s))).unwrap_or_default();
    format!("{at}{} [{}]", diagnostic.message, diagnostic.code.0)
}
