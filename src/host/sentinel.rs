//! Reads the sentinels as they are now.
//!
//! Only a regular file that can be read is a request, and no link to one. Everything else is reported: an error must never reboot a
//! machine, and must not pass unseen either.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::untrusted;
use crate::request::{Request, Requests};
use crate::rooted::{End, Root};

/// How much of a sentinel is hashed, and of a list of packages read.
const LIMIT: u64 = 64 * 1024;
/// How many packages are listed.
const PACKAGES: usize = 256;
/// Characters of a name: no package has more, and everybody reads them in the status.
const NAME: usize = 200;

/// What one reading of all sentinels found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SentinelReading {
    /// The requests.
    pub requests: Requests,
    /// Each sentinel that is there but is no request, and why.
    pub problems: Vec<String>,
    /// Each sentinel for the status, in the order of the configuration.
    pub sentinels: Vec<Sentinel>,
}

/// One sentinel for the status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentinel {
    /// Its path, without the root prefix.
    pub path: String,
    /// When it was last written; `None`: it is not there, or is no request.
    pub since: Option<Timestamp>,
    /// What asked for the reboot, from the file beside it that ends in `.pkgs`.
    pub packages: Vec<String>,
}

/// Reads all sentinels.
pub(super) fn read(root: &Root, paths: &[PathBuf]) -> SentinelReading {
    let mut reading = SentinelReading::default();
    for path in paths {
        let name = path.display().to_string();
        let mut since = None;
        match identify(root, path) {
            Ok(Some((identity, written))) => {
                since = written;
                reading.requests.insert(Request {
                    path: name.clone(),
                    identity,
                });
            }
            Ok(None) => {}
            Err(problem) => reading
                .problems
                .push(format!("{name} is not taken as a request: {problem}")),
        }
        let packages = packages(root, path).unwrap_or_else(|problem| {
            let list = packages_path(path);
            reading
                .problems
                .push(format!("{} is not read: {problem}", list.display()));
            Vec::new()
        });
        reading.sentinels.push(Sentinel {
            path: name,
            since,
            packages,
        });
    }
    reading
}

/// The file beside a sentinel that names the packages.
pub(super) fn packages_path(sentinel: &Path) -> PathBuf {
    let mut path = sentinel.as_os_str().to_os_string();
    path.push(".pkgs");
    PathBuf::from(path)
}

fn identify(root: &Root, path: &Path) -> Result<Option<(String, Option<Timestamp>)>, String> {
    let opened = match root.resolve(path).end {
        End::File(file, seen) => untrusted::open(&file).map(|opened| (opened, seen)),
        End::Missing => return Ok(None),
        End::Problem(problem) => return Err(problem),
    };
    // Gone or replaced between look-up and open: the event for that is on its way, and with it another reading.
    let (file, found) = match opened {
        Ok(((file, found), seen)) if is_same(&found, &seen) => (file, found),
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("cannot be read: {error}")),
    };
    let hash = hash(file).map_err(|error| format!("cannot be read: {error}"))?;
    let identity = format!(
        "{}-{}.{:09}-{}.{:09}-{hash:016x}",
        found.ino(),
        found.mtime(),
        found.mtime_nsec(),
        found.ctime(),
        found.ctime_nsec()
    );
    Ok(Some((identity, Timestamp::from_second(found.mtime()).ok())))
}

fn is_same(one: &Metadata, other: &Metadata) -> bool {
    one.dev() == other.dev() && one.ino() == other.ino()
}

/// FNV-1a: stable across builds and versions, which `DefaultHasher` does not promise. It only tells contents apart.
fn hash(file: File) -> io::Result<u64> {
    let content = untrusted::beginning(file, LIMIT)?;
    Ok(content.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    }))
}

/// The packages that a sentinel's list names. Without a list there are none.
fn packages(root: &Root, sentinel: &Path) -> Result<Vec<String>, String> {
    let file = match root.resolve(&packages_path(sentinel)).end {
        End::File(file, _) => file,
        End::Missing => return Ok(Vec::new()),
        End::Problem(problem) => return Err(problem),
    };
    match untrusted::read_of_root(&file, LIMIT) {
        Ok(text) => Ok(listed(&text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error.to_string()),
    }
}

/// The names in a list of packages: one on each line, each once.
pub fn listed(text: &[u8]) -> Vec<String> {
    let mut packages: Vec<String> = Vec::new();
    for line in String::from_utf8_lossy(text).lines() {
        let name: String = line.trim().chars().take(NAME).collect();
        if !name.is_empty() && packages.len() < PACKAGES && !packages.contains(&name) {
            packages.push(name);
        }
    }
    packages
}

#[cfg(test)]
mod tests {
    use super::super::scratch::{Scratch, skipped};
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::time::{Duration, SystemTime};

    const PATH: &str = "/run/reboot-required";

    fn host() -> (Scratch, Root) {
        let scratch = Scratch::new();
        let root = Root::new(scratch.path());
        fs::create_dir(root.join("/run")).unwrap();
        (scratch, root)
    }

    fn reading(root: &Root) -> SentinelReading {
        read(root, &[PATH.into(), "/run/reboot-needed".into()])
    }

    #[test]
    fn a_file_is_a_request_with_its_path_without_the_prefix() {
        let (_scratch, root) = host();
        assert_eq!(reading(&root).requests, Requests::new());
        fs::write(root.join(PATH), "*** System restart required ***\n").unwrap();
        let found = reading(&root);
        assert_eq!(found.requests.len(), 1);
        assert_eq!(found.requests.first().unwrap().path, PATH);
        assert_eq!(found.problems, [""; 0]);
        assert!(found.sentinels[0].since.is_some());
        assert!(found.sentinels[1].since.is_none());
        assert_eq!(found, reading(&root), "reading does not change it");
    }

    #[test]
    fn an_empty_file_is_a_request_too() {
        let (_scratch, root) = host();
        fs::write(root.join(PATH), "").unwrap();
        assert_eq!(reading(&root).requests.len(), 1);
    }

    #[test]
    fn every_way_to_write_it_again_changes_its_identity() {
        let (_scratch, root) = host();
        let file = root.join(PATH);
        fs::write(&file, "one").unwrap();
        let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let stamp = || {
            fs::File::options()
                .write(true)
                .open(&file)
                .unwrap()
                .set_modified(then)
                .unwrap();
        };
        stamp();
        let mut seen = vec![reading(&root).requests];
        let mut changed = |what: &str| {
            let now = reading(&root).requests;
            assert_eq!(now.len(), 1, "{what}");
            assert!(!seen.contains(&now), "{what}");
            seen.push(now);
        };
        fs::write(&file, "one").unwrap();
        changed("the same content, another mtime");
        fs::write(&file, "two").unwrap();
        stamp();
        changed("other content with the old mtime put back");
        fs::write(root.join("/run/new"), "two").unwrap();
        fs::rename(root.join("/run/new"), &file).unwrap();
        stamp();
        changed("another inode");
        std::thread::sleep(Duration::from_millis(20));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        changed("only the ctime");
    }

    #[test]
    fn what_is_no_file_is_a_problem_and_no_request() {
        let (_scratch, root) = host();
        fs::create_dir(root.join(PATH)).unwrap();
        symlink("/nowhere", root.join("/run/reboot-needed")).unwrap();
        let found = reading(&root);
        assert_eq!(found.requests, Requests::new());
        assert_eq!(
            found.problems,
            [
                "/run/reboot-required is not taken as a request: is a folder",
                "/run/reboot-needed is not taken as a request: is a link, and links are not followed",
            ]
        );
    }

    #[test]
    fn an_unreadable_file_is_a_problem_and_no_request() {
        let (_scratch, root) = host();
        fs::write(root.join(PATH), "").unwrap();
        fs::set_permissions(root.join(PATH), fs::Permissions::from_mode(0o000)).unwrap();
        if File::open(root.join(PATH)).is_ok() {
            return skipped("this user can read files of mode 000");
        }
        let found = reading(&root);
        assert_eq!(found.requests, Requests::new());
        assert_eq!(found.problems.len(), 1);
    }

    #[test]
    fn a_link_to_a_file_is_no_request_and_a_link_on_the_way_is_followed() {
        let (_scratch, root) = host();
        fs::write(root.join("/run/real"), "").unwrap();
        symlink("/run/real", root.join(PATH)).unwrap();
        assert_eq!(reading(&root).requests.len(), 0);
        fs::create_dir(root.join("/var")).unwrap();
        symlink("/run", root.join("/var/run")).unwrap();
        let found = read(&root, &["/var/run/real".into()]);
        assert_eq!(found.requests.len(), 1);
    }

    #[test]
    fn a_list_that_is_not_read_is_a_problem_and_the_request_stays() {
        let (_scratch, root) = host();
        fs::write(root.join(PATH), "").unwrap();
        fs::create_dir(root.join("/run/reboot-required.pkgs")).unwrap();
        let found = reading(&root);
        assert_eq!(found.requests.len(), 1);
        let expected = "/run/reboot-required.pkgs is not read: is a folder";
        assert_eq!(found.problems, [expected]);
    }

    #[test]
    fn the_name_of_a_package_is_bounded() {
        let long = "x".repeat(64 * 1024);
        assert_eq!(listed(long.as_bytes()), ["x".repeat(NAME)]);
    }

    #[test]
    fn only_the_beginning_of_a_huge_file_counts() {
        let (_scratch, root) = host();
        let file = fs::File::create(root.join(PATH)).unwrap();
        file.set_len(1 << 40).unwrap();
        assert_eq!(reading(&root).requests.len(), 1);
    }

    #[test]
    fn packages_are_listed_once_each() {
        let (_scratch, root) = host();
        fs::write(root.join(PATH), "").unwrap();
        fs::write(
            root.join("/run/reboot-required.pkgs"),
            "linux-image\n\n dbus \nlinux-image\n",
        )
        .unwrap();
        assert_eq!(
            reading(&root).sentinels[0].packages,
            ["linux-image", "dbus"]
        );
    }

    #[test]
    fn the_hash_is_fnv_1a() {
        let (_scratch, root) = host();
        let file = root.join(PATH);
        fs::write(&file, "foobar").unwrap();
        assert_eq!(
            hash(File::open(&file).unwrap()).unwrap(),
            0x85944171f73967e8
        );
    }
}
