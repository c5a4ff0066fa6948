//! sushy-tools, an emulator of BMCs that is not ours.
//!
//! Its settings are a program: so its machines may be those of a simulated world (`testdata/redfish/world.py`), which a simulated provisioner sees.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use drydock::driver::BmcEndpoint;
use drydock::redact::Secret;
use drydock::sim::Running;

use crate::peers;

pub(crate) const PASSWORD: &str = "s3cret-of-the-bmc";

/// Whether the emulator can be used; says why not.
pub(crate) fn available() -> bool {
    peers::usable(venv).is_some()
}

/// The folder of its virtual environment.
fn venv() -> Result<PathBuf, String> {
    peers::python("sushy-2.2.0", &["sushy-tools==2.2.0"])
}

/// How an emulator is started.
#[derive(Default)]
pub(crate) struct Setup {
    pub(crate) systems: usize,
    /// PEM files of certificate and key.
    pub(crate) tls: Option<(PathBuf, PathBuf)>,
    /// Asks for user `admin` with [`PASSWORD`].
    pub(crate) login: bool,
    /// Whether power changes are delayed by a random time of one to eleven seconds, as the emulator does by itself.
    pub(crate) delay: bool,
}

/// A running emulator; killed when dropped.
pub(crate) struct Sushy {
    child: Child,
    pub(crate) url: String,
    dir: tempfile::TempDir,
}

impl Drop for Sushy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn uuid(i: usize) -> String {
    format!("6f9a0c00-0000-4000-8000-{i:012x}")
}

impl Sushy {
    pub(crate) fn start(setup: &Setup) -> Self {
        let systems: Vec<String> = (0..setup.systems)
            .map(|i| {
                let nics: Vec<String> =
                    (0..2).map(|n| format!("{{'mac': '52:54:00:AA:{i:02X}:{:02X}', 'ip': '172.22.{n}.{}'}}", 1 - n, i + 1)).collect();
                let id = uuid(i).to_uppercase();
                format!("dict(uuid='{id}', name='node{i:02}', power_state='Off', external_notifier=False, nics=[{}])", nics.join(", "))
            })
            .collect();
        let mut conf = vec![format!("SUSHY_EMULATOR_FAKE_SYSTEMS = [{}]", systems.join(", "))];
        if !setup.delay {
            conf.push("import sushy_tools.emulator.resources.systems.fakedriver as _f".to_owned());
            conf.push("_f.random = type('R', (), {'randint': staticmethod(lambda a, b: 0)})".to_owned());
        }
        let dir = tempfile::tempdir().unwrap();
        if setup.login {
            let script = "import bcrypt, sys; print(bcrypt.hashpw(sys.argv[1].encode(), bcrypt.gensalt(5)).decode())";
            let hash = peers::run(Command::new(venv().unwrap().join("bin/python")).args(["-c", script, PASSWORD])).unwrap();
            let file = dir.path().join("htpasswd");
            fs::write(&file, format!("admin:{}\n", hash.trim())).unwrap();
            conf.push(format!("SUSHY_EMULATOR_AUTH_FILE = {:?}", file.display().to_string()));
        }
        if let Some((certificate, key)) = &setup.tls {
            conf.push(format!("SUSHY_EMULATOR_SSL_CERT = {:?}", certificate.display().to_string()));
            conf.push(format!("SUSHY_EMULATOR_SSL_KEY = {:?}", key.display().to_string()));
        }
        Self::run(dir, conf)
    }

    /// An emulator whose machines are those of a simulated world.
    pub(crate) fn over(world: &Running) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (mut systems, mut machines) = (String::new(), String::new());
        for (name, machine) in world.world().unwrap().machines {
            let (id, nics) = (machine.uuid.to_uppercase(), machine.nics.iter().map(|n| format!("{{'mac': '{}'}}", n.mac)));
            let nics = nics.collect::<Vec<_>>().join(", ");
            writeln!(systems, "dict(uuid='{id}', name='{name}', power_state='Off', external_notifier=False, nics=[{nics}]),").unwrap();
            let bmc = machine.bmc.unwrap();
            let system = format!("{}/redfish/v1/Systems/{}", world.bmc_url(&name).unwrap(), machine.uuid);
            let machine = serde_json::json!({ "system": system, "user": bmc.user, "password": bmc.password });
            writeln!(machines, "'{id}': {machine},").unwrap();
        }
        let conf = vec![
            format!("SUSHY_EMULATOR_FAKE_SYSTEMS = [{systems}]"),
            format!(
                "import sys; sys.path.insert(0, {:?})",
                Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/redfish").display().to_string()
            ),
            format!("import world; world.behind({{{machines}}}, {:?})", dir.path().join("orders").display().to_string()),
        ];
        Self::run(dir, conf)
    }

    /// Orders that came through: UUID and what, in order.
    pub(crate) fn orders(&self) -> Vec<String> {
        let log = fs::read_to_string(self.dir.path().join("orders")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }

    fn run(dir: tempfile::TempDir, mut conf: Vec<String>) -> Self {
        let venv = venv().unwrap();
        let state = dir.path().join("state");
        fs::create_dir(&state).unwrap();
        conf.extend([
            "SUSHY_EMULATOR_LISTEN_IP = '127.0.0.1'".to_owned(),
            "SUSHY_EMULATOR_LISTEN_PORT = 0".to_owned(),
            "SUSHY_EMULATOR_FAKE_DRIVER = True".to_owned(),
            format!("SUSHY_EMULATOR_STATE_DIR = {:?}", state.display().to_string()),
        ]);
        let file = dir.path().join("conf.py");
        fs::write(&file, conf.join("\n") + "\n").unwrap();
        let log = dir.path().join("log");
        let out = File::create(&log).unwrap();
        let child = Command::new(venv.join("bin/sushy-emulator"))
            .arg("--config")
            .arg(&file)
            .env("PYTHONUNBUFFERED", "1")
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn()
            .unwrap();
        let mut sushy = Self { child, url: String::new(), dir };
        let patience = Instant::now() + Duration::from_mins(1);
        while sushy.url.is_empty() {
            let text = fs::read_to_string(&log).unwrap();
            let line = text.lines().find_map(|l| l.split_once("Running on ").map(|(_, url)| url.trim().to_owned()));
            if let Some(url) = line {
                sushy.url = url;
            } else if let Some(status) = sushy.child.try_wait().unwrap() {
                panic!("sushy-emulator ended with {status}: {text}");
            } else {
                assert!(Instant::now() < patience, "sushy-emulator does not start: {text}");
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        sushy
    }

    pub(crate) fn endpoint(&self, node: &str, path: &str) -> BmcEndpoint {
        BmcEndpoint {
            node: node.to_owned(),
            address: "172.22.0.1".to_owned(),
            url: format!("{}{path}", self.url),
            username: "admin".to_owned(),
            password: Secret::new(PASSWORD),
        }
    }
}
