//! The simulated site of a folder, for the duration of a command.

use std::path::{Path, PathBuf};

use super::design::Design;
use crate::cli::output::Printer;
use crate::cli::problem::Problem;
use crate::config::Settings;
use crate::redact::Secret;
use crate::sim::{Running, Server, SimOptions};

/// A running simulated site.
#[derive(Debug)]
pub struct Simulated {
    running: Running,
    folder: PathBuf,
}

/// Where the simulated world of these settings is kept: beside the state.
pub fn folder(settings: &Settings) -> PathBuf {
    settings.work_folder().join("sim")
}

/// Forgets the world, unless another process has it open.
pub fn reset(folder: &Path) -> anyhow::Result<()> {
    let lock = folder.join("lock");
    if let Ok(file) = std::fs::File::open(&lock)
        && file.try_lock().is_err()
    {
        return Err(Problem::new("the simulated site of this folder is running")
            .at(folder.display().to_string())
            .help("end it first")
            .into());
    }
    match std::fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Problem::new(format!("cannot remove {}: {e}", folder.display())).into()),
        _ => Ok(()),
    }
}

/// Starts the simulated site if the settings have one, and says so before anything else is said.
pub async fn start(design: &Design, printer: &Printer) -> anyhow::Result<Option<Simulated>> {
    let Some(options) = design.settings.simulate::<SimOptions>()? else { return Ok(None) };
    // Also with --quiet: nobody may take a simulated site for a real one.
    printer.stderr("SIMULATED site: no real machine is touched");
    let folder = folder(&design.settings);
    let running = Server::open(&design.site, &options, &folder).await?;
    if !running.is_own() {
        printer.detail(&format!("using the simulated site at {}", running.maas_url));
    }
    Ok(Some(Simulated { running, folder }))
}

impl Simulated {
    /// Base URL of MAAS.
    pub fn maas_url(&self) -> String {
        self.running.maas_url.clone()
    }

    /// API key of MAAS.
    pub fn maas_api_key(&self) -> Secret {
        self.running.maas_api_key.clone()
    }

    /// Base URL of a BMC, by node name or address.
    pub fn bmc_url(&self, node_or_address: &str) -> Option<String> {
        self.running.bmc_url(node_or_address).map(str::to_owned)
    }

    /// File with the certificate of the BMCs, where they speak HTTPS.
    pub fn bmc_certificate(&self) -> Option<PathBuf> {
        self.running.bmc_certificate.as_ref().map(|_| self.folder.join("bmc.pem"))
    }

    /// Base URLs of all BMCs by node name.
    pub fn bmc_urls(&self) -> impl Iterator<Item = (&str, &str)> {
        self.running.bmc_urls.iter().map(|(n, u)| (n.as_str(), u.as_str()))
    }

    /// How many requests its servers have answered.
    pub fn answered(&self) -> u64 {
        self.running.answered()
    }

    /// Whether the servers are in this process.
    pub fn is_own(&self) -> bool {
        self.running.is_own()
    }

    /// Stops the servers and writes the world.
    pub async fn stop(self) -> anyhow::Result<()> {
        Ok(self.running.shutdown().await?)
    }
}
