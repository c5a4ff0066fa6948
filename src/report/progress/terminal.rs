//! The live view on a terminal.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::super::escape::clean;
use super::reporter::Reporter;
use super::screen::Screen;
use super::tracker::Watched;
use crate::run::{DagError, Event};

/// Time between two redraws.
const REDRAW: Duration = Duration::from_millis(200);
/// Live lines at most, however high the terminal is.
const LINES: usize = 24;

/// The live view: a line for each node in progress, a bar for the whole with what is probably left, and above them what is to be read.
pub struct Terminal {
    shared: Arc<Shared>,
    redraws: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal").finish_non_exhaustive()
    }
}

struct Shared {
    view: Mutex<View>,
    multi: MultiProgress,
    overall: ProgressBar,
    /// Live lines at most.
    lines: usize,
    ended: AtomicBool,
}

struct View {
    screen: Screen,
    bars: Vec<ProgressBar>,
    /// Time of the last event, and when it was seen: the present time by the events' clock follows from them.
    last: Option<(u64, Instant)>,
}

impl Terminal {
    /// Draws on standard error.
    ///
    /// # Errors
    /// When the actions form no graph.
    pub fn new(color: bool, run: &Watched) -> Result<Self, DagError> {
        let height = console::Term::stderr().size().0;
        Self::on(ProgressDrawTarget::stderr(), color, run, usize::from(height))
    }

    pub(in super::super) fn on(target: ProgressDrawTarget, color: bool, run: &Watched, height: usize) -> Result<Self, DagError> {
        let screen = Screen::new(color, run)?;
        let multi = MultiProgress::with_draw_target(target);
        let overall = multi.add(ProgressBar::new(screen.work().1));
        overall.set_style(style("[{bar:30}] {wide_msg}").progress_chars("=> "));
        let view = Mutex::new(View { screen, bars: Vec::new(), last: None });
        let lines = height.saturating_sub(4).clamp(1, LINES);
        let shared = Arc::new(Shared { view, multi, overall, lines, ended: AtomicBool::new(false) });
        let drawn = Arc::clone(&shared);
        // Without a thread the view only moves with events, which is still right.
        let redraws = std::thread::Builder::new()
            .name("progress".to_owned())
            .spawn(move || {
                while !drawn.ended.load(Ordering::Acquire) {
                    drawn.redraw();
                    std::thread::park_timeout(REDRAW);
                }
            })
            .ok();
        Ok(Self { shared, redraws })
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Shared {
    fn redraw(&self) {
        let mut view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        let view = &mut *view;
        let now_ms = view.last.map_or(0, |(at_ms, seen)| at_ms + u64::try_from(seen.elapsed().as_millis()).unwrap_or(u64::MAX));
        let lines = view.screen.lines(now_ms, self.lines);
        while view.bars.len() > lines.len() {
            if let Some(bar) = view.bars.pop() {
                bar.finish_and_clear();
                self.multi.remove(&bar);
            }
        }
        while view.bars.len() < lines.len() {
            let bar = self.multi.insert_before(&self.overall, ProgressBar::new_spinner());
            bar.set_style(style("{wide_msg}"));
            view.bars.push(bar);
        }
        for (bar, line) in view.bars.iter().zip(lines) {
            bar.set_message(line);
        }
        self.overall.set_position(view.screen.work().0);
        self.overall.set_message(view.screen.overall(now_ms));
    }
}

impl Reporter for Terminal {
    fn event(&mut self, event: &Event) {
        let above = {
            let mut view = self.shared.view.lock().unwrap_or_else(PoisonError::into_inner);
            view.last = Some((event.at_ms, Instant::now()));
            view.screen.event(event)
        };
        if !above.is_empty() {
            let _ = self.shared.multi.println(above.trim_end_matches('\n'));
        }
    }

    fn say(&mut self, text: &str) {
        for line in text.lines() {
            let _ = self.shared.multi.println(clean(line));
        }
    }

    fn finish(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        if let Some(redraws) = self.redraws.take() {
            redraws.thread().unpark();
            let _ = redraws.join();
            self.shared.redraw();
            let view = self.shared.view.lock().unwrap_or_else(PoisonError::into_inner);
            for bar in &view.bars {
                bar.finish_and_clear();
            }
            self.shared.overall.finish_and_clear();
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.finish();
    }
}
