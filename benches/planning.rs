//! What planning costs: CPU seconds of reading and checking, of diff + graph + plan file, and of each format; and peak memory.
//!
//! ```console
//! cargo bench --bench planning             # 1 000 nodes
//! cargo bench --bench planning -- 10000
//! ```
//!
//! CPU time is the process's own (`/proc/self/schedstat` of its only thread), so a busy machine changes little.

#![allow(clippy::print_stdout)]

#[path = "../tests/it/support/facts.rs"]
mod facts;
#[path = "../examples/generate_site.rs"]
#[allow(dead_code)]
mod generate_site;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use drydock::diff::{self, Goal, Memory, Policy};
use drydock::plan::{Inputs, Limits, Rules, assemble, design_digest, write};
use drydock::report::{MarkdownOptions, TextOptions, Times, plan_html, plan_markdown, plan_text};
use drydock::run::{guessed_ms, rehearse};
use drydock::yaml::SourceMap;
use drydock::{check, document, model};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn cpu_seconds() -> f64 {
    let text = fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}

/// A line of the process' status, in MiB: `VmHWM:` its peak, `VmRSS:` what it uses now.
fn memory_mib(key: &str) -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|l| l.starts_with(key)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn main() {
    let nodes = std::env::args().skip(1).find_map(|a| a.parse::<u32>().ok()).unwrap_or(1000);
    let text = generate_site::site(nodes);
    let bytes = text.len();
    let t0 = cpu_seconds();
    let mut sources = SourceMap::default();
    let file = sources.add("site.yaml", text);
    let document::Read { documents, sensitive, mut diagnostics, .. } = document::read_all(&sources, &[file]);
    let t1 = cpu_seconds();
    let (site, found) = model::resolve(&documents, &sensitive);
    diagnostics.extend(found);
    let site = site.expect("the generated site resolves");
    let t2 = cpu_seconds();
    diagnostics.extend(check::run(&site));
    let t3 = cpu_seconds();
    let mut by_rule: Vec<(f64, &str)> = check::rules()
        .map(|rule| {
            let start = cpu_seconds();
            let found = check::run_one(rule, &site);
            drop(found);
            (cpu_seconds() - start, rule.code.0)
        })
        .collect();
    by_rule.sort_by(|a, b| b.0.total_cmp(&a.0));
    assert!(!drydock::diag::has_errors(&diagnostics), "the generated site is valid: {diagnostics:#?}");
    drop(documents);
    let before = (memory_mib("VmHWM:"), memory_mib("VmRSS:"));
    let build = facts::before_first_apply(&site);
    let policy = Policy { owns_region: true, ..Policy::new(Goal::DeployNodes) };
    let limits = Limits::default();
    let t_facts = cpu_seconds();
    let with_facts = check::run_knowing(&site, &diff::known(&site, &build, &Memory::default())).len();
    let t4 = cpu_seconds();
    let plan = assemble(&Inputs {
        site: &site,
        sources: &sources,
        design_digest: &design_digest(&site),
        build: &build,
        memory: &Memory::default(),
        policy: &policy,
        limits: &limits,
        hooks: &BTreeMap::new(),
        failures: &drydock::plan::FailureRules::default(),
        rollout: &Rules::default(),
        timeouts_s: &BTreeMap::new(),
        warnings: &[],
        policies: &drydock::plan::Policies::default(),
    })
    .expect("a plan");
    let t5 = cpu_seconds();
    let file = write(&plan);
    let t6 = cpu_seconds();
    assert_eq!(plan.nodes.len(), nodes as usize);
    let planned = memory_mib("VmHWM:");
    let text = plan_text(&plan, &TextOptions::default());
    let t7 = cpu_seconds();
    let markdown = plan_markdown(&plan, &MarkdownOptions::default());
    let t8 = cpu_seconds();
    let lengths: Vec<u64> = plan.actions.iter().map(|a| guessed_ms(a.kind)).collect();
    let rehearsal = rehearse(&plan, &lengths, &BTreeSet::new()).expect("a rehearsal");
    let t9 = cpu_seconds();
    let html = plan_html(&plan, Times::Expected(&rehearsal), &[]);
    let t10 = cpu_seconds();
    println!("nodes               {nodes}");
    println!("design              {bytes} bytes");
    println!("read                {:.3} CPU-s", t1 - t0);
    println!("inherit             {:.3} CPU-s", t2 - t1);
    println!("check               {:.3} CPU-s", t3 - t2);
    let worst: Vec<String> = by_rule.iter().take(5).map(|(seconds, code)| format!("{code} {seconds:.3}")).collect();
    println!("  slowest rules     {}", worst.join(", "));
    println!("  rules with facts  {:.3} CPU-s, {with_facts} findings; identities included", t4 - t_facts);
    println!("= read+inherit+check {:.3} CPU-s", t3 - t0);
    println!("diff+graph          {:.3} CPU-s, {} actions", t5 - t4, plan.actions.len());
    println!("plan file           {:.3} CPU-s, {} bytes", t6 - t5, file.len());
    println!("= diff+graph+file   {:.3} CPU-s", t6 - t4);
    println!("text                {:.3} CPU-s, {} bytes", t7 - t6, text.len());
    println!("markdown            {:.3} CPU-s, {} bytes", t8 - t7, markdown.len());
    println!("HTML                {:.3} CPU-s, {} bytes, and {:.3} CPU-s for its rehearsal", t10 - t9, html.len(), t9 - t8);
    println!("plan digest         {}", plan.digests.plan);
    println!("memory of the model {} MiB, peak of reading {} MiB", before.1, before.0);
    println!("peak memory         {planned} MiB with the file, {} MiB with all formats", memory_mib("VmHWM:"));
}
