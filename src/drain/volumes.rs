//! Volumes of the pods that went, which should be detached before the node goes down: one that is still attached then follows its
//! pod to no other node until the controller forces it off, after six minutes.
//!
//! This node may not read which volume belonged to which pod once that pod is gone. What its own Node says is enough: whatever
//! is attached belongs to pods that went, of this drain or before, unless pods that stay have volumes as well. Then what the
//! kubelet reports to be in use is theirs; it reports every ten seconds, so the first looks count for nothing.

use std::collections::BTreeSet;
use std::time::Duration;

/// Between two looks. They are counted, so that nothing depends on a clock that may be set.
pub const LOOK: Duration = Duration::from_secs(5);
/// After so many the kubelet has reported what is in use since the last pod went.
const REPORTED: u32 = 3;
/// Names that are told.
const TOLD: usize = 5;

/// The wait for volumes, once for each turn however often its drain goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Volumes {
    /// A pod that stays has volumes of the kind that is attached.
    kept: bool,
    looks: u32,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
enum Stage {
    #[default]
    Waiting,
    /// It has taken too long, which is not told yet.
    Late,
    Over,
}

/// What a look at the Node has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attached {
    /// Nothing that is worth waiting for.
    Nothing,
    /// These, in words: wait.
    Wait(String),
    /// These, in words, and the wait is over. Comes once.
    GoOn(String),
}

impl Volumes {
    /// Takes note of whether a pod that stays has volumes.
    pub(super) fn keep(&mut self, kept: bool) {
        self.kept = kept;
    }

    /// There is no more time. False: the wait was over already.
    pub fn end(&mut self) -> bool {
        let waiting = self.stage == Stage::Waiting;
        if waiting {
            self.stage = Stage::Late;
        }
        waiting
    }

    /// Takes a look, which comes [`LOOK`] after the one before.
    pub fn look(
        &mut self,
        attached: &BTreeSet<String>,
        in_use: &BTreeSet<String>,
        bound: Duration,
    ) -> Attached {
        if self.stage == Stage::Over || bound.is_zero() {
            return Attached::Nothing;
        }
        let theirs =
            |name: &&String| self.kept && self.looks >= REPORTED && in_use.contains(name.as_str());
        let left: Vec<_> = attached.iter().filter(|name| !theirs(name)).collect();
        if left.is_empty() {
            return Attached::Nothing;
        }
        self.looks = self.looks.saturating_add(1);
        if LOOK.saturating_mul(self.looks) > bound {
            self.end();
        }
        let words = words(&left);
        if self.stage == Stage::Waiting {
            return Attached::Wait(words);
        }
        self.stage = Stage::Over;
        Attached::GoOn(words)
    }
}

fn words(names: &[&String]) -> String {
    let mut told: Vec<_> = names.iter().take(TOLD).map(|name| name.as_str()).collect();
    let more = names.len().saturating_sub(TOLD);
    let rest = format!("and {more} more");
    if more > 0 {
        told.push(&rest);
    }
    told.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Duration = Duration::from_secs(120);

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn wait(names: &str) -> Attached {
        Attached::Wait(names.to_owned())
    }

    #[test]
    fn whatever_is_attached_is_waited_for_unless_pods_stay_that_use_it() {
        let mut volumes = Volumes::default();
        let in_use = names(&["a"]);
        let mut look = |attached: &[&str]| volumes.look(&names(attached), &in_use, BOUND);
        for _ in 0..5 {
            assert_eq!(look(&["a", "b"]), wait("a, b"));
        }
        assert_eq!(look(&["a"]), wait("a"), "its unmount is not reported yet");
        assert_eq!(look(&[]), Attached::Nothing);
    }

    #[test]
    fn where_pods_stay_what_is_in_use_counts_once_it_must_have_been_reported() {
        let mut volumes = Volumes::default();
        volumes.keep(true);
        let mut look = |attached: &[&str], in_use: &[&str]| {
            volumes.look(&names(attached), &names(in_use), BOUND)
        };
        for _ in 0..REPORTED {
            assert_eq!(look(&["a", "b"], &["a", "b"]), wait("a, b"));
        }
        assert_eq!(look(&["a", "b"], &["a"]), wait("b"));
        assert_eq!(look(&["a"], &["a"]), Attached::Nothing);
    }

    #[test]
    fn the_wait_has_an_end_that_is_told_once() {
        let attached = names(&["a"]);
        let mut volumes = Volumes::default();
        let mut look = || volumes.look(&attached, &names(&[]), BOUND);
        for _ in 0..24 {
            assert_eq!(look(), wait("a"));
        }
        assert_eq!(look(), Attached::GoOn("a".into()));
        assert_eq!(look(), Attached::Nothing);

        let mut volumes = Volumes::default();
        assert!(volumes.end());
        let on = volumes.look(&attached, &names(&[]), BOUND);
        assert_eq!(on, Attached::GoOn("a".into()), "other limits end it too");
        assert!(!volumes.end());
        let on = volumes.look(&attached, &names(&[]), BOUND);
        assert_eq!(on, Attached::Nothing, "once");

        let none = Volumes::default().look(&attached, &names(&[]), Duration::ZERO);
        assert_eq!(none, Attached::Nothing, "not waited for at all");
    }

    #[test]
    fn many_names_are_told_in_a_few_words() {
        let all = names(&["a", "b", "c", "d", "e", "f", "g"]);
        let told = Volumes::default().look(&all, &names(&[]), BOUND);
        assert_eq!(told, wait("a, b, c, d, e, and 2 more"));
    }
}
