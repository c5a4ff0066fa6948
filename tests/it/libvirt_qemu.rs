//! The libvirt driver over real virtual machines: QEMU in software emulation behind a libvirtd of the test's own, directly and through an SSH jump
//! host. A machine is switched on into PXE, and what its boot loader fetched is seen on its serial line.
//!
//! Long, and needs root: `cargo test --test it -- --ignored libvirt_qemu`. Packages: qemu-system-x86, libvirt-daemon-system, libvirt-clients,
//! libvirt-daemon-driver-qemu, ipxe-qemu, tini, openssh-server, netcat-openbsd; they are installed where apt-get can. libvirtd runs in a mount namespace of its own, with its own
//! configuration, sockets and domains, so one that runs on the machine is not touched.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use drydock::action::ActionKind;
use drydock::action::params::{BootTarget, PowerParams, SetNodeBoot};
use drydock::build::{Binding, PowerState};
use drydock::driver::libvirt::{LibvirtDriver, LibvirtNode, LibvirtOptions};
use drydock::driver::redfish::{RedfishDriver, RedfishOptions};
use drydock::driver::{BmcEndpoint, Call, Driver, Observation, OobDriver};
use drydock::redact::Secret;
use drydock::sim::{Server, SimOptions, generate};

use crate::cli_support::Folder;
use crate::ipmi_peer::install;
use crate::support;

const MAC: &str = "52:54:00:aa:00:01";
const UUID: &str = "6695eb01-f6a4-4304-89aa-97f2502e1901";

/// What the script that is fetched over TFTP prints.
const MARK: &str = "DRYDOCK-BOOT-SCRIPT";

/// How long an emulated machine may take to get there.
const PATIENCE: Duration = Duration::from_secs(180);

/// A libvirtd with one machine that is off, and its files.
struct Hypervisor {
    folder: tempfile::TempDir,
    libvirtd: Child,
    sshd: Vec<Child>,
}

impl Drop for Hypervisor {
    fn drop(&mut self) {
        let _ = self.virsh(&["destroy", "machine1"]);
        for child in self.sshd.iter_mut().chain([&mut self.libvirtd]) {
            // SIGTERM, which libvirtd's subreaper hands on.
            let _ = Command::new("kill").arg(child.id().to_string()).status();
            let _ = child.wait();
        }
    }
}

fn available() -> bool {
    let programs = ["virsh", "libvirtd", "qemu-system-x86_64", "tini", "sshd", "nc", "ssh-keygen", "unshare"];
    let packages = [
        "libvirt-clients",
        "libvirt-daemon-system",
        "libvirt-daemon-driver-qemu",
        "qemu-system-x86",
        "ipxe-qemu",
        "tini",
        "openssh-server",
        "openssh-client",
        "netcat-openbsd",
    ];
    let root = Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout.trim_ascii() == b"0");
    let installed = if root { install(&programs, &packages) } else { Err("this test needs root".to_owned()) };
    if let Err(why) = installed {
        assert!(!std::env::var("CI").is_ok_and(|v| v == "true"), "in CI this test must run: {why}");
        eprintln!("skipped: {why}");
        return false;
    }
    true
}

/// Waits for something.
fn until(what: &str, mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < deadline, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(100));
    }
}

impl Hypervisor {
    fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("drydock-qemu").tempdir_in("/tmp").unwrap();
        let dir = folder.path();
        for name in ["etc", "lib", "run", "cache", "log", "tftp"] {
            fs::create_dir(dir.join(name)).unwrap();
        }
        // As root and without control groups QEMU needs nothing of the machine that it runs on.
        fs::write(
            dir.join("etc/qemu.conf"),
            "user = \"root\"\ngroup = \"root\"\ncgroup_controllers = []\nnamespaces = []\nremember_owner = 0\nsecurity_driver = \"none\"\nstdio_handler = \"file\"\n",
        )
        .unwrap();
        fs::write(
            dir.join("etc/libvirtd.conf"),
            "listen_tls = 0\nlisten_tcp = 0\nunix_sock_group = \"root\"\nauth_unix_rw = \"none\"\nauth_unix_ro = \"none\"\n",
        )
        .unwrap();
        fs::write(dir.join("tftp/boot.ipxe"), format!("#!ipxe\necho {MARK}\nsleep 3600\n")).unwrap();
        fs::File::create(dir.join("disk")).unwrap().set_len(8 << 20).unwrap();
        let script = "for pair in etc:/etc/libvirt lib:/var/lib/libvirt run:/run/libvirt cache:/var/cache/libvirt log:/var/log/libvirt; do\n\
                      mkdir -p \"${pair#*:}\" && mount --bind \"$0/${pair%%:*}\" \"${pair#*:}\" || exit 1\ndone\n\
                      exec tini -s -- libvirtd -f /etc/libvirt/libvirtd.conf";
        let libvirtd = Command::new("unshare")
            .args(["-m", "--propagation", "private", "sh", "-c", script])
            .arg(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(dir.join("log/stderr")).unwrap())
            .spawn()
            .unwrap();
        let hypervisor = Self { folder, libvirtd, sshd: Vec::new() };
        until("libvirtd", || hypervisor.virsh(&["version"]).is_some());
        let xml = hypervisor.path("machine1.xml");
        fs::write(&xml, hypervisor.domain()).unwrap();
        hypervisor.virsh(&["define", xml.to_str().unwrap()]).expect("the machine is defined");
        hypervisor
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn uri(&self) -> String {
        format!("qemu:///system?socket={}", self.path("run/libvirt-sock").display())
    }

    /// What a command of `virsh` prints, if it succeeds. Not through the driver.
    fn virsh(&self, arguments: &[&str]) -> Option<String> {
        let output = Command::new("virsh").args(["-q", "-c", &self.uri()]).args(arguments).env("LC_ALL", "C").output().unwrap();
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// A machine whose firmware tells on its serial line what it does, and whose NIC finds a boot script by DHCP and TFTP without any network.
    fn domain(&self) -> String {
        let dir = self.folder.path().display();
        format!(
            "<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>machine1</name><uuid>{UUID}</uuid>\
             <memory unit='MiB'>256</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='q35'>hvm</type><boot dev='hd'/><bios useserial='yes'/></os>\
             <features><acpi/></features>\
             <cpu mode='custom' match='exact'><model fallback='allow'>qemu64</model><feature policy='disable' name='svm'/></cpu>\
             <devices><emulator>/usr/bin/qemu-system-x86_64</emulator>\
             <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{dir}/disk'/><target dev='vda' bus='virtio'/></disk>\
             <controller type='usb' model='none'/>\
             <interface type='user'><mac address='{MAC}'/><model type='virtio'/><alias name='ua-n0'/></interface>\
             <serial type='file'><source path='{dir}/serial'/><target port='0'/></serial><memballoon model='none'/></devices>\
             <qemu:commandline><qemu:arg value='-netdev'/>\
             <qemu:arg value='user,id=pxe0,restrict=on,tftp={dir}/tftp,bootfile=boot.ipxe'/></qemu:commandline>\
             <qemu:override><qemu:device alias='ua-n0'><qemu:frontend><qemu:property name='netdev' type='string' value='pxe0'/></qemu:frontend></qemu:device></qemu:override>\
             </domain>"
        )
    }

    /// What the machine wrote on its serial line since it was switched on.
    fn serial(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.path("serial")).unwrap_or_default()).into_owned()
    }

    /// A bastion and a hypervisor host, each an sshd with the same keys. Returns the program that connects, and the ports.
    fn ssh(&mut self) -> (PathBuf, u16, u16) {
        let dir = self.path("ssh");
        fs::create_dir(&dir).unwrap();
        for key in ["host", "user"] {
            assert!(
                Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(dir.join(key)).status().unwrap().success()
            );
        }
        let shown = dir.display();
        let sockets: Vec<_> = (0..2).map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports: Vec<u16> = sockets.iter().map(|s| s.local_addr().unwrap().port()).collect();
        drop(sockets);
        fs::create_dir_all("/run/sshd").unwrap();
        let host = fs::read_to_string(dir.join("host.pub")).unwrap();
        let mut known = String::new();
        for port in &ports {
            known += &format!("[127.0.0.1]:{port} {host}");
            let conf = format!(
                "Port {port}\nListenAddress 127.0.0.1\nHostKey {shown}/host\nAuthorizedKeysFile {shown}/user.pub\nPidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n"
            );
            let file = dir.join(format!("sshd.{port}"));
            fs::write(&file, conf).unwrap();
            let log = dir.join(format!("log.{port}"));
            let sshd =
                Command::new("/usr/sbin/sshd").arg("-D").arg("-f").arg(&file).arg("-E").arg(&log).stdin(Stdio::null()).spawn().unwrap();
            self.sshd.push(sshd);
        }
        fs::write(dir.join("known"), known).unwrap();
        let config = format!(
            "Host *\n IdentityFile {shown}/user\n IdentitiesOnly yes\n UserKnownHostsFile {shown}/known\n StrictHostKeyChecking yes\n BatchMode yes\n"
        );
        fs::write(dir.join("config"), config).unwrap();
        let program = dir.join("ssh");
        fs::write(&program, format!("#!/bin/sh\nexec /usr/bin/ssh -F {shown}/config \"$@\"\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        for port in &ports {
            until("sshd", || std::net::TcpStream::connect(("127.0.0.1", *port)).is_ok());
        }
        (program, ports[0], ports[1])
    }
}

fn call(kind: ActionKind, params: serde_json::Value) -> Call {
    Call {
        action: kind.to_string(),
        site: "lab".into(),
        kind,
        resource: "node.n1/power".into(),
        node: Some("n1".into()),
        params,
        binding: Binding { uuid: Some(UUID.into()), ..Binding::default() },
        begun: false,
        before: None,
    }
}

fn power(kind: ActionKind, graceful_s: u32) -> Call {
    call(kind, serde_json::to_value(PowerParams { graceful_s }).unwrap())
}

fn boot(target: BootTarget) -> Call {
    call(ActionKind::SetNodeBoot, serde_json::to_value(SetNodeBoot { target }).unwrap())
}

/// As the engine does: observe, begin, observe until it is done.
fn carry_out(runtime: &tokio::runtime::Runtime, driver: &dyn Driver, call: &Call) {
    until(&call.action, || {
        runtime.block_on(async {
            match driver.observe(std::slice::from_ref(call)).await.pop().unwrap().unwrap() {
                Observation::Done { .. } => true,
                Observation::NotStarted => {
                    driver.begin(call).await.unwrap();
                    false
                }
                _ => false,
            }
        })
    });
}

fn driver(uri: &str, options: &LibvirtOptions) -> LibvirtDriver {
    LibvirtDriver::new(vec![LibvirtNode { node: "n1".into(), uri: uri.into(), boot_mac: MAC.into() }], options).unwrap()
}

#[test]
#[ignore = "real virtual machines in software emulation; needs root and packages"]
fn a_machine_boots_from_where_the_driver_says() {
    if !available() {
        return;
    }
    let mut hypervisor = Hypervisor::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let local = driver(&hypervisor.uri(), &LibvirtOptions::default());
    let bmc = runtime.block_on(local.interrogate("n1")).unwrap();
    assert_eq!((bmc.uuid.as_deref(), bmc.macs.as_slice(), bmc.power), (Some(UUID), [MAC.to_owned()].as_slice(), PowerState::Off));

    let begun = Instant::now();
    carry_out(&runtime, &local, &boot(BootTarget::Pxe));
    carry_out(&runtime, &local, &power(ActionKind::PowerOnNode, 0));
    assert_eq!(hypervisor.virsh(&["domstate", "machine1"]).as_deref(), Some("running"));
    until("the boot script", || hypervisor.serial().contains(MARK));
    assert!(!hypervisor.serial().contains("Booting from Hard Disk"), "{}", hypervisor.serial());
    eprintln!("the boot script ran {:.1} s after the boot source was set", begun.elapsed().as_secs_f32());

    // Nothing listens to a shutdown: it is forced when its second is over.
    carry_out(&runtime, &local, &power(ActionKind::PowerOffNode, 1));
    assert_eq!(hypervisor.virsh(&["domstate", "machine1"]).as_deref(), Some("shut off"));
    carry_out(&runtime, &local, &boot(BootTarget::Disk));
    fs::remove_file(hypervisor.path("serial")).unwrap();
    carry_out(&runtime, &local, &power(ActionKind::PowerOnNode, 0));
    until("the disk", || hypervisor.serial().contains("Booting from Hard Disk"));
    // It is empty, so the firmware goes on to the NIC; but the disk comes first.
    let said = hypervisor.serial();
    let before = &said[..said.find("Booting from Hard Disk").unwrap()];
    assert!(!before.contains("Booting from ROM") && !before.contains(MARK), "{said}");
    carry_out(&runtime, &local, &power(ActionKind::PowerOffNode, 0));

    // The same machine, from elsewhere: through a bastion.
    let (ssh, bastion, host) = hypervisor.ssh();
    let uri = format!("qemu+ssh://root@127.0.0.1:{host}/system?socket={}", hypervisor.path("run/libvirt-sock").display());
    let accepted = |port: u16| {
        let log = fs::read_to_string(hypervisor.path(&format!("ssh/log.{port}"))).unwrap_or_default();
        log.lines().filter(|l| l.contains("Accepted publickey")).count()
    };
    let direct = driver(&uri, &LibvirtOptions { ssh: ssh.clone(), ..LibvirtOptions::default() });
    assert_eq!(runtime.block_on(direct.interrogate("n1")).unwrap().uuid.as_deref(), Some(UUID));
    assert_eq!(accepted(bastion), 0);
    let jumping =
        driver(&uri, &LibvirtOptions { ssh: ssh.clone(), jump: Some(format!("root@127.0.0.1:{bastion}")), ..LibvirtOptions::default() });
    carry_out(&runtime, &jumping, &power(ActionKind::PowerOnNode, 0));
    assert_eq!(hypervisor.virsh(&["domstate", "machine1"]).as_deref(), Some("running"));
    assert!(accepted(bastion) > 0, "it went through the bastion");
    // A bastion that does not know us is an error of credentials, in words.
    fs::write(hypervisor.path("ssh/user.pub"), "").unwrap();
    let refused = runtime.block_on(jumping.interrogate("n1")).unwrap_err();
    assert_eq!(refused.class, drydock::driver::ErrorClass::Credentials, "{refused}");
}

/// The whole program: the provisioner is simulated and never sees the machine, but the machine asks for its boot script.
#[test]
#[ignore = "real virtual machines in software emulation; needs root and packages"]
fn an_apply_switches_a_machine_on_into_pxe() {
    if !available() {
        return;
    }
    let hypervisor = Hypervisor::start();
    let folder = Folder::hello();
    let oob = format!("  name: control01\ndata:\n  oob: {{type: libvirt, libvirt_uri: '{}'}}\n", hypervisor.uri());
    folder.edit("design/nodes.yaml", "  name: control01\ndata:\n", &oob);
    folder.edit("design/nodes.yaml", "    tags: [control]\n", &format!("    boot_mac: '{MAC}'\n    tags: [control]\n"));
    let site = support::loose_design(folder.path(), &["design"]);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let running = runtime.block_on(Server::start(generate(&site, &SimOptions { images_present: true, ..SimOptions::default() }))).unwrap();
    folder.write("key", running.maas_api_key.expose());
    folder.write(
        "drydock.yaml",
        &format!(
            "design: [design]\ndrivers: {{maas: {{url: '{}', api_key: {{file: key}}}}}}\ntimeouts: {{identify_node: 40s}}\n",
            running.maas_url
        ),
    );
    folder.run(&["verify", "nodes", "--target", "node=control01"]).expect(0).reads(&["control01 absent ok -"]);
    let ended = folder.run(&["apply", "--target", "node=control01", "--auto-approve"]).expect(4);
    let all = format!("{}{}", ended.stdout, ended.stderr);
    assert!(all.contains("identify_node"), "the simulated provisioner has never heard of it: {all}");
    assert!(hypervisor.serial().contains(MARK), "{}", hypervisor.serial());
    assert_eq!(hypervisor.virsh(&["domstate", "machine1"]).as_deref(), Some("running"));
    let xml = hypervisor.virsh(&["dumpxml", "--inactive", "machine1"]).unwrap();
    let interface = &xml[xml.find("<interface").unwrap()..xml.find("</interface>").unwrap()];
    assert!(interface.contains("<boot order='1'/>"), "{interface}");
    assert!(Path::new("/proc").join(hypervisor.libvirtd.id().to_string()).exists());
    runtime.block_on(running.shutdown()).unwrap();
}

/// Where sushy-tools is installed with its libvirt back end, which is compiled against the libvirt that is there.
fn sushy_with_libvirt() -> Result<PathBuf, String> {
    install(&["pkg-config", "gcc"], &["pkg-config", "gcc"])?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/sushy-libvirt");
    let program = folder.join("bin/sushy-emulator");
    if folder.join("complete").exists() {
        return Ok(program);
    }
    let ran = |command: &mut Command| command.stdin(Stdio::null()).output().is_ok_and(|o| o.status.success());
    if !ran(Command::new("pkg-config").args(["--exists", "libvirt"])) {
        ran(Command::new("apt-get").args(["install", "-y", "-qq", "--no-install-recommends", "libvirt-dev"]));
    }
    let version = Command::new("pkg-config").args(["--modversion", "libvirt"]).output().map_err(|e| e.to_string())?;
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    let pip = folder.join("bin/pip");
    let installed = ran(Command::new("python3").args(["-m", "venv"]).arg(&folder))
        && ran(Command::new(pip).args(["install", "-q", "sushy-tools==2.2.0", &format!("libvirt-python=={version}")]));
    if !installed {
        return Err(format!("sushy-tools with libvirt-python {version} cannot be installed"));
    }
    fs::write(folder.join("complete"), "").map_err(|e| e.to_string())?;
    Ok(program)
}

/// The same machine, with a BMC that we did not write either: sushy-tools speaks Redfish for it.
#[test]
#[ignore = "real virtual machines in software emulation; needs root and packages"]
fn a_machine_behind_redfish_boots_into_pxe() {
    if !available() {
        return;
    }
    let sushy = match sushy_with_libvirt() {
        Ok(sushy) => sushy,
        Err(why) => {
            assert!(!std::env::var("CI").is_ok_and(|v| v == "true"), "in CI this test must run: {why}");
            eprintln!("skipped: {why}");
            return;
        }
    };
    let mut hypervisor = Hypervisor::start();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let conf = hypervisor.path("sushy.conf");
    let text = format!(
        "SUSHY_EMULATOR_LISTEN_IP = '127.0.0.1'\nSUSHY_EMULATOR_LISTEN_PORT = {port}\nSUSHY_EMULATOR_LIBVIRT_URI = '{}'\nSUSHY_EMULATOR_STATE_DIR = '{}'\nSUSHY_EMULATOR_IGNORE_BOOT_DEVICE = False\n",
        hypervisor.uri(),
        hypervisor.path("lib").display()
    );
    fs::write(&conf, text).unwrap();
    let log = fs::File::create(hypervisor.path("sushy.log")).unwrap();
    let emulator = Command::new(sushy).arg("--config").arg(&conf).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
    // Ended with the others.
    hypervisor.sshd.push(emulator);
    until("sushy-emulator", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let endpoint = BmcEndpoint {
        node: "n1".into(),
        address: "10.77.0.1".into(),
        url: format!("http://127.0.0.1:{port}"),
        username: "any".into(),
        password: Secret::new("any"),
    };
    let driver = RedfishDriver::new(vec![endpoint], RedfishOptions::default()).unwrap();
    let bmc = runtime.block_on(driver.interrogate("n1")).unwrap();
    assert_eq!((bmc.uuid.as_deref(), bmc.macs.as_slice(), bmc.power), (Some(UUID), [MAC.to_owned()].as_slice(), PowerState::Off));
    let begun = Instant::now();
    carry_out(&runtime, &driver, &boot(BootTarget::Pxe));
    carry_out(&runtime, &driver, &power(ActionKind::PowerOnNode, 0));
    assert_eq!(hypervisor.virsh(&["domstate", "machine1"]).as_deref(), Some("running"));
    until("the boot script", || hypervisor.serial().contains(MARK));
    eprintln!("the boot script ran {:.1} s after the boot source was set", begun.elapsed().as_secs_f32());
    carry_out(&runtime, &driver, &power(ActionKind::PowerOffNode, 0));
    assert_eq!(hypervisor.virsh(&["domstate", "machine1"]).as_deref(), Some("shut off"));
}
