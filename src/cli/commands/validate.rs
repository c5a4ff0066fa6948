//! `drydock validate`: check the design; needs no site.

use std::path::Path;

use crate::check;
use crate::cli::args::{Sources, Validate};
use crate::cli::exit::Exit;
use crate::cli::ops::design::{self, Checked, Network};
use crate::cli::ops::{build_file, repository, rule_page, state};
use crate::cli::output::Printer;
use crate::cli::problem::Problem;
use crate::config::{self, ConfigError, DesignEntry, Settings};
use crate::diag::has_errors;
use crate::diff::{self, Memory};
use crate::report::diagnostics::{self, Report, Style};

/// Runs the command.
pub async fn run(args: &Validate, from: &Sources, printer: &Printer) -> anyhow::Result<Exit> {
    if let Some(code) = &args.explain {
        printer.result(&rule_page::explained(code, printer.format())?)?;
        return Ok(Exit::Done);
    }
    let format = diagnostics::format(printer.format_name()).ok_or_else(|| Problem::usage("there is no such format"))?;
    let build = args.build.as_deref().map(build_file::read).transpose()?;
    let (settings, mut checked) = if args.paths.is_empty() { of_folder(from).await? } else { of_paths(&args.paths, from, printer).await? };
    let unverified = match (&checked.site, &build) {
        (Some(site), Some(build)) => {
            // A design on the command line is not that of the folder's state, and nothing is asked over a network here.
            let near = args.paths.is_empty() && settings.state_file().is_some();
            let memory = if near { state::memory(&settings, &site.name.value).await? } else { Memory::default() };
            let known = diff::known(site, build, &memory);
            let mut found = check::run_knowing(site, &known);
            let unverified = check::unverified(site, Some(&known));
            checked.sensitive.mask(&mut found);
            checked.silenced.extend(settings.rules.judge(&mut found));
            checked.diagnostics.extend(found);
            unverified
        }
        (Some(site), None) => check::unverified(site, None),
        (None, _) => Vec::new(),
    };
    let raised = args.strict.then(|| check::raise_warnings(&mut checked.diagnostics));
    let of_folder = Path::new(config::SETTINGS_FILE).exists().then(|| config::SETTINGS_FILE.to_owned());
    let fallback = of_folder.or_else(|| checked.map.files().first().map(|file| file.path.clone()));
    let report = Report {
        silenced: &checked.silenced,
        unverified: &unverified,
        pages: settings.rule_pages.as_deref(),
        raised,
        site: checked.site.as_ref(),
        paths: repository::paths(fallback),
        style: Style { color: printer.color(), width: printer.width() },
        verbose: printer.text_options().verbose,
        ..Report::new(&checked.map, &checked.diagnostics)
    };
    printer.result(&(format.write)(&report))?;
    if let (Some(worst), "text") = (checked.diagnostics.iter().max_by_key(|d| d.severity), format.name) {
        printer.note(&format!("more about a rule: drydock validate --explain {}", worst.code.0));
    }
    Ok(if report.is_valid() { Exit::Done } else { Exit::DesignInvalid })
}

/// The design of the folder.
async fn of_folder(from: &Sources) -> anyhow::Result<(Settings, Checked)> {
    let settings = design::settings(from)?;
    // The simulated section is decoded late, and wrong settings should be seen here.
    settings.simulate::<crate::sim::SimOptions>()?;
    let checked = design::check(&settings, from, Network::only_if_asked(from)).await?;
    if let Some(site) = checked.site.as_ref().filter(|_| !has_errors(&checked.diagnostics)) {
        design::expect_name(&settings, site, &checked.map)?;
    }
    Ok((settings, checked))
}

/// A design that is named on the command line. Of the folder's settings only what they say about rules and their pages matters.
async fn of_paths(paths: &[String], from: &Sources, printer: &Printer) -> anyhow::Result<(Settings, Checked)> {
    let entries = paths.iter().map(|text| DesignEntry::from_argument(text)).collect::<Result<Vec<_>, _>>().map_err(Problem::usage)?;
    if entries.iter().filter(|entry| **entry == DesignEntry::Stdin).count() > 1 {
        return Err(Problem::usage("`-` is given twice").help("standard input can be read once").into());
    }
    if entries.contains(&DesignEntry::Stdin) {
        printer.note_on_terminal("reading the design from the terminal; Ctrl-D ends it");
    }
    let mut settings = config::parse("", config::SETTINGS_FILE, Path::new("."))?;
    match config::load(Path::new(".")) {
        Ok(of_folder) => (settings.rules, settings.rule_pages) = (of_folder.rules, of_folder.rule_pages),
        Err(ConfigError::Missing { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let checked = design::check_entries(&settings, &entries, from, Network::only_if_asked(from)).await?;
    Ok((settings, checked))
}
