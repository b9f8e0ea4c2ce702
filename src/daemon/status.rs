//! `status.json`: what the daemon knows, for `rollboot status` and for whoever else wants to read it.

use std::fs;
use std::io;
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
    /// Replaces the file atomically, so that a reader never sees half of it. It is in memory and needs no fsync.
    pub(super) fn write(&mut self, path: &Path, report: &Report) -> io::Result<()> {
        let mut text = serde_json::to_string(report)?;
        text.push('\n');
        if self.written.as_ref() == Some(&text) {
            return Ok(());
        }
        let new = path.with_extension("json.new");
        fs::write(&new, &text)?;
        fs::rename(&new, path)?;
        self.written = Some(text);
        Ok(())
    }
}
