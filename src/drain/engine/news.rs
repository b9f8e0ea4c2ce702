//! What holds up a drain, for the log: each budget, reason of the guard and kind of failure once.

use std::collections::BTreeSet;

use super::Drain;
use crate::drain::PodRef;
use crate::drain::track::{Blocked, By, Track};

/// What is to be told, and what was.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct News {
    new: Vec<String>,
    told: BTreeSet<String>,
}

impl News {
    /// A pod was refused, and not for the first time: budgets that let one pod go after the other are nothing to tell of.
    pub(super) fn tell_of_refusal(&mut self, pod: &PodRef, track: &Track) {
        let Track::Blocked(Blocked { why, by, .. }) = track else {
            return;
        };
        let key = match by {
            By::Budget(Some(budget)) => format!("budget {}/{}", budget.namespace, budget.name),
            By::Budget(None) => format!("budgets of {pod}"),
            By::Server => why.clone(),
            By::Nobody => "no answer".to_owned(),
        };
        self.tell(key, || format!("{pod}: {why}"));
    }

    fn tell(&mut self, key: String, what: impl FnOnce() -> String) {
        if self.told.insert(key) {
            self.new.push(what());
        }
    }
}

impl Drain {
    /// What holds it up and was not told yet.
    pub fn take_news(&mut self) -> Vec<String> {
        std::mem::take(&mut self.news.new)
    }

    /// A replacement is often ready within some rounds, and that is nothing to tell of.
    pub(super) fn tell_of_long_waits(&mut self) {
        if self.stopped || !self.guard.waits_long() {
            return;
        }
        for reason in self.guard.reasons() {
            self.news.tell(reason.clone(), || reason);
        }
    }
}
