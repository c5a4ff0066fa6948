//! A server of PostgreSQL for tests: on loopback, in a folder of its own, gone with the process.

// Used in unit tests, integration tests and a benchmark, each of which needs a part of it.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// The password of the role `secured`, which only TLS and SCRAM let in.
pub(crate) const PASSWORD: &str = "canary-of-the-state";

/// A running server.
pub(crate) struct Server {
    folder: tempfile::TempDir,
    port: u16,
    durable: bool,
    clients: Clients,
    pid: Mutex<Option<Pid>>,
}

/// Who servers run as: they refuse to be root.
struct Account {
    user: u32,
    group: u32,
}

fn programs() -> Result<PathBuf, String> {
    let mut folders: Vec<PathBuf> =
        fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path().join("bin")).collect();
    folders.sort();
    folders.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
    let found = folders.into_iter().rev().find(|folder| ["initdb", "postgres", "psql"].iter().all(|name| folder.join(name).is_file()));
    found.ok_or_else(|| "PostgreSQL is not installed (Debian: postgresql)".to_owned())
}

/// The account of the package, where the tests are run by root.
fn account() -> Result<Option<Account>, String> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd").map_err(|e| e.to_string())?;
    let line = users.lines().find(|line| line.starts_with("postgres:")).ok_or("there is no user `postgres` to run the server as")?;
    let number = |i: usize| line.split(':').nth(i).and_then(|n| n.parse().ok()).ok_or("the user `postgres` has no number");
    Ok(Some(Account { user: number(2)?, group: number(3)? }))
}

/// A program that runs as the account, and ends when the thread ends that started it.
fn command(program: &Path) -> Result<Command, String> {
    let mut command = Command::new("setpriv");
    if let Some(Account { user, group }) = account()? {
        command.args([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".to_owned()]);
    }
    command.args(["--pdeathsig=QUIT", "--"]).arg(program).env_clear().env("LC_ALL", "C").current_dir("/").stdin(Stdio::null());
    Ok(command)
}

/// Certificates that the server asks the role `certified` for, and keys, as PEM.
pub(crate) struct Clients {
    authority: String,
    /// Of `certified`.
    pub(crate) right: (String, String),
    /// Of another name, by the same authority.
    pub(crate) other_name: (String, String),
    /// Of `certified`, by nobody whom the server knows.
    pub(crate) unknown: (String, String),
}

impl Clients {
    fn new() -> Result<Self, rcgen::Error> {
        use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
        let named = |name: &str| {
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, name);
            params
        };
        let issuer = || {
            let mut params = named("authority of the tests");
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            CertifiedIssuer::self_signed(params, KeyPair::generate()?)
        };
        let issue = |name: &str, by: &CertifiedIssuer<'_, KeyPair>| {
            let key = KeyPair::generate()?;
            Ok::<_, rcgen::Error>((named(name).signed_by(&key, by)?.pem(), key.serialize_pem()))
        };
        let (ours, theirs) = (issuer()?, issuer()?);
        Ok(Self {
            authority: ours.pem(),
            right: issue("certified", &ours)?,
            other_name: issue("somebody", &ours)?,
            unknown: issue("certified", &theirs)?,
        })
    }
}

impl Server {
    /// The server that all tests of this process share; each has a database of its own.
    pub(crate) fn shared() -> Result<&'static Self, String> {
        static SHARED: OnceLock<Result<Server, String>> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(false)).as_ref().map_err(Clone::clone)
    }

    /// Makes a server. A durable one writes to the disk as in production; others are faster.
    pub(crate) fn start(durable: bool) -> Result<Self, String> {
        let programs = programs()?;
        let folder = tempfile::Builder::new().prefix("drydock-pg").tempdir().map_err(|e| e.to_string())?;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).map_err(|e| e.to_string())?;
        let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).map_err(|e| e.to_string())?;
        fs::write(folder.path().join("server.crt"), key.cert.pem()).map_err(|e| e.to_string())?;
        fs::write(folder.path().join("server.key"), key.signing_key.serialize_pem()).map_err(|e| e.to_string())?;
        fs::set_permissions(folder.path().join("server.key"), fs::Permissions::from_mode(0o600)).map_err(|e| e.to_string())?;
        let clients = Clients::new().map_err(|e| e.to_string())?;
        fs::write(folder.path().join("clients.crt"), &clients.authority).map_err(|e| e.to_string())?;
        if let Some(Account { user, group }) = account()? {
            let files = ["server.crt", "server.key", "clients.crt"].map(|name| folder.path().join(name));
            for path in files.into_iter().chain([folder.path().to_owned()]) {
                chown(&path, Some(user), Some(group)).map_err(|e| e.to_string())?;
            }
        }
        let data = folder.path().join("data");
        let made = command(&programs.join("initdb"))?
            .args(["--auth=trust", "--username=drydock", "--encoding=UTF8", "--no-sync", "--pgdata"])
            .arg(&data)
            .output()
            .map_err(|e| format!("initdb cannot be run: {e}"))?;
        if !made.status.success() {
            return Err(format!("initdb failed: {}", String::from_utf8_lossy(&made.stderr)));
        }
        let access = "local all all trust\nhostssl all certified 127.0.0.1/32 cert\nhost all certified all reject\nhostssl all secured 127.0.0.1/32 scram-sha-256\nhost all secured all reject\nhost all all 127.0.0.1/32 trust\n";
        fs::write(data.join("pg_hba.conf"), access).map_err(|e| e.to_string())?;
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).map_err(|e| e.to_string())?.port();
        let server = Self { folder, port, durable, clients, pid: Mutex::new(None) };
        server.run()?;
        server.sql(
            "postgres",
            &format!("CREATE ROLE secured LOGIN SUPERUSER PASSWORD '{PASSWORD}'; CREATE ROLE certified LOGIN SUPERUSER"),
        )?;
        Ok(server)
    }

    /// Starts it, if it does not run.
    pub(crate) fn run(&self) -> Result<(), String> {
        let file = |name: &str| self.folder.path().join(name).display().to_string();
        let mut server = command(&programs()?.join("postgres"))?;
        server.arg("-D").arg(self.folder.path().join("data")).arg("-p").arg(self.port.to_string()).arg("-k").arg(self.folder.path());
        let mut settings = vec![
            "listen_addresses=127.0.0.1".to_owned(),
            "ssl=on".to_owned(),
            format!("ssl_cert_file={}", file("server.crt")),
            format!("ssl_key_file={}", file("server.key")),
            format!("ssl_ca_file={}", file("clients.crt")),
            "shared_buffers=32MB".to_owned(),
            "max_connections=60".to_owned(),
        ];
        if !self.durable {
            settings.extend(["fsync=off".to_owned(), "full_page_writes=off".to_owned()]);
        }
        for setting in settings {
            server.arg("-c").arg(setting);
        }
        let log = fs::File::options().create(true).append(true).open(self.folder.path().join("log")).map_err(|e| e.to_string())?;
        server.stdout(log.try_clone().map_err(|e| e.to_string())?).stderr(log);
        // The server ends with the thread that started it: one that lives as long as the process.
        let (started, pid) = channel();
        std::thread::spawn(move || match server.spawn() {
            Ok(mut child) => {
                let _ = started.send(Ok(child.id()));
                let _ = child.wait();
            }
            Err(error) => drop(started.send(Err(format!("the server cannot be started: {error}")))),
        });
        let pid = pid.recv().map_err(|e| e.to_string())??;
        *self.pid.lock().unwrap() = Pid::from_raw(pid.cast_signed());
        let until = Instant::now() + Duration::from_secs(30);
        while self.sql("postgres", "SELECT 1").is_err() {
            if Instant::now() > until {
                return Err(format!(
                    "the server does not start: {}",
                    fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
                ));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Ends it as a crash does: nothing is finished or said good-bye to.
    pub(crate) fn crash(&self) {
        let pid = self.pid.lock().unwrap().take();
        if let Some(pid) = pid {
            let _ = kill_process(pid, Signal::QUIT);
            while TcpStream::connect(("127.0.0.1", self.port)).is_ok() || self.folder.path().join("data/postmaster.pid").exists() {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }

    /// The port on loopback.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The server's certificate, which is its own authority.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.path().join("server.crt")
    }

    /// Certificates of its clients.
    pub(crate) fn clients(&self) -> &Clients {
        &self.clients
    }

    /// The folder of its Unix socket.
    pub(crate) fn socket(&self) -> &Path {
        self.folder.path()
    }

    /// Makes a database for one test; its name.
    pub(crate) fn database(&self) -> String {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}")).unwrap();
        name
    }

    /// Makes a database for one test; its URL.
    pub(crate) fn url(&self) -> String {
        format!("postgres://drydock@127.0.0.1:{}/{}", self.port, self.database())
    }

    /// Runs statements with `psql`; what they print, one row a line.
    pub(crate) fn sql(&self, database: &str, statements: &str) -> Result<String, String> {
        let mut psql = Command::new(programs()?.join("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--username=drydock", "--file=-"]);
        psql.arg("--host=127.0.0.1").arg(format!("--port={}", self.port)).arg(format!("--dbname={database}"));
        let mut child = psql
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| format!("psql cannot be run: {e}"))?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(statements.as_bytes()).map_err(|e| e.to_string())?;
        }
        let output = child.wait_with_output().map_err(|e| e.to_string())?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.crash();
    }
}
