//! Follows a path name by name, so that everything that can redirect it is known and can be watched.
//!
//! An absolute link leads to the host's root, not to ours: with `--root` the kernel would follow it out of the prefix.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use super::root::Root;

/// Links that are followed before the path is called a loop, as in the kernel.
const LINKS: usize = 40;

/// What a name on the way is looked up in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lookup {
    /// The folder.
    pub(super) folder: PathBuf,
    /// Its device and inode: the same path may be another folder tomorrow.
    pub(super) id: (u64, u64),
    /// The name that was looked up.
    pub(super) name: OsString,
}

/// Where a path led.
#[derive(Debug)]
pub(super) enum End {
    /// To a regular file, at this path without any links.
    File(PathBuf, Metadata),
    /// To nothing: a name on the way does not exist.
    Missing,
    /// To something that is not a file to read, said in words.
    Problem(String),
}

/// The way of a path and its end.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) lookups: Vec<Lookup>,
    pub(super) end: End,
}

/// Follows `path` to a file under `root`. Its last name must be the file itself: whoever may write there could turn a link to any
/// other.
pub(super) fn resolve(root: &Root, path: &Path) -> Way {
    let mut lookups = Vec::new();
    let end = follow(root, path, LastLink::Refused, &mut lookups);
    Way { lookups, end }
}

/// Whether there is anything at `path`, through whatever links.
pub(super) fn exists(root: &Root, path: &Path) -> bool {
    let end = follow(root, path, LastLink::Followed, &mut Vec::new());
    !matches!(end, End::Missing)
}

/// What becomes of a link that is the last name of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LastLink {
    Followed,
    Refused,
}

fn follow(root: &Root, path: &Path, last: LastLink, lookups: &mut Vec<Lookup>) -> End {
    let mut todo = parts(path);
    let mut here = root.path().to_path_buf();
    let mut links = 0;
    while let Some(name) = todo.pop_front() {
        if name == ".." {
            if here != root.path() {
                here.pop();
            }
            continue;
        }
        let id = match fs::metadata(&here) {
            Ok(found) => (found.dev(), found.ino()),
            Err(error) => return missing_or(error.kind(), format!("{}: {error}", here.display())),
        };
        let next = here.join(&name);
        lookups.push(Lookup {
            folder: here.clone(),
            id,
            name,
        });
        let found = match fs::symlink_metadata(&next) {
            Ok(found) => found,
            Err(error) => return missing_or(error.kind(), format!("{}: {error}", next.display())),
        };
        let kind = found.file_type();
        if kind.is_symlink() {
            if todo.is_empty() && last == LastLink::Refused {
                return End::Problem("is a link, and links are not followed".into());
            }
            links += 1;
            if links > LINKS {
                return End::Problem("is a loop of links".into());
            }
            let target = match fs::read_link(&next) {
                Ok(target) => target,
                Err(error) => {
                    return missing_or(error.kind(), format!("{}: {error}", next.display()));
                }
            };
            if target.is_absolute() {
                here = root.path().to_path_buf();
            }
            for part in parts(&target).into_iter().rev() {
                todo.push_front(part);
            }
        } else if todo.is_empty() {
            return if kind.is_file() {
                End::File(next, found)
            } else if kind.is_dir() {
                End::Problem("is a folder".into())
            } else {
                End::Problem("is not a regular file".into())
            };
        } else if kind.is_dir() {
            here = next;
        } else {
            return End::Problem(format!("{} is not a folder", next.display()));
        }
    }
    End::Problem("is a folder".into())
}

/// The names of a path, with `..` but without `.` and the root.
fn parts(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_os_string()),
            Component::ParentDir => Some("..".into()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}

fn missing_or(kind: ErrorKind, problem: String) -> End {
    if kind == ErrorKind::NotFound {
        End::Missing
    } else {
        End::Problem(problem)
    }
}

#[cfg(test)]
mod tests {
    use super::super::scratch::Scratch;
    use super::*;
    use std::os::unix::fs::symlink;

    fn names(way: &Way) -> Vec<String> {
        way.lookups
            .iter()
            .map(|lookup| lookup.name.to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn absolute_links_stay_under_the_root() {
        let scratch = Scratch::new();
        let root = Root::new(scratch.path());
        fs::create_dir_all(root.join("/run")).unwrap();
        fs::create_dir_all(root.join("/var")).unwrap();
        symlink("/run", root.join("/var/run")).unwrap();
        fs::write(root.join("/run/x"), "").unwrap();
        let way = resolve(&root, Path::new("/var/run/x"));
        assert!(matches!(&way.end, End::File(path, _) if *path == root.join("/run/x")));
        assert_eq!(names(&way), ["var", "run", "run", "x"]);
    }

    #[test]
    fn relative_links_and_parents_are_followed() {
        let scratch = Scratch::new();
        let root = Root::new(scratch.path());
        fs::create_dir_all(root.join("/a/b")).unwrap();
        symlink("../../../run", root.join("/a/b/up")).unwrap();
        fs::create_dir_all(root.join("/run")).unwrap();
        fs::write(root.join("/run/x"), "").unwrap();
        let way = resolve(&root, Path::new("/a/b/up/x"));
        assert!(matches!(way.end, End::File(..)), "{way:?}");
    }

    #[test]
    fn a_missing_parent_ends_at_the_nearest_that_exists() {
        let scratch = Scratch::new();
        let root = Root::new(scratch.path());
        let way = resolve(&root, Path::new("/run/deep/x"));
        assert!(matches!(way.end, End::Missing));
        assert_eq!(names(&way), ["run"]);
    }

    #[test]
    fn what_is_not_a_file_is_told_from_what_is_not_there() {
        let scratch = Scratch::new();
        let root = Root::new(scratch.path());
        fs::create_dir_all(root.join("/run/folder")).unwrap();
        fs::write(root.join("/run/file"), "").unwrap();
        symlink("nowhere", root.join("/run/dangling")).unwrap();
        symlink("loop", root.join("/run/loop")).unwrap();
        let socket = std::os::unix::net::UnixListener::bind(root.join("/run/socket")).unwrap();
        let problem = |path: &str| {
            let end = resolve(&root, Path::new(path)).end;
            let End::Problem(problem) = end else {
                panic!("{path}: {end:?}");
            };
            problem
        };
        assert_eq!(problem("/run/folder"), "is a folder");
        assert_eq!(
            problem("/run/dangling"),
            "is a link, and links are not followed"
        );
        assert_eq!(problem("/run/loop/x"), "is a loop of links");
        assert_eq!(problem("/run/socket"), "is not a regular file");
        assert!(problem("/run/file/x").ends_with("/run/file is not a folder"));
        assert!(matches!(
            resolve(&root, Path::new("/run/missing")).end,
            End::Missing
        ));
        assert!(exists(&root, Path::new("/run/folder")));
        assert!(exists(&root, Path::new("/run/loop")));
        assert!(!exists(&root, Path::new("/run/dangling")));
        drop(socket);
    }
}
