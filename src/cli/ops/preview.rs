//! What a design changes against another version of itself: read from the repository, and from nowhere else.

use std::path::{Path, PathBuf};

use super::design::{self, Design, Network};
use super::plan;
use crate::cli::args::{PlanOptions, Sources};
use crate::cli::exit::Exit;
use crate::cli::output::Printer;
use crate::cli::problem::{DesignInvalid, Problem};
use crate::config::{self, ConfigError, SETTINGS_FILE, Settings};
use crate::plan::{Plan, Preview};
use crate::source::{self, Version};

/// `--base GITREF[:FOLDER]`. No name of a commit has a colon.
fn parts(base: &str) -> (&str, Option<&str>) {
    base.split_once(':').map_or((base, None), |(reference, folder)| (reference, Some(folder.trim_matches('/'))))
}

/// Makes the preview of what the working tree, or the version that `--ref` names, changes against a base.
pub async fn make(base: &str, options: &PlanOptions, from: &Sources, printer: &Printer) -> anyhow::Result<Plan> {
    let (reference, moved) = parts(base);
    let here = Path::new(".");
    let (at_base, root) = of_base(here, reference, moved)?;
    let base_settings = settings_at(&at_base, &root, from, base)?;
    let head = match &from.reference {
        Some(reference) => Some(Version::of(here, reference)?),
        None => None,
    };
    let mut settings = match &head {
        Some(version) => settings_at(version, here, from, from.reference.as_deref().unwrap_or_default())?,
        None => design::settings(from)?,
    };
    judge_by(&mut settings, &base_settings, printer);

    let from_base = Sources { reference: Some(at_base.commit().to_owned()), ..from.clone() };
    let before = checked(base_settings, &from_base, Some(base), printer).await?;
    let from_head = Sources { reference: head.as_ref().map(|v| v.commit().to_owned()), ..from.clone() };
    let after = checked(settings, &from_head, None, printer).await?;
    let commit = match &head {
        Some(version) => Some(version.commit().to_owned()),
        None if source::is_changed(here)? => {
            printer.note("the working tree has changes that are in no commit: they are part of this preview; `--ref HEAD` leaves them out");
            None
        }
        None => Some(Version::of(here, "HEAD")?.commit().to_owned()),
    };
    let origin = Preview { base: base.to_owned(), base_commit: at_base.commit().to_owned(), base_folder: at_base.folder(), commit };
    plan::preview(&before, &after, &origin, options)
}

/// The base, and the folder that its paths are relative to.
fn of_base(here: &Path, reference: &str, moved: Option<&str>) -> anyhow::Result<(Version, PathBuf)> {
    let version = Version::of(here, reference)?;
    let Some(folder) = moved else { return Ok((version, here.to_owned())) };
    let root = version.top().join(folder);
    Ok((Version::of(&root, reference)?, root))
}

/// The settings as they are in a version of the folder.
fn settings_at(version: &Version, root: &Path, from: &Sources, named: &str) -> anyhow::Result<Settings> {
    let shown = format!("{}:{SETTINGS_FILE}", version.commit().get(..12).unwrap_or(version.commit()));
    let loaded = match version.file(SETTINGS_FILE)? {
        Some(bytes) => match String::from_utf8(bytes) {
            Ok(text) => config::parse(&text, &shown, root),
            Err(_) => return Err(Problem::new("not UTF-8 text").at(shown).into()),
        },
        None => Err(ConfigError::Missing { path: shown.clone() }),
    };
    match design::settings_of(loaded, root, version.has_folder("site"), from) {
        Err(error) if matches!(error.downcast_ref(), Some(ConfigError::Missing { .. })) => Err(nowhere(version, named).into()),
        settings => settings,
    }
}

/// What to do where a version has no site in the folder.
fn nowhere(version: &Version, named: &str) -> Problem {
    let folder = version.folder();
    let here = if folder.is_empty() { "the repository's top folder".to_owned() } else { format!("folder {folder}") };
    let others = version.folders_with(SETTINGS_FILE);
    let reference = parts(named).0;
    let near = others.iter().min_by_key(|other| strsim::osa_distance(other, &folder));
    let help = match near {
        None => "nothing of this site is in that version, so there is nothing to compare with; `drydock plan` at the site shows what all of it would do".to_owned(),
        Some(near) => {
            format!("if the site's folder was moved, name where it was: `--base {reference}:{near}`; that version has sites in {}", some(&others))
        }
    };
    Problem::new(format!("{here} has no {SETTINGS_FILE} at `{reference}`")).help(help)
}

fn some(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let more = if names.len() > SHOWN { ", …" } else { "" };
    let shown: Vec<&str> = names.iter().take(SHOWN).map(|n| if n == "." { "the top folder" } else { n }).collect();
    format!("{}{more}", shown.join(", "))
}

/// A change that is proposed does not decide how it is judged: levels of rules and guards are those of the base.
fn judge_by(settings: &mut Settings, base: &Settings, printer: &Printer) {
    let differ = [
        ("rules", settings.rules != base.rules),
        ("guards", settings.guards != base.guards),
        ("protect` or `approval", settings.guards == base.guards && settings.policies != base.policies),
    ];
    for (section, _) in differ.iter().filter(|(_, differs)| *differs) {
        printer.note(&format!("`{section}` of {} differs from the base's; the base's is what counts here", settings.shown));
    }
    settings.rules = base.rules.clone();
    settings.guards = base.guards.clone();
    settings.policies = base.policies.clone();
}

/// A version's design, if it has no errors. `base` is how the base was named.
async fn checked(settings: Settings, from: &Sources, base: Option<&str>, printer: &Printer) -> anyhow::Result<Design> {
    let design = design::ready(settings, from, Network::only_if_asked(from), printer).await;
    match (base, design) {
        (Some(base), Err(error)) if error.downcast_ref::<DesignInvalid>().is_some() => Err(Problem {
            exit: Exit::DesignInvalid,
            ..Problem::new(format!("these errors are in the base, `{base}`, so nothing can be compared with it"))
                .help("take a base without errors, or correct it there first; `drydock --ref COMMIT validate` shows all of what is wrong")
        }
        .into()),
        (_, design) => design,
    }
}
