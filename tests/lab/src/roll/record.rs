//! Everything that happened in a roll, told by the API server's own history and by the hosts, never by the daemons.

use tokio::time::Instant;

use crate::api::Change;
use crate::cluster::App;
use crate::host::Occurrence;

/// A roll that is over.
#[derive(Debug, Clone)]
pub struct Record {
    /// When the cluster began to exist.
    pub began: Instant,
    /// When it was looked at last.
    pub ended: Instant,
    /// All nodes.
    pub nodes: Vec<String>,
    /// How many were allowed in a turn at once.
    pub max: usize,
    /// What was to run.
    pub apps: Vec<App>,
    /// Every revision of every object.
    pub changes: Vec<Change>,
    /// What happened to the hosts.
    pub occurrences: Vec<Occurrence>,
}

/// One thing of a record.
#[derive(Debug, Clone, Copy)]
pub(super) enum Moment<'a> {
    /// An object changed.
    Change(&'a Change),
    /// Something happened to a host.
    Occurrence(&'a Occurrence),
}

impl Record {
    /// All of it in the order in which it happened.
    pub(super) fn moments(&self) -> Vec<Moment<'_>> {
        let mut moments: Vec<_> = self
            .changes
            .iter()
            .map(Moment::Change)
            .chain(self.occurrences.iter().map(Moment::Occurrence))
            .collect();
        // Stable: revisions of the same instant keep their order.
        moments.sort_by_key(|moment| match moment {
            Moment::Change(change) => change.at,
            Moment::Occurrence(occurrence) => occurrence.at,
        });
        moments
    }

    /// Seconds since the cluster began to exist.
    pub(super) fn seconds(&self, at: Instant) -> f64 {
        at.saturating_duration_since(self.began).as_secs_f64()
    }
}
