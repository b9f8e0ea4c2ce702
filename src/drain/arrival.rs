//! When a pod came to the node, as far as that decides whether it goes.

use std::collections::BTreeSet;

use super::PodView;

/// Seconds after the cordon. Until then a scheduler that has not seen the cordon may bind pods; one that was created later is
/// here because its template names this node, and would be here again as often as it was evicted.
const PLACED: i64 = 60;

/// When a pod came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It was here when the drain began, as far as is known.
    Before,
    /// It came later.
    Late,
    /// It was created so long after the cordon that no scheduler has put it here.
    Placed,
}

/// What tells when pods came. Without anything known all were here before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Arrivals {
    /// UIDs of the first list after the cordon.
    first: Option<BTreeSet<String>>,
    /// When the node was seen to be cordoned, seconds since the epoch by the API server's clock, as `creationTimestamp` is.
    cordoned: Option<i64>,
}

impl Arrivals {
    /// Nothing but the first list after the cordon.
    pub fn since(first: BTreeSet<String>) -> Self {
        Self {
            first: Some(first),
            cordoned: None,
        }
    }

    /// The node is cordoned, by an answer of this time. `anew`: just now; otherwise the first such answer counts.
    pub(super) fn cordoned(&mut self, at: Option<i64>, anew: bool) {
        if anew || self.cordoned.is_none() {
            self.cordoned = at;
        }
    }

    /// Takes note of a list. Whether it is the first.
    pub(super) fn listed(&mut self, pods: &[PodView]) -> bool {
        let begins = self.first.is_none();
        self.first
            .get_or_insert_with(|| pods.iter().map(|pod| pod.pod.uid.clone()).collect());
        begins
    }

    /// When this pod came.
    pub fn of(&self, pod: &PodView) -> Arrival {
        let after = self.cordoned.zip(pod.created);
        if after.is_some_and(|(cordoned, created)| created >= cordoned.saturating_add(PLACED)) {
            Arrival::Placed
        } else if self
            .first
            .as_ref()
            .is_some_and(|first| !first.contains(&pod.pod.uid))
        {
            Arrival::Late
        } else {
            Arrival::Before
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_created_a_minute_after_the_cordon_was_put_here() {
        let pod = |created| PodView {
            created,
            ..PodView::default()
        };
        let mut arrivals = Arrivals::default();
        assert_eq!(arrivals.of(&pod(Some(5000))), Arrival::Before);
        assert!(arrivals.listed(&[]));
        assert!(!arrivals.listed(&[pod(None)]));
        assert_eq!(arrivals.of(&pod(Some(5000))), Arrival::Late);
        arrivals.cordoned(Some(1000), false);
        for (created, came) in [
            (None, Arrival::Late),
            (Some(900), Arrival::Late),
            (Some(1059), Arrival::Late),
            (Some(1060), Arrival::Placed),
        ] {
            assert_eq!(arrivals.of(&pod(created)), came, "{created:?}");
        }
        arrivals.cordoned(Some(2000), false);
        assert_eq!(arrivals.of(&pod(Some(1060))), Arrival::Placed);
        // Somebody had lifted it.
        arrivals.cordoned(Some(2000), true);
        assert_eq!(arrivals.of(&pod(Some(2059))), Arrival::Late);
    }
}
