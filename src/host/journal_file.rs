//! The journal on disk: read whole, replaced atomically, never lost.
//!
//! A file that says nothing sensible is an error that carries its text, never an empty journal: what is forgotten there may be
//! the proof that a request was served. Reading changes nothing; setting such a file aside is a step of its own.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::failure::Failure;
use crate::journal::{Journal, Record};
use crate::rooted::Root;

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
    /// StatusRevision beside a turn.
    record: Arc<RwLock<Option<Record>>>,
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
    /// It is there, and another version of this program wrote it. It stays as it is.
    #[error(
        "{} is of version {found}, and this rollboot knows {VERSION}: install the version that wrote it, or, to give up what it \
         tells of, move it away", .path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// It is there, and is torn or foreign.
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

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Stored {
    /// Everything that the daemon remembers.
    pub journal: Journal,
    /// Where its turn runs. Missing without a turn, and in a file of an earlier version.
    #[serde(default)]
    pub record: Option<Record>,
}

/// Why a file says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unusable {
    /// It is of this version, which is newer than ours.
    Newer(u64),
    /// It is torn or foreign.
    Damaged(String),
}

#[derive(Serialize)]
struct Storing<'a> {
    v: u64,
    journal: &'a Journal,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<&'a Record>,
}

impl JournalFile {
    /// The journal file of the host under `root`.
    pub fn of(root: &Root) -> Self {
        Self {
            path: root.join(PATH),
            record: Arc::default(),
            writing: Arc::default(),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// From now on every journal with a turn is written with this record.
    pub fn set_record(&self, record: Record) {
        *self.record.write().unwrap_or_else(PoisonError::into_inner) = Some(record);
    }

    /// Reads the journal. A missing file is an empty one.
    pub fn read(&self) -> Result<Journal, JournalError> {
        self.read_all().map(|stored| stored.journal)
    }

    /// Reads the journal and where its turn runs. A missing file is an empty one.
    pub fn read_all(&self) -> Result<Stored, JournalError> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(Stored {
                    journal: Journal::default(),
                    record: None,
                });
            }
            Err(error) => {
                return Err(JournalError::Unreadable {
                    path: self.path.clone(),
                    why: error.to_string(),
                });
            }
        };
        Self::parse(&bytes).map_err(|wrong| match wrong {
            Unusable::Newer(found) => JournalError::Newer {
                path: self.path.clone(),
                found,
            },
            Unusable::Damaged(why) => JournalError::Damaged {
                path: self.path.clone(),
                why,
                text: String::from_utf8_lossy(&bytes)
                    .chars()
                    .take(QUOTE)
                    .collect(),
            },
        })
    }

    /// What a file with this content says.
    ///
    /// # Errors
    /// Why it says nothing.
    pub fn parse(bytes: &[u8]) -> Result<Stored, Unusable> {
        let damaged = |error: serde_json::Error| Unusable::Damaged(error.to_string());
        // The version first: of a form that we do not know we cannot say what else is wrong.
        let Version { v } = serde_json::from_slice(bytes).map_err(damaged)?;
        match v {
            VERSION => {}
            0 => return Err(Unusable::Damaged("there is no version 0".to_owned())),
            newer => return Err(Unusable::Newer(newer)),
        }
        serde_json::from_slice(bytes).map_err(damaged)
    }

    /// The content of a file that says this.
    ///
    /// # Errors
    /// Something in it has no form, which no journal has.
    pub fn render(
        journal: &Journal,
        record: Option<&Record>,
    ) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&Storing {
            v: VERSION,
            journal,
            // Without a turn nothing runs anywhere.
            record: record.filter(|_| journal.turn.is_some()),
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
        let record = self
            .record
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let bytes = Self::render(journal, record.as_ref())
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
    Failure::local(format!("{} {what}: {error}", path.display()))
}

#[cfg(test)]
mod tests;
