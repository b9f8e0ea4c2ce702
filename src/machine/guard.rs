//! The guard for the last Ready pods, as far as it needs calls, timers and words: what it decides is in [`crate::drain`].

use std::time::Duration;

use super::{Machine, Op, Out, Patience, Phase, Report, Timer};
use crate::backoff::{Delay, doubling};
use crate::drain::Drain;
use crate::journal::EvictionLog;

/// Rounds that follow each other quickly: a status that dips while a pod is replaced should be seen to dip.
const QUICK: u16 = 10;
const FIRST: Duration = Duration::from_secs(1);
/// Later rounds are at most so far apart.
const SLOW: Duration = Duration::from_secs(15);

impl Machine {
    /// A drain that has seen nothing, but knows what was evicted by turns before.
    pub(super) fn new_drain(&self) -> Drain {
        let turn = self.turn().map(|turn| turn.id);
        let (records, same_turn) = self
            .journal
            .evictions
            .as_ref()
            .map(|log| (log.records.clone(), Some(log.turn) == turn))
            .unwrap_or_default();
        Drain::resumed(&self.config.drain, records, same_turn).with_ahead(self.goes_ahead())
    }

    /// What a drain needs next that is not an eviction.
    pub(super) fn guard_step(&mut self, out: &mut Out) {
        let Phase::Draining(draining) = &mut self.phase else {
            return;
        };
        let said = draining.drain.guard_mut().take_said();
        let guard = draining.drain.guard();
        // Nothing is known before the first answers: what an earlier drain found still stands.
        let forbidden = guard
            .names_of_forbidden()
            .or_else(|| self.unguarded.clone().filter(|_| !guard.may_read()));
        for text in said {
            out.report(Report::Interrupted, text);
        }
        self.note_forbidden(out, forbidden);
        let holds_floor = self.holds_floor();
        let Phase::Draining(draining) = &mut self.phase else {
            return;
        };
        let closing = draining.leave.is_some();
        if (closing && !holds_floor) || self.call.is_some() {
            return;
        }
        if draining.look_due {
            self.drain_check(out);
            return;
        }
        let guard = draining.drain.guard_mut();
        if let Some(controller) = guard.next_read() {
            self.call(out, Op::ReadController(controller), Patience::Once);
        } else if let (Some(records), Some(turn), false) =
            (guard.unnoted(), self.journal.turn.as_ref(), closing)
        {
            // Of all that was read at once: each note costs a write to the disk.
            self.journal.evictions = Some(EvictionLog {
                turn: turn.id,
                records,
            });
            self.write_journal(out, Patience::Turn);
        } else if let Some(rounds) = guard.waits().filter(|_| !draining.polling) {
            draining.polling = true;
            let later = rounds.saturating_sub(QUICK);
            let wait = doubling(FIRST, SLOW, u8::try_from(later).unwrap_or(u8::MAX));
            let spread = wait / 4;
            let after = wait.saturating_sub(spread);
            out.set(Timer::Guard, Delay { after, spread });
        }
    }

    /// Says once that controllers may not be read, or again once they were.
    pub(super) fn note_forbidden(&mut self, out: &mut Out, forbidden: Option<String>) {
        if forbidden == self.unguarded {
            return;
        }
        if let Some(kinds) = &forbidden {
            let text = format!(
                "this node may not read {kinds}: only PodDisruptionBudgets keep their last ready pods; apply guard.yaml to guard them"
            );
            out.report(Report::NotGuarded, text);
        }
        self.unguarded = forbidden;
    }
}
