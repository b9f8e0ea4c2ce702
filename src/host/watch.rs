//! Watches everything that decides what a path leads to, and hints when it changed.
//!
//! Watches are never repaired, only built anew: after a change of the way (a folder deleted and made again, a link turned, a
//! mount, a lost event) the old inotify instance is dropped and the way is followed again. So there is one rule instead
//! of one for each event, and no stale watch. All events are hints: what is true is read afterwards.

use std::collections::{BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use inotify::{EventMask, EventOwned, EventStream, Inotify, WatchDescriptor, WatchMask};
use tokio::time::sleep;

use super::hints::{Hints, Teller};
use super::mounts::Mounts;
use crate::rooted::{End, Lookup, Root};

/// The least time between two looks, however fast things change: a file that is written in a loop must not keep us busy.
const PACE: Duration = Duration::from_millis(200);
/// How often to look where something cannot be watched.
const SLOW: Duration = Duration::from_secs(60);
/// How often the way may change while the watches are set, before it is left to the next event.
const TRIES: usize = 8;

/// Watches what `paths` lead to, wherever they lead, also while parts of them do not exist.
pub(super) fn watch(root: Root, paths: Vec<PathBuf>) -> Hints {
    paced(root, paths, PACE)
}

fn paced(root: Root, paths: Vec<PathBuf>, pace: Duration) -> Hints {
    Hints::spawn(|teller| {
        let watcher = Watcher {
            root,
            paths,
            pace,
            teller,
        };
        watcher.run()
    })
}

struct Watcher {
    root: Root,
    paths: Vec<PathBuf>,
    pace: Duration,
    teller: Teller,
}

impl Watcher {
    async fn run(self) {
        let (mounts, blind) = match Mounts::open() {
            Ok(mounts) => (Some(mounts), None),
            Err(error) => (None, Some(format!("cannot watch mounts: {error}"))),
        };
        loop {
            let armed = Armed::new(&self);
            let problem = match &armed {
                Ok(armed) => armed.problem.clone().or_else(|| blind.clone()),
                Err(error) => Some(format!("cannot watch with inotify: {error}")),
            };
            let slow = problem.is_some();
            self.teller.problem(problem);
            // What happened before the watches were set has made no event.
            self.teller.tell();
            match armed {
                Ok(armed) => {
                    armed
                        .until_the_way_changes(&self, mounts.as_ref(), slow)
                        .await;
                }
                Err(_) => sleep(SLOW).await,
            }
            sleep(self.pace).await;
        }
    }

    /// The ways as they are now.
    fn ways(&self) -> Ways {
        let mut ways = Ways::default();
        for path in &self.paths {
            let way = self.root.resolve(path);
            ways.lookups.extend(way.lookups);
            if let End::File(file, found) = way.end {
                ways.files.insert((file, (found.dev(), found.ino())));
            }
        }
        ways
    }
}

/// The ways of all paths at one moment.
#[derive(Debug, Default, PartialEq, Eq)]
struct Ways {
    lookups: BTreeSet<Lookup>,
    /// The files at the ends, with device and inode.
    files: BTreeSet<(PathBuf, (u64, u64))>,
}

/// An inotify instance whose watches cover the ways as they are.
struct Armed {
    ways: Ways,
    /// Which names matter in each watched folder. A file has none, and everything about it matters.
    names: HashMap<WatchDescriptor, Option<BTreeSet<OsString>>>,
    events: EventStream<[u8; 4096]>,
    /// What could not be watched.
    problem: Option<String>,
}

/// What an event asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    /// It is about a name that no path goes through.
    Nothing,
    /// A file may say something else now.
    Look,
    /// A path may lead elsewhere now.
    Rebuild,
}

impl Armed {
    fn new(watcher: &Watcher) -> io::Result<Self> {
        let mut ways = watcher.ways();
        for _ in 0..TRIES {
            let (armed, gone) = Self::on(ways)?;
            ways = watcher.ways();
            // A change between the look and the watch has made no event.
            if !gone && ways == armed.ways {
                return Ok(armed);
            }
        }
        let (mut armed, _) = Self::on(ways)?;
        armed.problem = Some("the folders change faster than they can be watched".into());
        Ok(armed)
    }

    /// Watches these ways, and says whether a part of them was gone already.
    fn on(ways: Ways) -> io::Result<(Self, bool)> {
        let inotify = Inotify::init()?;
        let mut names: HashMap<WatchDescriptor, Option<BTreeSet<OsString>>> = HashMap::new();
        let mut problem = None;
        let mut gone = false;
        let mut add = |path: &Path, mask: WatchMask| match inotify.watches().add(path, mask) {
            Ok(watch) => Some(watch),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                gone = true;
                None
            }
            Err(error) => {
                problem.get_or_insert(format!("cannot watch {}: {error}", path.display()));
                None
            }
        };
        // `ATTRIB` of a folder covers the files in it, also those that may not be read and so not be watched.
        let folder = WatchMask::CREATE
            | WatchMask::DELETE
            | WatchMask::MOVE
            | WatchMask::ATTRIB
            | WatchMask::DELETE_SELF
            | WatchMask::MOVE_SELF
            | WatchMask::ONLYDIR;
        for lookup in &ways.lookups {
            if let Some(watch) = add(&lookup.folder, folder) {
                names
                    .entry(watch)
                    .or_default()
                    .get_or_insert_default()
                    .insert(lookup.name.clone());
            }
        }
        // The content is watched at the file: at the folder every write to every file in it would wake us up.
        let file = WatchMask::MODIFY
            | WatchMask::CLOSE_WRITE
            | WatchMask::ATTRIB
            | WatchMask::DELETE_SELF
            | WatchMask::MOVE_SELF
            | WatchMask::DONT_FOLLOW;
        for (path, _) in &ways.files {
            if let Some(watch) = add(path, file) {
                names.entry(watch).or_default();
            }
        }
        let events = inotify.into_event_stream([0; 4096])?;
        Ok((
            Self {
                ways,
                names,
                events,
                problem,
            },
            gone,
        ))
    }

    async fn until_the_way_changes(
        mut self,
        watcher: &Watcher,
        mounts: Option<&Mounts>,
        slow: bool,
    ) {
        loop {
            let verdict = tokio::select! {
                event = self.events.next() => self.judge_all(event),
                // Nearly all mounts are none of our business.
                () = mounted(mounts) => self.compare(Verdict::Nothing, watcher),
                () = sleep(SLOW), if slow => Verdict::Rebuild,
            };
            match verdict {
                Verdict::Nothing => {}
                Verdict::Rebuild => return,
                Verdict::Look => {
                    watcher.teller.tell();
                    // New permissions can open a way, or make a file watchable.
                    let changed = self.compare(Verdict::Look, watcher);
                    if changed == Verdict::Rebuild || self.problem.is_some() {
                        return;
                    }
                }
            }
            sleep(watcher.pace).await;
        }
    }

    /// `same` if the ways are still those that are watched.
    fn compare(&self, same: Verdict, watcher: &Watcher) -> Verdict {
        if watcher.ways() == self.ways {
            same
        } else {
            Verdict::Rebuild
        }
    }

    /// Takes this event and all that are there already.
    fn judge_all(&mut self, first: Option<io::Result<EventOwned>>) -> Verdict {
        let mut verdict = self.judge(first);
        while let Some(event) = self.events.next().now_or_never() {
            verdict = verdict.max(self.judge(event));
            if verdict == Verdict::Rebuild {
                break;
            }
        }
        verdict
    }

    fn judge(&self, event: Option<io::Result<EventOwned>>) -> Verdict {
        let Some(Ok(event)) = event else {
            return Verdict::Rebuild;
        };
        let ours = |name: Option<&OsStr>| match (self.names.get(&event.wd), name) {
            (Some(Some(names)), Some(name)) => names.contains(name),
            _ => true,
        };
        // An overflow has no watch, what happens to a watched thing itself has no name: both count.
        if !ours(event.name.as_deref()) {
            Verdict::Nothing
        } else if (EventMask::MODIFY | EventMask::CLOSE_WRITE | EventMask::ATTRIB)
            .contains(event.mask.difference(EventMask::ISDIR))
        {
            Verdict::Look
        } else {
            Verdict::Rebuild
        }
    }
}

/// A change of the mounts, or never.
async fn mounted(mounts: Option<&Mounts>) {
    match mounts {
        Some(mounts) => {
            if mounts.changed().await.is_err() {
                // Not seen on any kernel; a short sleep keeps it from becoming a busy loop.
                sleep(SLOW).await;
            }
        }
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
