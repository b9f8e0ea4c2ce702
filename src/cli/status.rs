//! `rollboot status`: what the daemon last said about this node. Reads a file, asks nobody.

mod render;

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use jiff::Timestamp;

use super::{Exit, Failed, say, say_json};
use crate::daemon::{STATUS_FILE, StatusReport};
use crate::host::{Folder, Root};

/// What the daemon last said.
#[derive(Debug)]
pub(super) enum LastWord {
    /// It said this.
    Of(Box<StatusReport>),
    /// There is nothing to read.
    None(Silence),
}

/// Why nothing of the daemon can be read.
#[derive(Debug)]
pub(super) enum Silence {
    /// The file is not there, or may not be read.
    Unreadable(io::Error),
    /// It is there, and is not what this version writes.
    Strange(String),
}

impl LastWord {
    pub(super) fn read(root: &Path) -> Self {
        match read(root) {
            Ok((_, report)) => Self::Of(Box::new(report)),
            Err(silence) => Self::None(silence),
        }
    }
}

fn read(root: &Path) -> Result<(String, StatusReport), Silence> {
    let path = Root::new(root).join(STATUS_FILE);
    let text = fs::read_to_string(path).map_err(Silence::Unreadable)?;
    let report =
        serde_json::from_str(&text).map_err(|error| Silence::Strange(error.to_string()))?;
    Ok((text, report))
}

/// Less than a status and the one that replaces it take.
const ENOUGH: u64 = 64 * 1024;

/// Whether there is no room for a status.
pub(super) fn is_run_full(root: &Path) -> bool {
    Folder::of_run(&Root::new(root)).is_full(ENOUGH)
}

/// Whether the process that wrote a status is still there, and is still rollboot: process IDs are used again.
pub(super) fn runs(root: &Path, pid: u32) -> bool {
    let folder = Root::new(root).join(format!("/proc/{pid}"));
    match fs::read_to_string(folder.join("comm")) {
        Ok(name) => name.starts_with("rollboot"),
        Err(_) => folder.exists(),
    }
}

pub(super) fn status(root: &Path, json: bool) -> Result<Exit, Failed> {
    let (text, report) = read(root).map_err(|silence| silence.failed(root))?;
    if json {
        say_json(text.trim_end());
    } else {
        say(&render::render(&report, Timestamp::now()));
    }
    if runs(root, report.pid) {
        Ok(Exit::Ok)
    } else {
        let why = "the daemon is not running, this is its last word: systemctl status rollboot";
        Err(Failed::new(Exit::Unavailable, anyhow::anyhow!(why)))
    }
}

impl Silence {
    fn failed(self, root: &Path) -> Failed {
        let path = Root::new(root).join(STATUS_FILE);
        let path = path.display();
        let (exit, why) = match &self {
            Self::Unreadable(error) if error.kind() == ErrorKind::NotFound && is_run_full(root) => {
                (
                    Exit::Unavailable,
                    format!(
                        "the daemon cannot write {path}, for that file system is full: df -hi /run"
                    ),
                )
            }
            Self::Unreadable(error) if error.kind() == ErrorKind::NotFound => (
                Exit::Unavailable,
                format!(
                    "the daemon has not run since this host booted ({path}): systemctl status rollboot"
                ),
            ),
            Self::Unreadable(error) if error.kind() == ErrorKind::PermissionDenied => {
                (Exit::Permission, format!("may not read {path}"))
            }
            Self::Unreadable(_) => (
                Exit::Unavailable,
                format!("cannot read {path}: systemctl status rollboot"),
            ),
            Self::Strange(_) => (
                Exit::Unavailable,
                format!(
                    "{path} is not what this version writes; was the service restarted after the upgrade?"
                ),
            ),
        };
        Failed::new(exit, anyhow::anyhow!("{self}").context(why))
    }
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => error.fmt(f),
            Self::Strange(error) => f.write_str(error),
        }
    }
}
