//! The command `drydock`.

use std::process::ExitCode;

fn main() -> ExitCode {
    drydock::cli::run(std::env::args_os()).into()
}
