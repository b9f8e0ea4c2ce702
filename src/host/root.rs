//! The prefix of every path on the host.

use std::path::{Component, Path, PathBuf};

/// Where the host's file system begins: `/`, or what `--root` says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Root(PathBuf);

impl Root {
    /// A root at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Whether this is the real root.
    pub fn is_real(&self) -> bool {
        self.0
            .components()
            .all(|part| matches!(part, Component::RootDir | Component::CurDir))
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A path of the host under this root. What the path says about the root itself is dropped.
    pub fn join(&self, path: impl AsRef<Path>) -> PathBuf {
        let mut joined = self.0.clone();
        for part in path.as_ref().components() {
            match part {
                Component::Normal(name) => joined.push(name),
                Component::ParentDir => {
                    if joined != self.0 {
                        joined.pop();
                    }
                }
                Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
            }
        }
        joined
    }
}

impl Default for Root {
    fn default() -> Self {
        Self::new("/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_stays_under_the_root() {
        let joined = |root: &str, path: &str| Root::new(root).join(path).display().to_string();
        assert_eq!(joined("/", "/run/x"), "/run/x");
        assert_eq!(joined("/srv/host", "/run/x"), "/srv/host/run/x");
        assert_eq!(joined("/srv/host", "run/../etc"), "/srv/host/etc");
        assert_eq!(joined("/srv/host", "/../../etc"), "/srv/host/etc");
    }

    #[test]
    fn the_real_root_is_told_from_any_other() {
        assert!(Root::default().is_real());
        assert!(Root::new("/.").is_real());
        assert!(!Root::new("/srv").is_real());
        assert!(!Root::new("srv").is_real());
    }
}
