//! Whether the files that a credential is made of are still the ones that were read.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::rooted::Root;

/// Files as they stood at one moment. Each is noted *before* it is read: what changes in between is noticed later.
#[derive(Debug, Clone)]
pub(super) struct Files {
    root: Root,
    seen: Vec<(PathBuf, Option<Stamp>)>,
}

/// Tells two states of a file apart without reading it. Links are followed, so another target is another device or inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Files {
    /// No files yet, below this root.
    pub(super) fn below(root: &Root) -> Self {
        Self {
            root: root.clone(),
            seen: Vec::new(),
        }
    }

    /// Notes a file as it is now; it may be missing. Returns where it is for this process.
    pub(super) fn note(&mut self, path: &Path) -> PathBuf {
        let place = self.root.follow(path);
        self.seen.push((path.to_owned(), Stamp::of(&place)));
        place
    }

    /// Whether every file is as it was noted. One `stat` for each.
    pub(super) fn unchanged(&self) -> bool {
        self.seen
            .iter()
            .all(|(path, stamp)| Stamp::of(&self.root.follow(path)) == *stamp)
    }
}

impl Stamp {
    fn of(place: &Path) -> Option<Self> {
        let meta = fs::metadata(place).ok()?;
        Some(Self {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn every_way_to_replace_a_file_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let steps: [(&str, &dyn Fn()); 6] = [
            ("written in place", &|| {
                fs::write(at("one"), "longer").unwrap();
            }),
            ("replaced by rename", &|| {
                fs::write(at("new"), "other!").unwrap();
                fs::rename(at("new"), at("one")).unwrap();
            }),
            ("the link points elsewhere", &|| {
                fs::write(at("two"), "other!").unwrap();
                symlink(at("two"), at("link.new")).unwrap();
                fs::rename(at("link.new"), at("link")).unwrap();
            }),
            ("removed", &|| fs::remove_file(at("two")).unwrap()),
            ("there again", &|| fs::write(at("two"), "other!").unwrap()),
            ("a folder on the way is another", &|| {
                fs::rename(at("sub"), at("old")).unwrap();
                fs::create_dir(at("sub")).unwrap();
                fs::write(at("sub/three"), "3").unwrap();
            }),
        ];
        fs::write(at("one"), "short").unwrap();
        fs::create_dir(at("sub")).unwrap();
        fs::write(at("sub/three"), "3").unwrap();
        symlink(at("one"), at("link")).unwrap();
        for (what, step) in steps {
            let mut files = Files::below(&Root::default());
            assert_eq!(files.note(&at("link")), at("link"));
            files.note(&at("sub/three"));
            assert!(files.unchanged(), "before: {what}");
            step();
            assert!(!files.unchanged(), "{what}");
        }
    }

    /// The kubelet's link is absolute; below another root it must still be the link that is looked at.
    #[test]
    fn a_link_below_another_root_is_followed_anew_each_time() {
        let root = tempfile::tempdir().unwrap();
        for name in ["one", "two"] {
            fs::write(root.path().join(name), name).unwrap();
        }
        symlink("/one", root.path().join("link")).unwrap();
        let mut files = Files::below(&Root::new(root.path()));
        assert_eq!(files.note(Path::new("/link")), root.path().join("one"));
        assert!(files.unchanged());
        symlink("/two", root.path().join("fresh")).unwrap();
        fs::rename(root.path().join("fresh"), root.path().join("link")).unwrap();
        assert!(!files.unchanged());
    }
}
