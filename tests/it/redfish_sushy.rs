//! The Redfish driver against sushy-tools, an emulator of BMCs that is not ours.
//!
//! Installed into `target/peers` on first use (Python 3 with `venv`, and a package index). `DRYDOCK_SKIP_PEERS=1` skips these tests.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests: what cannot go on has failed, and skipping is said")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use drydock::action::ActionKind;
use drydock::action::params::{BootTarget, PowerParams, SetNodeBoot};
use drydock::build::{Binding, PowerState};
use drydock::driver::http::HttpOptions;
use drydock::driver::redfish::{RedfishDriver, RedfishOptions};
use drydock::driver::{Begun, BmcEndpoint, Call, Driver, ErrorClass, Observation, OobDriver};
use drydock::redact::Secret;

const VERSION: &str = "2.2.0";
const PASSWORD: &str = "s3cret-of-the-bmc";

/// Whether tests with foreign programs are skipped.
fn skipped() -> bool {
    let skip = std::env::var("DRYDOCK_SKIP_PEERS").is_ok_and(|v| v == "1");
    if skip {
        eprintln!("skipped: DRYDOCK_SKIP_PEERS=1");
    }
    skip
}

fn run(what: &str, command: &mut Command) -> String {
    let hint = "install Python 3 with venv and pip and make a package index reachable, or set DRYDOCK_SKIP_PEERS=1";
    let output = command.output().unwrap_or_else(|e| panic!("{what}: {e}; {hint}"));
    assert!(output.status.success(), "{what} failed: {}; {hint}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The folder of the virtual environment, made if it is not there.
fn venv() -> PathBuf {
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers");
    fs::create_dir_all(&peers).unwrap();
    let lock = File::create(peers.join("sushy.lock")).unwrap();
    lock.lock().unwrap();
    let venv = peers.join(format!("sushy-{VERSION}"));
    let complete = venv.join("complete");
    if !complete.exists() {
        let _ = fs::remove_dir_all(&venv);
        run("python3 -m venv", Command::new("python3").args(["-m", "venv"]).arg(&venv));
        let mut pip = Command::new(venv.join("bin/pip"));
        run(
            "pip install sushy-tools",
            pip.args(["install", "--quiet", "--disable-pip-version-check"]).arg(format!("sushy-tools=={VERSION}")),
        );
        fs::write(&complete, "").unwrap();
    }
    venv
}

/// How an emulator is started.
#[derive(Default)]
struct Setup {
    systems: usize,
    /// PEM files of certificate and key.
    tls: Option<(PathBuf, PathBuf)>,
    /// Asks for user `admin` with [`PASSWORD`].
    login: bool,
}

/// A running emulator; killed when dropped.
struct Sushy {
    child: Child,
    url: String,
    _dir: tempfile::TempDir,
}

impl Drop for Sushy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn uuid(i: usize) -> String {
    format!("6f9a0c00-0000-4000-8000-{i:012x}")
}

impl Sushy {
    fn start(setup: &Setup) -> Self {
        let venv = venv();
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        fs::create_dir(&state).unwrap();
        let systems: Vec<String> = (0..setup.systems)
            .map(|i| {
                let nics: Vec<String> =
                    (0..2).map(|n| format!("{{'mac': '52:54:00:AA:{i:02X}:{:02X}', 'ip': '172.22.{n}.{}'}}", 1 - n, i + 1)).collect();
                let id = uuid(i).to_uppercase();
                format!("dict(uuid='{id}', name='node{i:02}', power_state='Off', external_notifier=False, nics=[{}])", nics.join(", "))
            })
            .collect();
        let mut conf = vec![
            // The emulator delays power changes by up to eleven seconds; its settings are a program, which can change that.
            "import sushy_tools.emulator.resources.systems.fakedriver as _f".to_owned(),
            "_f.random = type('R', (), {'randint': staticmethod(lambda a, b: 0)})".to_owned(),
            "SUSHY_EMULATOR_LISTEN_IP = '127.0.0.1'".to_owned(),
            "SUSHY_EMULATOR_LISTEN_PORT = 0".to_owned(),
            "SUSHY_EMULATOR_FAKE_DRIVER = True".to_owned(),
            format!("SUSHY_EMULATOR_STATE_DIR = {:?}", state.display().to_string()),
            format!("SUSHY_EMULATOR_FAKE_SYSTEMS = [{}]", systems.join(", ")),
        ];
        if setup.login {
            let script = "import bcrypt, sys; print(bcrypt.hashpw(sys.argv[1].encode(), bcrypt.gensalt(5)).decode())";
            let hash = run("bcrypt", Command::new(venv.join("bin/python")).args(["-c", script, PASSWORD]));
            let file = dir.path().join("htpasswd");
            fs::write(&file, format!("admin:{}\n", hash.trim())).unwrap();
            conf.push(format!("SUSHY_EMULATOR_AUTH_FILE = {:?}", file.display().to_string()));
        }
        if let Some((certificate, key)) = &setup.tls {
            conf.push(format!("SUSHY_EMULATOR_SSL_CERT = {:?}", certificate.display().to_string()));
            conf.push(format!("SUSHY_EMULATOR_SSL_KEY = {:?}", key.display().to_string()));
        }
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
        let mut sushy = Self { child, url: String::new(), _dir: dir };
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

    fn endpoint(&self, node: &str, path: &str) -> BmcEndpoint {
        BmcEndpoint {
            node: node.to_owned(),
            address: "172.22.0.1".to_owned(),
            url: format!("{}{path}", self.url),
            username: "admin".to_owned(),
            password: Secret::new(PASSWORD),
        }
    }
}

fn call(node: &str, kind: ActionKind, params: serde_json::Value) -> Call {
    Call {
        action: format!("{kind}-of-{node}"),
        site: "test".to_owned(),
        kind,
        resource: format!("node.{node}"),
        node: Some(node.to_owned()),
        params,
        binding: Binding::default(),
        begun: false,
    }
}

fn boot(node: &str, target: BootTarget) -> Call {
    let mut call = call(node, ActionKind::SetNodeBoot, serde_json::to_value(SetNodeBoot { target }).unwrap());
    call.action = format!("{}-{target:?}", call.action);
    call
}

fn power(node: &str, kind: ActionKind, graceful_s: u32) -> Call {
    call(node, kind, serde_json::to_value(PowerParams { graceful_s }).unwrap())
}

async fn observe(driver: &RedfishDriver, call: &Call) -> Observation {
    driver.observe(std::slice::from_ref(call)).await.remove(0).unwrap()
}

/// Does what an engine does: observe, begin if needed, observe until done. Answers whether it had to begin.
async fn carry_out(driver: &RedfishDriver, call: &Call) -> bool {
    let mut begun = false;
    for _ in 0..200 {
        match observe(driver, call).await {
            Observation::Done { .. } => return begun,
            Observation::NotStarted => {
                assert!(!begun, "{} is not started after it was begun", call.action);
                driver.begin(call).await.unwrap();
                begun = true;
            }
            Observation::InProgress { .. } => tokio::time::sleep(Duration::from_millis(100)).await,
            other => panic!("{}: {other:?}", call.action),
        }
    }
    panic!("{} is never done", call.action);
}

#[tokio::test]
async fn a_node_goes_through_its_life() {
    if skipped() {
        return;
    }
    let sushy = Sushy::start(&Setup { systems: 1, ..Setup::default() });
    let driver = RedfishDriver::new(vec![sushy.endpoint("n1", "")], RedfishOptions::default()).unwrap();

    let bmc = driver.interrogate("n1").await.unwrap();
    assert_eq!(bmc.uuid.as_deref(), Some(uuid(0).as_str()), "in lower case, whatever the BMC writes");
    assert_eq!(bmc.macs, ["52:54:00:aa:00:00", "52:54:00:aa:00:01"], "in lower case and sorted");
    assert_eq!(bmc.power, PowerState::Off);
    assert_eq!(bmc.manufacturer.as_deref(), Some("Sushy Emulator"));
    assert_eq!(bmc.health.as_deref(), Some("OK"));
    assert_eq!(bmc.address, "172.22.0.1");
    assert!(bmc.reset_types.contains(&"GracefulShutdown".to_owned()), "{:?}", bmc.reset_types);

    assert!(carry_out(&driver, &boot("n1", BootTarget::Pxe)).await);
    assert!(!carry_out(&driver, &boot("n1", BootTarget::Pxe)).await, "it is set already");
    assert_eq!(driver.interrogate("n1").await.unwrap().boot.unwrap().target, "Pxe");

    assert!(carry_out(&driver, &power("n1", ActionKind::PowerOnNode, 0)).await);
    assert_eq!(driver.interrogate("n1").await.unwrap().power, PowerState::On);
    assert_eq!(
        driver.begin(&power("n1", ActionKind::PowerOnNode, 0)).await,
        Ok(Begun::Complete),
        "nothing is sent to a machine that is on"
    );

    assert!(carry_out(&driver, &boot("n1", BootTarget::Disk)).await, "Disabled is refused by this BMC, Hdd is not");
    assert_eq!(driver.interrogate("n1").await.unwrap().boot.unwrap().target, "Hdd");

    assert!(carry_out(&driver, &power("n1", ActionKind::PowerOffNode, 60)).await);
    assert_eq!(driver.interrogate("n1").await.unwrap().power, PowerState::Off);
    driver.close().await;
}

#[tokio::test]
async fn of_several_systems_one_must_be_named() {
    if skipped() {
        return;
    }
    let sushy = Sushy::start(&Setup { systems: 3, ..Setup::default() });
    let path = |i: usize| format!("/redfish/v1/Systems/{}", uuid(i).to_uppercase());
    let endpoints = vec![sushy.endpoint("any", ""), sushy.endpoint("n1", &path(1)), sushy.endpoint("n2", &path(2))];
    let driver = RedfishDriver::new(endpoints, RedfishOptions::default()).unwrap();

    let error = driver.interrogate("any").await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Rejected);
    assert!(error.message.contains("it has 3 systems") && error.message.contains("node02"), "{error}");
    assert_eq!(driver.interrogate("n1").await.unwrap().uuid, Some(uuid(1)));

    // The bound UUID tells as well.
    let mut on = power("any", ActionKind::PowerOnNode, 0);
    on.binding.uuid = Some(uuid(2));
    assert!(carry_out(&driver, &on).await);
    assert_eq!(driver.interrogate("n2").await.unwrap().power, PowerState::On);
    assert_eq!(driver.interrogate("n1").await.unwrap().power, PowerState::Off);

    // One batch, answers in the order of the calls.
    let batch = [power("n2", ActionKind::PowerOnNode, 0), power("n1", ActionKind::PowerOnNode, 0), boot("n2", BootTarget::Pxe)];
    let seen: Vec<_> = driver.observe(&batch).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(seen, [Observation::done(), Observation::NotStarted, Observation::NotStarted]);
}

#[tokio::test]
async fn login_and_certificate_are_checked() {
    if skipped() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (dir.path().join("bmc.pem"), dir.path().join("bmc.key"));
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let sushy = Sushy::start(&Setup { systems: 1, tls: Some((certificate.clone(), key)), login: true });
    assert!(sushy.url.starts_with("https://"), "{}", sushy.url);
    let with = |endpoint: BmcEndpoint, ca_file: Option<PathBuf>| {
        let defaults = RedfishOptions::default();
        let options = RedfishOptions { http: HttpOptions { ca_file, ..defaults.http }, ..defaults };
        RedfishDriver::new(vec![endpoint], options).unwrap()
    };

    let error = with(sushy.endpoint("n1", ""), None).interrogate("n1").await.unwrap_err();
    assert!(error.message.contains("node n1, BMC 172.22.0.1") && error.message.contains("certificate"), "{error}");
    assert!(error.hint.as_deref().is_some_and(|h| h.contains("`ca_file`")), "{error:?}");

    let trusted = with(sushy.endpoint("n1", ""), Some(certificate.clone()));
    assert_eq!(trusted.interrogate("n1").await.unwrap().uuid, Some(uuid(0)));
    assert!(carry_out(&trusted, &boot("n1", BootTarget::Pxe)).await);

    let wrong = BmcEndpoint { password: Secret::new("not-the-password"), ..sushy.endpoint("n1", "") };
    let error = with(wrong, Some(certificate)).interrogate("n1").await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Credentials);
    assert!(error.message.contains("refuses the credentials of user admin"), "{error}");
    assert!(!format!("{error:?}").contains("not-the-password"));
}
