//! What an operator sees of a node: the content of `status.json`, without decisions.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::gate::Blocked;
use super::{Gate, Machine, Op, Phase, Timer};
use crate::config::Mode;
use crate::journal::Outcome;
use crate::lock::{DEFAULT_GROUP, Limits};

/// Where a node stands, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Label {
    /// Nobody asks for a reboot, or the daemon has just started.
    Idle,
    /// A reboot is asked for; a gate is closed.
    Waiting,
    /// The slot is ours.
    Acquired,
    /// The node is cordoned, pods are leaving.
    Cordoned,
    /// The last checks.
    Drained,
    /// logind was asked.
    Rebooting,
    /// Back; the proof is being collected.
    Recovering,
    /// The last turn failed: backing off, or undoing.
    Failed,
    /// Only an operator or a new sentinel goes on.
    Latched,
}

/// The machine's part of `rollboot status --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Own Node.
    pub node: String,
    /// Where it stands.
    pub phase: Label,
    /// Since when.
    pub since: Timestamp,
    /// One sentence for a person.
    pub reason: String,
    /// Closed gates.
    pub blocked_by: Vec<BlockedBy>,
    /// When a failed turn, or what a failed call was for, is tried again.
    pub retry_at: Option<Timestamp>,
    /// Kinds of controllers whose last ready pods are not guarded, because this node may not read them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_guarded: Option<String>,
    /// The lock as last read.
    pub lock: Option<LockStatus>,
    /// Whether the daemon takes turns, or only looks. A file of an older version does not say so.
    #[serde(default = "reboots")]
    pub mode: Mode,
    /// The call that is being repeated, or whose failure is waited out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing: Option<Failing>,
    /// The last reboots that were asked for, newest first, at most five.
    #[serde(default)]
    pub reboots: Vec<Reboot>,
}

fn reboots() -> Mode {
    Mode::Reboot
}

/// How many reboots the status shows.
const REBOOTS: usize = 5;

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    /// What failed, on what, why.
    pub error: String,
}

/// A reboot that logind was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reboot {
    /// When it was asked for.
    pub at: Timestamp,
    /// The sentinels that asked for it.
    pub sentinels: Vec<String>,
    /// The host has booted since. False: it is going down, or nothing came of it.
    pub booted: bool,
}

/// A closed gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockedBy {
    /// Which.
    pub gate: Gate,
    /// What blocks.
    pub what: String,
    /// Details, or what to do.
    pub detail: String,
}

/// The lock as last read: a waiting node reads it often, an idle one never.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockStatus {
    /// Group of this node.
    pub group: String,
    /// Slots of that group.
    pub max: u16,
    /// Slots of all groups together.
    pub max_total: u16,
    /// Who holds slots.
    pub holders: Vec<Holder>,
    /// Reason of a pause.
    pub pause: Option<String>,
}

/// A holder of a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its node.
    pub node: String,
    /// Its group.
    pub group: String,
    /// Since when, by its own word; only known of the own slot.
    pub since: Option<String>,
}

impl Status {
    /// What is known before there is a machine: nothing but what it waits for.
    pub fn before(
        node: String,
        mode: Mode,
        since: Timestamp,
        gate: Gate,
        what: &str,
        why: &str,
    ) -> Self {
        Self {
            node,
            phase: Label::Waiting,
            since,
            reason: format!("waiting for a {what}: {why}"),
            blocked_by: vec![BlockedBy {
                gate,
                what: format!("no {what}"),
                detail: why.to_owned(),
            }],
            retry_at: None,
            not_guarded: None,
            lock: None,
            mode,
            failing: None,
            reboots: Vec::new(),
        }
    }
}

impl Machine {
    /// Where the node stands, in one word.
    pub fn label(&self) -> Label {
        match &self.phase {
            Phase::Idle | Phase::Ended => Label::Idle,
            Phase::Starting(_) if self.turn().is_some() => Label::Recovering,
            Phase::Starting(_) if self.present.is_empty() => Label::Idle,
            Phase::Starting(_) => Label::Waiting,
            Phase::Resting(rest) if rest.is_for(&[Gate::Latch]) => Label::Latched,
            Phase::Resting(rest) if rest.is_for(&[Gate::BackOff]) => Label::Failed,
            Phase::Resting(_) => Label::Waiting,
            Phase::Checking(_) | Phase::Latching | Phase::Reclaiming(_) | Phase::Acquiring(_) => {
                Label::Waiting
            }
            Phase::Cordoning(_) => Label::Acquired,
            Phase::Draining(_) => Label::Cordoned,
            Phase::Verifying(_) => Label::Drained,
            Phase::Down(_) if self.turn().is_none() => Label::Waiting,
            Phase::Asked(_) | Phase::Down(_) => Label::Rebooting,
            Phase::Recovering(_) => Label::Recovering,
            Phase::Undoing(undoing) => match undoing.outcome {
                Outcome::Done => Label::Recovering,
                Outcome::Again(_) | Outcome::BackOff(_) | Outcome::Latch(_) | Outcome::Stop => {
                    Label::Failed
                }
            },
        }
    }

    /// The configuration in force.
    pub fn config(&self) -> &crate::config::Config {
        &self.config
    }

    /// What is remembered across restarts.
    pub fn journal(&self) -> &crate::journal::Journal {
        &self.journal
    }

    /// The stamp of this start.
    pub fn stamp(&self) -> crate::lock::TurnId {
        self.stamp
    }

    /// Whether the process may end.
    pub fn ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// Everything that `status` shows.
    pub fn status(&self) -> Status {
        let trouble = self.call.as_ref().and_then(super::call::Call::trouble);
        let asks_lock = self
            .call
            .as_ref()
            .is_some_and(|call| call.op == Op::ReadLock);
        let one = match &self.phase {
            Phase::Verifying(verifying) => verifying.blocked().cloned(),
            Phase::Down(down) => down.blocked(),
            Phase::Starting(start) if let Some(why) = start.stays() => {
                Some(Blocked::new(Gate::Node, why, "nothing is written here"))
            }
            Phase::Starting(_) => trouble.map(if asks_lock {
                Blocked::unarmed
            } else {
                Blocked::failed
            }),
            _ => None,
        };
        let blocked = match &self.phase {
            Phase::Resting(rest) => rest.why.as_slice(),
            _ => one.as_slice(),
        };
        Status {
            node: self.host.node.clone(),
            phase: self.label(),
            since: self.since,
            reason: self.reason(),
            blocked_by: blocked.iter().map(blocked_by).collect(),
            retry_at: self
                .journal
                .failed
                .as_ref()
                .filter(|_| matches!(&self.phase, Phase::Resting(rest) if rest.is_for(&[Gate::BackOff])))
                .map(|failed| failed.retry_at),
            not_guarded: self.unguarded.clone(),
            lock: self.lock_status(),
            mode: self.config.mode,
            failing: self.failing().map(|error| Failing { error }),
            reboots: self.last_reboots(),
        }
    }

    /// The failure that is being waited out, if there is one.
    fn failing(&self) -> Option<String> {
        let trouble = self.call.as_ref().and_then(super::call::Call::trouble);
        if let Some(failure) = trouble {
            return Some(failure.message.clone());
        }
        match &self.phase {
            Phase::Resting(rest) => {
                let why = rest.why.first()?;
                let failed = matches!(why.gate, Gate::Api | Gate::Journal);
                failed.then(|| why.what.clone())
            }
            _ => None,
        }
    }

    /// The timer that ends the wait after a failure, while there is one.
    pub fn waits_for(&self) -> Option<Timer> {
        let repeats = self.call.as_ref().and_then(super::call::Call::trouble);
        if repeats.is_some() {
            return Some(Timer::Retry);
        }
        match &self.phase {
            Phase::Resting(rest) => rest
                .is_for(&[Gate::Api, Gate::Journal, Gate::NotArmed, Gate::DailyLimit])
                .then_some(Timer::Attempt),
            _ => None,
        }
    }

    fn last_reboots(&self) -> Vec<Reboot> {
        let asked = self.journal.history.iter().rev().take(REBOOTS);
        asked
            .map(|asked| Reboot {
                at: asked.at,
                sentinels: asked
                    .requests
                    .iter()
                    .map(|request| request.path.clone())
                    .collect(),
                booted: asked.boot_id != self.host.boot_id,
            })
            .collect()
    }

    /// One sentence about what the node does or waits for; also the status line of the service.
    pub fn reason(&self) -> String {
        let what = match &self.phase {
            Phase::Starting(start) => start
                .stays()
                .unwrap_or("reading lock and Node after the start")
                .to_owned(),
            Phase::Idle if self.config.mode == Mode::Observe => {
                "no reboot is asked for, and none would be made: mode = \"observe\"".to_owned()
            }
            Phase::Idle => "no reboot is asked for".to_owned(),
            Phase::Resting(rest) => in_words(&rest.why),
            Phase::Checking(_) => "looking at the gates".to_owned(),
            Phase::Latching => "aborted by an operator".to_owned(),
            Phase::Reclaiming(_) => "reclaiming a stale slot".to_owned(),
            Phase::Acquiring(_) => "taking the lock".to_owned(),
            Phase::Cordoning(_) => "cordoning".to_owned(),
            Phase::Draining(draining) => draining.describe(),
            Phase::Verifying(verifying) => match verifying.blocked() {
                Some(blocked) => format!("drained; {}: {}", blocked.what, blocked.detail),
                None => "drained; last checks before the reboot".to_owned(),
            },
            Phase::Asked(asked) => asked.describe(),
            Phase::Down(down) => down.describe(),
            Phase::Recovering(recovering) => format!(
                "rebooted; proof of health is missing: {}",
                recovering.missing
            ),
            Phase::Undoing(undoing) => {
                let what = match &undoing.outcome {
                    Outcome::Done => "rebooted and healthy; giving the turn on".to_owned(),
                    Outcome::Stop => "being stopped; undoing the turn".to_owned(),
                    Outcome::Again(why) | Outcome::BackOff(why) | Outcome::Latch(why) => {
                        format!("undoing the turn: {why}")
                    }
                };
                match undoing.waits(&self.host.node) {
                    Some(waits) => format!("{what}; {waits}"),
                    None => what,
                }
            }
            Phase::Ended => "ending".to_owned(),
        };
        match self.call.as_ref().and_then(super::call::Call::trouble) {
            Some(trouble) => format!("{what}; trying again: {trouble}"),
            None => what,
        }
    }

    fn lock_status(&self) -> Option<LockStatus> {
        let view = self.lock.as_ref()?;
        let configured = &self.config.lock.group;
        let group = self
            .turn()
            .map_or(configured, |turn| &turn.group)
            .to_owned();
        let group = if group.is_empty() {
            DEFAULT_GROUP.to_owned()
        } else {
            group
        };
        let limits = Limits::read(&view.data, &group);
        let own = view.own_entry(&self.host.node).flatten();
        let holders = view
            .slots()
            .into_iter()
            .map(|slot| Holder {
                since: own
                    .as_ref()
                    .filter(|_| slot.node == self.host.node)
                    .map(|entry| entry.since.clone()),
                node: slot.node,
                group: slot.group,
            })
            .collect();
        Some(LockStatus {
            group,
            max: limits.group,
            max_total: limits.total,
            holders,
            pause: view.pause().map(str::to_owned),
        })
    }
}

/// The reason that decides, in full; of those besides only what blocks.
fn in_words(why: &[Blocked]) -> String {
    let Some((first, besides)) = why.split_first() else {
        return "waiting".to_owned();
    };
    let first = format!("{}: {}", first.what, first.detail);
    besides.iter().fold(first, |text, blocked| {
        format!("{text}; also: {}", blocked.what)
    })
}

fn blocked_by(blocked: &Blocked) -> BlockedBy {
    BlockedBy {
        gate: blocked.gate,
        what: blocked.what.clone(),
        detail: blocked.detail.clone(),
    }
}
