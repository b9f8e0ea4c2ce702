//! Requests for a reboot: sentinels and what identifies them, so that the same one never reboots a node twice.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// One sentinel file as it was found: its identity changes with every write to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Request {
    /// Path of the file, without the root prefix.
    pub path: String,
    /// Inode, mtime, ctime and a hash of the content, as one opaque text.
    pub identity: String,
}

/// The requests that are on the host now.
pub type Requests = BTreeSet<Request>;
