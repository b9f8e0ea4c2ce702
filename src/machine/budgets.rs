//! Budgets that block evictions are watched where this node may, so that one that opens is used at once.
//!
//! A watch is only for speed: where there is none, or it is silent, the blocked pods are asked for again and again all the same.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Machine, Out, Phase};
use crate::drain::{BudgetRef, BudgetView, DrainEvent, PERIOD};
use crate::failure::Failure;

/// So many are watched at once, each on a connection of its own.
const MOST: usize = 16;
/// A watch that fails again and again, for want of `guard.yaml` above all, is begun again after so many ticks at the
/// most: five to six minutes.
const SLOWEST: u16 = 180;

/// The watches of a drain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Watches(BTreeMap<BudgetRef, Watch>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Watch {
    /// It runs; so many before it failed.
    Open { failures: u8 },
    /// It ended, and is begun again after so many ticks if its budget still blocks.
    Ended { ticks: u16, failures: u8 },
}

impl Watches {
    /// The watches to begin: of budgets that block, as far as there is room.
    fn begin<'a>(&mut self, blocking: impl IntoIterator<Item = &'a BudgetRef>) -> Vec<BudgetRef> {
        let is_open = |watch: &&Watch| matches!(watch, Watch::Open { .. });
        let open = self.0.values().filter(is_open).count();
        let mut begun = Vec::new();
        for budget in blocking {
            let failures = match self.0.get(budget) {
                None => 0,
                Some(Watch::Ended { ticks: 0, failures }) => *failures,
                Some(Watch::Ended { .. } | Watch::Open { .. }) => continue,
            };
            if open.saturating_add(begun.len()) >= MOST {
                break;
            }
            self.0.insert(budget.clone(), Watch::Open { failures });
            begun.push(budget.clone());
        }
        begun
    }

    /// It has shown its budget, so it works.
    fn seen(&mut self, budget: &BudgetRef) {
        if let Some(watch) = self.0.get_mut(budget) {
            *watch = Watch::Open { failures: 0 };
        }
    }

    fn ended(&mut self, budget: &BudgetRef, failed: bool) {
        if let Some(watch) = self.0.get_mut(budget)
            && let Watch::Open { failures } = *watch
        {
            let failures = if failed {
                failures.saturating_add(1)
            } else {
                0
            };
            let periods = 1_u16.checked_shl(failures.into()).unwrap_or(SLOWEST);
            let ticks = periods.saturating_mul(PERIOD.into()).min(SLOWEST);
            *watch = Watch::Ended { ticks, failures };
        }
    }

    fn tick(&mut self) {
        for watch in self.0.values_mut() {
            if let Watch::Ended { ticks, .. } = watch {
                *ticks = ticks.saturating_sub(1);
            }
        }
    }
}

impl Machine {
    /// Watches what blocks by now. After each event of a drain.
    pub(super) fn watch_budgets(&mut self, out: &mut Out, ticked: bool) {
        let Phase::Draining(draining) = &mut self.phase else {
            return;
        };
        if ticked {
            draining.budgets.tick();
        }
        let blocking: BTreeSet<_> = draining.drain.blocking_budgets();
        for budget in draining.budgets.begin(blocking) {
            out.push(Action::WatchBudget(budget));
        }
    }

    /// A watch shows its budget. `None`: there is none any more, so it forbids nothing.
    pub(super) fn on_budget_seen(
        &mut self,
        out: &mut Out,
        budget: BudgetRef,
        view: Option<BudgetView>,
    ) {
        if let Phase::Draining(draining) = &mut self.phase {
            draining.budgets.seen(&budget);
            let room = view.map_or(u32::MAX, BudgetView::room);
            self.on_pods(out, DrainEvent::Budget(budget, room));
        }
    }

    pub(super) fn on_budget_watch_ended(
        &mut self,
        out: &mut Out,
        budget: &BudgetRef,
        failure: Option<&Failure>,
    ) {
        if let Phase::Draining(draining) = &mut self.phase {
            draining.budgets.ended(budget, failure.is_some());
            draining.drain.unwatched(budget);
            self.watch_budgets(out, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budgets(count: usize) -> Vec<BudgetRef> {
        let budget = |number| BudgetRef {
            namespace: "ns".into(),
            name: format!("b{number:02}"),
        };
        (0..count).map(budget).collect()
    }

    #[test]
    fn each_is_watched_once_and_only_so_many() {
        let mut watches = Watches::default();
        let all = budgets(MOST + 2);
        assert_eq!(watches.begin(&all[..2]), all[..2]);
        assert_eq!(watches.begin(&all), all[2..MOST]);
        assert_eq!(watches.begin(&all), []);
        watches.ended(&all[0], false);
        assert_eq!(
            watches.begin(&all),
            [all[MOST].clone()],
            "there is room again"
        );
    }

    #[test]
    fn one_that_fails_is_begun_again_more_and_more_slowly() {
        let mut watches = Watches::default();
        let all = budgets(1);
        let mut wait = |seen: bool, failed: bool| {
            watches.begin(&all);
            if seen {
                watches.seen(&all[0]);
            }
            watches.ended(&all[0], failed);
            let mut ticks = 0;
            while watches.begin(&all).is_empty() {
                watches.tick();
                ticks += 1;
            }
            ticks
        };
        let waits: Vec<_> = (0..8).map(|_| wait(false, true)).collect();
        assert_eq!(waits, [6, 12, 24, 48, 96, SLOWEST, SLOWEST, SLOWEST]);
        assert_eq!(wait(true, true), 6, "it had shown its budget since");
        assert_eq!(wait(true, false), 3, "its time was over");
    }
}
