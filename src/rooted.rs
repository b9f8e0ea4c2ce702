//! Paths of the host as this process sees them: below a root folder, with links followed inside that folder.
//!
//! An absolute link, as the kubelet's `kubelet-client-current.pem` is one, leads to the host's root and not to ours: the kernel would
//! follow it out of the prefix. So paths are followed here, name by name, and everything that can redirect one is known and can be
//! watched.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// Links that are followed before the path is called a loop, as in the kernel.
const MAX_LINKS: usize = 40;

/// Where the host's file system begins: `/`, or what `--root` says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Root(PathBuf);

/// What a name on the way is looked up in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lookup {
    /// The folder.
    pub folder: PathBuf,
    /// Its device and inode: the same path may be another folder tomorrow.
    pub id: (u64, u64),
    /// The name that was looked up.
    pub name: OsString,
}

/// Where a path led.
#[derive(Debug)]
pub enum End {
    /// To a regular file, at this path without any links.
    File(PathBuf, Metadata),
    /// To nothing: a name on the way does not exist.
    Missing,
    /// To something that is not a file to read, said in words.
    Problem(String),
}

/// The way of a path and its end.
#[derive(Debug)]
pub struct Way {
    /// Every name that could have led elsewhere, in the order in which they were looked up.
    pub lookups: Vec<Lookup>,
    /// Where it ended.
    pub end: End,
}

/// What becomes of a link that is the last name of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LastLink {
    Followed,
    Refused,
}

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

    /// A path of the host under this root, without a look at links. What the path says about the root itself is dropped.
    pub fn join(&self, path: impl AsRef<Path>) -> PathBuf {
        let mut joined = self.0.clone();
        for name in names(path.as_ref()) {
            self.enter(&mut joined, &name);
        }
        joined
    }

    /// Where a path of the host is for this process, its links followed. Below the real root it is the path itself, a relative one
    /// included: an operator's `--kubeconfig` is relative to the working directory. Missing parts are kept as written, so that an
    /// error can name them.
    pub fn follow(&self, path: &Path) -> PathBuf {
        if self.is_real() {
            return path.to_owned();
        }
        let mut walk = Walk::new(self, path);
        while walk.next().is_some() {}
        walk.here
    }

    /// Follows `path` to a file. Its last name must be the file itself: whoever may write there could turn a link to any other.
    pub fn resolve(&self, path: &Path) -> Way {
        let mut lookups = Vec::new();
        let end = self.end(path, LastLink::Refused, &mut lookups);
        Way { lookups, end }
    }

    /// Whether there is anything at `path`, through whatever links.
    pub fn has(&self, path: &Path) -> bool {
        let end = self.end(path, LastLink::Followed, &mut Vec::new());
        !matches!(end, End::Missing)
    }

    fn end(&self, path: &Path, last: LastLink, lookups: &mut Vec<Lookup>) -> End {
        let mut walk = Walk::new(self, path);
        while let Some(step) = walk.next() {
            let id = match step.id {
                Ok(id) => id,
                Err(error) => return missing_or(&step.folder, &error),
            };
            let at = step.folder.join(&step.name);
            lookups.push(Lookup {
                folder: step.folder,
                id,
                name: step.name,
            });
            let (found, target) = match step.found {
                Ok(found) => found,
                Err(error) => return missing_or(&at, &error),
            };
            if target.is_some() {
                if step.is_last && last == LastLink::Refused {
                    return End::Problem("is a link, and links are not followed".into());
                }
                if walk.links > MAX_LINKS {
                    return End::Problem("is a loop of links".into());
                }
            } else if !step.is_last {
                if !found.is_dir() {
                    return End::Problem(format!("{} is not a folder", at.display()));
                }
            } else if found.is_file() {
                return End::File(at, found);
            } else if !found.is_dir() {
                return End::Problem("is not a regular file".into());
            }
        }
        End::Problem("is a folder".into())
    }

    /// Goes down to a name, or up, but never above the root.
    fn enter(&self, here: &mut PathBuf, name: &OsString) {
        if name != ".." {
            here.push(name);
        } else if *here != self.0 {
            here.pop();
        }
    }
}

impl Default for Root {
    fn default() -> Self {
        Self::new("/")
    }
}

/// A path that is being followed.
struct Walk<'a> {
    root: &'a Root,
    /// Names that are still to be looked up, the last one first.
    ahead: Vec<OsString>,
    here: PathBuf,
    links: usize,
}

/// One name of it.
struct Step {
    folder: PathBuf,
    /// Device and inode of the folder.
    id: io::Result<(u64, u64)>,
    name: OsString,
    /// What is there; of a link also where it leads.
    found: io::Result<(Metadata, Option<PathBuf>)>,
    /// No other name came after it in the path.
    is_last: bool,
}

impl<'a> Walk<'a> {
    fn new(root: &'a Root, path: &Path) -> Self {
        Self {
            root,
            ahead: names(path).rev().collect(),
            here: root.0.clone(),
            links: 0,
        }
    }
}

impl Iterator for Walk<'_> {
    type Item = Step;

    /// Goes on by one name. One that is not there is gone through like any other.
    fn next(&mut self) -> Option<Step> {
        let mut name = self.ahead.pop()?;
        while name == ".." {
            self.root.enter(&mut self.here, &name);
            name = self.ahead.pop()?;
        }
        let id = fs::metadata(&self.here).map(|it| (it.dev(), it.ino()));
        let step = Step {
            folder: self.here.clone(),
            id,
            found: look(&self.here.join(&name)),
            is_last: self.ahead.is_empty(),
            name,
        };
        let target = step.found.as_ref().ok().and_then(|it| it.1.as_deref());
        self.links += usize::from(target.is_some());
        match target.filter(|_| self.links <= MAX_LINKS) {
            Some(target) => {
                if target.is_absolute() {
                    self.here.clone_from(&self.root.0);
                }
                self.ahead.extend(names(target).rev());
            }
            None => self.here.push(&step.name),
        }
        Some(step)
    }
}

fn look(at: &Path) -> io::Result<(Metadata, Option<PathBuf>)> {
    let found = fs::symlink_metadata(at)?;
    let target = found.is_symlink().then(|| fs::read_link(at)).transpose()?;
    Ok((found, target))
}

/// The names of a path, with `..` but without `.` and the root.
fn names(path: &Path) -> impl DoubleEndedIterator<Item = OsString> {
    path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_os_string()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

fn missing_or(at: &Path, error: &io::Error) -> End {
    if error.kind() == ErrorKind::NotFound {
        End::Missing
    } else {
        End::Problem(format!("{}: {error}", at.display()))
    }
}

#[cfg(test)]
mod tests;
