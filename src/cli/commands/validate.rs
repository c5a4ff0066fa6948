//! `drydock validate`: check the design; needs no site.

use std::path::Path;

use serde_json::json;

use crate::cli::args::{Format, Sources, Validate};
use crate::cli::exit::Exit;
use crate::cli::ops::design::{self, Network};
use crate::cli::output::Printer;
use crate::cli::problem::Problem;
use crate::config::{self, DesignEntry};
use crate::diag::has_errors;
use crate::model::Site;
use crate::report::diagnostics::{self, Style};

/// Runs the command.
pub async fn run(args: &Validate, from: &Sources, printer: &Printer) -> anyhow::Result<Exit> {
    let network = Network::only_if_asked(from);
    let checked = if args.paths.is_empty() {
        let settings = design::settings(from)?;
        // The simulated section is decoded late, and wrong settings should be seen here.
        settings.simulate::<crate::sim::SimOptions>()?;
        let checked = design::check(&settings, from, network).await?;
        if let Some(site) = checked.site.as_ref().filter(|_| !has_errors(&checked.diagnostics)) {
            design::expect_name(&settings, site, &checked.map)?;
        }
        checked
    } else {
        let entries = args.paths.iter().map(|text| DesignEntry::from_text(text)).collect::<Result<Vec<_>, _>>().map_err(Problem::usage)?;
        let settings = config::parse("", config::SETTINGS_FILE, Path::new("."))?;
        design::check_entries(&settings, &entries, from, network).await?
    };
    let invalid = has_errors(&checked.diagnostics) || checked.site.is_none();
    let text = match printer.format() {
        Format::Json => {
            let mut value = diagnostics::to_json(&checked.diagnostics, &checked.map);
            value["valid"] = json!(!invalid);
            format!("{value:#}\n")
        }
        Format::Text => {
            let style = Style { color: printer.color(), width: printer.width() };
            let mut text = diagnostics::render(&checked.map, &checked.diagnostics, style);
            if let Some(site) = checked.site.as_ref().filter(|_| !invalid) {
                if text.is_empty() {
                    text.push_str("no problems\n");
                }
                text.push_str(&contents(site));
            }
            text
        }
    };
    printer.result(&text)?;
    Ok(if invalid { Exit::DesignInvalid } else { Exit::Done })
}

/// `site hello-site: 3 nodes, 5 networks, …`.
fn contents(site: &Site) -> String {
    let count = |n: usize, one: &str| format!("{n} {one}{}", if n == 1 { "" } else { "s" });
    let parts = [
        count(site.nodes.len(), "node"),
        count(site.racks.len(), "rack"),
        count(site.networks.len(), "network"),
        count(site.links.len(), "link"),
        count(site.host_profiles.len(), "host profile"),
        count(site.hardware_profiles.len(), "hardware profile"),
        count(site.boot_actions.len(), "boot action"),
    ];
    format!("site {}: {}\n", site.name.value, parts.join(", "))
}
