//! What happens when the program itself is wrong.

use std::io::Write as _;

use super::exit::Exit;
use crate::apply::is_attempt;

/// Ends the process with a short message when anything panics; only the attempt of an action costs that action alone, and its run goes on. The panic's own
/// text is not shown: it may hold a value of the user.
pub(super) fn install_hook() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(String::new, |l| format!(" at {}:{}", l.file(), l.line()));
        if is_attempt() {
            let _ = writeln!(
                std::io::stderr(),
                "error: internal error{place} in drydock {}: the action fails, the run goes on",
                env!("CARGO_PKG_VERSION")
            );
            return;
        }
        let _ = writeln!(
            std::io::stderr(),
            "error: internal error{place} in drydock {}\n  help: this is a bug in drydock; what was done is in the journal, `drydock resume` goes on with it",
            env!("CARGO_PKG_VERSION")
        );
        std::process::exit(Exit::Error.code().into());
    }));
}
