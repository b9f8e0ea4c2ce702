//! Opens files that somebody else may have written: through no link, without blocking, and no more than a bound.
//!
//! Whoever may write to a folder may put there a link to a file that only root can read, or a pipe that never ends, also between a
//! look and the opening. So what was opened is judged, not what was seen before.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// Opens a regular file. Only the last name of `path` must not be a link: those before it are the host's own, as `/var/run` is.
///
/// # Errors
/// It cannot be opened, or is no regular file; said in words.
pub(super) fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let flags =
        OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::LOOP) => return Err(io::Error::other("is a link, and links are not followed")),
        // What a socket answers.
        Err(Errno::NXIO) => return Err(io::Error::other("is not a regular file")),
        Err(error) => return Err(error.into()),
    };
    let found = file.metadata()?;
    if found.is_dir() {
        Err(io::Error::other("is a folder"))
    } else if found.is_file() {
        Ok((file, found))
    } else {
        Err(io::Error::other("is not a regular file"))
    }
}

/// The first `limit` bytes of a file whose content is shown to everybody. So it must be root's own and have no other name: a hard
/// link to what only root may read is root's as well.
///
/// # Errors
/// As of [`open`], or it is not root's; said in words.
pub(super) fn read_of_root(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let (file, found) = open(path)?;
    // The daemon is root; a person who runs a command may see the own files.
    if found.uid() != 0 && found.uid() != rustix::process::geteuid().as_raw() {
        let why = format!(
            "belongs to user {}, and only root's is believed",
            found.uid()
        );
        return Err(io::Error::other(why));
    }
    if found.nlink() > 1 {
        return Err(io::Error::other("has another name too (a hard link)"));
    }
    beginning(file, limit)
}

/// The first `limit` bytes.
///
/// # Errors
/// It cannot be read.
pub(super) fn beginning(file: File, limit: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    file.take(limit).read_to_end(&mut content)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::super::scratch::{Scratch, skipped};
    use super::*;
    use std::fs;
    use std::os::unix::fs::{chown, symlink};
    use std::os::unix::net::UnixListener;

    fn why(path: &Path) -> String {
        read_of_root(path, 10).unwrap_err().to_string()
    }

    #[test]
    fn only_the_beginning_of_a_regular_file_is_read() {
        let scratch = Scratch::new();
        let at = |name: &str| scratch.path().join(name);
        fs::write(at("file"), "0123456789abc").unwrap();
        assert_eq!(read_of_root(&at("file"), 10).unwrap(), b"0123456789");
        let missing = read_of_root(&at("missing"), 10).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn nothing_else_is_opened_and_nothing_blocks() {
        let scratch = Scratch::new();
        let at = |name: &str| scratch.path().join(name);
        fs::write(at("file"), "").unwrap();
        fs::create_dir(at("folder")).unwrap();
        symlink(at("file"), at("link")).unwrap();
        let _socket = UnixListener::bind(at("socket")).unwrap();
        let pipe = rustix::fs::mknodat(
            rustix::fs::CWD,
            at("pipe"),
            rustix::fs::FileType::Fifo,
            Mode::RUSR | Mode::WUSR,
            0,
        );
        pipe.unwrap();
        assert_eq!(why(&at("link")), "is a link, and links are not followed");
        assert_eq!(why(&at("folder")), "is a folder");
        assert_eq!(why(&at("socket")), "is not a regular file");
        assert_eq!(why(&at("pipe")), "is not a regular file");
        assert_eq!(why(Path::new("/dev/null")), "is not a regular file");
    }

    #[test]
    fn a_link_before_the_last_name_is_followed() {
        let scratch = Scratch::new();
        fs::create_dir(scratch.path().join("run")).unwrap();
        symlink("run", scratch.path().join("var")).unwrap();
        fs::write(scratch.path().join("run/file"), "x").unwrap();
        let read = read_of_root(&scratch.path().join("var/file"), 10);
        assert_eq!(read.unwrap(), b"x");
    }

    #[test]
    fn what_may_be_another_file_is_not_shown() {
        let scratch = Scratch::new();
        let at = |name: &str| scratch.path().join(name);
        fs::write(at("secret"), "x").unwrap();
        fs::hard_link(at("secret"), at("second")).unwrap();
        assert!(why(&at("second")).contains("hard link"));
        fs::write(at("foreign"), "x").unwrap();
        if chown(at("foreign"), Some(12_345), None).is_err() {
            return skipped("this user cannot give a file away");
        }
        assert_eq!(
            why(&at("foreign")),
            "belongs to user 12345, and only root's is believed"
        );
    }
}
