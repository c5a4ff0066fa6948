//! The command `drydock`.

use std::process::ExitCode;

/// Planning makes millions of small values; this allocator halves what that costs against the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    drydock::cli::run(std::env::args_os()).into()
}
