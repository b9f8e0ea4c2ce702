//! Paths of the host as this process sees them: below a root folder, with links followed inside that folder.
//!
//! The kubelet's `kubelet-client-current.pem` is an absolute link; below another root it must lead back below that root.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// As many links as Linux follows before it says ELOOP.
const MAX_LINKS: u32 = 40;

/// Where a path of the host is for this process. Below `/` it is the path itself, a relative one included: an operator's
/// `--kubeconfig` is relative to the working directory. Missing parts are kept as written, so that an error can name them.
pub(super) fn below(root: &Path, path: &Path) -> PathBuf {
    if root == Path::new("/") {
        return path.to_owned();
    }
    let mut ahead = parts(path);
    let mut done = PathBuf::new();
    let mut links = 0;
    while let Some(part) = ahead.pop() {
        if part == ".." {
            done.pop();
            continue;
        }
        done.push(part);
        if let Ok(target) = std::fs::read_link(root.join(&done))
            && links < MAX_LINKS
        {
            links += 1;
            if target.is_absolute() {
                done.clear();
            } else {
                done.pop();
            }
            ahead.extend(parts(&target));
        }
    }
    root.join(done)
}

/// The parts of a path, last one first, without the leading `/`.
fn parts(path: &Path) -> Vec<OsString> {
    path.components()
        .rev()
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
        .map(|part| part.as_os_str().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_real_root_changes_nothing() {
        for path in ["/etc/kubernetes/kubelet.conf", "relative", "../x"] {
            assert_eq!(below(Path::new("/"), Path::new(path)), Path::new(path));
        }
    }

    #[test]
    fn links_lead_back_below_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("var/lib/pki")).unwrap();
        fs::write(root.join("var/lib/pki/one.pem"), "").unwrap();
        symlink(
            "/var/lib/pki/one.pem",
            root.join("var/lib/pki/absolute.pem"),
        )
        .unwrap();
        symlink("one.pem", root.join("var/lib/pki/relative.pem")).unwrap();
        symlink("../../../../../../var/lib/pki", root.join("escape")).unwrap();
        for path in [
            "/var/lib/pki/absolute.pem",
            "var/lib/pki/relative.pem",
            "/escape/one.pem",
        ] {
            assert_eq!(
                below(root, Path::new(path)),
                root.join("var/lib/pki/one.pem"),
                "{path}"
            );
        }
        assert_eq!(
            below(root, Path::new("/../gone/x")),
            root.join("gone/x"),
            "missing parts stay as written"
        );
    }

    #[test]
    fn a_loop_of_links_ends() {
        let folder = tempfile::tempdir().unwrap();
        symlink("/b", folder.path().join("a")).unwrap();
        symlink("/a", folder.path().join("b")).unwrap();
        assert!(below(folder.path(), Path::new("/a")).starts_with(folder.path()));
    }
}
