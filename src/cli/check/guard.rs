//! The guard of the last ready pod: whether this node may read controllers, and what a drain would interrupt all the same.

use std::collections::BTreeMap;
use std::time::Duration;

use super::finding::{Finding, fail, ok, warn};
use crate::cli::text::list;
use crate::config::{Drain, SingleReplica};
use crate::drain::{Guard, PodRef, PodView};
use crate::failure::{Failure, FailureKind};
use crate::ports::Cluster;

const GUARD: &str = "guard";
const APPLY: &str = "kubectl apply -f /usr/share/rollboot/kubernetes/guard.yaml";
/// For all questions together, one for each controller.
const LIMIT: Duration = Duration::from_secs(20);
/// Controllers that are named.
const NAMED: usize = 5;

/// Reads the controllers of the pods that would be evicted. `None`: there is nothing to read.
pub(super) async fn guard(
    cluster: &impl Cluster,
    drain: &Drain,
    pods: &[PodView],
    going: &[PodRef],
) -> Option<Finding> {
    let mut guard = Guard::new(SingleReplica::Block, BTreeMap::new(), false);
    guard.pods(pods, &going.iter().cloned().collect());
    let mut singles = guard.survey(going);
    let mut next = guard.next_read();
    next.as_ref()?;
    let reading = async {
        while let Some(controller) = next.take() {
            match cluster.read_controller(&controller).await {
                Ok(view) => guard.read(Ok(view)),
                Err(failure) => return Err(failure),
            }
            singles = guard.survey(going);
            next = guard.next_read();
        }
        Ok(())
    };
    let read = tokio::time::timeout(LIMIT, reading).await;
    Some(match read {
        Err(_) => warn(
            GUARD,
            "reading the controllers of the pods takes too long",
            "",
        ),
        Ok(Err(failure)) => unread(drain.single_replica, &failure),
        Ok(Ok(())) => found(drain.single_replica, &singles),
    })
}

fn unread(policy: SingleReplica, failure: &Failure) -> Finding {
    let forbidden = matches!(
        failure.kind,
        FailureKind::Forbidden | FailureKind::Restricted
    );
    match (policy, forbidden) {
        (SingleReplica::Evict, true) => warn(
            GUARD,
            "this node may not read controllers: only budgets keep their last ready pods, and one that opens is noticed only seconds later",
            APPLY,
        ),
        (SingleReplica::Block, true) => fail(
            GUARD,
            "this node may not read controllers, and single-replica = \"block\" needs that",
            APPLY,
        ),
        (_, false) => warn(GUARD, failure, ""),
    }
}

fn found(policy: SingleReplica, singles: &[String]) -> Finding {
    // Each reads `Deployment shop/web: why it stays`.
    let name = |text: &'_ String| text.split(": ").next().unwrap_or_default().to_owned();
    let names: Vec<_> = singles.iter().map(name).collect();
    let named = list(names.iter().map(String::as_str), NAMED);
    match policy {
        _ if singles.is_empty() => ok(
            GUARD,
            "each controller of the pods keeps a ready one throughout a drain",
        ),
        SingleReplica::Evict => warn(
            GUARD,
            format!("a drain interrupts {named}"),
            "let them want more than one, or set single-replica = \"block\" in [drain]",
        ),
        SingleReplica::Block => fail(
            GUARD,
            format!("single replicas are here: {named}"),
            "no turn begins until these are moved, or want more than one",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn what_may_not_be_read_is_only_in_the_way_of_a_policy_that_needs_it() {
        let failure = |kind| Failure::new(kind, "403");
        for (policy, kind, expected) in [
            (SingleReplica::Evict, FailureKind::Forbidden, Verdict::Warn),
            (SingleReplica::Block, FailureKind::Forbidden, Verdict::Fail),
            (SingleReplica::Block, FailureKind::Timeout, Verdict::Warn),
        ] {
            let finding = unread(policy, &failure(kind));
            assert_eq!(finding.result, expected, "{finding:?}");
        }
    }

    #[test]
    fn single_replicas_are_named_and_judged_by_the_policy() {
        let singles = ["Deployment shop/web: wants a single replica".to_owned()];
        for (policy, singles, expected) in [
            (SingleReplica::Evict, &singles[..], Verdict::Warn),
            (SingleReplica::Block, &singles[..], Verdict::Fail),
            (SingleReplica::Block, &[], Verdict::Ok),
        ] {
            let finding = found(policy, singles);
            assert_eq!(finding.result, expected, "{finding:?}");
            assert!(singles.is_empty() || finding.found.ends_with("Deployment shop/web"));
        }
    }
}
