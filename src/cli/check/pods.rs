//! What a drain would do now: the policy, the plan, and what the server would answer to each eviction.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use jiff::SignedDuration;

use super::finding::{Finding, fail, ok, warn};
use crate::cli::text::{list, span};
use crate::cluster::{Deadlines, KubeletCluster};
use crate::config::{Drain, DrainMode, EmptyDir, ForeignCordon, Unmanaged};
use crate::drain::{EvictAnswer, Plan, PodRef, PodView};
use crate::failure::{Failure, FailureKind};
use crate::ports::Cluster;

const DRAIN: &str = "drain";
const PODS: &str = "own pods";
const EVICTIONS: &str = "evictions";
/// Questions on their way at once: a person waits, and the server has others to serve.
const AT_ONCE: usize = 8;
/// For all questions together: what an admission webhook may take is not too long.
const LIMIT: Duration = Deadlines::DEFAULT.write;
/// Pods that are named.
const NAMED: usize = 5;

/// The pods of the node: however long the list is, a person waits only so long.
pub(super) async fn listed(cluster: &impl Cluster) -> Result<Vec<PodView>, Failure> {
    let list = tokio::time::timeout(LIMIT, cluster.list_pods()).await;
    list.unwrap_or_else(|_| {
        let seconds = LIMIT.as_secs();
        let why = format!("the pods of this node are not all listed after {seconds} s");
        Err(Failure::new(FailureKind::Timeout, why))
    })
}

/// What the configuration says, in its own words.
pub(super) fn policy(drain: &Drain) -> Finding {
    if drain.mode == DrainMode::None {
        return warn(
            DRAIN,
            "mode none: no pod is evicted and no budget is asked, the kubelet's graceful shutdown ends them",
            "",
        );
    }
    let unmanaged = match drain.unmanaged {
        Unmanaged::Refuse => "refuse",
        Unmanaged::Evict => "evict",
        Unmanaged::Skip => "skip",
    };
    let empty_dir = match drain.empty_dir {
        EmptyDir::Evict => "evict",
        EmptyDir::Refuse => "refuse",
    };
    let cordon = match drain.foreign_cordon {
        ForeignCordon::Wait => "wait",
        ForeignCordon::Proceed => "proceed",
    };
    let timeout = SignedDuration::try_from(drain.timeout).map_or_else(|_| "long".to_owned(), span);
    ok(
        DRAIN,
        format!(
            "evicts within {timeout}; pods without controller: {unmanaged}, with emptyDir: {empty_dir}, foreign cordon: {cordon}"
        ),
    )
}

/// What a drain would do with the pods that are here.
pub(super) fn plan(plan: &Plan) -> Finding {
    let all = plan.evict.len() + plan.wait.len() + plan.skip.len() + plan.refuse.len();
    if plan.refuse.is_empty() {
        return ok(
            PODS,
            format!(
                "{all}: {} would be evicted, {} are ending, {} stay (static, DaemonSet)",
                plan.evict.len(),
                plan.wait.len(),
                plan.skip.len()
            ),
        );
    }
    let why = plan.refuse.first().map(|(_, why)| *why).unwrap_or_default();
    let names: Vec<_> = plan.refuse.iter().map(|(pod, _)| pod.to_string()).collect();
    fail(
        PODS,
        format!(
            "nothing is evicted because of {}",
            list(names.iter().map(String::as_str), NAMED)
        ),
        why,
    )
}

/// Pods that may take longer to end than a drain waits.
pub(super) fn slow(drain: &Drain, pods: &[PodView], evict: &[PodRef]) -> Option<Finding> {
    let slow = |pod: &&PodView| {
        evict.contains(&pod.pod)
            && pod
                .grace
                .is_some_and(|grace| grace >= drain.timeout.as_secs())
    };
    let slow = pods.iter().filter(slow);
    let named: Vec<_> = slow
        .map(|pod| format!("{}: {} s", pod.pod, pod.grace.unwrap_or_default()))
        .collect();
    (!named.is_empty()).then(|| {
        warn(
            PODS,
            format!(
                "may take longer to end than drain.timeout: {}",
                list(named.iter().map(String::as_str), NAMED)
            ),
            "raise drain.timeout, or lower their terminationGracePeriodSeconds",
        )
    })
}

/// What the server would answer to the eviction of each pod now.
#[derive(Debug, Default)]
pub(super) struct Answers {
    given: Vec<(PodRef, EvictAnswer)>,
    /// How many were asked for.
    wanted: usize,
}

impl Answers {
    /// Asks for all, as dry runs.
    pub(super) async fn ask(cluster: &KubeletCluster, pods: &[PodRef]) -> Self {
        let mut given = Vec::new();
        let asked = async {
            let mut answers = stream::iter(pods)
                .map(async |pod| (pod.clone(), cluster.try_eviction(pod).await))
                .buffer_unordered(AT_ONCE);
            while let Some(answer) = answers.next().await {
                given.push(answer);
            }
        };
        // What was answered until then counts.
        let _in_time = tokio::time::timeout(LIMIT, asked).await;
        given.sort_by(|a, b| a.0.cmp(&b.0));
        Self {
            given,
            wanted: pods.len(),
        }
    }

    /// Whether pods may be evicted at all; `None`: no answer says so.
    pub(super) fn permitted(&self) -> Option<Result<(), String>> {
        let refused = self.given.iter().find_map(|(_, answer)| match answer {
            EvictAnswer::Failed(failure)
                if matches!(
                    failure.kind,
                    FailureKind::Forbidden | FailureKind::Restricted | FailureKind::Unauthorized
                ) =>
            {
                Some(failure.message.clone())
            }
            EvictAnswer::Invalid(failure) => Some(failure.message.clone()),
            _ => None,
        });
        let answered = self
            .given
            .iter()
            .any(|(_, answer)| matches!(answer, EvictAnswer::Accepted | EvictAnswer::Budget(_)));
        refused.map(Err).or(answered.then_some(Ok(())))
    }

    /// Who could not go now.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let of = |pick: fn(&EvictAnswer) -> Option<String>| -> Vec<String> {
            let answers = self.given.iter();
            answers
                .filter_map(|(pod, answer)| Some(format!("{pod}: {}", pick(answer)?)))
                .collect()
        };
        let several = of(|answer| match answer {
            EvictAnswer::SeveralBudgets(why) => Some(why.clone()),
            _ => None,
        });
        let blocked = of(|answer| match answer {
            EvictAnswer::Budget(why) => Some(why.clone()),
            _ => None,
        });
        let unknown = of(|answer| match answer {
            EvictAnswer::Throttled(seconds) => Some(format!("throttled for {seconds} s")),
            EvictAnswer::Failed(failure) if failure.kind != FailureKind::Policy => {
                Some(failure.message.clone())
            }
            _ => None,
        });
        // No matter of permissions: whoever set up the webhook or the policy decides about each pod.
        let denied = of(|answer| match answer {
            EvictAnswer::Failed(failure) if failure.kind == FailureKind::Policy => {
                Some(failure.message.clone())
            }
            _ => None,
        });
        let joined = |texts: &[String]| list(texts.iter().map(String::as_str), NAMED);
        if !several.is_empty() {
            findings.push(fail(
                EVICTIONS,
                joined(&several),
                "leave one PodDisruptionBudget for each pod: the server evicts none that has two",
            ));
        }
        if !blocked.is_empty() {
            findings.push(warn(
                EVICTIONS,
                format!("not now: {}", joined(&blocked)),
                "a drain waits for these until drain.timeout: kubectl get pdb -A",
            ));
        }
        if !denied.is_empty() {
            findings.push(warn(
                EVICTIONS,
                format!("denied by admission: {}", joined(&denied)),
                "a drain asks again until drain.timeout: see what the webhook or the policy named there waits for",
            ));
        }
        let late = self.wanted.saturating_sub(self.given.len());
        if late > 0 {
            findings.push(warn(
                EVICTIONS,
                format!(
                    "{late} of {} were not answered within {} s",
                    self.wanted,
                    LIMIT.as_secs()
                ),
                "",
            ));
        }
        if !unknown.is_empty() && !matches!(self.permitted(), Some(Err(_))) {
            findings.push(warn(
                EVICTIONS,
                joined(&unknown),
                "rollboot check, once more",
            ));
        }
        if findings.is_empty() && self.wanted > 0 && matches!(self.permitted(), Some(Ok(()))) {
            findings.push(ok(
                EVICTIONS,
                format!("each of {} could go now, one at a time", self.wanted),
            ));
        }
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;
    use crate::config::Config;

    fn pod(name: &str) -> PodRef {
        PodRef {
            namespace: "ns".into(),
            name: name.into(),
            uid: name.into(),
        }
    }

    fn answers(answers: Vec<EvictAnswer>) -> Answers {
        let given: Vec<_> = answers
            .into_iter()
            .enumerate()
            .map(|(number, answer)| (pod(&format!("p{number}")), answer))
            .collect();
        Answers {
            wanted: given.len(),
            given,
        }
    }

    #[test]
    fn a_pod_that_forbids_the_drain_is_named() {
        let mut all = Plan::default();
        assert_eq!(plan(&all).result, Verdict::Ok);
        all.refuse.push((pod("alone"), "has no controller"));
        let found = plan(&all);
        assert_eq!(found.result, Verdict::Fail);
        assert!(found.found.contains("ns/alone") && found.advice.contains("no controller"));
    }

    #[test]
    fn each_answer_has_its_meaning() {
        let failed = |kind| EvictAnswer::Failed(Failure::new(kind, "why"));
        for (answer, verdict, said) in [
            (EvictAnswer::Accepted, Some(Verdict::Ok), "could go now"),
            (EvictAnswer::Gone, None, ""),
            (
                EvictAnswer::Budget("needs 3".into()),
                Some(Verdict::Warn),
                "ns/p0: needs 3",
            ),
            (
                EvictAnswer::SeveralBudgets("two".into()),
                Some(Verdict::Fail),
                "two",
            ),
            (EvictAnswer::Throttled(5), Some(Verdict::Warn), "throttled"),
            (failed(FailureKind::Unavailable), Some(Verdict::Warn), "why"),
            (
                failed(FailureKind::Policy),
                Some(Verdict::Warn),
                "denied by admission: ns/p0: why",
            ),
            // That is told as a missing permission.
            (failed(FailureKind::Forbidden), None, ""),
        ] {
            let found = answers(vec![answer.clone()]).findings();
            assert_eq!(found.first().map(|it| it.result), verdict, "{answer:?}");
            assert!(found.iter().all(|it| it.found.contains(said)), "{found:?}");
        }
        let forbidden = answers(vec![EvictAnswer::Accepted, failed(FailureKind::Forbidden)]);
        assert_eq!(forbidden.permitted(), Some(Err("why".to_owned())));
        let denied = answers(vec![failed(FailureKind::Policy), EvictAnswer::Accepted]);
        assert_eq!(denied.permitted(), Some(Ok(())));
        assert_eq!(answers(vec![EvictAnswer::Gone]).permitted(), None);
        let late = Answers {
            wanted: 3,
            ..answers(vec![EvictAnswer::Accepted])
        };
        assert!(
            late.findings()[0]
                .found
                .contains("2 of 3 were not answered")
        );
    }

    #[test]
    fn a_pod_that_may_take_longer_than_a_drain_is_named() {
        let view = |grace| PodView {
            pod: pod("slow"),
            grace,
            ..PodView::default()
        };
        let drain = Config::default().drain;
        let found = |grace, evict: &[PodRef]| slow(&drain, &[view(grace)], evict);
        for (grace, named) in [(None, false), (Some(1799), false), (Some(1800), true)] {
            assert_eq!(found(grace, &[pod("slow")]).is_some(), named, "{grace:?}");
        }
        assert!(found(Some(9999), &[]).is_none(), "it stays");
        let said = found(Some(9999), &[pod("slow")]).map(|it| it.found);
        assert!(said.is_some_and(|it| it.contains("ns/slow: 9999 s")));
    }

    #[test]
    fn the_policy_is_said_in_the_words_of_the_configuration() {
        let mut drain = Config::default().drain;
        let said = policy(&drain).found;
        assert!(
            said.contains("30 min") && said.contains("controller: refuse"),
            "{said}"
        );
        drain.mode = DrainMode::None;
        assert_eq!(policy(&drain).result, Verdict::Warn);
    }
}
