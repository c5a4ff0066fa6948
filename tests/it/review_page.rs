//! The page of a plan in a real browser: it loads without an error, filters, and no request leaves it.

use std::path::Path;
use std::process::{Command, Stdio};

use super::cli_support::Folder;

/// The browser, if there is one; where CI runs there must be.
fn browser() -> Option<&'static str> {
    let found = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|name| {
        Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    });
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "no browser: install Debian's chromium");
        eprintln!("skipped: no browser; install Debian's chromium");
    }
    found
}

/// What a browser made of a page.
struct Visit {
    /// The document after its scripts have run.
    document: String,
    /// Lines of its console.
    console: Vec<String>,
    /// URLs that the page itself asked for.
    asked: Vec<String>,
}

fn visit(browser: &str, folder: &Path, page: &str) -> Visit {
    let log = folder.join("network.json");
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync", "--disable-component-update"])
        .args([
            "--disable-background-networking",
            "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
            "--enable-logging=stderr",
            "--v=0",
        ])
        .arg(format!("--user-data-dir={}", folder.join("browser").display()))
        .arg(format!("--log-net-log={}", log.display()))
        .args(["--virtual-time-budget=10000", "--dump-dom", &format!("file://{}/{page}", folder.display())])
        .output()
        .expect("the browser runs");
    let messages = String::from_utf8_lossy(&output.stderr);
    let text = std::fs::read_to_string(&log).unwrap_or_default();
    // A request of a page has an initiator; those of the browser itself have none.
    let asked = text
        .split("\"initiator\":\"")
        .skip(1)
        .filter(|rest| !rest.starts_with("not an origin"))
        .map(|rest| rest.split("\"url\":\"").nth(1).and_then(|url| url.split('"').next()).unwrap_or("?").to_owned());
    Visit {
        document: String::from_utf8_lossy(&output.stdout).into_owned(),
        console: messages.lines().filter(|l| l.contains("CONSOLE")).map(str::to_owned).collect(),
        asked: asked.filter(|url| !url.starts_with("file:") && !url.starts_with("data:")).collect(),
    }
}

/// Values of `data-rack` of the rows of changes.
fn racks(document: &str) -> Vec<&str> {
    document
        .split("class=\"change\"")
        .skip(1)
        .map(|rest| rest.split("data-rack=\"").nth(1).and_then(|r| r.split('"').next()).unwrap_or("?"))
        .collect()
}

fn site() -> Folder {
    let site = Folder::hello();
    // Two racks, so that a filter has something to leave out.
    let nodes = site.read("design/nodes.yaml").replacen("      role: control", "      role: control\n    rack: rack2", 1);
    assert!(nodes.contains("rack2"));
    site.write("design/nodes.yaml", &nodes);
    let racks = site.read("design/racks.yaml");
    site.write("design/rack2.yaml", &racks.replace("name: rack1", "name: rack2").replace("rack1-sw", "rack2-sw"));
    site.run(&["plan", "--out", "plan.json", "-q"]).expect(0);
    site.run(&["show", "plan.json", "--format", "html", "-o", "page.html"]).expect(0);
    site
}

#[test]
fn a_page_loads_filters_and_asks_for_nothing() {
    let Some(browser) = browser() else { return };
    let site = site();
    let all = visit(browser, site.path(), "page.html");
    assert!(all.document.contains("data-ready=\"yes\""), "{:?}", all.console);
    assert_eq!(all.console, [""; 0]);
    assert_eq!(all.asked, [""; 0]);
    let planned = site.run(&["show", "plan.json", "--query", "*", "--format", "name"]).expect(0).stdout.lines().count();
    assert_eq!(racks(&all.document).len(), planned);
    assert!(all.document.contains("4 of 4 lanes"), "a lane for each node and the site");

    let one = visit(browser, site.path(), "page.html#query=rack%3Drack2");
    let expected = site.run(&["show", "plan.json", "--query", "rack=rack2", "--format", "name"]).expect(0).stdout;
    assert!(expected.lines().count() > 2, "{expected}");
    assert_eq!(racks(&one.document), vec!["rack2"; expected.lines().count()]);
    assert!(expected.lines().all(|resource| one.document.contains(&format!("data-resource=\"{resource}\""))), "{expected}");
    assert!(one.document.contains("1 of 4 lanes"));
    let none = visit(browser, site.path(), "page.html#query=effect%3E%3Dreboot");
    assert_eq!(racks(&none.document).len(), 0);
    let wrong = visit(browser, site.path(), "page.html#query=tag%3Dx");
    assert!(wrong.document.contains("is not a key; expected node="), "a wrong query is said to be");
}

/// The page as it is after a person has done what the script does.
fn driven(browser: &str, site: &Folder, hash: &str, script: &str) -> Visit {
    let page = site.read("page.html");
    let policy = page.find("<meta http-equiv=\"Content-Security-Policy\"").expect("a policy");
    let end = page[policy..].find('>').expect("its end") + policy + 1;
    let page = format!("{}{}", &page[..policy], &page[end..]).replace("</body>", &format!("<script>{script}</script></body>"));
    site.write("driven.html", &page);
    visit(browser, site.path(), &format!("driven.html{hash}"))
}

#[test]
fn like_changes_of_many_nodes_stand_in_one_row() {
    let Some(browser) = browser() else { return };
    let site = site();
    let planned = site.run(&["show", "plan.json", "--query", "*", "--format", "name"]).expect(0).stdout;
    let rows = |visit: &Visit, class: &str| visit.document.matches(&format!("class=\"{class}\"")).count();
    let each = visit(browser, site.path(), "page.html");
    assert_eq!((rows(&each, "change group"), rows(&each, "change")), (0, planned.lines().count()), "three nodes are shown one by one");
    let grouped = visit(browser, site.path(), "page.html#group=1");
    let groups = rows(&grouped, "change group");
    assert!(groups >= 2, "compute01 and compute02 are alike");
    assert!(grouped.document.contains("data-nodes=\"compute[01-02]"), "and are named");
    // Whoever opens every group, and asks for each of its nodes, finds every change again.
    let open = "for (const row of document.querySelectorAll('.group > .row > button')) row.click();\
                for (const each of document.querySelectorAll('.each')) each.click();";
    let opened = driven(browser, &site, "#group=1", open);
    assert_eq!(opened.console, [""; 0]);
    assert_eq!(rows(&opened, "change group"), groups);
    for resource in planned.lines() {
        assert_eq!(opened.document.matches(&format!("data-resource=\"{resource}\"")).count(), 1, "{resource}");
    }
    assert!(opened.document.contains("differs from node to node"), "addresses are not those of the first node");
    // A filter holds for groups, too; a rack that the plan has not selects nothing.
    let one = visit(browser, site.path(), "page.html#group=1&rack=rack2");
    assert_eq!(racks(&one.document).iter().filter(|rack| **rack != "rack2").count(), 0);
    let unknown = visit(browser, site.path(), "page.html#rack=rack7");
    assert_eq!(rows(&unknown, "change"), 0);
    assert!(unknown.document.contains("0 of "), "and says so");
}

#[test]
fn text_of_a_design_does_nothing_in_a_browser() {
    let Some(browser) = browser() else { return };
    let site = site();
    // Nobody listens there, so a request ends at once; the browser's own log tells whether there was one.
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let page = site.read("page.html");
    // As if a way into the page had been found after all: its policy stops what gets in. Without the policy the browser asks, so this can fail.
    let evil = format!(
        "<img src=\"http://127.0.0.1:{port}/x\" onerror=\"document.body.dataset.owned=1\"><script>document.body.dataset.owned=1</script></body>"
    );
    let hurt = page.replace("</body>", &evil);
    site.write("hurt.html", &hurt);
    let visited = visit(browser, site.path(), "hurt.html");
    assert!(visited.document.contains("data-ready=\"yes\"") && !visited.document.contains("data-owned"), "{:?}", visited.console);
    assert_eq!(visited.asked, [""; 0]);
    let policy = hurt.find("<meta http-equiv=\"Content-Security-Policy\"").expect("a policy");
    let end = hurt[policy..].find('>').expect("its end") + policy + 1;
    site.write("bare.html", &format!("{}{}", &hurt[..policy], &hurt[end..]));
    let bare = visit(browser, site.path(), "bare.html");
    assert!(bare.document.contains("data-owned"), "the test would see it");
    assert!(bare.asked.iter().any(|url| url.contains(&port.to_string())), "the test would see requests: {:?}", bare.asked);
}

#[test]
fn a_run_has_a_page() {
    let Some(browser) = browser() else { return };
    let site = site();
    site.run(&["apply", "plan.json", "-q"]).expect(0);
    site.run(&["runs", "show", "--format", "html", "-o", "run.html"]).expect(0);
    let visited = visit(browser, site.path(), "run.html");
    assert!(visited.document.contains("data-ready=\"yes\""), "{:?}", visited.console);
    assert!(visited.document.contains("What happened") && visited.document.contains("<dd>success</dd>"));
    assert_eq!(visited.console, [""; 0]);
}
