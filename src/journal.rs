//! What must survive a crash: the turn that runs, what was asked of logind before, what is latched.
//!
//! One file, replaced atomically and fsynced before the first write that it announces. Nothing here touches the disk.
//!
//! Fields that a reader does not know are ignored: after a downgrade a turn must still be found. What must not be ignored raises
//! the version of the file.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

mod record;

pub use record::{Place, Record};

use crate::backoff::after_failed_turns;
use crate::drain::{Blocker, ControllerRef, EvictionRecord};
use crate::lock::{Noted, TurnId};
use crate::request::{Request, Requests};

/// Everything that the daemon remembers across its own restarts and the host's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
pub struct Journal {
    /// The turn that runs, or that may still have writes in flight.
    pub turn: Option<Turn>,
    /// Reboots that were asked for, oldest first.
    #[serde(default)]
    pub history: Vec<Asked>,
    /// Requests that only an operator, or a new sentinel, can revive.
    #[serde(default)]
    pub latch: Option<Latch>,
    /// Failed turns in a row, and when the next may begin.
    #[serde(default)]
    pub failed: Option<Failed>,
    /// The lock that this node takes part in, as far as it has seen it: another one, or an older state of it, is not the same.
    #[serde(default, alias = "lock_uid")]
    pub lock: Option<Noted>,
    /// Pods that were evicted by turns, so that a later process does not count them again.
    #[serde(default, rename = "waves", skip_serializing_if = "Option::is_none")]
    pub evictions: Option<EvictionLog>,
}

/// Pods that were evicted by turns.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EvictionLog {
    /// The turn that last evicted one.
    pub turn: TurnId,
    /// By the UID of the controller.
    #[serde(rename = "of")]
    pub records: BTreeMap<String, EvictionRecord>,
}

/// One turn, from before its first write to after its last.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Turn {
    /// Its id, the same in the entry and in the marker.
    pub id: TurnId,
    /// Boot ID of the host at acquisition.
    pub boot_id: String,
    /// UID of the own Node at acquisition.
    pub node_uid: String,
    /// When it was decided.
    pub since: Timestamp,
    /// Group of the slot.
    pub group: String,
    /// Version of the lock on which the acquisition was decided: once the lock has moved past it, a late acquisition is void.
    pub lock_version: String,
    /// The requests that it serves.
    pub requests: Requests,
    /// Static pods of the control plane on this node at acquisition, `namespace/name`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub control_plane: Vec<String>,
    /// Containers of static pods and of DaemonSets' pods on this node, as seen before the reboot: a pod that still shows one of
    /// them has not been seen by the kubelet since.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub containers: BTreeSet<Box<str>>,
    /// DaemonSets whose pods were Ready here at acquisition, and must be again. `None`: it is not known which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daemon_sets: Option<BTreeSet<ControllerRef>>,
    /// This host was going down in it, or may have been: a shutdown that is called off can leave the kubelet not Ready.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shutdown: bool,
    /// How far it has come.
    pub stage: Stage,
}

impl Turn {
    /// A slot or a marker was found without a journal: all that is known of the turn is what they say.
    pub fn is_restored(&self) -> bool {
        self.lock_version.is_empty()
    }
}

/// How far a turn has come, as far as a restart must know.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The slot may be acquired, the node cordoned, pods evicted; nothing was asked of logind.
    Active,
    /// logind was asked, or is about to be. From here there is no undo while the host may be going down.
    Rebooting,
    /// The turn is being undone, or given on after the boot.
    Undoing(Outcome),
}

/// What comes after an undo.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The node rebooted and is healthy: the turn is done.
    Done,
    /// Look at the gates again: what the turn needed has changed, nobody failed.
    Again(String),
    /// Back off, so that others get their turn.
    BackOff(String),
    /// Never again for these requests.
    Latch(String),
    /// The service is being stopped.
    Stop,
}

/// A reboot that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Asked {
    /// When.
    pub at: Timestamp,
    /// In which boot.
    pub boot_id: String,
    /// In which turn.
    pub turn: TurnId,
    /// For which requests: they are served, whatever came of it.
    pub requests: Requests,
}

/// Requests that are not tried again by themselves.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Latch {
    /// Why.
    pub why: String,
    /// Which.
    pub requests: Requests,
}

/// The back-off that runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Failed {
    /// Failed turns in a row.
    pub times: u8,
    /// What the last one failed of.
    pub why: String,
    /// When the next attempt may begin.
    pub retry_at: Timestamp,
    /// What held up the last drains, the newest first: their pods go first in the next.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocked: Vec<Blocker>,
}

impl Failed {
    /// One more failure after `earlier`, with what held it up. What held up the ones before is remembered too, as far as there is room:
    /// it may only not have been reached.
    pub fn after(
        earlier: Option<&Self>,
        now: Timestamp,
        why: String,
        mut blocked: Vec<Blocker>,
    ) -> Self {
        let times = match earlier.map_or(0, |failed| failed.times) {
            // It is as long ago, and still each of four turns comes.
            u8::MAX => u8::MAX.saturating_sub(3),
            times => times.saturating_add(1),
        };
        let seconds = i64::try_from(after_failed_turns(times).as_secs()).unwrap_or(i64::MAX);
        let retry_at = Timestamp::from_second(now.as_second().saturating_add(seconds));
        let before = earlier.into_iter().flat_map(|failed| &failed.blocked);
        blocked.extend(before.cloned());
        let mut known = BTreeSet::new();
        blocked.retain(|blocker| known.insert(blocker.clone()));
        blocked.truncate(BLOCKED);
        Self {
            times,
            why,
            retry_at: retry_at.unwrap_or(now),
            blocked,
        }
    }
}

/// How many of those that held up a drain are remembered.
const BLOCKED: usize = 16;

/// How many reboots the history keeps.
const HISTORY: usize = 32;

impl Journal {
    /// Requests that were the reason of a reboot before, or are latched.
    pub fn spent(&self) -> BTreeSet<&Request> {
        self.history
            .iter()
            .flat_map(|asked| &asked.requests)
            .chain(self.latch.iter().flat_map(|latch| &latch.requests))
            .collect()
    }

    /// Reboots asked for in the 24 hours before `now`. One with a time in the future counts: a clock that was set back must not
    /// open the door to a loop.
    pub fn reboots_in_a_day(&self, now: Timestamp) -> usize {
        let day = 24 * 60 * 60;
        self.history
            .iter()
            .filter(|asked| asked.at.as_second().saturating_add(day) > now.as_second())
            .count()
    }

    /// Times that lie in the future were written under a clock that was set back since. They are taken for as late as they can
    /// be: a reboot for one of just now, a wait for a whole one from now on. Otherwise neither would ever end.
    pub fn believe_clock(&mut self, now: Timestamp) {
        for asked in &mut self.history {
            asked.at = asked.at.min(now);
        }
        if let Some(failed) = &mut self.failed {
            let longest = after_failed_turns(failed.times);
            let latest = now.checked_add(longest).unwrap_or(now);
            failed.retry_at = failed.retry_at.min(latest);
        }
    }

    /// Latches requests. What is latched stays latched: the reason is the newest one's.
    pub fn latch(&mut self, why: &str, requests: &Requests) {
        let earlier = self.latch.take().map(|latch| latch.requests);
        self.latch = Some(Latch {
            why: why.to_owned(),
            requests: earlier
                .unwrap_or_default()
                .union(requests)
                .cloned()
                .collect(),
        });
    }

    /// Adds a reboot to the history, which forgets the oldest.
    pub fn remember(&mut self, asked: Asked) {
        self.history.push(asked);
        let excess = self.history.len().saturating_sub(HISTORY);
        self.history.drain(..excess);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_of_an_older_version_names_no_blocked_pods_and_one_without_them_is_written_like_it()
    {
        let text = r#"{"times":2,"why":"a budget","retry_at":"2026-01-01T00:00:00Z"}"#;
        let failed: Failed = serde_json::from_str(text).unwrap();
        assert_eq!((failed.times, failed.blocked.len()), (2, 0));
        assert_eq!(serde_json::to_string(&failed).unwrap(), text);
    }

    #[test]
    fn failures_are_counted_and_remember_a_handful_of_what_held_them_up() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let blocker = |number: u32| Blocker {
            name: number.to_string(),
            ..Blocker::default()
        };
        let many = (0..500).flat_map(|number| [blocker(number), blocker(number)]);
        let first = Failed::after(None, now, "why".into(), many.collect());
        assert_eq!((first.times, first.blocked.len()), (1, BLOCKED));
        assert_eq!(first.retry_at.as_second(), 1_000_060);
        let second = Failed::after(Some(&first), now, "why".into(), vec![blocker(900)]);
        let mut blocked = first.blocked.clone();
        blocked.insert(0, blocker(900));
        blocked.pop();
        assert_eq!((second.times, second.blocked.clone()), (2, blocked));
        let last = Failed {
            times: u8::MAX,
            ..second
        };
        let last = Failed::after(Some(&last), now, "why".into(), Vec::new());
        assert_eq!(last.retry_at.as_second(), 1_000_000 + 6 * 60 * 60);
        assert_eq!(last.times, 252);
    }
}
