//! The command `drydock`.

use std::process::ExitCode;

/// Planning makes millions of small values, and most of its time is spent allocating them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    drydock::cli::run(std::env::args_os()).into()
}
