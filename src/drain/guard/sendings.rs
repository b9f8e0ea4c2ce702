//! Which evictions of a controller's Ready pods were sent by which of its statuses, and which of them went.
//!
//! A controller counts as having seen what was evicted once its status is newer than the one by which the last pod was sent that
//! went. That may be of a change between that read and the eviction: nobody could tell, and one that waited for another write would
//! wait for ever. An eviction that was refused, by a later status, is nothing that it could ever see.

use std::collections::BTreeSet;

use crate::drain::StatusSnapshot;

/// Evictions that were sent, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Sendings {
    /// By which status an earlier process may have evicted some.
    pub(super) earlier: Option<StatusSnapshot>,
    /// The status was written since.
    earlier_seen: bool,
    by: Vec<Sending>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Sending {
    status: StatusSnapshot,
    /// UIDs.
    pods: BTreeSet<String>,
    /// One of them went for certain.
    confirmed: bool,
    /// Another status was written since.
    seen: bool,
}

impl Sendings {
    pub(super) fn of_earlier(status: StatusSnapshot) -> Self {
        Self {
            earlier: Some(status),
            ..Self::default()
        }
    }

    /// The eviction of this pod is sent, by this status.
    pub(super) fn sent(&mut self, uid: &str, status: StatusSnapshot) {
        match self.by.last_mut().filter(|last| last.status == status) {
            Some(last) => drop(last.pods.insert(uid.to_owned())),
            None => self.by.push(Sending {
                status,
                pods: [uid.to_owned()].into(),
                confirmed: false,
                seen: false,
            }),
        }
    }

    /// A status was written, later than that by which any of these was sent.
    pub(super) fn wrote(&mut self) {
        self.earlier_seen = true;
        self.by.iter_mut().for_each(|it| it.seen = true);
    }

    /// Whether a status was written since the last of those that were not refused.
    pub(super) fn seen(&self) -> bool {
        self.by.last().map_or(self.earlier_seen, |last| last.seen)
    }

    /// It went.
    pub(super) fn confirm(&mut self, uid: &str) {
        let mut by = self.by.iter_mut().rev();
        if let Some(sending) = by.find(|sending| sending.pods.contains(uid)) {
            sending.confirmed = true;
        }
    }

    /// It was refused. Of one that was sent before, without an answer, nobody knows still.
    pub(super) fn refused(&mut self, uid: &str) {
        if let Some(last) = self.by.iter_mut().rev().find(|it| it.pods.contains(uid)) {
            last.pods.remove(uid);
        }
        self.by.retain(|it| it.confirmed || !it.pods.is_empty());
    }

    /// The status by which the last was sent that went: for certain, or because it is `gone`.
    pub(super) fn last(&self, gone: impl Fn(&str) -> bool) -> Option<&StatusSnapshot> {
        let went = |it: &&Sending| it.confirmed || it.pods.iter().any(|uid| gone(uid));
        self.by.iter().rev().find(went).map(|it| &it.status)
    }

    /// The same if every eviction that was sent by a later status was refused.
    pub(super) fn settled(&self) -> Option<&StatusSnapshot> {
        match self.by.last() {
            Some(last) => last.confirmed.then_some(&last.status),
            None => self.earlier.as_ref(),
        }
    }

    /// Whether a status that counts so many counts none of them any more: it has fallen by as many, whichever of them are left out.
    pub(super) fn fallen(&self, ready: u32) -> bool {
        let fallen = |first: usize| {
            let since = self.by.iter().skip(first);
            let pods: BTreeSet<_> = since.flat_map(|it| &it.pods).collect();
            let pods = u32::try_from(pods.len()).unwrap_or(u32::MAX);
            let counted = self.by.get(first).map_or(0, |it| it.status.counted);
            ready.saturating_add(pods) <= counted
        };
        // Of those of an earlier process nobody knows how many there were.
        self.earlier.is_none() && (0..self.by.len()).all(fallen)
    }
}
