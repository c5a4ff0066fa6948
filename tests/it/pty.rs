//! A pseudo-terminal, and what a person would see on it: an emulator of a terminal reads the other end.

use std::fs::File;
use std::io::Read;
use std::num::NonZero;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// A pseudo-terminal.
pub(crate) struct Pty {
    /// The side of programs.
    pub(crate) slave: File,
    /// How long [`Pty::wait`] waits.
    pub(crate) patience: Duration,
    seen: Arc<Mutex<(vt100::Parser, Vec<u8>)>>,
}

fn size(rows: u16, columns: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

fn cells(n: u16) -> NonZero<u16> {
    NonZero::new(n).unwrap()
}

impl Pty {
    pub(crate) fn open(rows: u16, columns: u16) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        tcsetwinsize(&slave, size(rows, columns)).unwrap();
        let seen = Arc::new(Mutex::new((vt100::Parser::new(cells(rows), cells(columns), 0), Vec::new())));
        let reader = Arc::clone(&seen);
        std::thread::spawn(move || {
            let (mut master, mut bytes) = (File::from(master), [0; 4096]);
            // The last writer's end is an error on Linux, and the end.
            while let Ok(n @ 1..) = master.read(&mut bytes) {
                let mut seen = reader.lock().unwrap();
                seen.0.process(&bytes[..n]);
                seen.1.extend_from_slice(&bytes[..n]);
            }
        });
        Self { slave, patience: Duration::from_mins(1), seen }
    }

    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        tcsetwinsize(&self.slave, size(rows, columns)).unwrap();
        self.seen.lock().unwrap().0.screen_mut().set_size(cells(rows), cells(columns));
    }

    /// Everything that was written so far.
    pub(crate) fn written(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap().1).into_owned()
    }

    /// The screen as soon as it is as expected.
    #[track_caller]
    pub(crate) fn wait(&self, what: &str, expected: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        loop {
            let screen = self.seen.lock().unwrap().0.screen().contents();
            if expected(&screen) {
                return screen;
            }
            assert!(begun.elapsed() < self.patience, "{what}:\n{screen}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
