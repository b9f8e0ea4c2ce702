//! When the status of a controller was written, as far as one read of it tells.
//!
//! `managedFields` have the times, in whole seconds. A pod that is replaced within the second of the write before leaves the same
//! time, and the same numbers. The server gives an object another version with each write of any part of it; where nothing but
//! the status can have been that part, the version tells of such a write too. That is asked only where a time cannot tell: of a
//! status that had been written a moment before it was read. What is written later bears another time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ControllerView, EvictionRecord};

/// Compared with that of another read, and never with a clock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusRevision {
    /// When the status was last changed, by each who did, as `managedFields` have it; empty if nobody did, or they do not say.
    pub times: String,
    /// The last of these was so shortly before the read, by the server's clock, that another write might bear it too.
    pub fresh: bool,
    /// `metadata.resourceVersion` of the whole object.
    pub version: String,
    /// `metadata.generation`: another one with each change of the spec. 0 if the server has none.
    pub generation: i64,
    /// A digest of the metadata, without the version and without what they say of writes of the status. Who writes anything else
    /// leaves a trace there, unless it is taken back before the next read. (A server that stores all objects in another way
    /// gives them other versions as well.)
    pub others: u64,
}

impl StatusRevision {
    /// How old the last write may be for the read to be [`Self::fresh`]. Clocks of API servers may differ by so much, and an answer
    /// may say when it was sent and not when the object was read.
    pub const MOMENT: Duration = Duration::from_secs(2);

    /// Whether the status was written between an earlier read and this one.
    pub fn since(&self, earlier: &Self) -> bool {
        let again = self.version != earlier.version && self.others == earlier.others;
        self.times != earlier.times || earlier.fresh && again
    }

    /// Nobody says when: no two reads can be told apart.
    pub fn is_unknown(&self) -> bool {
        self.times.is_empty()
    }
}

impl From<&str> for StatusRevision {
    /// At these times, long before it was read.
    fn from(times: &str) -> Self {
        Self {
            times: times.to_owned(),
            ..Self::default()
        }
    }
}

/// What a status showed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StatusSnapshot {
    /// [`ControllerView::written`].
    pub written: StatusRevision,
    /// [`ControllerView::ready`].
    pub counted: u32,
}

impl StatusSnapshot {
    pub(super) fn of(view: &ControllerView) -> Self {
        Self {
            written: view.written.clone(),
            counted: view.ready,
        }
    }

    pub(super) fn noted(record: &EvictionRecord) -> Self {
        Self {
            written: record.written.clone(),
            counted: record.counted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(times: &str, version: &str, others: u64) -> StatusRevision {
        StatusRevision {
            fresh: true,
            version: version.into(),
            others,
            ..times.into()
        }
    }

    #[test]
    fn another_version_of_which_nothing_else_has_changed_is_a_write_of_the_status() {
        let then = written("52", "100", 7);
        assert!(!then.since(&then));
        assert!(written("53", "101", 7).since(&then));
        assert!(written("52", "101", 7).since(&then), "in the same second");
        // Somebody has annotated it; whether the status was written besides, nobody knows.
        assert!(!written("52", "101", 8).since(&then));
        assert!(written("53", "101", 8).since(&then));
    }

    #[test]
    fn what_is_written_later_than_a_moment_after_bears_another_time() {
        let then = StatusRevision {
            fresh: false,
            ..written("52", "100", 7)
        };
        assert!(!written("52", "101", 7).since(&then));
        assert!(written("59", "101", 7).since(&then));
    }
}
