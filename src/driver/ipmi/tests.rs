//! The driver over a script that stands for `ipmitool`, and its readers over what the real one printed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::answer;
use super::fault::{Fault, Kind};
use super::{BootMode, IpmiDriver, IpmiOptions};
use crate::action::ActionKind;
use crate::action::params::{BootTarget, SetNodeBoot};
use crate::build::{Binding, BootEnabled, same_uuid};
use crate::driver::level::Shown;
use crate::driver::power::Power;
use crate::driver::{BmcEndpoint, Call, Driver, DriverError, ErrorClass, Observation, OobDriver};
use crate::redact::Secret;

const PASSWORD: &str = "canary-of-the-bmc";

/// A folder with a script that logs its arguments and answers by them.
struct Tool {
    folder: tempfile::TempDir,
}

/// Answers of a BMC that does everything; `$*` are the arguments.
const GOOD: &str = "case \"$*\" in\n*'power status') echo 'Chassis Power is off';;\n*'get 5') echo 'Boot parameter data: 0000000000';;\n*'raw 0x06 0x37') echo ' 4c 4c 45 44 00 52 58 31 80 52 ca c0 4f 54 35 32';;\n*'fru print 0') echo ' Product Serial : ABC123';;\nesac";

impl Tool {
    fn new(body: &str) -> Self {
        Self::of_version("ipmitool version 1.8.19", body)
    }

    fn of_version(version: &str, body: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = format!(
            "#!/bin/sh\n[ \"$1\" = -V ] && {{ echo '{version}'; exit 0; }}\necho \"$*\" >> {0}/log\nenv | grep IPMI >> {0}/env\n{body}\n",
            folder.path().display()
        );
        // Written by another process: a file that this one has open for writing cannot be run, by any of its threads.
        let mut shell = Command::new("sh");
        shell.arg("-c").arg("cat > \"$0\" && chmod 755 \"$0\"").arg(folder.path().join("ipmitool")).stdin(Stdio::piped());
        let mut child = shell.spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), script.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
        Self { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("ipmitool")
    }

    fn log(&self) -> Vec<String> {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    fn driver(&self) -> IpmiDriver {
        driver(&self.path(), IpmiOptions::default())
    }
}

fn endpoint() -> BmcEndpoint {
    BmcEndpoint {
        node: "n1".into(),
        address: "10.0.0.9".into(),
        url: "10.0.0.9".into(),
        username: "admin".into(),
        password: Secret::new(PASSWORD),
    }
}

fn driver(program: &Path, options: IpmiOptions) -> IpmiDriver {
    let options = IpmiOptions { program: program.to_owned(), confirm_pause: Duration::from_millis(1), ..options };
    IpmiDriver::new(vec![(endpoint(), BootMode::Uefi)], &options).unwrap()
}

fn call(kind: ActionKind, params: serde_json::Value) -> Call {
    Call {
        action: "a".into(),
        site: "s".into(),
        kind,
        resource: "node.n1/x".into(),
        node: Some("n1".into()),
        params,
        binding: Binding::default(),
        begun: false,
        before: None,
    }
}

fn boot(target: BootTarget) -> Call {
    call(ActionKind::SetNodeBoot, serde_json::to_value(SetNodeBoot { target }).unwrap())
}

async fn see(driver: &IpmiDriver, call: &Call) -> Result<Observation, DriverError> {
    driver.observe(std::slice::from_ref(call)).await.pop().unwrap()
}

#[tokio::test]
async fn the_password_is_in_the_environment_and_nowhere_else() {
    let tool = Tool::new(GOOD);
    let bmc = tool.driver().interrogate("n1").await.unwrap();
    assert_eq!(bmc.serial.as_deref(), Some("ABC123"));
    assert!(same_uuid(bmc.guid.as_deref().unwrap(), "44454c4c-5200-3158-8052-cac04f543532"), "{bmc:?}");
    let log = tool.log();
    assert_eq!(log.len(), 4, "{log:#?}");
    for line in &log {
        assert!(line.starts_with("-v -I lanplus -H 10.0.0.9 -p 623 -U admin -E -C 17 -L ADMINISTRATOR -N 2 -R 2 "), "{line}");
    }
    let environment = fs::read_to_string(tool.folder.path().join("env")).unwrap();
    assert_eq!(
        environment.lines().collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>(),
        [format!("IPMI_PASSWORD={PASSWORD}")]
    );
}

#[tokio::test]
async fn cipher_suites_fall_back_once_and_only_where_one_is_unsupported() {
    let refuse = "case \"$*\" in *'-C 17'*) echo 'Error in open session response message : no matching cipher suite' >&2; exit 1;; esac\n";
    let tool = Tool::new(&format!("{refuse}{GOOD}"));
    let driver = tool.driver();
    let on = call(ActionKind::PowerOnNode, serde_json::json!({"graceful_s": 0}));
    for _ in 0..3 {
        assert_eq!(see(&driver, &on).await.unwrap(), Observation::NotStarted);
    }
    let suites: Vec<bool> = tool.log().iter().map(|l| l.contains("-C 17")).collect();
    assert_eq!(suites, [true, false, false, false], "what worked is used from then on");

    let wrong = Tool::new(&format!("echo '> RAKP 2 HMAC is invalid'; echo 'no {PASSWORD}' >&2; exit 1"));
    let error = see(&wrong.driver(), &on).await.unwrap_err();
    assert_eq!((error.class, wrong.log().len()), (ErrorClass::Credentials, 1), "a wrong password is tried once");
    let masked = Tool::new(&format!("echo 'strange {PASSWORD} words' >&2; exit 1"));
    let error = see(&masked.driver(), &on).await.unwrap_err();
    assert!(error.message.contains("strange *** words") && !format!("{error:?}").contains(PASSWORD), "{error:?}");
}

#[tokio::test]
async fn a_hanging_tool_is_killed_and_a_missing_one_is_named() {
    let tool = Tool::new("sleep 1000 & wait");
    let driver_of = |program: &Path| driver(program, IpmiOptions { command_limit: Duration::from_millis(300), ..IpmiOptions::default() });
    let on = call(ActionKind::PowerOnNode, serde_json::json!({"graceful_s": 0}));
    let error = see(&driver_of(&tool.path()), &on).await.unwrap_err();
    assert_eq!((error.class, tool.log().len()), (ErrorClass::Transient, 1));
    assert!(error.message.starts_with("node n1, BMC 10.0.0.9: ipmitool was killed after 0.3 s"), "{error}");

    let missing = driver(&tool.folder.path().join("none"), IpmiOptions::default());
    let error = see(&missing, &on).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Settings);
    assert!(
        error.message.contains("is not installed") && error.hint.as_deref().is_some_and(|h| h.contains("apt install ipmitool")),
        "{error:?}"
    );
    let other = driver(Path::new("true"), IpmiOptions::default());
    assert!(see(&other, &on).await.unwrap_err().message.contains("is not ipmitool"));
}

#[tokio::test]
async fn a_bmc_that_loses_bits_is_believed_only_after_it_was_set() {
    // The selector stays behind without its valid bit, and setting it changes nothing that can be read.
    let tool = Tool::new(&GOOD.replace("0000000000", "0004000000"));
    let driver = tool.driver();
    let pxe = boot(BootTarget::Pxe);
    assert_eq!(see(&driver, &pxe).await.unwrap(), Observation::NotStarted, "what is left of an old setting is none");
    driver.begin(&pxe).await.unwrap();
    assert_eq!(see(&driver, &pxe).await.unwrap(), Observation::done());
    assert_eq!(tool.log().iter().filter(|l| l.ends_with("chassis bootdev pxe options=efiboot")).count(), 1);
    assert_eq!(tool.log().iter().filter(|l| l.ends_with("raw 0x00 0x08 0x03 0x08")).count(), 1, "flags are kept longer than a minute");
    let disk = boot(BootTarget::Disk);
    assert_eq!(see(&driver, &disk).await.unwrap(), Observation::NotStarted);
    driver.begin(&disk).await.unwrap();
    assert_eq!(tool.log().iter().filter(|l| l.contains("chassis bootdev none")).count(), 1);

    // Nothing is ever set: every way is tried, and it is not called done.
    let deaf = Tool::new(GOOD);
    let driver = deaf.driver();
    driver.begin(&pxe).await.unwrap();
    assert!(matches!(see(&driver, &pxe).await.unwrap(), Observation::InProgress { .. }));
    assert_eq!(deaf.log().iter().filter(|l| l.contains("chassis bootdev pxe")).count(), 2);
}

#[tokio::test]
async fn an_order_is_not_repeated_while_it_is_open() {
    let tool = Tool::new(GOOD);
    let driver = tool.driver();
    let on = call(ActionKind::PowerOnNode, serde_json::json!({"graceful_s": 0}));
    for _ in 0..3 {
        driver.begin(&on).await.unwrap();
        assert!(matches!(see(&driver, &on).await.unwrap(), Observation::InProgress { .. }));
    }
    assert_eq!(tool.log().iter().filter(|l| l.ends_with("chassis power on")).count(), 1);
}

#[test]
fn what_the_tool_says_has_a_class() {
    // Recorded from ipmitool 1.8.19, or with its words for completion codes.
    for (stdout, stderr, kind) in [
        (
            "",
            "Error in open session response message : invalid authentication algorithm\n\nError: Unable to establish IPMI v2 / RMCP+ session",
            Kind::CipherSuite,
        ),
        (
            "",
            "Error in open session response message : insufficient resources for session\nError: Unable to establish IPMI v2 / RMCP+ session",
            Kind::Sessions,
        ),
        ("> RAKP 2 HMAC is invalid\n", "Error: Unable to establish IPMI v2 / RMCP+ session", Kind::Credentials),
        (
            "",
            "RAKP 2 message indicates an error : unauthorized name\nError: Unable to establish IPMI v2 / RMCP+ session",
            Kind::Credentials,
        ),
        ("", "RAKP 2 message indicates an error : unauthorized role requested", Kind::Privilege),
        ("", "Set Chassis Power Control to Up/On failed: Insufficient privilege level", Kind::Privilege),
        (
            "",
            "Get Auth Capabilities error\nError issuing Get Channel Authentication Capabilities request\nError: Unable to establish IPMI v2 / RMCP+ session",
            Kind::Silent,
        ),
        ("", "Error: Unable to establish IPMI v2 / RMCP+ session", Kind::Silent),
        ("", "Address lookup for nosuch.invalid failed\nCould not open socket!", Kind::Address),
        ("", "Set Chassis Power Control to Up/On failed: Node busy", Kind::NotNow),
        ("", "Unable to send RAW command (channel=0x0 netfn=0x6 lun=0x0 cmd=0x37 rsp=0xc0): Node busy", Kind::NotNow),
        ("", "Unable to send RAW command (channel=0x0 netfn=0x6 lun=0x0 cmd=0x37 rsp=0xc1): Invalid command", Kind::Unsupported),
        ("", "Invalid completion code received: Invalid command\nGet Chassis Power Status failed: Unspecified error", Kind::Other),
        (
            "",
            "Get HPM.x Capabilities request failed, compcode = d4\nInvalid completion code received: Insufficient privilege level",
            Kind::Other,
        ),
        ("\u{1b}[2J\u{0}\u{7}", "", Kind::Other),
        ("", "", Kind::Other),
    ] {
        assert_eq!(Fault::of(stdout, stderr, PASSWORD).kind, kind, "{stdout}{stderr}");
    }
    let long = Fault::of("", &"x\u{1b}".repeat(100_000), "");
    assert!(long.said.chars().count() <= 200 && !long.said.contains('\u{1b}'));
}

#[test]
fn boot_flags_are_read_bit_by_bit() {
    let flags = |data: &str| answer::boot(&format!("noise\nBoot parameter data: {data}\n - Boot Flag Valid\n"));
    for (data, pxe, disk, target, enabled, mode) in [
        ("0000000000", Shown::No, Shown::Yes, "None", BootEnabled::Disabled, None),
        ("8000000000", Shown::No, Shown::Yes, "None", BootEnabled::Disabled, None),
        ("8004000000", Shown::Yes, Shown::No, "Pxe", BootEnabled::Once, Some("Legacy")),
        ("e004000000", Shown::Yes, Shown::No, "Pxe", BootEnabled::Continuous, Some("UEFI")),
        ("0004000000", Shown::IfOrdered, Shown::IfOrdered, "None", BootEnabled::Disabled, None),
        ("e008000000", Shown::No, Shown::Yes, "Hdd", BootEnabled::Continuous, Some("UEFI")),
        ("8014000000", Shown::No, Shown::No, "Cd", BootEnabled::Once, Some("Legacy")),
        ("0018000000", Shown::No, Shown::IfOrdered, "None", BootEnabled::Disabled, None),
    ] {
        let boot = flags(data).unwrap();
        assert_eq!((boot.pxe, boot.disk, boot.fact.target.as_str(), boot.fact.enabled), (pxe, disk, target, enabled), "{data}");
        assert_eq!(boot.fact.mode.as_deref(), mode, "{data}");
    }
    for data in ["", "80", "zz04", "é004000000"] {
        assert_eq!(flags(data), None, "{data}");
    }
}

#[test]
fn answers_are_read_leniently() {
    assert_eq!(answer::power("Loading\nChassis Power is on\n"), Power::On);
    assert_eq!(answer::power("Chassis Power is confused"), Power::Unknown);
    assert_eq!(answer::raw(" a1 23\n RAW RSP (2 bytes)\n 45\nnot hex\n"), [0xa1, 0x23, 0x45]);
    assert_eq!(answer::guid(&[0; 16]), None);
    assert_eq!(answer::guid(&[0xff; 16]), None);
    assert_eq!(answer::guid(&[1, 2, 3]), None);
    // As ipmitool 1.8.19 decodes the same bytes.
    let bytes = [0xa1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xa1, 0x23, 0x45, 0x67, 0x89, 0, 0, 1];
    assert!(same_uuid(&answer::guid(&bytes).unwrap(), "01000089-6745-23a1-efcd-ab89674523a1"));
    let fru = answer::fru(
        " Board Mfg             : DELL\n Product Name          : PowerEdge R720\n Product Serial        : None\n Chassis Serial : JXR1T52\n",
    );
    assert_eq!(
        (fru.manufacturer.as_deref(), fru.model.as_deref(), fru.serial.as_deref()),
        (Some("DELL"), Some("PowerEdge R720"), Some("JXR1T52"))
    );
    let sensors = answer::sensors(
        "Inlet Temp       | 04h | ok  |  7.1 | 21 degrees C\nFan2 | 31h | ns  |  7.1 | No Reading\nPS1 | 62h | cr | 10.1 | Failure detected\nbroken line\n",
    );
    assert_eq!(sensors.len(), 2);
    assert_eq!((sensors[1].name.as_str(), sensors[1].state.as_str(), sensors[1].reading.as_str()), ("PS1", "cr", "Failure detected"));
    let line = |i: u32| format!("{i:4x} | 01/01/2026 | 00:00:{i:02} | Power Unit #0x{i:x} | Power off/down | Asserted");
    let many = (0..60).map(line).collect::<Vec<_>>().join("\n");
    let events = answer::events(&many);
    assert_eq!(events.len(), 20);
    assert!(events[19].starts_with("01/01/2026 00:00:59 Power Unit #0x3b"), "{}", events[19]);
    assert_eq!(answer::firmware("Firmware Revision         : 2.65\n").as_deref(), Some("2.65"));
    assert_eq!(answer::sensor_records(&[0x51, 0x2a, 0x00, 0xfe]), 42);
}

#[test]
fn what_does_not_fit_is_refused_at_once() {
    let make = |endpoint: BmcEndpoint| IpmiDriver::new(vec![(endpoint, BootMode::Bios)], &IpmiOptions::default()).map(drop);
    assert!(make(endpoint()).is_ok());
    for broken in [
        BmcEndpoint { url: "-oProxyCommand".into(), ..endpoint() },
        BmcEndpoint { password: Secret::new("a-password-of-more-than-20-bytes"), ..endpoint() },
        BmcEndpoint { username: "a-name-of-more-than-16".into(), ..endpoint() },
    ] {
        let error = make(broken).unwrap_err();
        assert_eq!(error.class, ErrorClass::Settings);
        assert!(
            error.message.starts_with("node n1, BMC 10.0.0.9: ") && error.hint.is_some() && !error.message.contains("a-password"),
            "{error}"
        );
    }
    assert!(IpmiDriver::new(vec![(endpoint(), BootMode::Bios), (endpoint(), BootMode::Bios)], &IpmiOptions::default()).is_err());
}

#[test]
fn the_clock_of_the_event_log_has_no_zone() {
    let ours = 1_795_874_768u64;
    let offset = |theirs: i64| answer::clock_offset_ms(&u32::try_from(ours as i64 + theirs).unwrap().to_le_bytes(), ours);
    for (theirs, wanted) in
        [(0, 0), (7, 7000), (-40, -40_000), (3600, 0), (-5 * 3600 - 1800 + 3, 3000), (14 * 3600, 0), (20 * 3600, 72_000_000)]
    {
        assert_eq!(offset(theirs), Some(wanted), "{theirs}");
    }
    for unset in [vec![], vec![0, 0, 0], vec![0xff; 4], vec![0x10, 0, 0, 0]] {
        assert_eq!(answer::clock_offset_ms(&unset, ours), None, "{unset:?}");
    }
}

#[tokio::test]
async fn a_tool_that_is_too_old_or_another_is_refused_before_any_bmc_is_asked() {
    for (says, wanted) in [
        ("ipmitool version 1.8.11", "is ipmitool 1.8.11, and 1.8.18 or newer is needed"),
        ("freeipmi 1.6.9", "is not ipmitool: it answers `-V` with"),
    ] {
        let tool = Tool::of_version(says, GOOD);
        let error = tool.driver().interrogate("n1").await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Settings);
        assert!(error.message.starts_with("node n1, BMC 10.0.0.9: ") && error.message.contains(wanted), "{error}");
        assert!(error.hint.unwrap().contains("drivers.ipmi.program"));
        assert_eq!(tool.log(), [] as [String; 0], "no BMC was asked");
    }
}
