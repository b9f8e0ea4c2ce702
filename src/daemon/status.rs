//! `status.json`: what the daemon knows, for `rollboot status` and for whoever else wants to read it.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::machine::Status;

/// Where the status is, readable by all.
pub const FILE: &str = "/run/rollboot/status.json";

/// The content of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The process that wrote it: without it, this is its last word.
    pub pid: u32,
    /// What the machine knows.
    #[serde(flatten)]
    pub machine: Status,
    /// The sentinels as last read.
    pub sentinels: Vec<SentinelStatus>,
    /// What is wrong around the machine: a sentinel that is no file, a kubeconfig that is not there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// One sentinel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentinelStatus {
    /// Its path.
    pub path: String,
    /// Whether it asks for a reboot.
    pub present: bool,
    /// When it was last written.
    pub since: Option<Timestamp>,
    /// What asked for the reboot.
    pub packages: Vec<String>,
}

/// Writes the file when its content has changed.
#[derive(Debug, Default)]
pub(super) struct StatusFile {
    written: Option<String>,
}

impl StatusFile {
    /// Replaces the file atomically, so that a reader never sees half of it. It is in memory and needs no fsync. One that cannot be
    /// replaced is removed: an old state would pass for the present one. The next call tries again.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn write(&mut self, path: &Path, report: &Report) -> io::Result<()> {
        let mut text = serde_json::to_string(report)?;
        text.push('\n');
        if self.written.as_ref() == Some(&text) {
            return Ok(());
        }
        let new = path.with_extension("json.new");
        let done = replace(&new, path, &text);
        if done.is_err() {
            // Where even that fails, the file system is read-only, and the error is in the log.
            let _ = fs::remove_file(&new);
            let _ = fs::remove_file(path);
        }
        self.written = done.is_ok().then_some(text);
        done
    }
}

fn replace(new: &Path, path: &Path, text: &str) -> io::Result<()> {
    fs::write(new, text)?;
    // The unit's umask leaves files to root alone.
    fs::set_permissions(new, fs::Permissions::from_mode(0o644))?;
    fs::rename(new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(reason: &str) -> Report {
        let text = format!(
            r#"{{"pid":1,"node":"a","phase":"idle","since":"2026-01-01T00:00:00Z","reason":"{reason}",
            "blocked_by":[],"retry_at":null,"sentinels":[],"lock":null}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_status_that_cannot_be_written_is_removed_and_written_again_later() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("status.json");
        let mut file = StatusFile::default();
        file.write(&path, &report("old")).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o644
        );
        fs::create_dir(folder.path().join("status.json.new")).unwrap();
        assert!(file.write(&path, &report("new")).is_err());
        assert!(!path.exists(), "an old state is no present one");
        fs::remove_dir(folder.path().join("status.json.new")).unwrap();
        file.write(&path, &report("old")).unwrap();
        assert!(fs::read_to_string(&path).unwrap().contains("old"));
    }
}
