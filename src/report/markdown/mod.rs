//! A plan as a comment on a pull request.
//!
//! In: a plan. Out: Markdown as GitHub, GitLab and Gitea read it: what it does to machines, then every node that is interrupted or destroyed, by name and with the
//! reason, then tables; everything else is folded. It never exceeds [`LIMIT`]: blocks lose detail, then are counted only. Names of nodes with an effect of class
//! reboot or higher are given up last, and then it says so.

mod details;
mod escape;
mod harm;
mod links;
mod nodeset;
mod policy;
mod tables;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt::Write as _;

pub use links::{BaseLinks, Links};

use self::details::Detail;
use self::escape::{cell, code, html, sentence};
use super::plan_head::{impact_pieces, open};
use super::plan_open::for_all;
use super::plan_text::count;
use super::rollout;
use super::values::cut;
use super::view::{self, Verdict};
use crate::diff::Change;
use crate::plan::{Plan, Standing, Wave};

/// Bytes that a comment has at most. GitHub takes 65 536 characters.
pub const LIMIT: usize = 65_000;

/// Bytes that are kept free for the lists of what stands open, beside the groups of changes.
const OPEN_SHARE: usize = 12_000;

/// What a comment needs beside the plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MarkdownOptions {
    /// Links into the design.
    pub links: Links,
    /// The commit that the plan was made of, if known.
    pub commit: Option<String>,
    /// The plan file, if there is one.
    pub file: Option<String>,
    /// How its approvals stand, if that is known.
    pub approvals: Vec<Standing>,
}

/// The plan as Markdown, at most [`LIMIT`] bytes.
pub fn plan_markdown(plan: &Plan, options: &MarkdownOptions) -> String {
    let verdict = view::verdict(plan);
    let end = end(plan, verdict, options);
    let mut out = head(plan, verdict);
    let policy = policy::section(plan, &options.approvals);
    let harm = harm::list(plan, &options.links, LIMIT.saturating_sub(out.len() + end.len() + policy.len() + 2_000));
    out.push_str(&harm);
    out.push_str(&policy);
    for table in [tables::effects(plan), tables::racks(plan, LIMIT.saturating_sub(out.len() + end.len() + 1_000) / 3)] {
        out.push_str(&table);
    }
    let left = LIMIT.saturating_sub(out.len() + end.len() + 400);
    let open = open_lists(plan, left.min(OPEN_SHARE));
    let changes = changes(plan, &options.links, left.saturating_sub(open.len()));
    out.push_str(&changes);
    out.push_str(&open);
    out.push_str(&end);
    out
}

/// The line by which a comment is found again, to be updated in place: one for each site.
pub fn marker(site: &str) -> String {
    let safe: String = site.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' || c == '_' { c } else { '-' }).collect();
    // Two hyphens would end the comment.
    format!("<!-- drydock plan {} -->", safe.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-"))
}

fn head(plan: &Plan, verdict: Verdict) -> String {
    let what = if plan.preview.is_some() { "preview" } else { "plan" };
    let mut out = format!("{}\n## drydock {what} for {}\n\n", marker(&plan.site), code(&plan.site));
    if let Some(preview) = &plan.preview {
        let (commit, base, at) = (code(preview.commit_shown()), code(&preview.base), code(preview.base_shown()));
        let _ = writeln!(out, "> **Preview** of what {commit} changes against {base} ({at}): {}.\n", view::NO_SITE);
    }
    let said = match verdict {
        Verdict::Changes => impact_pieces(plan).into_iter().map(|(_, text)| sentence(&text).into_owned()).collect::<Vec<_>>().join(", "),
        Verdict::NoChanges if plan.selection.is_some() => "No changes in the selection".to_owned(),
        Verdict::NoChanges if plan.preview.is_some() => view::unchanged(plan).to_owned(),
        Verdict::NoChanges => "No changes".to_owned(),
        Verdict::NothingPlanned => format!("Nothing can be done now: {}", open(plan)),
    };
    let _ = writeln!(out, "**{said}.**\n");
    let mut facts = vec![format!("goal `{}`", plan.goal.name())];
    if let Some(selection) = &plan.selection {
        facts.push(format!("partial: only {}", code(selection)));
    }
    if plan.endpoints.iter().any(|e| e.simulated) {
        facts.push("**SIMULATED**".to_owned());
    }
    if verdict == Verdict::Changes {
        let time = view::takes(plan);
        facts.push(format!("{}, longest path {}, {time}", count(plan.actions.len(), "action"), view::longest_path(&plan.actions)));
        if !(plan.held_back.is_empty() && plan.blocked.is_empty()) {
            facts.push(format!("not planned: {}", open(plan)));
        }
    }
    for allowed in &plan.allow {
        facts.push(format!("allowed: {}", code(&format!("{}={}", allowed.effect, allowed.selector))));
        if facts.len() > 12 {
            facts.push(format!("… {} allowances in all", plan.allow.len()));
            break;
        }
    }
    // Whoever reviews a plan reviews the programs that it runs.
    facts.extend(view::hooks(plan).iter().take(HOOKS).map(|words| format!("hook {}", code(&cut(words, COLUMNS)))));
    facts.extend(view::on_failure(plan).filter(|_| verdict == Verdict::Changes).map(str::to_owned));
    let _ = writeln!(out, "{}\n", facts.join(" · "));
    out
}

/// Hooks that are shown, and characters of each.
const HOOKS: usize = 8;
const COLUMNS: usize = 300;

/// Groups of changes, folded: in full as long as there is room, then shorter, then counted.
fn changes(plan: &Plan, links: &Links, mut room: usize) -> String {
    let groups = view::group(&plan.changes);
    if groups.is_empty() {
        return String::new();
    }
    let open = format!("<details><summary><b>Changes of {}</b></summary>\n\n", count(plan.changes.len(), "resource"));
    let mut out = open;
    room = room.saturating_sub(out.len() + 200);
    let mut blocks: Vec<String> = Vec::new();
    // Each group gets at least its line where that is possible; what is left over goes to the first ones, which do the most.
    let lines: Vec<String> = groups.iter().map(|g| details::group(g, links, Detail::Line)).collect();
    let mut reserved: usize = lines.iter().map(String::len).sum();
    let mut hidden = 0;
    for (group, line) in groups.iter().zip(lines) {
        reserved -= line.len();
        let fits = |text: &String| text.len() + reserved <= room;
        let block = [Detail::Full, Detail::Short].into_iter().map(|d| details::group(group, links, d)).find(fits);
        let block = block.or_else(|| (line.len() <= room).then_some(line));
        match block {
            Some(block) => {
                room -= block.len();
                blocks.push(block);
            }
            None => hidden += 1,
        }
    }
    out.push_str(&blocks.concat());
    if hidden > 0 {
        let _ = writeln!(out, "\n{} more, which do not fit here; `drydock show` shows them", count(hidden, "group of like changes"));
    }
    out.push_str("\n</details>\n\n");
    out
}

/// What is not done: held back, blocked, orphaned, not managed, warned of.
fn open_lists(plan: &Plan, room: usize) -> String {
    let mut sections: Vec<(String, Vec<String>)> = Vec::new();
    let mut held: Vec<((String, String), Vec<&Change>)> = Vec::new();
    for item in &plan.held_back {
        let node = item.change.node.as_deref().unwrap_or("");
        let why = (view::named(&item.reason, node).into_owned(), view::named(&item.hint, node).into_owned());
        match held.iter_mut().find(|(w, _)| *w == why) {
            Some((_, changes)) => changes.push(&item.change),
            None => held.push((why, vec![&item.change])),
        }
    }
    let mut lines = Vec::new();
    for ((reason, hint), changes) in held {
        let nodes: BTreeSet<&str> = changes.iter().filter_map(|c| c.node.as_deref()).collect();
        let nodes: Vec<&str> = nodes.into_iter().collect();
        let named = |text: &str| if let [one] = nodes[..] { text.replace("<node>", one) } else { text.to_owned() };
        let (reason, hint) = (named(&reason), for_all(&hint, &nodes).unwrap_or_else(|| named(&hint)));
        for group in view::group(changes) {
            let what = format!("{} {}", code(&details::title(&group)), group.first().effect);
            lines.push(format!("* {what}: {}; {}", sentence(&reason), sentence(&hint)));
        }
    }
    sections.push((format!("Held back: {}", count(plan.held_back.len(), "change")), lines));
    let mut blocked: Vec<(String, Vec<&str>)> = Vec::new();
    for item in &plan.blocked {
        let node = item.resource.strip_prefix("node.").and_then(|rest| rest.split('/').next()).unwrap_or("");
        let why = format!("{}; {}", sentence(&view::named(&item.reason, node)), sentence(&view::named(&item.hint, node)));
        match blocked.iter_mut().find(|(w, _)| *w == why) {
            Some((_, resources)) => resources.push(&item.resource),
            None => blocked.push((why, vec![&item.resource])),
        }
    }
    let lines = blocked.into_iter().map(|(why, resources)| format!("* {}: {why}", few(resources))).collect();
    sections.push((format!("Blocked: {}", count(plan.blocked.len(), "resource")), lines));
    let lines = plan.orphans.iter().map(|o| format!("* {}: {}", code(&o.resource), sentence(&o.detail))).collect();
    sections.push((format!("No longer in the design, and left as it is: {}", count(plan.orphans.len(), "resource")), lines));
    let lines = plan
        .not_managed
        .iter()
        .map(|item| format!("* {}: {}", sentence(&item.what), few(item.resources.iter().map(String::as_str).collect())))
        .collect();
    sections.push((format!("In the design, and compared by no driver: {}", count(plan.not_managed.len(), "thing")), lines));
    let lines = plan.rollout.warnings.iter().map(|w| format!("* {}", sentence(w))).collect();
    sections.push((format!("Rollout rules that do not work out: {}", plan.rollout.warnings.len()), lines));
    let lines = plan.rollout.waves.iter().map(|w| wave(plan, w)).collect();
    sections.push((format!("Waves: {}", plan.rollout.waves.len()), lines));
    let lines = plan.warnings.iter().map(|w| format!("* {}", code(w))).collect();
    sections.push((format!("Warnings about the design: {}", plan.warnings.len()), lines));
    sections.retain(|(_, lines)| !lines.is_empty());

    let mut out = String::new();
    let share = room / sections.len().max(1);
    for (title, lines) in sections {
        let _ = write!(out, "<details><summary>{}</summary>\n\n", html(&title));
        let mut used = title.len() + 120;
        let mut shown = 0;
        for line in &lines {
            if used + line.len() > share {
                break;
            }
            used += line.len() + 1;
            shown += 1;
            out.push_str(line);
            out.push('\n');
        }
        if shown < lines.len() {
            let _ = writeln!(out, "* … {} more; `drydock show` shows them", lines.len() - shown);
        }
        out.push_str("\n</details>\n\n");
    }
    out
}

/// Who begins when.
fn wave(plan: &Plan, wave: &Wave) -> String {
    let gate = rollout::gate(wave);
    let gate = if gate.is_empty() { gate } else { format!("; through if {gate}") };
    let nodes: Vec<&str> = wave.nodes.iter().map(String::as_str).collect();
    let nodes = if nodes.is_empty() { "no node of this plan".to_owned() } else { few(nodes) };
    format!("* {} {}: {nodes}{gate}", code(&wave.name), sentence(&rollout::after(plan, wave)))
}

/// Some of many addresses.
fn few(resources: Vec<&str>) -> String {
    let sets = nodeset::fold(resources);
    let shown: Vec<String> = sets.iter().take(6).map(|set| code(set)).collect();
    let more = sets.len().saturating_sub(6);
    if more > 0 { format!("{}, … {more} more", shown.join(", ")) } else { shown.join(", ") }
}

/// What the comment rests on, and what to do next.
fn end(plan: &Plan, verdict: Verdict, options: &MarkdownOptions) -> String {
    let mut out = String::from("---\n");
    let commit = options.commit.as_ref().map(|c| format!(" · commit {}", code(c))).unwrap_or_default();
    let _ = writeln!(out, "plan digest `{}`{commit} · drydock {}\n", plan.digests.plan, code(&plan.drydock));
    match (verdict, &options.file) {
        (Verdict::Changes | Verdict::NothingPlanned, _) if plan.preview.is_some() => {
            let _ = writeln!(out, "Next: {}.", view::AFTER_PREVIEW);
        }
        (Verdict::Changes, _) if !plan.policy.denied.is_empty() => {
            out.push_str("The policies of the site refuse this plan; it cannot be carried out.\n");
        }
        (Verdict::Changes, Some(file)) if !plan.policy.approvals.is_empty() && super::policy::missing(&options.approvals) != Some(0) => {
            let commands = [format!("drydock approve {} --key FILE", shell(file)), format!("drydock apply {}", shell(file))];
            let _ = writeln!(
                out,
                "To approve it, and once it is approved to carry out exactly this plan:\n\n{}",
                escape::fenced("sh", &commands)
            );
        }
        (Verdict::Changes, Some(file)) => {
            let _ =
                writeln!(out, "To carry out exactly this plan:\n\n{}", escape::fenced("sh", &[format!("drydock apply {}", shell(file))]));
        }
        (Verdict::Changes, None) => out.push_str("No plan file was written; `drydock plan --out FILE` writes one that can be applied.\n"),
        (Verdict::NothingPlanned, _) => out.push_str("Next: do what the lists above say, then plan again.\n"),
        (Verdict::NoChanges, _) => {}
    }
    out
}

/// A file name as a shell reads it.
fn shell(file: &str) -> String {
    let file = super::clean(file);
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/+@%:,=".contains(c);
    if file.chars().all(plain) && !file.starts_with('-') { file.into_owned() } else { format!("'{}'", file.replace('\'', "'\\''")) }
}

/// A cell of a table with a number: empty for none.
fn number(n: usize) -> String {
    if n == 0 { String::new() } else { n.to_string() }
}

/// A row of a table.
fn row(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

/// A name in a table.
fn name_cell(name: &str) -> String {
    cell(name)
}
