//! The live view as text: a line for each branch in progress, and two for the whole.

use std::collections::{BTreeMap, BTreeSet};

use console::{measure_text_width, truncate_str};

use super::super::escape::clean;
use super::super::paint::{Look, Page};
use super::super::time::{about, took_roughly};
use super::lines::{branch_done, lines};
use super::tracker::{Active, Tracker, Watched, count_by_step};
use super::wording::{Weight, say};
use crate::run::{DagError, Event};

/// The live view.
#[derive(Debug)]
pub(super) struct Screen {
    tracker: Tracker,
    color: bool,
}

/// A branch in progress.
#[derive(Debug)]
struct Row {
    who: String,
    /// `5/9 configure_hardware`.
    step: String,
    /// `3m12s of ~8m`.
    time: String,
    look: Look,
    /// What it waits for.
    phase: String,
    /// The step as it is counted.
    counted: String,
}

/// Columns that names of nodes, and steps, have at most.
const WIDE: usize = 32;
/// Rows that are left to what is printed above, however many branches are in progress.
const ABOVE: usize = 3;

impl Screen {
    pub(super) fn new(color: bool, run: &Watched) -> Result<Self, DagError> {
        Ok(Self { tracker: Tracker::new(run)?, color })
    }

    /// Takes an event in; returns what is to be printed above the live lines.
    pub(super) fn event(&mut self, event: &Event) -> String {
        let said = say(event, &self.tracker);
        self.tracker.apply(event);
        let said = said.filter(|s| s.weight == Weight::Notable);
        [said, branch_done(event, &self.tracker)].into_iter().flatten().map(|s| lines(event.at_ms, &s, self.color, None)).collect()
    }

    /// The live lines for a terminal of that size: branches, the bar, and what is left. There are always fewer than the terminal has.
    pub(super) fn frame(&mut self, now_ms: u64, rows: usize, columns: usize) -> Vec<String> {
        // The cursor stands below.
        let room = rows.saturating_sub(1);
        let whole = self.whole(now_ms, columns);
        let mut out = self.branches(now_ms, room.saturating_sub(whole.len() + ABOVE));
        out.extend(whole.into_iter().take(room.max(1)));
        out
    }

    /// At most `limit` lines, a branch on each. The most interesting come first, the others are counted.
    fn branches(&self, now_ms: u64, limit: usize) -> Vec<String> {
        let rows = self.rows(now_ms);
        let shown = if rows.len() > limit { limit.saturating_sub(1) } else { rows.len() };
        let widest = |of: fn(&Row) -> &str| rows[..shown].iter().map(|r| measure_text_width(of(r))).max().unwrap_or(0);
        let (who, step, time) = (widest(|r| &r.who), widest(|r| &r.step), widest(|r| &r.time));
        let mut out: Vec<String> = rows[..shown]
            .iter()
            .map(|row| {
                self.page(|page| {
                    page.to(2).put(Look::Bold, &row.who);
                    page.to(2 + who + 2).put(Look::Cyan, &row.step);
                    page.to(2 + who + 2 + step + 2).put(row.look, &row.time);
                    page.to(2 + who + 2 + step + 2 + time + 2).text(&row.phase);
                })
            })
            .collect();
        if rows.len() > shown && limit > 0 {
            let counts = count_by_step(rows[shown..].iter().map(|r| r.counted.as_str()));
            let list: Vec<String> = counts.iter().map(|(step, n)| format!("{n} {step}")).collect();
            out.push(self.page(|page| {
                page.to(2).put(Look::Dim, &format!("… and {} more: {}", rows.len() - shown, list.join(", ")));
            }));
        }
        out
    }

    fn rows(&self, now_ms: u64) -> Vec<Row> {
        let active = self.tracker.active(now_ms);
        // Of a node the action that was begun last; site actions have a line each.
        let mut latest: BTreeMap<&str, (u64, usize)> = BTreeMap::new();
        for one in &active {
            let label = self.tracker.label_at(one.index);
            let kept = latest.entry(if label.node.is_some() { &label.who } else { &label.what }).or_insert((one.elapsed_ms, one.index));
            *kept = (*kept).min((one.elapsed_ms, one.index));
        }
        let latest: BTreeSet<usize> = latest.into_values().map(|(_, index)| index).collect();
        let mut rows: Vec<Row> = active.iter().filter(|a| latest.contains(&a.index)).map(|a| self.row(a)).collect();
        for (node, done, all, since_ms) in self.tracker.between() {
            rows.push(Row {
                who: cut(node),
                step: format!("{done}/{all} done"),
                time: took_roughly(now_ms.saturating_sub(since_ms)),
                look: Look::Dim,
                phase: "the next step waits for its turn".to_owned(),
                counted: "between steps".to_owned(),
            });
        }
        rows
    }

    fn row(&self, active: &Active) -> Row {
        let label = self.tracker.label_at(active.index);
        let of = about_short(label.expected_ms);
        let (look, late) = match (active.overdue, active.retrying) {
            (true, _) => (Look::Yellow, ", slow"),
            (_, true) => (Look::Red, ""),
            _ => (Look::Plain, ""),
        };
        Row {
            who: cut(label.node.as_deref().unwrap_or("site")),
            step: cut(&format!("{}/{} {}", label.nth, self.tracker.branch_length(label), label.what)),
            time: if active.retrying {
                took_roughly(active.elapsed_ms)
            } else {
                format!("{} of ~{of}{late}", took_roughly(active.elapsed_ms))
            },
            look,
            phase: clean(active.detail).into_owned(),
            counted: label.step.clone(),
        }
    }

    /// The bar with counts, and the time.
    fn whole(&mut self, now_ms: u64, columns: usize) -> Vec<String> {
        let work = self.tracker.work(now_ms);
        let nodes = self.tracker.nodes();
        let (done, all) = self.tracker.actions_done();
        let percent = work.percent();
        let width = columns.saturating_sub(60).clamp(6, 40);
        let full = usize::try_from(percent).unwrap_or(0) * width / 100;
        let head = if full < width { ">" } else { "" };
        let bar = format!("[{}{head}{}]", "=".repeat(full), " ".repeat((width - full).saturating_sub(1)));
        let first = self.page(|page| {
            page.text(&bar).text(&format!(" {percent:>3} %  {done}/{all} actions"));
            if nodes.all > 0 {
                page.text(&format!("  {}/{} nodes", nodes.done, nodes.all));
            }
            for (n, what, look) in [(nodes.failed, "failed", Look::Red), (nodes.blocked, "blocked", Look::Yellow)] {
                if n > 0 {
                    page.text("  ").put(look, &format!("{n} {what}"));
                }
            }
        });
        let elapsed = took_roughly(self.tracker.elapsed_ms(now_ms));
        let left = self.tracker.left(now_ms);
        let second = self.page(|page| {
            page.to(2);
            if self.tracker.paused().is_some() {
                page.put(Look::Yellow, "paused").text(", ");
            }
            page.put(Look::Dim, &format!("{elapsed} so far"));
            match left {
                Some(left) => page
                    .text(&format!(", about {} left", about(left.ms.div_ceil(1000))))
                    .put(Look::Dim, &format!(" ({})", left.basis.words())),
                None if done < all => page.put(Look::Dim, ", too early to tell what is left"),
                None => page,
            };
        });
        vec![first, second]
    }

    fn page(&self, write: impl FnOnce(&mut Page)) -> String {
        let mut page = Page::new(self.color, usize::MAX);
        write(&mut page);
        page.finish()
    }
}

/// A name or step that is not too wide.
fn cut(text: &str) -> String {
    truncate_str(&clean(text), WIDE, "…").into_owned()
}

/// `8m`, `45 s`: as short as it can be said.
fn about_short(ms: u64) -> String {
    match ms.div_ceil(1000) {
        s @ 0..90 => format!("{s} s"),
        s @ 90..5400 => format!("{}m", (s + 30) / 60),
        s => format!("{}h{:02}m", (s + 30) / 3600, (s + 30) % 3600 / 60),
    }
}
