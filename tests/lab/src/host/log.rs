//! What really happened to the hosts, written down by themselves. The daemons have no part in it.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::time::Instant;

/// What happened to a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// It booted, with this boot ID.
    Up(String),
    /// The sentinel was written.
    Sentinel,
    /// logind accepted a request for a reboot.
    Asked,
    /// It went down.
    Down,
    /// The daemon ended by itself, which it never should.
    DaemonEnded(String),
}

/// Something that happened to a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occurrence {
    /// When.
    pub at: Instant,
    /// The host.
    pub node: String,
    /// What.
    pub what: Happened,
}

/// All occurrences so far. A clone is the same log.
#[derive(Debug, Clone, Default)]
pub struct Log(Rc<RefCell<Vec<Occurrence>>>);

impl Log {
    /// All that happened from the occurrence with this number on.
    pub fn since(&self, number: usize) -> Vec<Occurrence> {
        self.0.borrow().get(number..).unwrap_or_default().to_vec()
    }

    pub(super) fn note(&self, node: &str, what: Happened) {
        self.0.borrow_mut().push(Occurrence {
            at: Instant::now(),
            node: node.to_owned(),
            what,
        });
    }
}
