//! Programs at a terminal of their own.

use std::process::Command;

use serde_json::Value;

use crate::cli_support::{Ended, Folder, end};

/// Runs a program at a terminal, and types a line whenever a text was shown. Arguments: pairs of text and line as JSON, program, arguments. `null` for a line
/// closes the terminal, as a person does who closes its window, and waits for nothing.
const TERMINAL: &str = r"
import fcntl, json, os, pty, select, struct, sys, termios, time
steps = json.loads(sys.argv[1])
pid, fd = pty.fork()
if pid == 0:
    os.environ['TERM'] = 'xterm'
    os.execv(sys.argv[2], sys.argv[2:])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', 50, 250, 0, 0))
seen, at, end = b'', 0, time.monotonic() + 120
while time.monotonic() < end:
    if not select.select([fd], [], [], 0.2)[0]:
        continue
    try:
        data = os.read(fd, 65536)
    except OSError:
        break
    if not data:
        break
    seen += data
    while steps and steps[0][0].encode() in seen[at:]:
        at += seen[at:].index(steps[0][0].encode()) + len(steps[0][0])
        line = steps.pop(0)[1]
        if line is None:
            os.close(fd)
            print(pid)
            sys.exit(0)
        os.write(fd, (line + '\n').encode())
sys.stdout.buffer.write(seen)
print('\nleft:', steps)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
";

/// Whether terminals can be made here. In CI they have to be.
pub(crate) fn is_there() -> bool {
    let installed = crate::ipmi_peer::install(&["python3"], &["python3"]);
    if let Err(why) = &installed {
        assert!(!std::env::var("CI").is_ok_and(|v| v == "true"), "in CI this test must run: {why}");
        eprintln!("skipped: {why}");
    }
    installed.is_ok()
}

/// The program in a folder, at a terminal: pairs of a text that is waited for and the line that is typed then.
pub(crate) fn run(folder: &Folder, steps: &Value, arguments: &[&str]) -> Ended {
    let mut command = Command::new("python3");
    command.args(["-c", TERMINAL, &steps.to_string(), env!("CARGO_BIN_EXE_drydock")]).args(arguments).current_dir(folder.path());
    end(&mut command)
}
