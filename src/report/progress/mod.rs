//! A run while it goes on: on a terminal, as lines of a log, or as JSON.
//!
//! In: the events of a run, in order. Out: a live view ([`Terminal`]), plain lines ([`Lines`]) or one JSON object per line ([`JsonLines`]). What an event says,
//! where the run is and what is left are worked out once, in a pure way (`tracker`, `estimate`, `wording`, `screen`, `canvas`); times are those of the events, shown
//! in UTC.

mod canvas;
mod estimate;
mod lines;
mod reporter;
mod screen;
mod terminal;
#[cfg(test)]
mod tests;
mod tracker;
mod wording;

pub use estimate::Expected;
pub use lines::Lines;
pub use reporter::{JsonLines, Reporter};
pub use terminal::{Terminal, above};
pub use tracker::Watched;
pub(super) use wording::excerpt;
