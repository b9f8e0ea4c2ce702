//! What each node did when.

use tokio::time::Instant;

use super::record::{Moment, Record};
use super::replay::slots_after;
use crate::api::Change;
use crate::host::{Happened, Occurrence};

/// What a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// A reboot is asked for, and it is not this node's turn.
    Waiting,
    /// It has the turn: cordon, drain, last checks.
    Draining,
    /// logind was asked, and the kernel is not up again.
    Rebooting,
    /// It is up again and still has the turn.
    Recovering,
}

impl Phase {
    /// All of them, in their order.
    pub const ALL: [Self; 4] = [
        Self::Waiting,
        Self::Draining,
        Self::Rebooting,
        Self::Recovering,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Draining => "draining",
            Self::Rebooting => "rebooting",
            Self::Recovering => "recovering",
        }
    }
}

/// A phase and its time, in seconds from the first sentinel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// What.
    pub phase: Phase,
    /// From when.
    pub from: f64,
    /// Until when.
    pub to: f64,
}

/// All that a node did.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    /// The node.
    pub node: String,
    /// One after the other.
    pub spans: Vec<Span>,
}

/// What each node did; a phase that is not over ends with the record. Empty before the first sentinel.
pub fn tracks(record: &Record) -> Vec<Track> {
    let mut tracker = Tracker::new(&record.nodes);
    for moment in record.moments() {
        match moment {
            Moment::Change(change) => tracker.change(change),
            Moment::Occurrence(occurrence) => tracker.occurrence(occurrence),
        }
    }
    tracker.tracks(record.ended)
}

/// Follows what each node does, as it happens.
#[derive(Debug, Clone)]
pub struct Tracker {
    /// When the first sentinel was written.
    zero: Option<Instant>,
    rows: Vec<Row>,
}

impl Tracker {
    /// Nothing has happened.
    pub fn new(nodes: &[String]) -> Self {
        Self {
            zero: None,
            rows: nodes.iter().map(|node| Row::new(node)).collect(),
        }
    }

    /// An object changed.
    pub fn change(&mut self, change: &Change) {
        if let (Some(held), Some(at)) = (slots_after(change), self.seconds(change.at)) {
            for row in &mut self.rows {
                row.lock(held.contains(&row.track.node), at);
            }
        }
    }

    /// Something happened to a host.
    pub fn occurrence(&mut self, one: &Occurrence) {
        if one.what == Happened::Sentinel {
            self.zero.get_or_insert(one.at);
        }
        let at = self.seconds(one.at);
        let row = self.rows.iter_mut().find(|row| row.track.node == one.node);
        if let (Some(row), Some(at)) = (row, at) {
            row.host(&one.what, at);
        }
    }

    /// What a node does now.
    pub fn phase(&self, node: &str) -> Option<Phase> {
        let row = self.rows.iter().find(|row| row.track.node == node)?;
        row.now.map(|(phase, _)| phase)
    }

    /// What each node did until `now`.
    pub fn tracks(&self, now: Instant) -> Vec<Track> {
        let Some(now) = self.seconds(now) else {
            return Vec::new();
        };
        self.rows.iter().map(|row| row.clone().end(now)).collect()
    }

    fn seconds(&self, at: Instant) -> Option<f64> {
        let since = at.saturating_duration_since(self.zero?);
        Some(since.as_secs_f64())
    }
}

#[derive(Debug, Clone)]
struct Row {
    track: Track,
    now: Option<(Phase, f64)>,
    wanted: bool,
}

impl Row {
    fn new(node: &str) -> Self {
        Self {
            track: Track {
                node: node.to_owned(),
                spans: Vec::new(),
            },
            now: None,
            wanted: false,
        }
    }

    fn go(&mut self, next: Option<Phase>, at: f64) {
        if self.now.map(|(phase, _)| phase) == next {
            return;
        }
        if let Some((phase, from)) = self.now
            && from < at
        {
            self.track.spans.push(Span {
                phase,
                from,
                to: at,
            });
        }
        self.now = next.map(|phase| (phase, at));
    }

    fn lock(&mut self, held: bool, at: f64) {
        match (self.now.map(|(phase, _)| phase), held) {
            (None | Some(Phase::Waiting), true) => self.go(Some(Phase::Draining), at),
            // Undone: the sentinel is still there.
            (Some(Phase::Draining), false) => self.go(Some(Phase::Waiting), at),
            (Some(Phase::Recovering), false) => {
                let next = self.wanted.then_some(Phase::Waiting);
                self.go(next, at);
            }
            _ => {}
        }
    }

    fn host(&mut self, what: &Happened, at: f64) {
        match what {
            Happened::Sentinel => {
                self.wanted = true;
                if self.now.is_none() {
                    self.go(Some(Phase::Waiting), at);
                }
            }
            Happened::Asked => self.go(Some(Phase::Rebooting), at),
            Happened::Up(_) if self.now.is_some() => {
                self.wanted = false;
                self.go(Some(Phase::Recovering), at);
            }
            Happened::Up(_) | Happened::Down | Happened::DaemonEnded(_) => {}
        }
    }

    fn end(mut self, at: f64) -> Track {
        self.go(None, at);
        self.track
    }
}
