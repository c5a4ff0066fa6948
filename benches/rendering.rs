//! What rendering costs: CPU seconds of reading YAML and of rendering, and peak memory, for the public sites (if `../shared` is there) and for generated trees.
//!
//! ```console
//! cargo bench --bench rendering
//! ```
//!
//! CPU time is the process's own (`/proc/self/schedstat` of its only thread), so a busy machine changes little. Peak memory only grows within one run.

#![allow(clippy::print_stdout)]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use drydock::diag::Severity;
use drydock::document::render;
use drydock::yaml::{SourceMap, parse};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn cpu_seconds() -> f64 {
    let text = fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}

fn peak_mib() -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|l| l.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn measure(name: &str, files: Vec<(String, String)>) {
    let bytes: usize = files.iter().map(|(_, text)| text.len()).sum();
    let t0 = cpu_seconds();
    let mut map = SourceMap::default();
    let mut documents = Vec::new();
    for (path, text) in files {
        let id = map.add(path, text);
        documents.extend(parse(&map, id).documents);
    }
    let written = documents.len();
    let t1 = cpu_seconds();
    let rendered = render(&map, documents);
    let t2 = cpu_seconds();
    let errors = rendered.diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
    println!(
        "{name:<14} {written:>6} documents {:>6} KiB  parse {:>6.3}  render {:>6.3}  = {:>6.3} CPU-s  {:>4} MiB  {} rendered, {errors} errors",
        bytes / 1024,
        t1 - t0,
        t2 - t1,
        t2 - t0,
        peak_mib(),
        rendered.documents.len(),
    );
}

fn collect(folder: &Path, files: &mut Vec<(String, String)>) {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|e| e == "yaml") {
            files.push((path.display().to_string(), fs::read_to_string(&path).expect("readable")));
        }
    }
}

/// A policy, one profile that all nodes inherit from, addresses that all take, a passphrase for each ten.
fn generated(count: usize) -> String {
    let mut out = String::from(
        "schema: deckhand/LayeringPolicy/v1\nmetadata: {schema: metadata/Control/v1, name: policy}\ndata: {layerOrder: [global, type, site]}\n",
    );
    out.push_str(
        "---\nschema: drydock/BaremetalNode/v1\nmetadata:\n  schema: metadata/Document/v1\n  name: base\n  labels: {base: node}\n  \
         layeringDefinition: {layer: global, abstract: true}\ndata:\n  host_profile: compute\n  metadata: {rack: rack01, tags: [compute], owner_data: {}}\n  \
         platform: {image: jammy, kernel: ga-22.04, kernel_params: {quiet: true, console: 'ttyS0,115200'}}\n  oob: {account: root, credential: PASSWORD}\n",
    );
    out.push_str(
        "---\nschema: pegleg/CommonAddresses/v1\nmetadata:\n  schema: metadata/Document/v1\n  name: addresses\n  layeringDefinition: {layer: site}\n\
         data:\n  dns: {cluster_domain: cluster.local, servers: [10.0.0.1, 10.0.0.2]}\n  node:\n",
    );
    for n in 0..count {
        let _ = writeln!(
            out,
            "    n{n:05}: {{oob: 10.{}.{}.{}, mgmt: 10.{}.{}.{}}}",
            n >> 16,
            (n >> 8) & 255,
            n & 255,
            64 + (n >> 16),
            (n >> 8) & 255,
            n & 255
        );
    }
    for n in 0..count {
        if n % 10 == 0 {
            let _ = write!(
                out,
                "---\nschema: deckhand/Passphrase/v1\nmetadata:\n  schema: metadata/Document/v1\n  name: pass{}\n  layeringDefinition: {{layer: site}}\n  \
                 storagePolicy: cleartext\ndata: password{n}\n",
                n / 10
            );
        }
        let _ = write!(
            out,
            "---\nschema: drydock/BaremetalNode/v1\nmetadata:\n  schema: metadata/Document/v1\n  name: n{n:05}\n  layeringDefinition:\n    layer: site\n    \
             parentSelector: {{base: node}}\n    actions: [{{method: merge, path: .}}]\n  substitutions:\n  - src: {{schema: pegleg/CommonAddresses/v1, name: addresses, \
             path: .node.n{n:05}.mgmt}}\n    dest: {{path: '.addressing[0].address'}}\n  - src: {{schema: pegleg/CommonAddresses/v1, name: addresses, path: \
             .node.n{n:05}.oob}}\n    dest: {{path: '.addressing[1].address'}}\n  - src: {{schema: deckhand/Passphrase/v1, name: pass{}, path: .}}\n    dest: \
             {{path: .oob.credential, pattern: PASS.*}}\ndata:\n  addressing: [{{network: mgmt}}, {{network: oob}}]\n  metadata: {{rack: rack{:02}}}\n",
            n / 10,
            n / 40
        );
    }
    out
}

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = std::env::var_os("DRYDOCK_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from);
    let tree = shared.join("reference/sites/treasuremap-v1.9");
    for (site, of_type) in [("airsloop", "sloop"), ("seaworthy", "foundry")].into_iter().filter(|_| tree.is_dir()) {
        let mut files = Vec::new();
        for folder in ["global".to_owned(), format!("type/{of_type}"), format!("site/{site}")] {
            collect(&tree.join(folder), &mut files);
        }
        measure(site, files);
    }
    for count in [100, 1_000, 3_000, 10_000] {
        measure(&format!("{count} nodes"), vec![("site.yaml".to_owned(), generated(count))]);
    }
}
