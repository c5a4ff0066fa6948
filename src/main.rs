//! The command `drydock`.

fn main() {}
