//! Whether the lock is still the one that this node has seen, and the looks at it while nothing else goes on.
//!
//! An idle node asks nothing but this: once a day it begins anew as after a start. What a restored backup has brought back, a slot
//! or a cordon, then goes the way of every other. Until a node has seen the lock for the first time it looks for it once a minute:
//! it must know it before that lock can be another one.

use std::time::Duration;

use super::{Event, Machine, Op, Out, Phase, Reply, Stop, Timer};
use crate::backoff::Delay;
use crate::failure::WriteOutcome;
use crate::lock::{LockView, Noted};

/// A day, more or less.
const DAILY: Delay = Delay {
    after: Duration::from_secs(20 * 3600),
    spread: Duration::from_secs(8 * 3600),
};
/// A minute, more or less.
const UNSEEN: Delay = Delay {
    after: Duration::from_secs(45),
    spread: Duration::from_secs(30),
};
/// When a look is due and something else goes on.
const BUSY: Delay = Delay {
    after: Duration::from_secs(1800),
    spread: Duration::from_secs(1800),
};

impl Machine {
    /// A read, a watch or a 200 has shown the lock: the number of its turns is remembered, and written with the next journal.
    pub(super) fn see_lock(&mut self, event: &Event) {
        let view = match event {
            Event::Reply(
                Reply::Lock {
                    result: Ok(Some(view)),
                    ..
                }
                | Reply::LockWritten(WriteOutcome::Applied(view)),
            )
            | Event::LockSeen(Some(view)) => view,
            _ => return,
        };
        if let Some(noted) = &mut self.journal.lock {
            noted.see(view);
        }
    }

    /// Takes a lock for this node's: at first sight, or because an operator accepts it. The own Node has proved that this is this
    /// machine's cluster: the lock of another would make the right one look re-created.
    pub(super) fn note(&mut self, view: &LockView) {
        let noted = self.journal.lock.as_ref();
        if noted.is_none_or(|noted| noted.admits(view)) {
            self.journal.lock = Some(Noted::of(view));
        }
    }

    /// Sets the timer of the next look. Every start is one.
    pub(super) fn set_look(&self, out: &mut Out) {
        let seen = self.journal.lock.is_some();
        out.set(Timer::Look, if seen { DAILY } else { UNSEEN });
    }

    pub(super) fn on_look(&mut self, out: &mut Out) {
        if self.is_at_leisure() {
            self.look(out);
        } else {
            out.set(Timer::Look, BUSY);
        }
    }

    /// The configuration was read anew: an operator has perhaps just armed the installation.
    pub(super) fn on_reload(&mut self, out: &mut Out) {
        let unseen = self.journal.lock.is_none();
        if unseen && self.is_at_leisure() {
            self.look(out);
            return;
        }
        let asks = self.call.as_ref().map(|call| &call.op);
        if unseen && matches!(self.phase, Phase::Starting(_)) && asks == Some(&Op::ReadLock) {
            self.on_retry(out);
        }
        self.poke(out);
    }

    /// No turn, no call, nothing watched, nobody waits for an answer.
    fn is_at_leisure(&self) -> bool {
        let rests = match &self.phase {
            Phase::Idle => true,
            Phase::Resting(rest) => !rest.watching,
            _ => false,
        };
        rests && self.call.is_none() && self.stop == Stop::No && !self.abort
    }

    fn look(&mut self, out: &mut Out) {
        self.leave_rest(out);
        self.restart(out);
        if let Phase::Starting(start) = &mut self.phase {
            start.look = true;
        }
    }
}
