//! The live view as text: a line for each node in progress, and a line for the whole.

use std::collections::BTreeMap;

use super::super::paint::{Look, Page};
use super::super::time::{about, took};
use super::reporter::{branch_done, lines};
use super::tracker::{Active, Tracker, Watched};
use super::wording::{Weight, say};
use crate::run::{DagError, Event};

/// The live view.
#[derive(Debug)]
pub(in super::super) struct Screen {
    tracker: Tracker,
    color: bool,
}

impl Screen {
    pub(in super::super) fn new(color: bool, run: &Watched) -> Result<Self, DagError> {
        Ok(Self { tracker: Tracker::new(run)?, color })
    }

    /// Done and all of the work, in the same unit.
    pub(super) fn work(&self) -> (u64, u64) {
        self.tracker.work()
    }

    /// Takes an event in; returns what is to be printed above the live lines.
    pub(in super::super) fn event(&mut self, event: &Event) -> String {
        let said = say(event, &self.tracker);
        self.tracker.apply(event);
        let said = said.filter(|s| s.weight == Weight::Notable);
        [said, branch_done(event, &self.tracker)].into_iter().flatten().map(|s| lines(event.at_ms, &s, self.color, None)).collect()
    }

    /// At most `limit` lines of what is in progress, a node on each; the longest first.
    pub(in super::super) fn lines(&self, now_ms: u64, limit: usize) -> Vec<String> {
        let mut by_who: BTreeMap<&str, &Active> = BTreeMap::new();
        let mut order: Vec<&str> = Vec::new();
        for active in self.tracker.active() {
            let label = self.tracker.label_at(active.index);
            // Site actions have a line each.
            let key = if label.node.is_some() { &label.who } else { &label.what };
            if by_who.insert(key, active).is_none() {
                order.push(key);
            }
        }
        let shown = if order.len() > limit { limit.saturating_sub(1) } else { order.len() };
        let width = order[..shown].iter().filter_map(|w| by_who.get(w)).map(|a| self.who(a)).map(|w| w.chars().count()).max().unwrap_or(0);
        let mut out: Vec<String> = order[..shown].iter().filter_map(|w| by_who.get(w)).map(|a| self.line(a, now_ms, width)).collect();
        if order.len() > shown {
            out.push(self.page(|page| {
                page.to(2).put(Look::Dim, &format!("… and {} more in progress", order.len() - shown));
            }));
        }
        out
    }

    fn who(&self, active: &Active) -> String {
        super::super::escape::clean(&self.tracker.label_at(active.index).who).into_owned()
    }

    fn line(&self, active: &Active, now_ms: u64, width: usize) -> String {
        let label = self.tracker.label_at(active.index);
        self.page(|page| {
            page.to(2).put(Look::Bold, &self.who(active)).to(2 + width + 1).put(Look::Cyan, &label.what);
            page.text(" ").put(Look::Dim, &took(now_ms.saturating_sub(active.since_ms)));
            if !active.detail.is_empty() {
                page.text("  ").text(&active.detail);
            }
        })
    }

    /// `12/49 actions, 2 of 3 nodes, 1 failed, about 12 min left`.
    pub(in super::super) fn overall(&self, now_ms: u64) -> String {
        let (done, all) = self.tracker.actions_done();
        let (nodes_done, nodes) = self.tracker.nodes_done();
        self.page(|page| {
            if self.tracker.paused().is_some() {
                page.put(Look::Yellow, "paused").text(", ");
            }
            page.text(&format!("{done}/{all} actions"));
            if nodes > 0 {
                page.text(&format!(", {nodes_done} of {nodes} nodes"));
            }
            if self.tracker.failed() > 0 {
                page.text(", ").put(Look::Red, &format!("{} failed", self.tracker.failed()));
            }
            if let Some(left) = self.tracker.left_ms(now_ms).filter(|_| done < all) {
                page.put(Look::Dim, &format!(", about {} left", about(left / 1000)));
            }
        })
    }

    fn page(&self, write: impl FnOnce(&mut Page)) -> String {
        let mut page = Page::new(self.color, usize::MAX);
        write(&mut page);
        page.finish()
    }
}
