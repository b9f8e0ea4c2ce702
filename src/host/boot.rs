//! Facts about this boot of the host, read afresh each time.

use std::fs;
use std::path::Path;

use jiff::Timestamp;

use crate::failure::Failure;
use crate::rooted::Root;

/// The kernel's name for this boot, as the kubelet reports it in `nodeInfo.bootID`.
pub fn boot_id(root: &Root) -> Result<String, Failure> {
    line(root, "/proc/sys/kernel/random/boot_id")
}

/// The host's name.
pub fn host_name(root: &Root) -> Result<String, Failure> {
    line(root, "/proc/sys/kernel/hostname")
}

/// When this boot began, by the clock as it is set now: the kernel counts back from it, so a clock that is set later moves this too.
pub fn booted_at(root: &Root) -> Result<Timestamp, Failure> {
    let path = Path::new("/proc/stat");
    let stat = read(root, path)?;
    stat.lines()
        .find_map(|line| line.strip_prefix("btime "))
        .and_then(|seconds| seconds.trim().parse().ok())
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .ok_or_else(|| local(path, "has no time of boot"))
}

/// A file of one line that must say something.
fn line(root: &Root, path: &str) -> Result<String, Failure> {
    let path = Path::new(path);
    let text = read(root, path)?.trim().to_string();
    if text.is_empty() {
        return Err(local(path, "is empty"));
    }
    Ok(text)
}

fn read(root: &Root, path: &Path) -> Result<String, Failure> {
    fs::read_to_string(root.join(path)).map_err(|error| local(path, &error.to_string()))
}

fn local(path: &Path, why: &str) -> Failure {
    Failure::local(format!("{}: {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::super::scratch::Scratch;
    use super::*;

    #[test]
    fn this_host_says_all_three() {
        let root = Root::default();
        assert_eq!(boot_id(&root).unwrap().len(), 36);
        assert!(!host_name(&root).unwrap().contains('\n'));
        let booted = booted_at(&root).unwrap();
        assert!(booted < Timestamp::now());
        assert!(booted.as_second() > 1_500_000_000);
    }

    #[test]
    fn all_are_read_under_the_root() {
        let scratch = Scratch::new();
        let root = Root::new(scratch.path());
        assert!(boot_id(&root).is_err());
        fs::create_dir_all(root.join("/proc/sys/kernel/random")).unwrap();
        fs::write(root.join("/proc/sys/kernel/random/boot_id"), "b00t\n").unwrap();
        fs::write(root.join("/proc/sys/kernel/hostname"), "\n").unwrap();
        fs::write(root.join("/proc/stat"), "cpu 1 2\nbtime 1700000000\nx 1\n").unwrap();
        assert_eq!(boot_id(&root).unwrap(), "b00t");
        assert_eq!(booted_at(&root).unwrap().as_second(), 1_700_000_000);
        assert!(host_name(&root).is_err(), "an empty name is none");
        fs::write(root.join("/proc/stat"), "btime soon\n").unwrap();
        assert!(booted_at(&root).is_err());
    }
}
