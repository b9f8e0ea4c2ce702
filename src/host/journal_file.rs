//! The journal on disk: read whole, replaced atomically, never lost.
//!
//! A file that says nothing sensible is an error that carries its text, never an empty journal: what is forgotten there may be
//! the proof that a request was served. Reading changes nothing; setting such a file aside is a step of its own.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::root::Root;
use crate::failure::{Failure, FailureKind};
use crate::journal::Journal;

/// Where the journal is.
const PATH: &str = "/var/lib/rollboot/journal.json";
/// The form that is written. A newer daemon may read older ones; an older daemon must not guess at newer ones.
const VERSION: u64 = 1;
/// How much of a damaged file is quoted.
const QUOTE: usize = 200;
/// How many damaged files may lie beside each other.
const ASIDE: u32 = 1000;

/// The journal file of one host.
#[derive(Debug, Clone)]
pub struct JournalFile {
    path: PathBuf,
    /// Held by each write until it is on the disk, also when nobody waits for it any more: an abandoned write must not land after
    /// a later one.
    writing: Arc<Mutex<()>>,
}

/// Why there is no journal to go on from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// The disk did not give it.
    #[error("cannot read {}: {why}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// It is there, and is torn, foreign or of a newer version.
    #[error("{} is damaged: {why}; it begins with {text:?}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
        /// How it begins.
        text: String,
    },
}

#[derive(Deserialize)]
struct Version {
    v: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    #[serde(rename = "v")]
    _version: u64,
    journal: Journal,
}

#[derive(Serialize)]
struct Storing<'a> {
    v: u64,
    journal: &'a Journal,
}

impl JournalFile {
    /// The journal file of the host under `root`.
    pub fn of(root: &Root) -> Self {
        Self {
            path: root.join(PATH),
            writing: Arc::default(),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the journal. A missing file is an empty one.
    pub fn read(&self) -> Result<Journal, JournalError> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Journal::default()),
            Err(error) => {
                return Err(JournalError::Unreadable {
                    path: self.path.clone(),
                    why: error.to_string(),
                });
            }
        };
        Self::parse(&bytes).map_err(|why| JournalError::Damaged {
            path: self.path.clone(),
            why,
            text: String::from_utf8_lossy(&bytes)
                .chars()
                .take(QUOTE)
                .collect(),
        })
    }

    /// What a file with this content says.
    ///
    /// # Errors
    /// Why it says nothing.
    pub fn parse(bytes: &[u8]) -> Result<Journal, String> {
        // The version first: of a form that we do not know we cannot say what else is wrong.
        let Version { v } = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if v != VERSION {
            return Err(format!("its version is {v}, this rollboot knows {VERSION}"));
        }
        serde_json::from_slice(bytes)
            .map(|Stored { journal, .. }| journal)
            .map_err(|error| error.to_string())
    }

    /// The content of a file that says this.
    ///
    /// # Errors
    /// Something in it has no form, which no journal has.
    pub fn render(journal: &Journal) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&Storing {
            v: VERSION,
            journal,
        })
    }

    /// Keeps a damaged file as the first free `journal.json.bad-N` too, so that the next write replaces it and nothing is lost.
    pub fn put_beside(&self) -> Result<PathBuf, Failure> {
        self.put_beside_here()
            .map_err(|error| local(&self.path, "cannot be set aside", &error))
    }

    fn put_beside_here(&self) -> io::Result<PathBuf> {
        for number in 1..=ASIDE {
            let mut aside = self.path.clone().into_os_string();
            aside.push(format!(".bad-{number}"));
            // A link, unlike a rename, does not replace what is there.
            match fs::hard_link(&self.path, &aside) {
                Ok(()) => {
                    sync_folder(&self.path)?;
                    return Ok(aside.into());
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("too many damaged files are there already"))
    }

    /// Replaces the file; returns when the new one is on the disk under its name.
    pub async fn write(&self, journal: &Journal) -> Result<(), Failure> {
        let bytes = Self::render(journal)
            .map_err(|error| local(&self.path, "cannot be written", &error))?;
        let writing = Arc::clone(&self.writing).lock_owned().await;
        let path = self.path.clone();
        // An fsync can take seconds on a busy disk; the loop must not stand still for it.
        tokio::task::spawn_blocking(move || {
            let written = replace(&path, &bytes);
            drop(writing);
            written.map_err(|error| local(&path, "cannot be written", &error))
        })
        .await
        .unwrap_or_else(|error| Err(local(&self.path, "cannot be written", &error)))
    }
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let Some(folder) = path.parent() else {
        return Err(io::Error::other("it has no folder"));
    };
    if !folder.is_dir() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        sync_folder(folder)?;
    }
    let mut new = path.as_os_str().to_os_string();
    new.push(".new");
    let new = PathBuf::from(new);
    let written = write_synced(&new, bytes).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        // Half a file is of no use to anybody, and the disk may be full.
        let _ = fs::remove_file(&new);
    }
    written?;
    sync_folder(path)
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the names in the folder of `path` durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent()
        .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn local(path: &Path, what: &str, error: &dyn std::error::Error) -> Failure {
    Failure::new(
        FailureKind::Local,
        format!("{} {what}: {error}", path.display()),
    )
}

#[cfg(test)]
mod tests;
