//! A run while it goes on: on a terminal, as lines of a log, or as JSON.
//!
//! In: the events of a run, in order. Out: a live view ([`Terminal`]), plain lines ([`Lines`]) or one JSON object per line ([`JsonLines`]). What an event says is
//! worked out once, in a pure way (`tracker`, `wording`); times are those of the events, shown in UTC.

mod reporter;
mod screen;
mod terminal;
mod tracker;
mod wording;

pub use reporter::{JsonLines, Lines, Reporter};
#[cfg(test)]
pub(super) use screen::Screen;
pub use terminal::Terminal;
pub use tracker::Watched;
pub(super) use wording::excerpt;
