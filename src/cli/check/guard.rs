//! The guard of the last ready pod: whether this node may read controllers, and what a drain would interrupt all the same.

use std::collections::BTreeSet;

use super::finding::{Finding, fail, ok, warn};
use crate::cli::survey::{LIMIT, Survey};
use crate::cli::text::list;
use crate::config::{Drain, SingleReplica};
use crate::drain::{ControllerRef, ControllerView, PodRef, PodView};
use crate::failure::{Failure, FailureKind};

const GUARD: &str = "guard";
const APPLY: &str = "kubectl apply -f /usr/share/rollboot/kubernetes/guard.yaml";
/// Controllers that are named.
const NAMED: usize = 5;

/// Reads the controllers of the pods that would be evicted. Nothing is said where there is nothing to read.
pub(super) async fn guard(
    controller: impl AsyncFn(&ControllerRef) -> Result<Option<ControllerView>, Failure>,
    drain: &Drain,
    pods: &[PodView],
    going: &[PodRef],
) -> Vec<Finding> {
    let Some(survey) = Survey::of(controller, pods, going).await else {
        return Vec::new();
    };
    match survey.singles {
        // The one that was not answered is not due any more.
        None => vec![late(survey.read, survey.guard.due().saturating_add(1))],
        Some(Err(failure)) => vec![unread(drain.single_replica, &failure)],
        Some(Ok(singles)) => {
            let held = held(&survey.guard.reasons());
            let found = found(drain.single_replica, &singles);
            std::iter::once(found).chain(held).collect()
        }
    }
}

/// Controllers all of whose ready pods are here: the last of each waits until another is ready elsewhere, if there is an elsewhere.
fn held(reasons: &BTreeSet<String>) -> Option<Finding> {
    let named = list(reasons.iter().map(String::as_str), NAMED);
    (!reasons.is_empty()).then(|| {
        warn(
            GUARD,
            format!("a drain would wait, until drain.timeout: {named}"),
            "where no replacement can start (no other node, quota, affinity): annotate the pods with rollboot.io/drain=skip, or set \
             drain.mode = \"none\" on a node that is alone",
        )
    })
}

fn late(read: usize, left: usize) -> Finding {
    let all = read.saturating_add(left);
    let seconds = LIMIT.as_secs();
    warn(
        GUARD,
        format!(
            "nobody knows what a drain interrupts: only {read} of {all} controllers were read in {seconds} s"
        ),
        "the daemon takes its time, and evicts nothing whose controller it has not read",
    )
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
    use std::time::Duration;

    use super::super::finding::Verdict;
    use super::*;
    use crate::config::Config;
    use crate::drain::Controller;

    fn pods(many: usize) -> Vec<PodView> {
        let pod = |number: usize| PodView {
            pod: PodRef {
                namespace: "ns".into(),
                name: format!("p{number}"),
                uid: format!("p{number}"),
            },
            controller: Some(Controller {
                api_version: "apps/v1".into(),
                kind: "ReplicaSet".into(),
                name: format!("r{number}"),
                uid: format!("r{number}"),
            }),
            ready: true,
            ..PodView::default()
        };
        (0..many).map(pod).collect()
    }

    /// Each controller is gone, which is told after so many seconds.
    async fn looked_at(pods: &[PodView], seconds: u64) -> Vec<Finding> {
        let controller = async |_: &ControllerRef| {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            Ok(None)
        };
        let going: Vec<_> = pods.iter().map(|pod| pod.pod.clone()).collect();
        guard(controller, &Config::default().drain, pods, &going).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_takes_too_long_says_how_far_it_came() {
        let found = looked_at(&pods(100), 3).await.remove(0);
        assert_eq!(found.result, Verdict::Warn);
        let far = "only 6 of 100 controllers were read in 20 s";
        assert!(found.found.contains(far), "{found:?}");
        let found = looked_at(&pods(5), 3).await.remove(0);
        assert_eq!(found.result, Verdict::Ok, "{found:?}");
        assert_eq!(looked_at(&[], 3).await, []);
    }

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
