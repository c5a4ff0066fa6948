//! `drydock unlock`: remove the lock of a run that will never end by itself.

use crate::cli::args::{Sources, Unlock};
use crate::cli::exit::Exit;
use crate::cli::ops::state;
use crate::cli::output::Printer;
use crate::cli::problem::Problem;

/// Runs the command.
pub async fn run(args: &Unlock, from: &Sources, printer: &Printer) -> anyhow::Result<Exit> {
    let store = state::of_folder(from).await?;
    let locks = store.as_ref().map(|s| s.locks()).transpose()?.unwrap_or_default();
    let (Some(store), Some(lock)) = (store, locks.iter().find(|l| l.id == args.id)) else {
        let held: Vec<&str> = locks.iter().map(|l| l.id.as_str()).collect();
        let help = if held.is_empty() { "nothing is locked".to_owned() } else { format!("held: {}", held.join(", ")) };
        return Err(Problem::new(format!("there is no lock `{}`", args.id)).help(help).into());
    };
    let holder = format!("{} on {} (pid {})", lock.holder.user, lock.holder.host, lock.holder.pid);
    if lock.alive == Some(true) {
        return Err(Problem::new(format!("lock {} is held by a run that is under way: {holder}", lock.id))
            .help("wait until it ends, or interrupt it with Ctrl-C there")
            .into());
    }
    store.unlock(&lock.id)?;
    printer.result(&format!("lock {} of run {} by {holder} is removed\n", lock.id, lock.run))?;
    printer.note(&format!("next: `drydock resume {}` goes on with the run", lock.run));
    Ok(Exit::Done)
}
