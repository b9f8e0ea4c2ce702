//! One process per host: a lock that the kernel takes back when the process ends, however it ends.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::rooted::Root;

/// Where the lock is.
const PATH: &str = "/run/rollboot/lock";

/// How often the file may be replaced under our hands before that is called an error.
const TRIES: usize = 8;

/// Held as long as it lives.
#[derive(Debug)]
pub struct ProcessLock {
    _file: File,
}

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ProcessLockError {
    /// Another process has it.
    #[error("another rollboot runs on this host: process {holder} holds {}", .path.display())]
    Held {
        /// Its process ID, as it wrote it.
        holder: String,
        /// The lock file.
        path: PathBuf,
    },
    /// The file cannot be made or locked.
    #[error("cannot lock {}: {source}{}", .path.display(), advice(.source))]
    Failed {
        /// The lock file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl ProcessLock {
    /// Takes the lock, or says who has it. Does not wait.
    pub fn take(root: &Root) -> Result<Self, ProcessLockError> {
        let path = root.join(PATH);
        for _ in 0..TRIES {
            let file = open(&path).map_err(|error| failed(&path, error))?;
            if let Some(lock) = Self::on(file, &path)? {
                return Ok(lock);
            }
        }
        let error = io::Error::other("it is being replaced all the time");
        Err(failed(&path, error))
    }

    /// Locks the opened file; `None`: it is not the file at `path` any more.
    fn on(mut file: File, path: &Path) -> Result<Option<Self>, ProcessLockError> {
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(ProcessLockError::Held {
                    holder: holder(&mut file),
                    path: path.into(),
                });
            }
            Err(TryLockError::Error(error)) => return Err(failed(path, error)),
        }
        // Who cleans up /run takes the file away from under a lock: a lock on a file that has no name keeps nobody out.
        if !is_at(&file, path) {
            return Ok(None);
        }
        match write(&mut file) {
            // The lock is the kernel's. Only who has it cannot be told, and that is no reason to let a turn lie.
            Err(error) if is_full(&error) => {}
            done => done.map_err(|error| failed(path, error))?,
        }
        Ok(Some(Self { _file: file }))
    }
}

fn failed(path: &Path, source: io::Error) -> ProcessLockError {
    ProcessLockError::Failed {
        path: path.into(),
        source,
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// What to do about an error; mostly nothing more than it says.
fn advice(error: &io::Error) -> &'static str {
    if is_full(error) {
        "; the file system of /run is full: make room there (df -hi /run); it is tried again"
    } else {
        ""
    }
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // Not truncated: until the lock is ours the content is the holder's.
    File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        // Whoever can open it can hold it.
        .mode(0o600)
        .open(path)
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(held), Ok(named)) => held.dev() == named.dev() && held.ino() == named.ino(),
        _ => false,
    }
}

fn write(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.take(32).read_to_string(&mut text);
    let text = text.trim();
    if read.is_err() || text.is_empty() {
        return "(unknown)".into();
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::super::scratch::Scratch;
    use super::*;

    #[test]
    fn the_second_is_told_who_has_it_until_the_first_ends() {
        let scratch = Scratch::new();
        let root = Root::new(scratch.path());
        let first = ProcessLock::take(&root).unwrap();
        let error = ProcessLock::take(&root).unwrap_err();
        let me = std::process::id().to_string();
        assert!(matches!(&error, ProcessLockError::Held { holder, .. } if *holder == me));
        assert!(
            error
                .to_string()
                .contains("another rollboot runs on this host")
        );
        drop(first);
        ProcessLock::take(&root).unwrap();
    }

    #[test]
    fn what_an_ended_process_wrote_is_replaced() {
        let scratch = Scratch::new();
        let root = Root::new(scratch.path());
        let path = root.join(PATH);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "4194304 and more than we write\n").unwrap();
        let _lock = ProcessLock::take(&root).unwrap();
        let me = format!("{}\n", std::process::id());
        assert_eq!(fs::read_to_string(&path).unwrap(), me);
    }

    #[test]
    fn a_file_that_was_replaced_before_it_was_locked_is_not_the_lock() {
        let scratch = Scratch::new();
        let root = Root::new(scratch.path());
        let path = root.join(PATH);
        let gone = open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(ProcessLock::on(gone, &path).unwrap().is_none());
        let replaced = open(&path).unwrap();
        fs::rename(&path, root.join("/run/rollboot/old")).unwrap();
        let lock = ProcessLock::take(&root).unwrap();
        assert!(ProcessLock::on(replaced, &path).unwrap().is_none());
        assert!(ProcessLock::take(&root).is_err());
        drop(lock);
    }

    #[test]
    fn a_full_file_system_is_said_with_what_to_do() {
        let full = failed(
            Path::new("/run/rollboot/lock"),
            io::ErrorKind::StorageFull.into(),
        );
        assert!(full.to_string().contains("df -hi /run"), "{full}");
        let other = failed(
            Path::new("/run/rollboot/lock"),
            io::ErrorKind::PermissionDenied.into(),
        );
        assert!(!other.to_string().contains("df"), "{other}");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_said() {
        let scratch = Scratch::new();
        let root = Root::new(scratch.path());
        fs::write(root.join("/run"), "").unwrap();
        let error = ProcessLock::take(&root).unwrap_err();
        assert!(matches!(error, ProcessLockError::Failed { .. }), "{error}");
    }
}
