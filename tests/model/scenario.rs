//! What a model explores: how many nodes, which faults and operators, how many of them.

use std::sync::Arc;
use std::time::Duration;

use rollboot::config::{Config, DrainMode, ForeignCordon, Mode};
use rollboot::journal::Journal;

use crate::actions::Kind;
use crate::world::Pod;

/// One model.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) nodes: usize,
    /// How many of them have a sentinel at the beginning.
    pub(crate) asking: usize,
    /// Slots.
    pub(crate) max: u8,
    /// How many faults may happen, and which.
    pub(crate) faults: u8,
    /// How often operators may do something, and what.
    pub(crate) operators: u8,
    pub(crate) may: Vec<Kind>,
    /// The sentinel survives a boot.
    pub(crate) persistent: bool,
    /// The settle time is told from none.
    pub(crate) slow_settle: bool,
    /// Every Node has these pods, and drains evict.
    pub(crate) pods: Vec<Pod>,
    /// How many pods their controller wants; none: far more than there are.
    pub(crate) wanted: usize,
    /// At the beginning the first node's own slots and marker cannot be read.
    pub(crate) garbage: bool,
    /// At the beginning there is no lock.
    pub(crate) unarmed: bool,
    pub(crate) config: Arc<Config>,
    /// The same with `mode = "observe"`.
    pub(crate) observing: Arc<Config>,
    pub(crate) mutation: Mutation,
}

/// Damage at the boundary of the core, to see that the model notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutation {
    None,
    /// The server ignores the version of Node writes.
    NodeUnconditional,
    /// The server ignores the version of lock writes.
    LockUnconditional,
    /// The journal never reaches the disk.
    NoJournal,
    /// The journal forgets what was asked for.
    NoHistory,
    /// A Node that was replaced counts as gone.
    ReclaimOtherUid,
    /// Every controller seems to have far more pods elsewhere.
    Unguarded,
    /// "It did not happen" is concluded although the call may still be on the bus.
    Hasty,
}

impl Mutation {
    /// What reaches the disk.
    pub(crate) fn on_disk(self, journal: &Journal) -> Option<Journal> {
        let mut journal = journal.clone();
        match self {
            Self::NoJournal => return None,
            Self::NoHistory => journal.history.clear(),
            _ => {}
        }
        Some(journal)
    }
}

impl Scenario {
    /// Nothing goes wrong.
    pub(crate) fn calm(name: &'static str, nodes: usize, max: u8) -> Self {
        let mut config = Config::default();
        config.max_reboots_per_day = u16::MAX;
        config.drain.mode = DrainMode::None;
        config.drain.foreign_cordon = ForeignCordon::Wait;
        config.drain.quiet = Duration::ZERO;
        config.sentinels.clear();
        Self {
            name,
            nodes,
            asking: nodes,
            max,
            faults: 0,
            operators: 0,
            may: Vec::new(),
            persistent: false,
            slow_settle: false,
            pods: Vec::new(),
            wanted: 0,
            garbage: false,
            unarmed: false,
            observing: Arc::new(Config {
                mode: Mode::Observe,
                ..config.clone()
            }),
            config: Arc::new(config),
            mutation: Mutation::None,
        }
    }

    /// With up to so many faults of these kinds.
    pub(crate) fn faults(mut self, faults: u8, kinds: &[Kind]) -> Self {
        self.faults = faults;
        self.may.extend(kinds);
        self
    }

    /// With up to so many deeds of operators.
    pub(crate) fn operators(mut self, operators: u8, kinds: &[Kind]) -> Self {
        self.operators = operators;
        self.may.extend(kinds);
        self
    }

    pub(crate) fn configure(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(Arc::make_mut(&mut self.config));
        self.observing = Arc::new(Config {
            mode: Mode::Observe,
            ..(*self.config).clone()
        });
        self
    }

    /// Turns may begin only while all other nodes are Ready.
    pub(crate) fn gated(self) -> Self {
        self.configure(|config| config.gates.max_not_ready = Some(0))
    }

    /// Turns may begin until a certain time of the day only.
    pub(crate) fn windowed(self) -> Self {
        use rollboot::window::{Window, Windows, Zone};
        self.configure(|config| {
            config.windows = Windows::new(vec![Window {
                days: [true; 7],
                start: jiff::civil::Time::midnight(),
                end: Some(crate::daemon::closing()),
                zone: Zone(jiff::tz::TimeZone::UTC),
                must_fit: Duration::ZERO,
            }]);
        })
    }

    /// Only so many nodes have a sentinel at the beginning.
    pub(crate) fn asking(mut self, asking: usize) -> Self {
        self.asking = asking;
        self
    }

    /// The sentinel is not in `/run`.
    pub(crate) fn persistent(mut self) -> Self {
        self.persistent = true;
        self
    }

    pub(crate) fn garbage(mut self) -> Self {
        self.garbage = true;
        self
    }

    pub(crate) fn unarmed(mut self) -> Self {
        self.unarmed = true;
        self
    }

    pub(crate) fn slow_settle(mut self) -> Self {
        self.slow_settle = true;
        self
    }

    pub(crate) fn pods(mut self, pods: Vec<Pod>) -> Self {
        self.pods = pods;
        self
    }

    /// The controller of the pods wants so many.
    pub(crate) fn wanted(mut self, wanted: usize) -> Self {
        self.wanted = wanted;
        self
    }

    pub(crate) fn mutated(mut self, mutation: Mutation) -> Self {
        self.mutation = mutation;
        self
    }

    pub(crate) fn allows(&self, kind: Kind) -> bool {
        self.may.contains(&kind)
    }
}
