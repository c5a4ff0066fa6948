//! The world on disk: a snapshot, a log of what changed since, and the request log.
//!
//! `world.json` is a whole [`World`] with a generation; `world.<generation>.log` has one line per request with the objects it changed. Reading
//! takes the snapshot and applies the lines; a torn last line is a request whose answer was never sent. When the log has outgrown the snapshot a
//! new snapshot is written (temporary file, then rename) with the next generation.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::db::{Fabric, MaasSite, Node, Vlan};
use super::error::SimError;
use super::world::{Machine, Meta, WORLD_FORMAT, World};

/// One line of the log: `None` in a map means that the object is gone.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Change<'a> {
    /// Counters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) meta: Option<std::borrow::Cow<'a, Meta>>,
    /// Site database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) site: Option<std::borrow::Cow<'a, MaasSite>>,
    /// Fabrics that are new (where the whole site database is not written).
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) fabrics: Vec<std::borrow::Cow<'a, Fabric>>,
    /// Their VLANs.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) vlans: Vec<std::borrow::Cow<'a, Vlan>>,
    /// Machines.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub(crate) machines: BTreeMap<String, Option<std::borrow::Cow<'a, Machine>>>,
    /// MAAS' machines.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub(crate) nodes: BTreeMap<String, Option<std::borrow::Cow<'a, Node>>>,
}

/// One mutating request and its answer, or (server `world`, status 0) something that time brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// Number, counted from 1 over the life of the world.
    pub seq: u64,
    /// `maas`, `bmc:<node>`, or `world`.
    pub server: String,
    /// Method.
    pub method: String,
    /// Path without query.
    pub path: String,
    /// The `op` of a MAAS request, the reset type of a BMC's.
    pub op: Option<String>,
    /// Names of the form's fields, in order of name. Their values may be secret, and are not kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
    /// Status of the answer.
    pub status: u16,
    /// What it did: `power_on compute01`, `deploy compute01`, `create fabric dc1`.
    pub effects: Vec<String>,
}

/// Bytes at the end of the request log that are looked at when it is opened.
const TAIL: u64 = 4 << 20;

#[derive(Serialize)]
struct SnapshotRef<'a> {
    generation: u64,
    world: &'a World,
}

#[derive(Deserialize)]
struct Snapshot {
    generation: u64,
    world: World,
}

/// The files of a world, open.
#[derive(Debug)]
pub(crate) struct Store {
    dir: PathBuf,
    generation: u64,
    log: File,
    log_bytes: u64,
    snapshot_bytes: u64,
    requests: File,
    _lock: Option<File>,
}

fn file_error(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> SimError {
    let path = path.to_owned();
    move |source| SimError::File { action, path, source }
}

/// Reads the world in a folder, if there is one.
///
/// # Errors
/// When a file cannot be read or is not a world.
pub(crate) fn read(dir: &Path) -> Result<Option<World>, SimError> {
    let path = dir.join("world.json");
    let text = match fs::read(&path) {
        Ok(t) => t,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(SimError::File { action: "read", path, source }),
    };
    let damaged = |reason: String| SimError::Damaged { path: path.clone(), reason };
    let snapshot: Snapshot = serde_json::from_slice(&text).map_err(|e| damaged(e.to_string()))?;
    let mut world = snapshot.world;
    if world.format != WORLD_FORMAT {
        return Err(damaged(format!("it has format {}, this drydock knows {WORLD_FORMAT}", world.format)));
    }
    let log = dir.join(format!("world.{}.log", snapshot.generation));
    if let Ok(file) = File::open(&log) {
        let mut lines = BufReader::new(file).split(b'\n').peekable();
        while let Some(line) = lines.next() {
            let line = line.map_err(file_error("read", &log))?;
            if line.is_empty() {
                continue;
            }
            match serde_json::from_slice::<Change<'_>>(&line) {
                Ok(change) => apply(&mut world, change),
                Err(_) if lines.peek().is_none() => break,
                Err(e) => return Err(SimError::Damaged { path: log, reason: e.to_string() }),
            }
        }
    }
    Ok(Some(world))
}

fn apply(world: &mut World, change: Change<'_>) {
    if let Some(m) = change.meta {
        world.meta = m.into_owned();
    }
    if let Some(s) = change.site {
        world.site = s.into_owned();
    }
    world.site.fabrics.extend(change.fabrics.into_iter().map(|f| (f.id, f.into_owned())));
    world.site.vlans.extend(change.vlans.into_iter().map(|v| (v.id, v.into_owned())));
    for (name, machine) in change.machines {
        match machine {
            Some(m) => world.machines.insert(name, m.into_owned()),
            None => world.machines.remove(&name),
        };
    }
    for (id, node) in change.nodes {
        match node {
            Some(n) => world.nodes.insert(id, n.into_owned()),
            None => world.nodes.remove(&id),
        };
    }
}

/// The requests in a folder's log, oldest first.
///
/// # Errors
/// When the file cannot be read.
pub fn read_requests(dir: &Path) -> Result<Vec<RequestRecord>, SimError> {
    let path = dir.join("requests.jsonl");
    let text = match fs::read_to_string(&path) {
        Ok(t) => t,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(SimError::File { action: "read", path, source }),
    };
    Ok(text.lines().filter_map(|l| serde_json::from_str(l).ok()).collect())
}

impl Store {
    /// Opens the files of a world and writes a first snapshot of it. `lock` is held as long as the store lives.
    ///
    /// # Errors
    /// When the folder or a file cannot be written.
    pub(crate) fn create(dir: &Path, world: &World, lock: Option<File>) -> Result<Self, SimError> {
        fs::create_dir_all(dir).map_err(file_error("create", dir))?;
        let generation = last_generation(dir);
        let log = open_log(dir, generation + 1)?;
        let requests = open_requests(dir, world.meta.requests)?;
        let mut store = Self { dir: dir.to_owned(), generation, log, log_bytes: 0, snapshot_bytes: 0, requests, _lock: lock };
        store.snapshot(world)?;
        Ok(store)
    }

    /// Makes a change durable (against the end of the process).
    pub(crate) fn append(&mut self, change: &Change<'_>) -> Result<(), SimError> {
        let path = || self.dir.join("world.log");
        let mut line = serde_json::to_vec(change).map_err(|e| SimError::Damaged { path: path(), reason: e.to_string() })?;
        line.push(b'\n');
        self.log.write_all(&line).map_err(file_error("write", &path()))?;
        self.log_bytes += line.len() as u64;
        Ok(())
    }

    /// Whether the log has outgrown the snapshot.
    pub(crate) fn wants_snapshot(&self) -> bool {
        self.log_bytes > (4 * self.snapshot_bytes).max(4 << 20)
    }

    /// Writes the whole world.
    pub(crate) fn snapshot(&mut self, world: &World) -> Result<(), SimError> {
        let generation = self.generation + 1;
        let path = self.dir.join("world.json");
        let temporary = self.dir.join("world.json.tmp");
        let text = serde_json::to_vec(&SnapshotRef { generation, world })
            .map_err(|e| SimError::Damaged { path: path.clone(), reason: e.to_string() })?;
        let log = open_log(&self.dir, generation)?;
        fs::write(&temporary, &text).map_err(file_error("write", &temporary))?;
        fs::rename(&temporary, &path).map_err(file_error("write", &path))?;
        let _ = fs::remove_file(self.dir.join(format!("world.{}.log", self.generation)));
        self.generation = generation;
        self.log = log;
        self.log_bytes = 0;
        self.snapshot_bytes = text.len() as u64;
        Ok(())
    }

    /// Appends to the request log.
    pub(crate) fn record(&mut self, record: &RequestRecord) -> Result<(), SimError> {
        let path = || self.dir.join("requests.jsonl");
        let mut line = serde_json::to_vec(record).map_err(|e| SimError::Damaged { path: path(), reason: e.to_string() })?;
        line.push(b'\n');
        self.requests.write_all(&line).map_err(file_error("write", &path()))
    }
}

/// Opens the request log behind the last request that the world remembers: a process that died between the two files has written a record,
/// or a part of one, whose effect does not exist.
fn open_requests(dir: &Path, last: u64) -> Result<File, SimError> {
    let path = dir.join("requests.jsonl");
    let mut file = OpenOptions::new().create(true).read(true).append(true).open(&path).map_err(file_error("open", &path))?;
    let length = file.metadata().map_err(file_error("read", &path))?.len();
    // What was not remembered is a few records at most, a fraction of a second's where durability is lazy.
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL))).map_err(file_error("read", &path))?;
    file.read_to_end(&mut tail).map_err(file_error("read", &path))?;
    let remembered =
        |line: &[u8]| serde_json::from_slice::<RequestRecord>(line).is_ok_and(|record| line.ends_with(b"\n") && record.seq <= last);
    let lost: usize = tail.split_inclusive(|b| *b == b'\n').rev().take_while(|line| !remembered(line)).map(<[u8]>::len).sum();
    if lost > 0 {
        file.set_len(length - lost as u64).map_err(file_error("write", &path))?;
    }
    Ok(file)
}

fn open_log(dir: &Path, generation: u64) -> Result<File, SimError> {
    let path = dir.join(format!("world.{generation}.log"));
    File::create(&path).map_err(file_error("create", &path))
}

/// The generation of the snapshot in a folder; 0 if there is none.
fn last_generation(dir: &Path) -> u64 {
    #[derive(Deserialize)]
    struct Head {
        generation: u64,
    }
    fs::read(dir.join("world.json")).ok().and_then(|t| serde_json::from_slice::<Head>(&t).ok()).map_or(0, |h| h.generation)
}
