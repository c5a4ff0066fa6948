//! Proxies: requests go through them and nowhere else, TLS is verified from end to end, and their passwords are not printed.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use drydock::driver::ErrorClass;
use drydock::driver::http::{HttpClient, HttpOptions, Proxy as ProxyOption, Request, Url, install_crypto_provider};
use drydock::redact::Secret;
use drydock::sim::{InitialState, Server, SimOptions, generate};

use crate::cli_support::Folder;
use crate::support;

const USER: &str = "ops";
const PASSWORD: &str = "canary+of%the:proxy";

/// A proxy of our own: HTTP (CONNECT and whole URLs) and SOCKS5 (RFC 1928, 1929), told apart by the first byte. Every name that it knows is a server on
/// loopback, and nobody else can reach it by that name.
struct Proxy {
    at: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start(names: BTreeMap<String, SocketAddr>, asks: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (at, log) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<String>>>::default());
        let (kept, names) = (Arc::clone(&log), Arc::new(names));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (log, names) = (Arc::clone(&kept), Arc::clone(&names));
                std::thread::spawn(move || serve(client, &names, asks, &log));
            }
        });
        Self { at, log }
    }

    fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.at)
    }

    fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
}

fn serve(mut client: TcpStream, names: &BTreeMap<String, SocketAddr>, asks: bool, log: &Mutex<Vec<String>>) -> Option<()> {
    let mut first = [0];
    client.read_exact(&mut first).ok()?;
    let (target, head) = if first[0] == 5 { socks(&mut client, asks, log)? } else { http(&mut client, first[0], asks, log)? };
    let Some(address) = names.get(&target) else {
        let _ = client.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
        return None;
    };
    let mut server = TcpStream::connect(address).ok()?;
    server.write_all(&head).ok()?;
    let (mut from, mut to) = (client.try_clone().ok()?, server.try_clone().ok()?);
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(std::net::Shutdown::Write);
    });
    let _ = std::io::copy(&mut server, &mut client);
    let _ = client.shutdown(std::net::Shutdown::Both);
    Some(())
}

/// The host that is wanted, and what is sent on to it.
fn http(client: &mut TcpStream, first: u8, asks: bool, log: &Mutex<Vec<String>>) -> Option<(String, Vec<u8>)> {
    let mut head = vec![first];
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let text = String::from_utf8(head).ok()?;
    let line = text.lines().next()?.to_owned();
    let basic = format!("Basic {}", base64(format!("{USER}:{PASSWORD}").as_bytes()));
    let admitted = text.lines().any(|l| l.to_ascii_lowercase().starts_with("proxy-authorization:") && l.ends_with(&basic));
    if asks && !admitted {
        log.lock().unwrap().push(format!("refused {line}"));
        let _ = client
            .write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic realm=x\r\ncontent-length: 0\r\n\r\n");
        return None;
    }
    log.lock().unwrap().push(line.clone());
    let mut words = line.split(' ');
    let (method, to) = (words.next()?, words.next()?);
    if method == "CONNECT" {
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok()?;
        return Some((to.rsplit_once(':')?.0.to_owned(), Vec::new()));
    }
    let url = Url::parse(to).ok()?;
    // A proxy that keeps a connection would have to look at each request in it.
    let rest: String = text.lines().skip(1).filter(|l| !l.to_ascii_lowercase().starts_with("proxy-")).map(|l| format!("{l}\r\n")).collect();
    let path = to.split_once("://")?.1.split_once('/').map_or("", |(_, path)| path);
    Some((url.host_str()?.to_owned(), format!("{method} /{path} HTTP/1.1\r\nconnection: close\r\n{rest}").into_bytes()))
}

fn socks(client: &mut TcpStream, asks: bool, log: &Mutex<Vec<String>>) -> Option<(String, Vec<u8>)> {
    fn bytes(client: &mut TcpStream, count: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; count];
        client.read_exact(&mut bytes).ok()?;
        Some(bytes)
    }
    let counted = |client: &mut TcpStream| {
        let length = bytes(client, 1)?[0];
        bytes(client, length.into())
    };
    let methods = counted(client)?;
    let wanted = if asks { 2 } else { 0 };
    if !methods.contains(&wanted) {
        log.lock().unwrap().push("refused SOCKS5".to_owned());
        client.write_all(&[5, 0xff]).ok()?;
        return None;
    }
    client.write_all(&[5, wanted]).ok()?;
    if asks {
        bytes(client, 1)?;
        let admitted = counted(client)? == USER.as_bytes() && counted(client)? == PASSWORD.as_bytes();
        client.write_all(&[1, u8::from(!admitted)]).ok()?;
        if !admitted {
            log.lock().unwrap().push("refused SOCKS5".to_owned());
            return None;
        }
    }
    let request = bytes(client, 4)?;
    let host = match request[3] {
        1 => Ipv4Addr::from(<[u8; 4]>::try_from(bytes(client, 4)?).ok()?).to_string(),
        3 => String::from_utf8(counted(client)?).ok()?,
        _ => return None,
    };
    bytes(client, 2)?;
    log.lock().unwrap().push(format!("SOCKS5 {host}"));
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).ok()?;
    Some((host, Vec::new()))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let n = chunk.iter().fold(0u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        (0..4).for_each(|i| out.push(if i <= chunk.len() { char::from(DIGITS[(n >> (18 - 6 * i)) as usize & 63]) } else { '=' }));
    }
    out
}

/// A TLS server with a certificate for a name; its address and certificate.
fn tls(name: &str) -> (SocketAddr, String) {
    install_crypto_provider();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
    let private = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate.der().clone()], private).unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let mut stream = rustls::StreamOwned::new(rustls::ServerConnection::new(Arc::clone(&config)).unwrap(), socket);
            if stream.read(&mut [0; 4096]).is_ok() {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
                let _ = stream.flush();
            }
        }
    });
    (at, certificate.pem())
}

async fn ask(url: &str, proxy: Option<ProxyOption>, ca: Option<&str>) -> Result<u16, drydock::driver::DriverError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let ca_file = ca.map(|pem| std::fs::write(&file, pem).map(|()| file).unwrap());
    let options =
        HttpOptions { ca_file, proxy, allow_plain_http: true, backoff: Duration::from_millis(1), attempts: 2, ..HttpOptions::default() };
    let client = HttpClient::new(options)?;
    client.send(Request::get(Url::parse(url).unwrap(), "a service")).await.map(|a| a.status.as_u16())
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_verified_through_every_kind_of_proxy() {
    let (at, pem) = tls("bmc.test");
    let (_, another) = tls("bmc.test");
    let names: BTreeMap<String, SocketAddr> = [("bmc.test".to_owned(), at), ("other.test".to_owned(), at)].into();
    for scheme in ["http", "socks5h"] {
        let proxy = Proxy::start(names.clone(), false);
        let through = || Some(ProxyOption { url: proxy.url(scheme), credentials: None });
        assert_eq!(ask("https://bmc.test/", through(), Some(&pem)).await, Ok(200), "{scheme}");
        let seen = if scheme == "http" { "CONNECT bmc.test:443 HTTP/1.1" } else { "SOCKS5 bmc.test" };
        assert_eq!(proxy.log(), [seen]);
        // Nobody can reach it but through the proxy.
        assert!(ask("https://bmc.test/", None, Some(&pem)).await.is_err());
        // The proxy could have put itself between.
        for (url, ca, what) in [
            ("https://bmc.test/", Some(another.as_str()), "its issuer"),
            ("https://bmc.test/", None, "its issuer is not trusted"),
            ("https://other.test/", Some(pem.as_str()), "it is for another name"),
        ] {
            let error = ask(url, through(), ca).await.unwrap_err();
            assert_eq!(error.class, ErrorClass::Settings, "{error}");
            assert!(error.message.contains(what) && error.message.contains(&format!("through the proxy {scheme}://127.0.0.1")), "{error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_gets_its_password_and_nobody_sees_it() {
    let (at, pem) = tls("bmc.test");
    let proxy = Proxy::start([("bmc.test".to_owned(), at)].into(), true);
    let with = |scheme: &str, password: Option<&str>| {
        let credentials = password.map(|p| (USER.to_owned(), Secret::new(p)));
        Some(ProxyOption { url: proxy.url(scheme), credentials })
    };
    for scheme in ["http", "socks5h"] {
        assert_eq!(ask("https://bmc.test/", with(scheme, Some(PASSWORD)), Some(&pem)).await, Ok(200), "{scheme}");
        for password in [None, Some("canary-that-is-wrong")] {
            let before = proxy.log().len();
            let error = ask("https://bmc.test/", with(scheme, password), Some(&pem)).await.unwrap_err();
            assert_eq!(error.class, ErrorClass::Credentials, "{scheme} {password:?}: {error}");
            assert!(error.hint.as_ref().unwrap().contains("of the proxy") && !format!("{error:?}").contains("canary"), "{error:?}");
            assert_eq!(proxy.log().len(), before + 1, "tried once: {:?}", proxy.log());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn this_machine_is_never_reached_through_a_proxy_and_a_dead_proxy_is_said() {
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = Proxy::start(BTreeMap::new(), false);
    let through = || Some(ProxyOption { url: format!("http://{dead}"), credentials: None });
    // What is asked there is a path, not a whole URL as of a proxy; this server has nothing to answer.
    assert!(ask(&format!("http://127.0.0.1:{}/", server.at.port()), through(), None).await.is_err());
    assert_eq!(server.log(), ["GET / HTTP/1.1"; 2]);
    let error = ask("http://10.99.0.1/", through(), None).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Transient);
    assert!(error.message.contains(&format!("connection refused (through the proxy http://{dead}/)")), "{error}");
    let error = ask("http://10.99.0.1/", Some(ProxyOption { url: "ftp://proxy".into(), credentials: None }), None).await.unwrap_err();
    assert!(error.message.contains("none of http, https, socks5 and socks5h"), "{error}");
}

/// The whole program: MAAS through an HTTP proxy with a password, BMCs through a SOCKS proxy, no other way to either.
#[test]
fn drydock_reaches_a_site_through_proxies() {
    let folder = Folder::hello();
    let site = support::design(folder.path(), &["design"]).site;
    let machines = site.nodes.keys().map(|n| (n.clone(), InitialState::Deployed)).collect();
    let world = generate(&site, &SimOptions { machines, images_present: true, ..SimOptions::default() });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let running = runtime.block_on(Server::start(world)).unwrap();
    let port = |url: &str| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), Url::parse(url).unwrap().port().unwrap());
    let maas = Proxy::start([("maas.test".to_owned(), port(&running.maas_url))].into(), true);
    let bmcs = Proxy::start(running.bmc_urls_by_address.iter().map(|(a, url)| (a.clone(), port(url))).collect(), false);
    folder.write("key", running.maas_api_key.expose());
    let settings = |password: &str| {
        format!(
            "design: [design]\ndrivers:\n  maas: {{url: 'http://maas.test/MAAS', allow_plain_http: true, api_key: {{file: key}}, proxy: {{url: '{}', username: {USER}, password: {{env: {password}}}}}}}\n  redfish: {{url: 'http://{{address}}', allow_plain_http: true, proxy: {{url: '{}'}}}}\nverify: {{services: [{{name: page, url: 'http://maas.test/MAAS/api/2.0/version/', proxy: {{url: '{}', username: {USER}, password: {{env: {password}}}}}}}]}}\n",
            maas.url("http"),
            bmcs.url("socks5"),
            maas.url("http"),
        )
    };
    let run = |arguments: &[&str]| {
        let mut command = folder.command(arguments);
        // Proxies of the environment are not used, whatever they say.
        command.envs([("HTTP_PROXY", "http://127.0.0.1:1"), ("http_proxy", "http://127.0.0.1:1"), ("ALL_PROXY", "socks5://127.0.0.1:1")]);
        command.envs([("RIGHT", PASSWORD), ("WRONG", "canary-that-is-wrong")]);
        crate::cli_support::end(&mut command)
    };
    folder.write("drydock.yaml", &settings("RIGHT"));
    let verified = run(&["verify", "site", "-v"]).expect(0).reads(&[
        "ok maas version 3.7.3",
        "ok redfish 3 of 3 BMCs answer",
        "ok service.page answers 200",
    ]);
    assert!(!format!("{}{}", verified.stdout, verified.stderr).contains("canary"));
    assert!(maas.log().iter().all(|l| l.contains(" http://maas.test/MAAS/")) && maas.log().len() > 10, "{:#?}", maas.log());
    let mut asked = bmcs.log();
    asked.sort();
    asked.dedup();
    assert_eq!(asked, ["SOCKS5 10.10.0.21", "SOCKS5 10.10.0.31", "SOCKS5 10.10.0.32"]);

    folder.write("drydock.yaml", &settings("WRONG"));
    let refused = run(&["verify", "site"]).expect(4).reads(&["failed maas", "check its `username` and `password`"]);
    assert!(!format!("{}{}", refused.stdout, refused.stderr).contains("canary"));
    // A password where everybody reads it is refused.
    folder.write("drydock.yaml", "drivers: {maas: {proxy: {url: 'http://ops:canary@proxy:3128'}}, libvirt: {jump: '-oProxyCommand=x'}}\n");
    let wrong = run(&["plan"])
        .expect(1)
        .says(&["`drivers.maas.proxy.url` has credentials in it", "`drivers.libvirt.jump` is no host to jump through"]);
    assert!(!wrong.stderr.contains("canary"));
    runtime.block_on(running.shutdown()).unwrap();
}
