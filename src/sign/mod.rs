//! SSH signatures of statements, made and checked by OpenSSH's own program.
//!
//! In: a statement, a key or a signature, an allowed-signers file. Out: a signature, or whose it is. `ssh-keygen -Y` does both: keys of agents, hardware keys,
//! passphrases, certificates, revoked keys and every option of an allowed-signers file work, or are refused, exactly as they are elsewhere. The program is
//! started with a list of arguments, and what it is to look at is handed over in files of a folder of its own. Imports `plan`.

mod armor;
mod keygen;

#[cfg(test)]
mod tests;

pub use armor::{Armor, MAX_BYTES, parse};
pub use keygen::{SignError, Signers, sign, verify};

/// The namespace of signatures of plans. A signature that was made for something else (a file, a commit) is none of a plan.
pub const NAMESPACE: &str = "drydock-plan";
