//! The only place that writes to stdout and stderr, and files that the user names.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::args::{ColorChoice, Format, Global};
use super::problem::Problem;
use crate::report::{Next, TextOptions, clean_json};

/// Decides what goes to which stream, and whether with colours. stdout carries the result, stderr everything else.
#[derive(Debug, Clone)]
pub struct Printer {
    format: String,
    out: Option<PathBuf>,
    quiet: bool,
    verbose: u8,
    stdout_color: bool,
    stderr_color: bool,
}

impl Printer {
    /// A printer as the command line says.
    pub fn new(global: &Global) -> Self {
        Self {
            format: global.format.clone(),
            out: global.out.clone().filter(|p| p != Path::new("-")),
            quiet: global.quiet,
            verbose: global.verbose,
            stdout_color: wants_color(global.color, io::stdout().is_terminal()),
            stderr_color: wants_color(global.color, io::stderr().is_terminal()),
        }
    }

    /// Format of the result, for commands with the usual two.
    pub fn format(&self) -> Format {
        if self.format == "json" { Format::Json } else { Format::Text }
    }

    /// Name of the format of the result.
    pub fn format_name(&self) -> &str {
        &self.format
    }

    /// The file that `--out` names.
    pub fn out(&self) -> Option<&Path> {
        self.out.as_deref()
    }

    /// Whether results are shown with colours.
    pub fn color(&self) -> bool {
        self.stdout_color
    }

    /// Whether stderr shows colours.
    pub fn stderr_color(&self) -> bool {
        self.stderr_color
    }

    /// Whether only results and errors are wanted.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// How reports are written as text.
    pub fn text_options(&self) -> TextOptions {
        TextOptions {
            color: self.stdout_color,
            width: self.width(),
            verbose: self.verbose > 0,
            summary: false,
            approvals: Vec::new(),
            next: Next::Plan,
        }
    }

    /// Columns of the terminal.
    pub fn width(&self) -> usize {
        let term = console::Term::stdout();
        term.size_checked().map_or(120, |(_, columns)| usize::from(columns).clamp(40, 400))
    }

    /// Writes the result: to the file of `--out`, else to stdout.
    pub fn result(&self, text: &str) -> anyhow::Result<()> {
        match &self.out {
            Some(path) => write_file(path, console::strip_ansi_codes(&self.safe(text)).as_bytes()),
            None => self.stdout(text),
        }
    }

    /// JSON as it is for every reader, also for a terminal. Other formats escape text where they know what it is.
    fn safe<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.format == "json" { clean_json(text) } else { Cow::Borrowed(text) }
    }

    /// Writes to stdout whatever `--out` says.
    pub fn stdout(&self, text: &str) -> anyhow::Result<()> {
        let text = self.safe(text);
        let mut stdout = io::stdout().lock();
        quiet_pipe(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())).context("cannot write to standard output")
    }

    /// Says something on stderr, unless `--quiet`.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            self.stderr(text);
        }
    }

    /// Says something on stderr, where standard input is a terminal.
    pub fn note_on_terminal(&self, text: &str) {
        if io::stdin().is_terminal() {
            self.note(text);
        }
    }

    /// Says something on stderr with `-v`.
    pub fn detail(&self, text: &str) {
        if self.verbose > 0 {
            self.stderr(text);
        }
    }

    /// Writes a line to stderr even with `--quiet`.
    #[allow(clippy::unused_self)]
    pub fn stderr(&self, text: &str) {
        // A live view is drawn anew below what is said.
        if crate::report::progress::above(text) {
            return;
        }
        let mut stderr = io::stderr().lock();
        let end = if text.ends_with('\n') { "" } else { "\n" };
        // There is nobody left to tell when stderr is gone.
        let _ = write!(stderr, "{text}{end}");
    }

    /// Asks something on stderr, without a line end.
    #[allow(clippy::unused_self)]
    pub fn prompt(&self, text: &str) {
        let mut stderr = io::stderr().lock();
        let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
    }

    /// Shows an error.
    pub fn problem(&self, problem: &Problem) {
        let paint = |code: &str, text: &str| if self.stderr_color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() };
        let clean =
            |text: &str| text.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c }).collect::<String>();
        let mut text = format!("{} {}\n", paint("1;31", "error:"), clean(&problem.message).replace('\n', "\n  "));
        if let Some(at) = &problem.at {
            let _ = writeln!(text, "  {} {}", paint("1;34", "at:"), clean(at));
        }
        if let Some(help) = &problem.help {
            let _ = writeln!(text, "  {} {}", paint("1;36", "help:"), clean(help).replace('\n', "\n        "));
        }
        self.stderr(&text);
    }
}

fn wants_color(choice: ColorChoice, terminal: bool) -> bool {
    let variable = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty());
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto if variable("NO_COLOR").is_some() => false,
        ColorChoice::Auto if variable("CLICOLOR_FORCE").is_some_and(|v| v != "0") => true,
        ColorChoice::Auto => terminal && variable("CLICOLOR").is_none_or(|v| v != "0") && variable("TERM").is_none_or(|v| v != "dumb"),
    }
}

/// A reader that has seen enough (`| head`) is no error.
fn quiet_pipe(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Writes a file so that either the old or the whole new content is there, whatever happens in between.
///
/// # Errors
/// When the content cannot be made durable; the old file is then intact.
pub fn write_file(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    // A device or a pipe cannot be replaced, and a link is written through.
    let target = match fs::metadata(path) {
        Ok(found) if found.is_dir() => {
            return Err(Problem::new(format!("{} is a directory", path.display())).help("name a file").into());
        }
        Ok(found) if !found.is_file() => {
            let mut file = fs::OpenOptions::new().write(true).open(path).with_context(|| format!("cannot open {}", path.display()))?;
            return quiet_pipe(file.write_all(content)).with_context(|| format!("cannot write {}", path.display()));
        }
        Ok(_) => fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()),
        Err(_) => path.to_owned(),
    };
    let folder = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = target.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let temporary = folder.join(format!(".{name}.{}.tmp", std::process::id()));
    let written = replace(&target, &temporary, folder, content);
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written.map_err(|error| {
        let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        let kept = if target.exists() { "; the old file is unchanged" } else { "" };
        let help =
            if full { "free some space, or name a file on another file system" } else { "check that the folder exists and may be written" };
        Problem::new(format!("cannot write {}: {error}{kept}", path.display())).help(help).into()
    })
}

fn replace(target: &Path, temporary: &Path, folder: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create(temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    drop(file);
    if let Ok(old) = fs::metadata(target) {
        fs::set_permissions(temporary, old.permissions())?;
    }
    fs::rename(temporary, target)?;
    // Not every file system lets a directory be synced; the content is durable either way.
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        write_file(&path, b"one").unwrap();
        write_file(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        write_file(&link, b"three").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"three");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn what_cannot_be_written_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let error = write_file(&folder.path().join("no/such/plan.json"), b"x").unwrap_err().to_string();
        assert!(error.starts_with("cannot write ") && error.contains("No such file"), "{error}");
        assert!(write_file(folder.path(), b"x").unwrap_err().to_string().ends_with("is a directory"));
    }

    #[test]
    fn colours_follow_the_environment_only_when_asked_to() {
        assert!(wants_color(ColorChoice::Always, false));
        assert!(!wants_color(ColorChoice::Never, true));
    }
}
