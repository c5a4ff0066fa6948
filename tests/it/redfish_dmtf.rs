//! The simulated BMC against DMTF's own validators: what the driver is tested with is Redfish.
//!
//! The validators' schemas are those that the crate `nv-redfish-schema` carries; cargo fetches it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use drydock::sim::{Hardware, Running, Server, SimOptions, generate};

use crate::cli_support::Folder;
use crate::{peers, support};

/// DMTF's schemas as published in 2026.1, in a crate.
const SCHEMAS: (&str, &str) = ("nv-redfish-schema", "0.22.1");

/// Checks that passed when this was written, less a few that depend on timing. Fewer say that something was not looked at.
const SERVICE_PASSES: u32 = 565;
const PROTOCOL_PASSES: u32 = 325;

fn venv() -> Result<PathBuf, String> {
    peers::python("dmtf-3.1.8-1.3.2", &["redfish_service_validator==3.1.8", "redfish_protocol_validator==1.3.2"])
}

/// The folder with the CSDL files.
fn schemas() -> Result<PathBuf, String> {
    let (name, version) = SCHEMAS;
    let folder = peers::folder().join(format!("{name}-{version}"));
    let lock = std::fs::File::create(peers::folder().join("schemas.lock")).unwrap();
    lock.lock().unwrap();
    let csdl = |root: &Path| root.join("redfish-csdl/csdl");
    if csdl(&folder).join("ComputerSystem_v1.xml").exists() {
        return Ok(csdl(&folder));
    }
    // A package of its own, so that neither the product nor its lock file knows of it.
    let package = tempfile::tempdir().unwrap();
    let manifest = format!(
        "[package]\nname = \"schemas\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[lib]\npath = \"lib.rs\"\n[dependencies]\n{name} = \"={version}\"\n[workspace]\n"
    );
    std::fs::write(package.path().join("Cargo.toml"), manifest).unwrap();
    std::fs::write(package.path().join("lib.rs"), "").unwrap();
    let vendored = package.path().join("vendor");
    peers::run(Command::new(env!("CARGO")).args(["vendor", "--quiet"]).arg(&vendored).current_dir(package.path()))?;
    let _ = std::fs::remove_dir_all(&folder);
    copy(&vendored.join(name).join("redfish-csdl"), &folder.join("redfish-csdl"));
    Ok(csdl(&folder))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A simulated site whose BMCs speak HTTPS, and the certificate's file.
struct Bmc {
    running: Running,
    _runtime: tokio::runtime::Runtime,
    folder: tempfile::TempDir,
}

impl Bmc {
    fn start() -> Self {
        let site = support::design(Folder::hello().path(), &["design"]).site;
        let hardware = Hardware { bmc_tls: true, bmc_tasks: true, bmc_action_info: true, ..Hardware::default() };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let running = runtime.block_on(Server::start(generate(&site, &SimOptions { hardware, ..SimOptions::default() }))).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("bmc.pem"), running.bmc_certificate.as_ref().unwrap()).unwrap();
        Self { running, _runtime: runtime, folder }
    }

    /// Runs a validator, which may find failures; everything that it prints.
    fn validate(&self, program: &Path, host: &str, arguments: &[&str]) -> String {
        let world = self.running.world().unwrap();
        let bmc = world.machines["compute01"].bmc.as_ref().unwrap();
        let pem = self.folder.path().join("bmc.pem");
        let output = Command::new(program)
            .args([host, self.running.bmc_url("compute01").unwrap(), "--user", &bmc.user, "--password", &bmc.password])
            .args(arguments)
            .env("REQUESTS_CA_BUNDLE", &pem)
            .env("NO_PROXY", "127.0.0.1")
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    }
}

#[test]
fn the_service_validator_finds_no_failure() {
    let Some((venv, schemas)) = peers::usable(|| Ok((venv()?, schemas()?))) else { return };
    let bmc = Bmc::start();
    let directory = schemas.display().to_string();
    let out = bmc.validate(
        &venv.join("bin/rf_service_validator"),
        "--rhost",
        &["--authtype", "Basic", "--schema_directory", &directory, "--skipschema", "--nooemcheck", "--logdir", "service"],
    );
    // |  PASS  |  WARN  |  FAIL  |  NOT TESTED  | and the numbers below it.
    let line =
        out.lines().rev().find(|l| l.starts_with('|') && l.contains(|c: char| c.is_ascii_digit())).unwrap_or_else(|| panic!("{out}"));
    let numbers: Vec<u32> = line.split('|').filter_map(|n| n.trim().parse().ok()).collect();
    let [pass, _, fail, _] = numbers.as_slice() else { panic!("{out}") };
    assert_eq!(*fail, 0, "{out}");
    assert!(*pass >= SERVICE_PASSES, "{pass} checks passed; {out}");
    eprintln!("service validator: {pass} passed");
}

#[test]
fn the_protocol_validator_finds_no_failure() {
    let Some(venv) = peers::usable(venv) else { return };
    let bmc = Bmc::start();
    let pem = bmc.folder.path().join("bmc.pem").display().to_string();
    let out = bmc.validate(
        &venv.join("bin/rf_protocol_validator"),
        "--rhost",
        &["--ca-bundle", &pem, "--avoid-http-redirect", "--report-type", "tsv", "--report-dir", "."],
    );
    let line = out.lines().find(|l| l.starts_with("Summary - ")).unwrap_or_else(|| panic!("{out}"));
    let number = |what: &str| -> u32 {
        let rest = line.split(&format!("{what}: ")).nth(1).unwrap();
        rest.split(',').next().unwrap().trim().parse().unwrap()
    };
    let report = std::fs::read_dir(bmc.folder.path()).unwrap().flatten().find(|e| e.path().extension().is_some_and(|x| x == "tsv"));
    let report = std::fs::read_to_string(report.expect("a report").path()).unwrap();
    let failed: Vec<&str> = report.lines().filter(|l| l.split('\t').nth(4) == Some("FAIL")).collect();
    assert!(failed.is_empty() && number("FAIL") == 0, "{failed:#?}");
    assert!(number("PASS") >= PROTOCOL_PASSES, "{line}");
    eprintln!("protocol validator: {line}");
}
