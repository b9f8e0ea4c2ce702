//! How far the eviction of one pod has come.

use super::retry::{self, PERIOD};
use super::{BudgetRef, EvictAnswer, PodRef};

/// Where a pod stands that has to go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Track {
    /// To be evicted as soon as there is room.
    Todo,
    /// Sent, not answered.
    Sent(Sent),
    /// An answer says that it goes, or is gone; no list has shown it yet.
    Told(Told),
    /// It is ending, by a list: wait until it is gone.
    Ending,
    /// Refused for now.
    Blocked(Blocked),
}

/// A pod whose eviction is refused for now.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Blocked {
    pub(super) why: String,
    pub(super) by: By,
    /// Evictions of it that were refused.
    tries: u8,
    /// It is tried again after so many.
    ticks: u8,
    /// So many have passed since in which it could have gone, but for others before it.
    late: u8,
    /// It may go since a while, and its controller was to be read again then.
    pub(super) looked: bool,
}

/// An answer is no fact: it may come of a cache that does not know the pod yet, or not any more.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Told {
    /// Evictions of this pod that were answered.
    tries: u8,
    /// A list has begun since the answer.
    pub(super) listing: bool,
}

impl Told {
    /// A list that began after the answer has the pod, and not as one that ends. That list came late enough for another try at once.
    pub(super) fn still_here(&self) -> Track {
        let why = "the API server has answered that it goes, or is gone, and lists it all the same";
        Track::Blocked(Blocked {
            why: why.to_owned(),
            by: By::Server,
            tries: self.tries,
            ticks: 0,
            late: 0,
            looked: false,
        })
    }
}

/// An eviction on its way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Sent {
    /// Evictions of this pod that were refused before.
    pub(super) tries: u8,
    /// The budget that refused the last of them.
    pub(super) budget: Option<BudgetRef>,
}

/// What an eviction was refused by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum By {
    /// A budget; or several, or one whose name is not known.
    Budget(Option<BudgetRef>),
    /// The server: it was not carried out.
    Server,
    /// Nobody: there was no answer, or none that says that it was not carried out.
    Nobody,
}

impl By {
    /// The budget, as far as its name is known.
    pub(super) fn budget(&self) -> Option<&BudgetRef> {
        match self {
            Self::Budget(budget) => budget.as_ref(),
            Self::Server | Self::Nobody => None,
        }
    }
}

impl Blocked {
    /// It is time to try again.
    pub(super) fn is_due(&self) -> bool {
        self.ticks == 0
    }

    /// It has been due for a period: what was known when it was last looked at is an old view.
    pub(super) fn was_looked_at_long_ago(&self) -> bool {
        self.late > 0 && self.late.is_multiple_of(PERIOD)
    }

    /// `may_go`: nothing else was in its way.
    pub(super) fn tick(&mut self, may_go: bool) {
        if self.is_due() && may_go {
            self.late = self.late.saturating_add(1);
        }
        self.ticks = self.ticks.saturating_sub(1);
    }
}

impl Track {
    /// Its eviction is not on its way, and none without an answer may have been carried out: it stays for now.
    pub(super) fn stays(&self) -> bool {
        match self {
            Self::Todo => true,
            Self::Blocked(blocked) => blocked.by != By::Nobody,
            Self::Sent(_) | Self::Told(_) | Self::Ending => false,
        }
    }

    /// Ticks for which it has waited for others; what was never tried comes before all of them.
    pub(super) fn late(&self) -> u8 {
        match self {
            Self::Todo => u8::MAX,
            Self::Blocked(blocked) => blocked.late,
            Self::Sent(_) | Self::Told(_) | Self::Ending => 0,
        }
    }

    /// What is known of its controller was asked for late enough, as far as is known here.
    pub(super) fn looked(&self) -> bool {
        match self {
            Self::Blocked(blocked) => blocked.looked,
            Self::Todo | Self::Sent(_) | Self::Told(_) | Self::Ending => true,
        }
    }

    /// What is sent if its eviction is due.
    pub(super) fn due(&self) -> Option<Sent> {
        match self {
            Self::Todo => Some(Sent::default()),
            Self::Blocked(blocked) => blocked.is_due().then(|| Sent {
                tries: blocked.tries,
                budget: blocked.by.budget().cloned(),
            }),
            Self::Sent(_) | Self::Told(_) | Self::Ending => None,
        }
    }

    /// Where a pod stands after an answer, and why the drain cannot be finished, if so. `tries`: evictions of it that were refused
    /// before this answer.
    pub(super) fn answered(pod: &PodRef, answer: EvictAnswer, tries: u8) -> (Self, Option<String>) {
        let tries = tries.saturating_add(1);
        let blocked = |why, ticks, by| {
            Self::Blocked(Blocked {
                why,
                by,
                tries,
                ticks,
                late: 0,
                looked: false,
            })
        };
        let never = |why: String, by, told: String| (blocked(why, u8::MAX, by), Some(told));
        let track = match answer {
            // Gone and Elsewhere: this very pod is no more, or the server does not know yet that it is here.
            EvictAnswer::Accepted | EvictAnswer::Gone | EvictAnswer::Elsewhere => {
                let listing = false;
                Self::Told(Told { tries, listing })
            }
            EvictAnswer::Budget(why) => {
                let budget = BudgetRef::refusing(pod, &why);
                blocked(why, PERIOD, By::Budget(budget))
            }
            EvictAnswer::Throttled(seconds) => blocked(
                "the API server is overloaded and asks to come back later".into(),
                retry::ticks(seconds),
                By::Server,
            ),
            EvictAnswer::NamespaceTerminating => {
                blocked("its namespace is being deleted".into(), PERIOD, By::Server)
            }
            EvictAnswer::Failed(failure) => {
                let periods = 1_u8.checked_shl(u32::from(tries)).unwrap_or(6);
                let ticks = PERIOD.saturating_mul(periods.clamp(1, 6));
                blocked(failure.message, ticks, By::Nobody)
            }
            EvictAnswer::SeveralBudgets(why) => {
                let told = format!(
                    "{pod}: {why}; an administrator must leave it only one PodDisruptionBudget"
                );
                return never(why, By::Budget(None), told);
            }
            EvictAnswer::Invalid(failure) => {
                let told = format!("{pod}: {failure}");
                return never(failure.message, By::Server, told);
            }
        };
        (track, None)
    }
}
