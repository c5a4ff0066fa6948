//! Parts of a design that are elsewhere: servers, Deckhand, and what happens without leave to ask them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

/// A loopback server that answers everything with one text, and remembers what it was asked.
struct Server {
    url: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(status: &'static str, body: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&heads);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut head = String::new();
                while reader.read_line(&mut head).is_ok_and(|n| n > 2) {}
                seen.lock().unwrap().push(head.to_lowercase());
                let _ = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
                let _ = stream.flush();
                let _ = stream.shutdown(std::net::Shutdown::Write);
                let _ = stream.read(&mut [0; 64]);
            }
        });
        Self { url, heads }
    }

    fn asked(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

fn example() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/hello-site/design");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| format!("---\n{}", std::fs::read_to_string(file).unwrap().trim_start_matches("---\n"))).collect()
}

fn run(settings: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("drydock.yaml"), settings).unwrap();
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_drydock"))
        .arg("-C")
        .arg(dir.path())
        .args(arguments)
        .env("DESIGN_TOKEN", "canary-token")
        .output()
        .unwrap();
    (status.code(), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
}

#[test]
fn a_file_of_a_server_is_fetched_only_with_leave() {
    let server = Server::start("200 OK", example());
    let settings = format!("design: [{{url: '{}/site.yaml', token: {{env: DESIGN_TOKEN}}}}]\n", server.url);
    let (code, text) = run(&settings, &["validate"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("/site.yaml is part of the design") && text.contains("allow it with `--fetch`"), "{text}");
    assert!(server.asked().is_empty(), "nothing was asked");

    let (code, text) = run(&settings, &["validate", "--fetch"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("site hello-site: 3 nodes"), "{text}");
    let asked = server.asked();
    assert_eq!(asked.len(), 1);
    assert!(asked[0].starts_with("get /site.yaml ") && asked[0].contains("authorization: bearer canary-token"), "{asked:?}");

    // Positions name the URL.
    let (code, text) = run(&settings, &["explain", "--fetch", "node.compute01/oob/account"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains(&format!("{}/site.yaml:", server.url)), "{text}");
}

#[test]
fn deckhand_is_asked_for_a_rendered_revision_with_its_secrets() {
    let server = Server::start("200 OK", example());
    let settings = format!("design: [{{deckhand: {{url: '{}/api/v1.0', revision: 7, token: {{env: DESIGN_TOKEN}}}}}}]\n", server.url);
    let (code, text) = run(&settings, &["validate", "--fetch"]);
    assert_eq!(code, Some(0), "{text}");
    let asked = server.asked();
    assert!(asked[0].starts_with("get /api/v1.0/revisions/7/rendered-documents?cleartext-secrets=true "), "{asked:?}");
    assert!(asked[0].contains("x-auth-token: canary-token") && !asked[0].contains("authorization:"), "{asked:?}");
}

#[test]
fn who_is_refused_is_told_about_tokens() {
    let server = Server::start("401 Unauthorized", String::new());
    let of = |entry: String| run(&format!("design: [{entry}]\n"), &["validate", "--fetch"]);
    let token = "token: {env: DESIGN_TOKEN}";
    for (entry, remedy) in [
        (format!("'{}/site.yaml'", server.url), "the server asks for a token: `design: [{url: …, token: {env: NAME}}]`"),
        (format!("{{url: '{}/site.yaml', {token}}}", server.url), "`token` of this design was not accepted: check what it refers to"),
        (
            format!("'deckhand+{}/api/v1.0/revisions/7/rendered-documents'", server.url),
            "Deckhand asks for a Keystone token: `design: [{deckhand: {url: …, revision: …, token: {env: NAME}}}]`",
        ),
        (format!("{{deckhand: {{url: '{}/api/v1.0', revision: 7, {token}}}}}", server.url), "it is a Keystone token that expires"),
    ] {
        let (code, text) = of(entry);
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains("401") && text.contains(remedy) && !text.contains("user name") && !text.contains("canary"), "{text}");
    }
    assert_eq!(server.asked().len(), 4);
}

#[test]
fn an_answer_that_is_none_says_so_without_the_token() {
    let server = Server::start("403 Forbidden", "token canary-token has no role here".to_owned());
    let settings = format!("design: [{{url: '{}/site.yaml', token: {{env: DESIGN_TOKEN}}}}]\n", server.url);
    let (code, text) = run(&settings, &["validate", "--fetch"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("403") && text.contains("the design"), "{text}");
    assert!(!text.contains("canary-token"), "{text}");

    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let (code, text) = run(&format!("design: ['http://{address}/site.yaml']\n"), &["validate", "--fetch"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains(&address.to_string()), "{text}");
}

fn git(folder: &Path, arguments: &[&str]) {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(["-c", "user.name=t", "-c", "user.email=t@example.net", "-c", "commit.gpgsign=false"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The state, and what is cloned beside it, is a relative path for whoever sets none.
#[test]
fn a_repository_of_a_site_definition_is_cloned_only_with_leave() {
    let dir = tempfile::tempdir().unwrap();
    let (library, tree) = (dir.path().join("library"), dir.path().join("tree"));
    std::fs::create_dir_all(library.join("global")).unwrap();
    std::fs::write(library.join("global/site.yaml"), example()).unwrap();
    git(&library, &["init", "-q"]);
    git(&library, &["add", "-A"]);
    git(&library, &["commit", "-q", "-m", "x"]);
    git(&library, &["tag", "v1"]);
    std::fs::write(library.join("global/site.yaml"), "broken: [").unwrap();
    std::fs::create_dir_all(tree.join("site/lab")).unwrap();
    std::fs::create_dir_all(tree.join("type/small")).unwrap();
    let definition = format!(
        "schema: pegleg/SiteDefinition/v1\nmetadata: {{name: lab}}\ndata:\n  site_type: small\n  repositories:\n    global: {{url: 'file://{}', revision: v1}}\n",
        library.display()
    );
    std::fs::write(tree.join("site/lab/site-definition.yaml"), definition).unwrap();
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_drydock"))
            .current_dir(dir.path())
            .args(["-C", "tree", "--site", "lab"])
            .args(arguments)
            .output()
            .unwrap();
        (output.status.code(), format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
    };
    let (code, text) = run(&["validate"]);
    assert!(code == Some(1) && text.contains("allow fetching with `--fetch`"), "{text}");
    assert!(!tree.join(".drydock").exists());
    for _ in 0..2 {
        let (code, text) = run(&["validate", "--fetch"]);
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains("3 nodes"), "{text}");
    }
    let clones: Vec<_> = std::fs::read_dir(tree.join(".drydock/lab/repositories")).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(clones.len(), 1, "{clones:?}");
    let (_, text) = run(&["explain", "--fetch", "node.compute01/oob/account"]);
    assert!(text.contains("global@v1/global/site.yaml:"), "{text}");
}
