//! Events of a run as they happen, for people or programs.

use crate::apply::RunReport;
use crate::cli::output::Printer;
use crate::plan::Plan;
use crate::run::Event;

/// Shows events.
pub struct Reporter {
    json: bool,
    printer: Printer,
}

impl Reporter {
    /// A reporter for a run of this plan.
    pub fn new(_plan: &Plan, json: bool, printer: &Printer) -> anyhow::Result<Self> {
        Ok(Self { json, printer: printer.clone() })
    }

    /// Shows one event.
    pub fn event(&mut self, event: &Event) -> anyhow::Result<()> {
        let line = serde_json::to_string(event)?;
        if self.json {
            self.printer.stdout(&format!("{line}\n"))?
        } else {
            self.printer.note(&line)
        }
        Ok(())
    }

    /// Shows how it ended.
    pub fn finish(self, report: &RunReport) -> anyhow::Result<()> {
        if !self.json {
            self.printer.result(&format!("run {}: {}\n", report.run, report.outcome.name()))?;
        }
        Ok(())
    }
}
