//! The settings and the design of a site folder.

use std::path::{Path, PathBuf};

use crate::check;
use crate::cli::output::Printer;
use crate::cli::problem::{DesignInvalid, Problem};
use crate::config::{self, Settings};
use crate::diag::{Diagnostic, Severity, has_errors};
use crate::document::{self, Document};
use crate::model::{self, Site};
use crate::report;
use crate::source;
use crate::yaml::SourceMap;

/// A design as far as it could be read, with everything that is wrong with it.
#[derive(Debug)]
pub struct Checked {
    /// Its files.
    pub map: SourceMap,
    /// Its documents.
    pub documents: Vec<Document>,
    /// The applied model, if there is a document of ours at all.
    pub site: Option<Site>,
    /// What is wrong.
    pub diagnostics: Vec<Diagnostic>,
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
    /// The applied model.
    pub site: Site,
    /// Warnings, one line each.
    pub warnings: Vec<String>,
}

/// The settings of the working directory.
pub fn settings() -> anyhow::Result<Settings> {
    Ok(config::load(Path::new("."))?)
}

/// Reads and checks a design.
pub fn check(root: &Path, entries: &[PathBuf]) -> anyhow::Result<Checked> {
    let loaded = source::load(root, entries)?;
    let (documents, mut diagnostics) = document::read_all(&loaded.map, &loaded.files);
    let (site, found) = model::resolve(&documents);
    diagnostics.extend(found);
    if let Some(site) = &site {
        diagnostics.extend(check::run(site));
    }
    Ok(Checked { map: loaded.map, documents, site, diagnostics })
}

/// Reads the settings and a design without errors; shows the errors if there are any.
pub fn load(printer: &Printer) -> anyhow::Result<Design> {
    let settings = settings()?;
    let Checked { map, documents, site, diagnostics } = check(&settings.root, &settings.design)?;
    let Some(site) = site.filter(|_| !has_errors(&diagnostics)) else {
        let errors: Vec<Diagnostic> = diagnostics.into_iter().filter(|d| d.severity == Severity::Error).collect();
        let style = report::diagnostics::Style { color: printer.stderr_color(), width: printer.width() };
        printer.stderr(&report::diagnostics::render(&map, &errors, style));
        return Err(DesignInvalid.into());
    };
    expect_name(&settings, &site, &map)?;
    let warnings: Vec<String> = diagnostics.iter().filter(|d| d.severity == Severity::Warning).map(|d| one_line(&map, d)).collect();
    if !warnings.is_empty() {
        printer.detail(&format!("{} in the design; `drydock validate` shows them", report::diagnostics::summary(&diagnostics)));
    }
    Ok(Design { settings, map, documents, site, warnings })
}

/// The name of the site, also of one whose design has errors.
pub fn site_name(settings: &Settings) -> anyhow::Result<String> {
    if let Some(name) = &settings.site {
        return Ok(name.clone());
    }
    let checked = check(&settings.root, &settings.design)?;
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
