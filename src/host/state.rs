//! The folders that the daemon keeps its files in, looked at without writing to them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{StatVfsMountFlags, statvfs};

use crate::rooted::Root;

/// Where the process lock and the status are, in memory.
const RUN: &str = "/run/rollboot";

/// A folder that the daemon writes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
    /// It is there, or why that cannot be told. The service makes it when it starts.
    pub exists: Result<bool, String>,
    /// Its file system, or the one that it would be on, is mounted read-only.
    pub read_only: bool,
    /// Bytes that are free there; `None`: the kernel does not say.
    pub free: Option<u64>,
    /// Files that could still be made there; `None` where the file system has no such limit.
    pub free_files: Option<u64>,
}

impl Folder {
    /// Whether fewer than `enough` bytes are free there, or no file can be made any more.
    pub fn is_full(&self, enough: u64) -> bool {
        self.free.is_some_and(|free| free < enough) || self.free_files == Some(0)
    }

    /// The folder of the process lock and the status.
    pub fn of_run(root: &Root) -> Self {
        look(&root.join(RUN))
    }
}

/// Looks at a folder.
pub(super) fn look(path: &Path) -> Folder {
    let exists = match fs::metadata(path) {
        Ok(found) if found.is_dir() => Ok(true),
        Ok(_) => Err("it is not a folder".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error.to_string()),
    };
    let place = path.ancestors().find(|place| place.exists());
    let about = place.and_then(|place| statvfs(place).ok());
    Folder {
        path: path.to_owned(),
        exists,
        read_only: about
            .as_ref()
            .is_some_and(|about| about.f_flag.contains(StatVfsMountFlags::RDONLY)),
        free: about
            .as_ref()
            .map(|about| about.f_bavail.saturating_mul(about.f_frsize)),
        free_files: about
            .as_ref()
            .filter(|about| about.f_files > 0)
            .map(|about| about.f_favail),
    }
}

/// Whether this process is root, as the daemon is.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(test)]
mod tests {
    use super::super::scratch::Scratch;
    use super::*;

    #[test]
    fn the_folder_is_looked_at_and_not_made() {
        let scratch = Scratch::new();
        let root = Root::new(scratch.path());
        let state = root.join("/var/lib/rollboot");
        let missing = look(&state);
        assert_eq!(missing.exists, Ok(false));
        assert!(!missing.read_only && missing.free.is_some_and(|free| free > 0));
        assert!(!root.join("/var").exists());

        fs::create_dir_all(root.join("/var/lib/rollboot")).unwrap();
        assert_eq!(look(&state).exists, Ok(true));
        assert_eq!(look(&state).path, root.join("/var/lib/rollboot"));

        fs::remove_dir(root.join("/var/lib/rollboot")).unwrap();
        fs::write(root.join("/var/lib/rollboot"), "").unwrap();
        assert!(look(&state).exists.is_err());
    }

    #[test]
    fn proc_is_a_file_system_without_free_space() {
        let proc = look(Path::new("/proc"));
        assert_eq!(proc.free, Some(0));
        assert!(proc.is_full(1));
    }
}
