//! OpenIPMI's `ipmi_sim`, an implementation of BMCs that is not ours, over the machines of a simulated world.
//!
//! Each machine gets an `ipmi_sim` whose chassis commands are handed on, by a program of its own (`testdata/ipmi/chassis.py`), to the machine's
//! Redfish port: so what a driver does over IPMI happens to a machine that the simulated provisioner sees, and driver and simulator share nothing.
//! Packages are installed by `apt-get` where that is possible; elsewhere tests say why they skip, and in CI (`CI=true`) they fail.
//! `DRYDOCK_SKIP_PEERS=1` skips them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use drydock::driver::BmcEndpoint;
use drydock::redact::Secret;
use drydock::sim::{Running, Server, World};

/// Whether the peer can be used; says why not.
pub(crate) fn available() -> bool {
    static ANSWER: OnceLock<Result<(), String>> = OnceLock::new();
    if std::env::var("DRYDOCK_SKIP_PEERS").is_ok_and(|v| v == "1") {
        eprintln!("skipped: DRYDOCK_SKIP_PEERS=1");
        return false;
    }
    match ANSWER.get_or_init(|| install(&["ipmitool", "ipmi_sim", "python3"], &["ipmitool", "openipmi", "python3"])) {
        Ok(()) => true,
        Err(why) => {
            assert!(!std::env::var("CI").is_ok_and(|v| v == "true"), "in CI this test must run: {why}");
            eprintln!("skipped: {why}");
            false
        }
    }
}

fn found(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Makes programs available, from Debian packages where this user may install them.
pub(crate) fn install(programs: &[&str], packages: &[&str]) -> Result<(), String> {
    let missing = || programs.iter().filter(|p| !found(p)).copied().collect::<Vec<_>>();
    if missing().is_empty() {
        return Ok(());
    }
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers");
    fs::create_dir_all(&peers).unwrap();
    let lock = File::create(peers.join("apt.lock")).unwrap();
    lock.lock().unwrap();
    let root = Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout.starts_with(b"0"));
    if !root || !found("apt-get") {
        return Err(format!(
            "{} not installed, and not to be had without root and apt-get; install {}",
            missing().join(", "),
            packages.join(" ")
        ));
    }
    for arguments in [vec!["update", "-qq"], [["install", "-y", "-qq", "--no-install-recommends"].as_slice(), packages].concat()] {
        let output = Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null()).output();
        if let Err(e) = &output {
            return Err(format!("apt-get cannot be run: {e}"));
        }
    }
    match missing() {
        missing if missing.is_empty() => Ok(()),
        missing => Err(format!("apt-get did not bring {}", missing.join(", "))),
    }
}

/// Names of the machines, ports of their BMCs, and the world behind them. Everything ends when it is dropped, or when this process does.
pub(crate) struct Fleet {
    ports: BTreeMap<String, u16>,
    folder: tempfile::TempDir,
    running: Option<Running>,
    pub(crate) runtime: tokio::runtime::Runtime,
    keeper: Child,
}

impl Drop for Fleet {
    fn drop(&mut self) {
        // The keeper ends its children when its standard input does.
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
        if let Some(running) = self.running.take() {
            let _ = self.runtime.block_on(running.shutdown());
        }
    }
}

fn test_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/ipmi").join(name)
}

/// An inventory with a product area: manufacturer, name and serial number (IPMI Platform Management FRU, sections 8 and 12).
fn fru(manufacturer: &str, name: &str, serial: &str) -> String {
    let checksum = |bytes: &[u8]| bytes.iter().fold(0u8, |sum, b| sum.wrapping_sub(*b));
    let mut header = vec![1, 0, 0, 0, 1, 0, 0];
    header.push(checksum(&header));
    let mut area = vec![1, 0, 25];
    for text in [manufacturer, name, "", "", serial, "", ""] {
        area.push(0xc0 | text.len() as u8);
        area.extend(text.bytes());
    }
    area.push(0xc1);
    while area.len() % 8 != 7 {
        area.push(0);
    }
    area[1] = area.len().div_ceil(8) as u8;
    area.push(checksum(&area));
    let bytes: Vec<String> = header.iter().chain(&area).map(|b| format!("{b:#04x}")).collect();
    format!("{} data {}", bytes.len(), bytes.join(" "))
}

impl Fleet {
    /// Starts the world's servers, and an `ipmi_sim` for each machine that has a BMC.
    pub(crate) fn start(world: World) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let running = runtime.block_on(Server::start(world)).unwrap();
        let world = running.world().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut ports = BTreeMap::new();
        // Held together, so that no two are the same.
        let mut sockets = Vec::new();
        for machine in world.machines.values() {
            let Some(bmc) = &machine.bmc else { continue };
            let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
            let port = socket.local_addr().unwrap().port();
            sockets.push(socket);
            ports.insert(machine.name.clone(), port);
            let dir = folder.path().join(&machine.name);
            fs::create_dir_all(dir.join("state")).unwrap();
            let system = format!("{}/redfish/v1/Systems/{}", running.bmc_url(&machine.name).unwrap(), machine.uuid);
            let json = serde_json::json!({ "system": system, "user": bmc.user, "password": bmc.password });
            fs::write(dir.join("machine.json"), json.to_string()).unwrap();
            // As most boards do: the system UUID in the byte order of SMBIOS.
            let d: Vec<char> = machine.uuid.chars().filter(|c| *c != '-').collect();
            let bytes: Vec<String> = d.chunks(2).map(|c| c.iter().collect()).collect();
            let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
            let guid: String = order.iter().map(|i| bytes[*i].as_str()).collect();
            let program = format!("python3 {} {}", test_file("chassis.py").display(), dir.display());
            let lan = format!(
                "name \"{}\"\nset_working_mc 0x20\n  startlan 1\n    addr 127.0.0.1 {port}\n    priv_limit admin\n    allowed_auths_callback none md2 md5 straight\n    allowed_auths_user none md2 md5 straight\n    allowed_auths_operator none md2 md5 straight\n    allowed_auths_admin none md2 md5 straight\n    guid {guid}\n  endlan\n  chassis_control \"{program}\"\n  user 1 true \"\" \"test\" user 10 none md2 md5 straight\n  user 2 true \"{}\" \"{}\" admin 10 none md2 md5 straight\n",
                machine.name, bmc.user, bmc.password
            );
            fs::write(dir.join("lan.conf"), lan).unwrap();
            let mut emu = String::from(
                "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr\nsel_enable 0x20 1000 0x0a\n",
            );
            let _ = writeln!(emu, "mc_add_fru_data 0x20 0 {}", fru(&machine.vendor, &machine.model, &machine.serial));
            emu.push_str("sel_add 0x20 0x02 0x00 0x00 0x00 0x00 0x20 0x00 0x04 0x01 0x30 0x01 0x59 0xff 0xff\nmc_enable 0x20\n");
            fs::write(dir.join("sim.emu"), emu).unwrap();
        }
        drop(sockets);
        let mut keeper = Command::new("python3")
            .arg(test_file("keeper.py"))
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "started\n");
        let fleet = Self { ports, folder, running: Some(running), runtime, keeper };
        let deadline = Instant::now() + Duration::from_secs(60);
        for (name, port) in &fleet.ports {
            // A port that cannot be had is in use: the BMC listens.
            while UdpSocket::bind(("127.0.0.1", *port)).is_ok() {
                assert!(Instant::now() < deadline, "the BMC of {name} does not start: {}", fleet.said(name));
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        fleet
    }

    fn said(&self, node: &str) -> String {
        fs::read_to_string(self.folder.path().join(node).join("output")).unwrap_or_default()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.ports.keys().cloned().collect()
    }

    /// `HOST:PORT` of a node's BMC.
    pub(crate) fn at(&self, node: &str) -> String {
        format!("127.0.0.1:{}", self.ports[node])
    }

    pub(crate) fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    pub(crate) fn world(&self) -> World {
        self.running().world().unwrap()
    }

    /// The BMC of a node, with its right password.
    pub(crate) fn endpoint(&self, node: &str) -> BmcEndpoint {
        let world = self.world();
        let bmc = world.machines[node].bmc.as_ref().unwrap();
        BmcEndpoint {
            node: node.to_owned(),
            address: bmc.address.clone(),
            url: self.at(node),
            username: bmc.user.clone(),
            password: Secret::new(bmc.password.clone()),
        }
    }

    /// What `ipmi_sim` asked of a machine's chassis, call by call.
    pub(crate) fn calls(&self, node: &str) -> Vec<String> {
        let log = fs::read_to_string(self.folder.path().join(node).join("calls.log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }

    /// Makes a BMC wait before each chassis command.
    pub(crate) fn slow(&self, node: &str, seconds: f64) {
        fs::write(self.folder.path().join(node).join("slow"), seconds.to_string()).unwrap();
    }
}
