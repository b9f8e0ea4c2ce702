//! Pods of a DaemonSet that does not exist: nobody would create them again, so they count as unmanaged, as for `kubectl drain`.
//!
//! A DaemonSet that may not be read counts as existing, and its pods stay.

use std::collections::BTreeSet;

use super::{ControllerRef, ControllerView, PodView};
use crate::failure::{Failure, FailureKind};

/// The DaemonSets of a node's pods that are not there, and those that nobody has looked for yet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Orphans {
    unread: BTreeSet<ControllerRef>,
    gone: BTreeSet<ControllerRef>,
}

impl Orphans {
    /// Nothing is known yet of the DaemonSets of these pods. What has ended, or is a static pod, is of no account.
    pub fn among(pods: &[PodView]) -> Self {
        let counts = |pod: &&PodView| !pod.finished && !pod.mirror;
        Self {
            unread: pods.iter().filter(counts).filter_map(daemon_set).collect(),
            gone: BTreeSet::new(),
        }
    }

    /// These are not there, as was found before.
    pub fn known(gone: BTreeSet<ControllerRef>) -> Self {
        Self {
            unread: BTreeSet::new(),
            gone,
        }
    }

    /// Those that are not there.
    pub fn gone(&self) -> &BTreeSet<ControllerRef> {
        &self.gone
    }

    /// The DaemonSet to read next, if one is left.
    pub fn next_read(&self) -> Option<ControllerRef> {
        self.unread.first().cloned()
    }

    /// DaemonSets that are still to be read.
    pub fn due(&self) -> usize {
        self.unread.len()
    }

    /// Takes the answer to [`Self::next_read`].
    ///
    /// # Errors
    /// It may be read, but could not be: nothing is known, and it is still the next.
    pub fn read(&mut self, result: Result<Option<ControllerView>, Failure>) -> Result<(), Failure> {
        match result {
            // One of another UID exists all the same: what has become of its pods is for the garbage collector.
            Ok(Some(_)) => {
                self.unread.pop_first();
            }
            Ok(None) => self.gone.extend(self.unread.pop_first()),
            Err(failure)
                if matches!(
                    failure.kind,
                    FailureKind::Forbidden | FailureKind::Restricted
                ) =>
            {
                self.unread.clear();
            }
            Err(failure) => return Err(failure),
        }
        Ok(())
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.gone.is_empty()
    }

    /// Notes on each pod whether its DaemonSet is gone.
    pub fn mark(&self, pods: &mut [PodView]) {
        for pod in pods {
            pod.orphaned = daemon_set(pod).is_some_and(|owner| self.gone.contains(&owner));
        }
    }
}

/// The DaemonSet that keeps a pod, if one does.
pub(super) fn daemon_set(pod: &PodView) -> Option<ControllerRef> {
    ControllerRef::daemon_set(&pod.pod.namespace, pod.controller.as_ref()?)
}

#[cfg(test)]
mod tests {
    use super::super::{Controller, PodRef};
    use super::*;
    use crate::drain::Written;

    fn pod(name: &str, of: &str) -> PodView {
        PodView {
            pod: PodRef {
                namespace: "ns".into(),
                name: name.into(),
                uid: name.into(),
            },
            controller: Some(Controller {
                api_version: "apps/v1".into(),
                kind: "DaemonSet".into(),
                name: of.into(),
                uid: of.into(),
            }),
            ..PodView::default()
        }
    }

    fn there(name: &str) -> ControllerView {
        ControllerView {
            uid: name.into(),
            wanted: 1,
            replicas: 0,
            ready: 0,
            available: 0,
            terminating: 0,
            behind: false,
            deleting: false,
            fails: None,
            orphaning: false,
            owner: None,
            written: Written::default(),
        }
    }

    fn failure(kind: FailureKind) -> Failure {
        Failure::new(kind, "no")
    }

    /// Reads all, with these answers in the order of the names.
    fn read<const N: usize>(
        pods: &[PodView],
        answers: [Result<Option<ControllerView>, Failure>; N],
    ) -> Orphans {
        let mut orphans = Orphans::among(pods);
        for answer in answers {
            assert!(orphans.next_read().is_some());
            orphans.read(answer).unwrap();
        }
        assert_eq!(orphans.next_read(), None);
        orphans
    }

    fn marked(orphans: &Orphans, pods: &[PodView]) -> Vec<bool> {
        let mut pods = pods.to_vec();
        orphans.mark(&mut pods);
        pods.iter().map(|pod| pod.orphaned).collect()
    }

    #[test]
    fn each_daemon_set_is_read_once_and_those_that_are_gone_are_marked() {
        let pods = [pod("1", "a"), pod("2", "a"), pod("3", "b")];
        let orphans = read(&pods, [Ok(None), Ok(Some(there("b")))]);
        assert_eq!(marked(&orphans, &pods), [true, true, false]);
        // One that is made again under the name keeps its pods.
        let mut again = pod("4", "a");
        again.controller.as_mut().unwrap().uid = "new".into();
        assert_eq!(marked(&orphans, &[again]), [false]);
    }

    #[test]
    fn what_does_not_run_is_not_looked_for() {
        for change in [
            |pod: &mut PodView| pod.finished = true,
            |pod: &mut PodView| pod.mirror = true,
            |pod: &mut PodView| pod.controller = None,
        ] {
            let mut pod = pod("1", "a");
            change(&mut pod);
            assert_eq!(Orphans::among(&[pod]).next_read(), None);
        }
    }

    #[test]
    fn what_may_not_be_read_exists() {
        let pods = [pod("1", "a"), pod("2", "b")];
        let orphans = read(&pods, [Err(failure(FailureKind::Forbidden))]);
        assert!(orphans.is_empty());
        assert_eq!(marked(&orphans, &pods), [false, false]);
    }

    #[test]
    fn an_answer_that_does_not_come_leaves_it_open() {
        let pods = [pod("1", "a")];
        let mut orphans = Orphans::among(&pods);
        let first = orphans.next_read();
        assert!(
            orphans
                .read(Err(failure(FailureKind::Unavailable)))
                .is_err()
        );
        assert_eq!(orphans.next_read(), first);
        assert_eq!(marked(&orphans, &pods), [false]);
    }
}
