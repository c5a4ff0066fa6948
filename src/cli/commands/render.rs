//! `drydock render`: print the documents of the design as layering and substitution make them; needs no site.

use std::path::Path;
use std::sync::Arc;

use crate::cli::args::{Format, Render, Sources};
use crate::cli::exit::Exit;
use crate::cli::ops::design::{self, Network};
use crate::cli::output::Printer;
use crate::cli::problem::{DesignInvalid, Problem};
use crate::config::{self, DesignEntry, Settings};
use crate::diag::{Diagnostic, Severity, has_errors};
use crate::document::{self, Sensitive};
use crate::model::assets;
use crate::redact::without_url_credentials;
use crate::report;
use crate::report::diagnostics::Style;
use crate::yaml::{self, Mapping, Node, Value};

/// Runs the command.
pub async fn run(args: &Render, from: &Sources, printer: &Printer) -> anyhow::Result<Exit> {
    let (settings, entries) = if args.paths.is_empty() {
        let settings = design::settings(from)?;
        let entries = settings.design.clone();
        (settings, entries)
    } else {
        let entries =
            args.paths.iter().map(|text| DesignEntry::from_argument(text)).collect::<Result<Vec<_>, _>>().map_err(Problem::usage)?;
        (config::parse("", config::SETTINGS_FILE, Path::new("."))?, entries)
    };
    if let Some(node) = &args.bootactions {
        return boot_actions(node, &settings, &entries, from, printer).await;
    }
    let loaded = design::read(&settings, &entries, from, Network::only_if_asked(from)).await?;
    let mut diagnostics = loaded.diagnostics;
    let mut parsed = Vec::new();
    for file in &loaded.files {
        let file = document::parse(&loaded.map, *file);
        diagnostics.extend(file.diagnostics);
        parsed.extend(file.documents);
    }
    let rendered = document::render(&loaded.map, parsed);
    diagnostics.extend(rendered.diagnostics);
    rendered.sensitive.mask(&mut diagnostics);
    // What is silenced says `validate`, which counts it.
    let _ = settings.rules.judge(&mut diagnostics);

    let wanted = rendered.documents.iter().filter(|node| !node.is_null() && (args.all || is_ours(node)));
    let documents: Vec<Node> =
        wanted.map(|node| if args.show_secrets { node.clone() } else { masked(node, &rendered.sensitive, is_ours(node)) }).collect();
    // Like kubectl's, the format may be asked for as an output.
    let (format, to_stdout) = match printer.out().and_then(Path::to_str) {
        Some("yaml") => (Format::Text, true),
        Some("json") => (Format::Json, true),
        _ => (printer.format(), false),
    };
    let text = match format {
        Format::Text => documents.iter().map(yaml::emit).collect(),
        Format::Json => format!("{:#}\n", serde_json::Value::Array(documents.iter().map(report::json_of).collect())),
    };
    if to_stdout {
        printer.stdout(&text)?;
    } else {
        printer.result(&text)?;
    }

    let worth_showing: Vec<Diagnostic> = diagnostics.into_iter().filter(|d| d.severity >= Severity::Warning).collect();
    if !worth_showing.is_empty() {
        let style = Style { color: printer.stderr_color(), width: printer.width() };
        printer.stderr(&report::diagnostics::render(&loaded.map, &worth_showing, style));
    }
    if has_errors(&worth_showing) { Err(DesignInvalid.into()) } else { Ok(Exit::Done) }
}

/// What a node would get from its boot actions.
async fn boot_actions(node: &str, settings: &Settings, entries: &[DesignEntry], from: &Sources, printer: &Printer) -> anyhow::Result<Exit> {
    let checked = design::check_entries(settings, entries, from, Network::only_if_asked(from)).await?;
    let errors: Vec<Diagnostic> = checked.diagnostics.iter().filter(|d| d.severity == Severity::Error).cloned().collect();
    if !errors.is_empty() {
        let style = Style { color: printer.stderr_color(), width: printer.width() };
        printer.stderr(&report::diagnostics::render(&checked.map, &errors, style));
    }
    let Some(preview) = checked.site.as_ref().and_then(|site| assets::preview(site, node)) else {
        let names = checked.site.iter().flat_map(|site| site.nodes.keys()).take(20).cloned().collect::<Vec<_>>().join(", ");
        let help = if names.is_empty() { "the design has no node".to_owned() } else { format!("nodes are {names}") };
        return Err(Problem::new(format!("the design has no node `{node}`")).help(help).into());
    };
    printer.result(&match printer.format() {
        Format::Text => report::boot_actions_text(&preview, &checked.map, printer.text_options().verbose),
        Format::Json => format!("{:#}\n", report::boot_actions_json(&preview, &checked.map)),
    })?;
    if errors.is_empty() { Ok(Exit::Done) } else { Err(DesignInvalid.into()) }
}

/// Whether this is a document of drydock.
fn is_ours(node: &Node) -> bool {
    let text = |key: &str| node.get(key).and_then(Node::as_str).unwrap_or_default();
    text("schema").starts_with("drydock/") || text("apiVersion").starts_with("drydock/")
}

/// The document with `(sensitive)` in the place of secrets; in documents of drydock also under keys that sound like one.
fn masked(node: &Node, sensitive: &Sensitive, by_key: bool) -> Node {
    let hidden = || Node { value: Value::Str("(sensitive)".into()), ..node.clone() };
    let value = match &node.value {
        Value::Map(mapping) => {
            let entry = |(key, value): &(yaml::Key, Node)| {
                let leaf = !matches!(value.value, Value::Map(_) | Value::Seq(_) | Value::Null);
                let secret = by_key && leaf && report::is_secret_key(&key.name) && value.as_str().is_some();
                let shown = masked(value, sensitive, by_key);
                (key.clone(), if secret { Node { value: Value::Str("(sensitive)".into()), ..shown } } else { shown })
            };
            Value::Map(Arc::new(Mapping { entries: mapping.entries.iter().map(entry).collect() }))
        }
        Value::Seq(members) => Value::Seq(Arc::new(members.iter().map(|member| masked(member, sensitive, by_key)).collect())),
        Value::Null => Value::Null,
        _ if sensitive.covers(node.span) => return hidden(),
        Value::Str(text) => Value::Str(without_url_credentials(text).into()),
        other => other.clone(),
    };
    Node { value, ..node.clone() }
}
