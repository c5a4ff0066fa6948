//! The live view on a terminal.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::super::escape::clean;
use super::canvas::Canvas;
use super::reporter::Reporter;
use super::screen::Screen;
use super::tracker::Watched;
use crate::run::{DagError, Event};

/// Time between two looks at whether anything has to be drawn anew.
const REDRAW: Duration = Duration::from_millis(200);

/// The view that is drawn now, so that others of this process can write above it.
static LIVE: Mutex<Weak<Shared>> = Mutex::new(Weak::new());

/// Writes lines above the live view; `false` if there is none, and nothing was written. What moves the cursor must not be in them.
pub fn above(text: &str) -> bool {
    let live = LIVE.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
    let Some(shared) = live.filter(|shared| !shared.ended.load(Ordering::Acquire)) else { return false };
    shared.draw(&if text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }, false);
    true
}

/// The live view: a line for each branch in progress, a bar for the whole with what is probably left, and above them what is to be read.
pub struct Terminal {
    shared: Arc<Shared>,
    redraws: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal").finish_non_exhaustive()
    }
}

/// Rows and columns of the terminal.
type Size = Box<dyn Fn() -> (u16, u16) + Send + Sync>;

struct Shared {
    view: Mutex<View>,
    size: Size,
    ended: AtomicBool,
}

struct View {
    screen: Screen,
    canvas: Canvas,
    out: Box<dyn Write + Send>,
    /// Time of the last event, and when it was seen: the present time by the events' clock follows from them.
    last: Option<(u64, Instant)>,
}

impl Terminal {
    /// Draws on standard error.
    ///
    /// # Errors
    /// When the actions form no graph.
    pub fn new(color: bool, run: &Watched) -> Result<Self, DagError> {
        let term = console::Term::stderr();
        let size = term.clone();
        Self::on(Box::new(term), Box::new(move || size.size()), color, run)
    }

    /// Draws there; `size` tells rows and columns whenever it is asked.
    pub(super) fn on(out: Box<dyn Write + Send>, size: Size, color: bool, run: &Watched) -> Result<Self, DagError> {
        let view = Mutex::new(View { screen: Screen::new(color, run)?, canvas: Canvas::default(), out, last: None });
        let shared = Arc::new(Shared { view, size, ended: AtomicBool::new(false) });
        *LIVE.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&shared);
        let drawn = Arc::clone(&shared);
        // Without a thread the view only moves with events, which is still right.
        let redraws = std::thread::Builder::new()
            .name("progress".to_owned())
            .spawn(move || {
                while !drawn.ended.load(Ordering::Acquire) {
                    drawn.draw("", false);
                    std::thread::park_timeout(REDRAW);
                }
            })
            .ok();
        Ok(Self { shared, redraws })
    }
}

impl Shared {
    /// Draws the view as it is now; without its live lines at the end.
    fn draw(&self, above: &str, end: bool) {
        let (rows, columns) = (self.size)();
        let mut view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        let view = &mut *view;
        let now_ms = view.last.map(|(at_ms, seen)| at_ms + u64::try_from(seen.elapsed().as_millis()).unwrap_or(u64::MAX));
        let lines = match now_ms {
            Some(now_ms) if !end => view.screen.frame(now_ms, usize::from(rows), usize::from(columns)),
            _ => Vec::new(),
        };
        let text = view.canvas.draw(above, lines, usize::from(columns));
        if !text.is_empty() {
            let _ = view.out.write_all(text.as_bytes()).and_then(|()| view.out.flush());
        }
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
            self.shared.draw(&above, false);
        }
    }

    fn tick(&mut self, now_ms: u64) {
        // A run that is followed may be silent for long; what is known of it is shown at once.
        let mut view = self.shared.view.lock().unwrap_or_else(PoisonError::into_inner);
        view.last.get_or_insert_with(|| (now_ms, Instant::now()));
    }

    fn say(&mut self, text: &str) {
        let mut safe = String::new();
        for line in text.lines() {
            safe.push_str(&clean(line));
            safe.push('\n');
        }
        self.shared.draw(&safe, false);
    }

    fn finish(&mut self) {
        let ended = self.shared.ended.swap(true, Ordering::AcqRel);
        if let Some(redraws) = self.redraws.take() {
            redraws.thread().unpark();
            let _ = redraws.join();
        }
        if !ended {
            self.shared.draw("", true);
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.finish();
    }
}
