//! Whether somebody is at work on this host who must not be interrupted: a package manager, or an operator who said so.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;

use super::untrusted;
use crate::rooted::Root;

/// Files that say that this node does not reboot; what is in them is the reason. The second does not survive a boot.
pub(super) const HOLD: [&str; 2] = ["/etc/rollboot/hold", "/run/rollboot/hold"];

/// What package managers lock while they change the system: dpkg and its front ends, rpm and its own.
const PACKAGE_LOCKS: [&str; 4] = [
    "/var/lib/dpkg/lock-frontend",
    "/var/lib/dpkg/lock",
    "/usr/lib/sysimage/rpm/.rpm.lock",
    "/var/lib/rpm/.rpm.lock",
];

/// Every lock on a file that a process holds, see proc_locks(5).
const LOCKS: &str = "/proc/locks";

/// As much of a reason as a status line bears.
const REASON_MAX: usize = 200;
/// As many bytes of a hold file are read.
const READ_MAX: u64 = 4 * 1024;

/// Why an operator holds this node, if one does. A file that cannot be read holds it too.
pub(super) fn hold(root: &Root) -> Option<String> {
    HOLD.iter().find_map(|path| {
        let read = untrusted::open(&root.join(path))
            .and_then(|(file, _)| untrusted::beginning(file, READ_MAX));
        let why = match read {
            Ok(text) => {
                let text = String::from_utf8_lossy(&text);
                let line = text.lines().next().unwrap_or_default().trim();
                line.chars().take(REASON_MAX).collect::<String>()
            }
            Err(error) if missing(&error) => return None,
            Err(error) => format!("it cannot be read: {error}"),
        };
        Some(if why.is_empty() {
            format!("{path} exists")
        } else {
            format!("{path}: {why}")
        })
    })
}

fn missing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Which package manager is changing the system, if one is, or may be because the kernel does not say.
pub(super) fn package_manager(root: &Root) -> Option<String> {
    let watched: Vec<(&str, FileId)> = PACKAGE_LOCKS
        .into_iter()
        .filter_map(|path| FileId::of(root, path).map(|id| (path, id)))
        .collect();
    if watched.is_empty() {
        return None;
    }
    let table = match fs::read_to_string(root.join(LOCKS)) {
        Ok(table) => table,
        Err(error) => {
            let why = "a package manager may be at work";
            return Some(format!("{why}: cannot read {LOCKS}: {error}"));
        }
    };
    let held = table.lines().filter_map(Held::parse).find_map(|held| {
        let (path, _) = watched.iter().find(|(_, id)| id.is(held.file))?;
        Some((held.pid, *path))
    });
    held.map(|(pid, path)| {
        let name = fs::read_to_string(root.join(format!("/proc/{pid}/comm"))).unwrap_or_default();
        let name = match name.trim() {
            "" => "a process",
            name => name,
        };
        format!("a package manager is at work: {name} (pid {pid}) holds {path}")
    })
}

/// A file as the table of locks names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileId {
    major: u64,
    minor: u64,
    inode: u64,
}

impl FileId {
    fn of(root: &Root, path: &str) -> Option<Self> {
        let metadata = fs::metadata(root.join(path)).ok()?;
        let device = metadata.dev();
        // As glibc's gnu_dev_major and gnu_dev_minor take it apart.
        Some(Self {
            major: ((device >> 8) & 0xfff) | ((device >> 32) & !0xfff),
            minor: (device & 0xff) | ((device >> 12) & !0xff),
            inode: metadata.ino(),
        })
    }

    /// Where the file system has no device of its own (btrfs), stat and the table may differ in the number made up for it.
    fn is(&self, other: Self) -> bool {
        let device = (self.major, self.minor) == (other.major, other.minor);
        let made_up = self.major == 0 && other.major == 0;
        self.inode == other.inode && (device || made_up)
    }
}

/// A line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    pid: u32,
    file: FileId,
}

impl Held {
    /// `1: POSIX  ADVISORY  WRITE 708 08:01:131073 0 EOF`; one that only waits for a lock has `->` after the number.
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split_whitespace();
        let _number = fields.next()?;
        if fields.next()? == "->" {
            return None;
        }
        let mut rest = fields.skip(1);
        if rest.next()? != "WRITE" {
            return None;
        }
        let pid = rest.next()?.parse().ok()?;
        let mut file = rest.next()?.split(':');
        let file = FileId {
            major: u64::from_str_radix(file.next()?, 16).ok()?,
            minor: u64::from_str_radix(file.next()?, 16).ok()?,
            inode: file.next()?.parse().ok()?,
        };
        Some(Self { pid, file })
    }
}

#[cfg(test)]
mod tests {
    use super::super::scratch::Scratch;
    use super::*;

    fn host() -> (Scratch, Root) {
        let scratch = Scratch::new();
        let root = Root::new(scratch.path());
        for folder in ["/proc/7", "/var/lib/dpkg", "/etc/rollboot", "/run/rollboot"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        (scratch, root)
    }

    #[test]
    fn nobody_is_at_work_where_no_package_manager_lives() {
        let (_scratch, root) = host();
        assert_eq!(package_manager(&root), None);
    }

    #[test]
    fn whoever_holds_a_lock_of_the_package_manager_is_named() {
        let (_scratch, root) = host();
        let path = PACKAGE_LOCKS[0];
        fs::write(root.join(path), "").unwrap();
        let id = FileId::of(&root, path).unwrap();
        let line = |number, kind: &str, inode| {
            format!(
                "{number}: {kind} 7 {:02x}:{:02x}:{inode} 0 EOF\n",
                id.major, id.minor
            )
        };
        fs::write(root.join("/proc/7/comm"), "apt-get\n").unwrap();
        let held = line(2, "POSIX  ADVISORY  WRITE", id.inode);
        let other = line(1, "POSIX  ADVISORY  WRITE", id.inode + 1);
        let waits = line(3, "-> POSIX  ADVISORY  WRITE", id.inode);
        let reads = line(4, "FLOCK  ADVISORY  READ", id.inode);
        fs::write(root.join(LOCKS), format!("{other}{waits}{reads}")).unwrap();
        assert_eq!(package_manager(&root), None);
        fs::write(root.join(LOCKS), format!("{other}{held}")).unwrap();
        assert_eq!(
            package_manager(&root).unwrap(),
            "a package manager is at work: apt-get (pid 7) holds /var/lib/dpkg/lock-frontend"
        );
    }

    #[test]
    fn a_kernel_that_does_not_say_may_hide_somebody_at_work() {
        let (_scratch, root) = host();
        fs::write(root.join(PACKAGE_LOCKS[1]), "").unwrap();
        let why = package_manager(&root).unwrap();
        assert!(why.contains("/proc/locks"), "{why}");
    }

    #[test]
    fn nonsense_in_the_table_is_passed_over() {
        for line in [
            "",
            "1:",
            "1: POSIX",
            "1: POSIX ADVISORY WRITE x 08:01:1 0 EOF",
            "1: POSIX ADVISORY WRITE 1 08:01 0 EOF",
            "1: POSIX ADVISORY WRITE 1 zz:01:1 0 EOF",
        ] {
            assert_eq!(Held::parse(line), None, "{line}");
        }
    }

    #[test]
    fn the_real_table_shows_a_real_lock() {
        let scratch = Scratch::new();
        let path = scratch.path().join("lock");
        let file = fs::File::create(&path).unwrap();
        file.lock().unwrap();
        let root = Root::default();
        let id = FileId::of(&root, path.to_str().unwrap()).unwrap();
        let table = fs::read_to_string(LOCKS).unwrap();
        let held = table
            .lines()
            .filter_map(Held::parse)
            .find(|held| id.is(held.file));
        assert_eq!(held.map(|held| held.pid), Some(std::process::id()));
    }

    #[test]
    fn a_hold_file_holds_and_says_why() {
        let (_scratch, root) = host();
        assert_eq!(hold(&root), None);
        fs::write(root.join(HOLD[1]), "").unwrap();
        assert_eq!(hold(&root).unwrap(), "/run/rollboot/hold exists");
        fs::write(root.join(HOLD[0]), "disk is being replaced\nmore\n").unwrap();
        assert_eq!(
            hold(&root).unwrap(),
            "/etc/rollboot/hold: disk is being replaced"
        );
        fs::remove_file(root.join(HOLD[0])).unwrap();
        fs::create_dir(root.join(HOLD[0])).unwrap();
        assert!(hold(&root).unwrap().contains("cannot be read"));
        // Whoever made a link wants to hold; where it leads to is not shown.
        fs::remove_dir(root.join(HOLD[0])).unwrap();
        fs::write(root.join("/etc/shadow"), "secret").unwrap();
        std::os::unix::fs::symlink("/etc/shadow", root.join(HOLD[0])).unwrap();
        let held = hold(&root).unwrap();
        assert!(held.ends_with("links are not followed"), "{held}");
    }
}
