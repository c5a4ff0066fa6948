//! A site folder of its own for each test, and the program run in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// The line of settings for a state in a file.
pub(crate) const FILE_LINE: &str = "state: .drydock/state.db";

/// The line of settings for a state in a new database.
pub(crate) fn database_line() -> String {
    format!("state: {}", super::postgres_server::Server::shared().expect("PostgreSQL").url())
}

/// The line of settings that says where the state of a test is: in a file; with `DRYDOCK_TEST_STATE=postgres` in a new database. Tests that look into the
/// file itself fail then.
pub(crate) fn state_line() -> String {
    match std::env::var("DRYDOCK_TEST_STATE").as_deref() {
        Err(_) | Ok("" | "file") => FILE_LINE.to_owned(),
        Ok("postgres") => database_line(),
        Ok(other) => panic!("DRYDOCK_TEST_STATE={other}: write `file` or `postgres`"),
    }
}

/// A plan as JSON with everything in its place: attributes in their changes, and actions as objects.
pub(crate) fn unfolded(text: &str) -> Value {
    let mut plan: Value = serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"));
    let place = |value: &Value| usize::try_from(value.as_u64().expect("a place")).expect("a place");
    let attributes = plan["attributes"].take();
    let unfold = |change: &mut Value| {
        for attribute in change["attributes"].as_array_mut().expect("attributes") {
            *attribute = attributes[place(attribute)].clone();
        }
    };
    plan["changes"].as_array_mut().expect("changes").iter_mut().for_each(unfold);
    plan["held_back"].as_array_mut().expect("held back").iter_mut().map(|held| &mut held["change"]).for_each(unfold);
    let (templates, rows) = (plan["templates"].take(), plan["actions"].take());
    let action = |row: &Value| {
        let mut action = templates[place(&row[0])].clone();
        for (key, at) in [("id", 1), ("resource", 2), ("node", 3)] {
            action[key] = row[at].clone();
        }
        action["after"] = row[4].as_array().expect("places").iter().map(|before| rows[place(before)][1].clone()).collect();
        action
    };
    plan["actions"] = rows.as_array().expect("actions").iter().map(action).collect();
    plan
}

/// A copy of a site folder that is removed at the end.
pub(crate) struct Folder {
    folder: tempfile::TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Folder {
    /// Without any file.
    pub(crate) fn empty() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// A copy of `examples/hello-site`.
    pub(crate) fn hello() -> Self {
        let folder = Self::empty();
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/hello-site"), folder.path());
        folder.edit("drydock.yaml", FILE_LINE, &state_line());
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(&path, text).expect("written");
        path
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// Replaces a text that must be there in a file.
    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "{name} has no {from:?}");
        self.write(name, &text.replace(from, to));
    }

    /// The program with these arguments, in this folder, without a terminal.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drydock"));
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        for name in ["NO_COLOR", "CLICOLOR_FORCE", "CLICOLOR", "MAAS_API_KEY"] {
            command.env_remove(name);
        }
        command
    }

    /// Runs it. Every plan file that it writes is held against the published schema.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        let ended = end(&mut self.command(arguments));
        if arguments.first() == Some(&"plan")
            && matches!(ended.code, 0 | 2)
            && let Some(at) = arguments.iter().position(|a| ["--out", "-o"].contains(a))
            && let Some(text) = arguments.get(at + 1).and_then(|file| fs::read_to_string(self.path().join(file)).ok())
        {
            assert_eq!(super::plan_file::problems(&text), Vec::<String>::new(), "{arguments:?}");
        }
        ended
    }
}

pub(crate) fn end(command: &mut Command) -> Ended {
    let output = command.output().expect("drydock runs");
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

impl Ended {
    /// Checks the exit code, with everything that was printed in the message.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }

    /// Checks that stderr has these texts.
    #[track_caller]
    pub(crate) fn says(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.stderr.contains(text), "no {text:?} in stderr:\n{}", self.stderr);
        }
        self
    }

    /// Checks that stdout has these texts, wherever its lines break.
    #[track_caller]
    pub(crate) fn reads(self, texts: &[&str]) -> Self {
        let flat = self.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        for text in texts {
            assert!(flat.contains(text), "no {text:?} in stdout:\n{}", self.stdout);
        }
        self
    }

    /// Checks that stdout has these texts.
    #[track_caller]
    pub(crate) fn shows(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.stdout.contains(text), "no {text:?} in stdout:\n{}", self.stdout);
        }
        self
    }
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a readable folder") {
        let entry = entry.expect("an entry");
        if entry.file_name() == ".drydock" {
            continue;
        }
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}
