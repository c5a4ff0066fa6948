//! Output formats.
//!
//! In: values of the pure stages. Out: text and JSON. One view model (`view`) counts and groups; formats only write. Whatever comes from a design or a server is
//! made safe ([`clean`]) before it is printed. Imports pure modules and `config`; never a driver, the store or the engine.

mod boot_actions;
pub mod diagnostics;
mod escape;
mod explain;
mod fit;
mod graph;
mod html;
mod junit;
pub mod machines;
mod markdown;
mod mask;
mod names;
mod paint;
mod place;
mod plan_attributes;
mod plan_diff;
mod plan_github;
mod plan_head;
mod plan_json;
mod plan_open;
mod plan_summary;
mod plan_text;
mod policy;
pub mod progress;
mod query;
mod rehearsal;
mod rollout;
mod run_junit;
mod runs;
mod spans;
mod svg;
mod table;
pub mod time;
mod timeline;
mod values;
mod verified;
mod view;

pub use boot_actions::{boot_actions_json, boot_actions_text};
pub use escape::{clean, clean_json};
pub use explain::{explained_json, explained_text, is_secret_key, json_of};
pub use graph::{By, Graph, NODE_LANES, graph, graph_dot, graph_mermaid, graph_svg};
pub use html::{Times, plan_html};
pub use markdown::{BaseLinks, LIMIT as MARKDOWN_LIMIT, Links, MarkdownOptions, marker, plan_markdown};
pub use plan_diff::{plan_diff_json, plan_diff_text};
pub use plan_github::plan_github;
pub use plan_json::plan_json;
pub use plan_text::{LIMIT as TEXT_LIMIT, Next, TextOptions, plan_text, plan_to_approve};
pub use policy::{denials, standing_lines, standing_text};
pub use query::{Selected, query, selected_json, selected_names, selected_text};
pub use rehearsal::{Durations, rehearsal_json, rehearsal_text};
pub use run_junit::run_junit;
pub use runs::{RunInfo, run_json, run_show, run_summary, runs_json, runs_table, under_way};
pub use spans::{Span, SpanAttributes, SpanEvent, SpanStatus, SpanValue, Spans, TraceParent};
pub use table::Table;
pub use timeline::timeline_svg;
pub use verified::{verified_nodes_json, verified_nodes_text, verified_site_json, verified_site_text};
pub use view::{Verdict, verdict};

#[cfg(test)]
mod diagnostics_tests;
#[cfg(test)]
mod plan_samples;
#[cfg(test)]
mod plan_tests;
#[cfg(test)]
mod run_samples;
#[cfg(test)]
mod run_tests;
#[cfg(test)]
mod size_tests;
