//! What a node would get from its boot actions, as text and JSON.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::escape::clean;
use super::plan_text::count;
use crate::model::assets::{AssetPreview, Preview, Previewed};
use crate::redact::without_url_credentials;
use crate::yaml::SourceMap;

/// Lines of a content that are shown without `verbose`.
const LINES: usize = 40;

/// The preview for people.
pub fn boot_actions_text(preview: &Preview, map: &SourceMap, verbose: bool) -> String {
    let mut out = String::new();
    if preview.actions.is_empty() {
        let _ = writeln!(out, "node {} has no boot action", clean(&preview.node));
    }
    for action in &preview.actions {
        let reports = if action.signaling { "the node reports when it is done" } else { "nothing is reported" };
        let _ = writeln!(out, "boot action {}: {}, {reports}", clean(&action.name), count(action.assets.len(), "asset"));
        for asset in &action.assets {
            let mut title = format!("  {}", asset.kind.name());
            if let Some(path) = &asset.path {
                let _ = write!(title, " {}", clean(path));
            }
            if let Some(mode) = &asset.mode {
                let _ = write!(title, " {mode}");
            }
            let _ = writeln!(out, "{title}  {}", clean(&map.describe(asset.span)));
            content(&mut out, asset, verbose);
        }
        out.push('\n');
    }
    out
}

fn content(out: &mut String, asset: &AssetPreview, verbose: bool) {
    let line = |out: &mut String, text: &str| {
        let _ = writeln!(out, "    {text}");
    };
    match &asset.content {
        Previewed::Content { bytes, exact } => {
            let size = if bytes.len() == 1 { "1 byte".to_owned() } else { format!("{} bytes", bytes.len()) };
            line(out, &if *exact { size } else { format!("{size} here; parts are known only when the node is deployed") });
            match std::str::from_utf8(bytes) {
                Ok(text) if !text.contains('\0') => {
                    let all = text.lines().count();
                    let shown = if verbose { usize::MAX } else { LINES };
                    for text in text.lines().take(shown) {
                        line(out, format!("| {}", clean(text)).trim_end());
                    }
                    if all > shown {
                        line(out, &format!("… {} more lines; --verbose shows them", all - shown));
                    }
                }
                _ => line(out, "binary; --format json shows it in base64"),
            }
        }
        Previewed::Packages(packages) => {
            for (name, version) in packages {
                line(out, &format!("{} {}", clean(name), version.as_deref().map_or_else(|| "(any version)".into(), clean)));
            }
        }
        Previewed::Fetched { url, pipeline } => {
            line(out, &format!("(fetched from {} when the node is deployed)", clean(&without_url_credentials(url))));
            if !pipeline.is_empty() {
                line(out, &format!("then: {}", pipeline.iter().map(|step| step.name()).collect::<Vec<_>>().join(", ")));
            }
        }
        Previewed::Sensitive => line(out, "(sensitive)"),
        Previewed::Failed(failure) => line(out, &format!("cannot be made: {}", clean(&failure.why.to_string()))),
        Previewed::Nothing => line(out, "(nothing)"),
    }
}

/// The preview for programs. Content that is not UTF-8 is given as `base64`.
pub fn boot_actions_json(preview: &Preview, map: &SourceMap) -> Value {
    let asset = |asset: &AssetPreview| {
        let mut out = json!({
            "type": asset.kind.name(),
            "path": asset.path,
            "permissions": asset.mode.as_ref().map(ToString::to_string),
            "at": map.describe(asset.span),
        });
        match &asset.content {
            Previewed::Content { bytes, exact } => {
                out["exact"] = json!(exact);
                out["size"] = json!(bytes.len());
                match std::str::from_utf8(bytes) {
                    Ok(text) => out["content"] = json!(text),
                    Err(_) => out["base64"] = json!(STANDARD.encode(bytes)),
                }
            }
            Previewed::Packages(packages) => out["packages"] = json!(packages),
            Previewed::Fetched { url, pipeline } => {
                out["fetched_from"] = json!(without_url_credentials(url));
                out["data_pipeline"] = json!(pipeline.iter().map(|step| step.name()).collect::<Vec<_>>());
            }
            Previewed::Sensitive => out["content"] = json!("(sensitive)"),
            Previewed::Failed(failure) => out["error"] = json!(failure.why.to_string()),
            Previewed::Nothing => {}
        }
        out
    };
    let actions: Vec<Value> = preview
        .actions
        .iter()
        .map(|action| json!({"name": action.name, "signaling": action.signaling, "assets": action.assets.iter().map(asset).collect::<Vec<_>>()}))
        .collect();
    json!({"node": preview.node, "boot_actions": actions})
}
