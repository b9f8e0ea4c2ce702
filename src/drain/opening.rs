//! Budgets that are seen to open: what they blocked is asked for at once, and not only when its time has come.
//!
//! What is seen is a hint. The server decides on each eviction, and every pod is asked for again and again, whatever was seen or missed.

use std::collections::{BTreeMap, BTreeSet};

use super::BudgetRef;
use super::retry::PERIOD;

/// What is known of the budgets that have blocked something.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Openings(BTreeMap<BudgetRef, Opening>);

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Opening {
    /// So many evictions it allows, as a watch or a refusal since has shown. `None`: no watch shows it.
    allowed: Option<u32>,
    /// Evictions sent that this number does not count yet, as far as is known.
    uncounted: u32,
    /// It has let one go: if no watch shows it, it may let another.
    guess: bool,
    /// It has refused one that it seemed to allow, so nothing is asked for early for so many ticks: a budget that opens and closes
    /// all the time must not cost the server more than that.
    doubted: u8,
}

impl Opening {
    fn room(&self) -> bool {
        self.allowed
            .map_or(self.guess, |allowed| allowed > self.uncounted)
    }
}

impl Openings {
    /// A watch shows how many evictions the budget allows. If they have become fewer, those sent are counted.
    pub(super) fn seen(&mut self, budget: &BudgetRef, allowed: u32) {
        let opening = self.0.entry(budget.clone()).or_default();
        let before = opening.allowed.replace(allowed).unwrap_or(0);
        let fewer = before.saturating_sub(allowed);
        opening.uncounted = opening.uncounted.saturating_sub(fewer);
    }

    /// No watch shows it any more.
    pub(super) fn unseen(&mut self, budget: &BudgetRef) {
        if let Some(opening) = self.0.get_mut(budget) {
            (opening.allowed, opening.guess) = (None, false);
        }
    }

    /// It has let a pod go. Where no watch shows how many more it allows, one more is tried, and so on.
    pub(super) fn let_go(&mut self, budget: &BudgetRef) {
        let opening = self.0.entry(budget.clone()).or_default();
        opening.guess = opening.doubted == 0;
    }

    /// Whether one more pod of this budget may be asked for before its time has come.
    pub(super) fn has_room(&self, budget: &BudgetRef) -> bool {
        let opening = self.0.get(budget);
        opening.is_some_and(|opening| opening.room() && opening.doubted == 0)
    }

    /// A pod of this budget is asked for.
    pub(super) fn take(&mut self, budget: &BudgetRef) {
        if let Some(opening) = self.0.get_mut(budget) {
            opening.uncounted = opening.uncounted.saturating_add(1);
            opening.guess = false;
        }
    }

    /// The budget has refused an eviction that it was known to stand in the way of before. `early`: one that was asked for because it
    /// seemed to be open; of any other, what a watch has shown may be newer.
    pub(super) fn refused(&mut self, budget: &BudgetRef, early: bool) {
        let Some(opening) = self.0.get_mut(budget) else {
            return;
        };
        opening.uncounted = opening.uncounted.saturating_sub(1);
        opening.guess = false;
        if early {
            opening.doubted = PERIOD;
            opening.allowed = opening.allowed.map(|_| 0);
        }
    }

    /// Nothing is doubted for ever, and what became of those sent is known, but of those in flight.
    pub(super) fn tick(&mut self, in_flight: &BTreeSet<BudgetRef>) {
        for (budget, opening) in &mut self.0 {
            opening.doubted = opening.doubted.saturating_sub(1);
            if !in_flight.contains(budget) {
                opening.uncounted = 0;
            }
        }
    }
}
