//! Traces of runs for a collector of OpenTelemetry.
//!
//! In: events of a run. Out: their spans, sent while the run goes on (OTLP over HTTP, binary). Nothing here can delay a run or make it fail: what cannot be
//! sent is dropped, and said once.

#[cfg(feature = "otel")]
mod export;
mod given;

#[cfg(feature = "otel")]
pub use export::Traces;
#[cfg(not(feature = "otel"))]
use given::Given;

use crate::action::Action;
use crate::cli::output::Printer;
use crate::config::Settings;

/// The traces of a run over these actions, if the settings or the environment say where they go; `run` is its id, if it is gone on with.
pub async fn traces(settings: &Settings, actions: &[Action], run: Option<&str>, printer: &Printer) -> Option<Traces> {
    let begun = match given::find(settings, |name| std::env::var(name).ok()).await {
        Ok(None) => return None,
        Ok(Some(given)) => Traces::begin(given, actions, run, printer),
        Err(why) => Err(why),
    };
    begun.map_err(|why| printer.note(&format!("warning: no traces are exported: {why}; the run goes on without them"))).ok()
}

/// Nothing is exported by a program that was built without it.
#[cfg(not(feature = "otel"))]
#[derive(Debug)]
pub struct Traces;

#[cfg(not(feature = "otel"))]
impl Traces {
    fn begin(_: Given, _: &[Action], _: Option<&str>, _: &Printer) -> Result<Self, String> {
        Err("this drydock was built without the feature `otel`".to_owned())
    }

    /// Takes the next event of the run.
    pub fn event(&mut self, _: &crate::run::Event) {}

    /// Nothing more will come.
    #[allow(clippy::unused_async)]
    pub async fn finish(self) {}
}
