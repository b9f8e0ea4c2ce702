//! Budgets that are seen to open: what they blocked is asked for at once, and not only at its next tick.
//!
//! What is seen is a hint. The server decides on each eviction, and every tick asks once more whatever was seen or missed.

use std::collections::BTreeMap;

use super::BudgetRef;

/// What is known of the budgets that have blocked something.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Openings(BTreeMap<BudgetRef, Opening>);

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Opening {
    /// So many more evictions it seems to allow.
    room: u32,
    /// It has refused one that it seemed to allow, so nothing is asked for early until the next tick: a budget that opens and
    /// closes all the time must not cost the server more than that.
    doubted: bool,
}

impl Openings {
    /// A watch shows how many evictions the budget allows. Those in flight take up room that it may not have counted yet.
    pub(super) fn seen(&mut self, budget: &BudgetRef, room: u32, in_flight: usize) {
        let in_flight = u32::try_from(in_flight).unwrap_or(u32::MAX);
        self.0.entry(budget.clone()).or_default().room = room.saturating_sub(in_flight);
    }

    /// Whether one more pod of this budget may be asked for before its tick.
    pub(super) fn has_room(&self, budget: &BudgetRef) -> bool {
        let opening = self.0.get(budget);
        opening.is_some_and(|opening| opening.room > 0 && !opening.doubted)
    }

    /// A pod of this budget is asked for.
    pub(super) fn take(&mut self, budget: &BudgetRef) {
        if let Some(opening) = self.0.get_mut(budget) {
            opening.room = opening.room.saturating_sub(1);
        }
    }

    /// The budget has refused an eviction; `early`: one that was asked for because it seemed to be open.
    pub(super) fn refused(&mut self, budget: &BudgetRef, early: bool) {
        if let Some(opening) = self.0.get_mut(budget) {
            opening.room = 0;
            opening.doubted |= early;
        }
    }

    /// Everything blocked is asked for now and then, whatever was seen.
    pub(super) fn tick(&mut self) {
        for opening in self.0.values_mut() {
            opening.doubted = false;
        }
    }
}
