//! Which pods a drain evicts: kubectl's filters, in kubectl's order (`pkg/drain/filters.go`), with the policy of the configuration.

use std::collections::BTreeSet;

use super::{PodRef, PodView};
use crate::config::{Drain as Policy, EmptyDir, Unmanaged};

/// What a drain does about one pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Evict it, then wait until it is gone.
    Evict,
    /// It ends by itself: wait until it is gone.
    Wait,
    /// It stays, for this reason.
    Skip(&'static str),
    /// It must not be evicted, so nothing is and the node does not reboot; the text says what to do.
    Refuse(&'static str),
}

/// What a drain does about all pods of the node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Pods to evict.
    pub evict: Vec<PodRef>,
    /// Pods that end by themselves.
    pub wait: Vec<PodRef>,
    /// Pods that stay, each with the reason.
    pub skip: Vec<(PodRef, &'static str)>,
    /// Pods that forbid the drain, each with what to do.
    pub refuse: Vec<(PodRef, &'static str)>,
}

impl Plan {
    /// Why nothing may be evicted at all, if so: every pod that forbids it, by name.
    pub fn refusal(&self) -> Option<String> {
        let pods: Vec<_> = self
            .refuse
            .iter()
            .map(|(pod, why)| format!("{pod}: {why}"))
            .collect();
        (!pods.is_empty()).then(|| pods.join("; "))
    }

    /// Nothing is left that a drain would have to move.
    pub fn is_empty(&self) -> bool {
        self.evict.is_empty() && self.wait.is_empty()
    }
}

/// Judges every pod. `first` holds the UIDs of the first list after the cordon: a pod that came later because it tolerates the
/// cordon would come back for ever, so it stays like a pod of a DaemonSet.
pub fn plan(pods: &[PodView], policy: &Policy, first: Option<&BTreeSet<String>>) -> Plan {
    let mut plan = Plan::default();
    for pod in pods {
        let late = first.is_some_and(|uids| !uids.contains(&pod.pod.uid));
        let name = pod.pod.clone();
        match choose(pod, policy, late) {
            Choice::Evict => plan.evict.push(name),
            Choice::Wait => plan.wait.push(name),
            Choice::Skip(why) => plan.skip.push((name, why)),
            Choice::Refuse(why) => plan.refuse.push((name, why)),
        }
    }
    plan
}

fn choose(pod: &PodView, policy: &Policy, late: bool) -> Choice {
    let daemon_set = pod
        .controller
        .as_ref()
        .is_some_and(|owner| owner.kind == "DaemonSet" && owner.api_version == "apps/v1");
    if daemon_set && !pod.finished {
        return Choice::Skip("kept on every node by its DaemonSet");
    }
    if pod.mirror {
        return Choice::Skip("a static pod of the kubelet");
    }
    if pod.terminating {
        return Choice::Wait;
    }
    if late && pod.tolerates_cordon && !pod.finished {
        return Choice::Skip("came back although the node is cordoned, because it tolerates that");
    }
    if pod.empty_dir && !pod.finished && policy.empty_dir == EmptyDir::Refuse {
        return Choice::Refuse(
            "has an emptyDir volume, whose data would be lost (drain.empty-dir = \"refuse\")",
        );
    }
    if pod.controller.is_none() && !pod.finished {
        return match policy.unmanaged {
            Unmanaged::Refuse => Choice::Refuse(
                "has no controller that would create it again (delete it, or set drain.unmanaged to \"evict\" or \"skip\")",
            ),
            Unmanaged::Skip => Choice::Skip("has no controller (drain.unmanaged = \"skip\")"),
            Unmanaged::Evict => Choice::Evict,
        };
    }
    Choice::Evict
}

#[cfg(test)]
mod tests {
    use super::super::Controller;
    use super::*;
    use crate::config::Config;

    fn pod(change: impl FnOnce(&mut PodView)) -> PodView {
        let mut pod = PodView {
            pod: PodRef {
                namespace: "ns".into(),
                name: "p".into(),
                uid: "1".into(),
            },
            controller: Some(owner("ReplicaSet")),
            mirror: false,
            finished: false,
            terminating: false,
            empty_dir: false,
            tolerates_cordon: false,
            ready: true,
        };
        change(&mut pod);
        pod
    }

    fn owner(kind: &str) -> Controller {
        Controller {
            api_version: "apps/v1".into(),
            kind: kind.into(),
            name: "o".into(),
            uid: "o".into(),
        }
    }

    fn verdict(change: impl FnOnce(&mut PodView)) -> &'static str {
        named(choose(&pod(change), &Config::default().drain, false))
    }

    fn named(choice: Choice) -> &'static str {
        match choice {
            Choice::Evict => "evict",
            Choice::Wait => "wait",
            Choice::Skip(_) => "skip",
            Choice::Refuse(_) => "refuse",
        }
    }

    #[test]
    fn pods_are_judged_as_kubectl_judges_them() {
        assert_eq!(verdict(|_| ()), "evict");
        assert_eq!(verdict(|p| p.controller = Some(owner("DaemonSet"))), "skip");
        assert_eq!(verdict(|p| p.mirror = true), "skip");
        assert_eq!(verdict(|p| p.terminating = true), "wait");
        assert_eq!(verdict(|p| p.controller = None), "refuse");
        assert_eq!(verdict(|p| p.empty_dir = true), "evict");
        let finished = |p: &mut PodView| {
            p.finished = true;
            p.controller = None;
        };
        assert_eq!(verdict(finished), "evict");
        let finished_daemon = |p: &mut PodView| {
            p.finished = true;
            p.controller = Some(owner("DaemonSet"));
        };
        assert_eq!(verdict(finished_daemon), "evict");
        let other_group = |p: &mut PodView| {
            p.controller = Some(Controller {
                api_version: "example.com/v1".into(),
                ..owner("DaemonSet")
            });
        };
        assert_eq!(verdict(other_group), "evict");
    }

    #[test]
    fn the_policy_decides_on_pods_that_lose_something() {
        let mut policy = Config::default().drain;
        let alone = pod(|p| p.controller = None);
        for (unmanaged, wanted) in [(Unmanaged::Evict, "evict"), (Unmanaged::Skip, "skip")] {
            policy.unmanaged = unmanaged;
            assert_eq!(named(choose(&alone, &policy, false)), wanted);
        }
        policy.empty_dir = EmptyDir::Refuse;
        assert_eq!(
            named(choose(&pod(|p| p.empty_dir = true), &policy, false)),
            "refuse"
        );
    }

    #[test]
    fn only_a_replacement_that_tolerates_the_cordon_stays() {
        let policy = Config::default().drain;
        let first = BTreeSet::from(["1".to_owned()]);
        let known = pod(|p| p.tolerates_cordon = true);
        let replacement = pod(|p| {
            p.pod.uid = "2".into();
            p.tolerates_cordon = true;
        });
        let bound_late = pod(|p| p.pod.uid = "3".into());
        let plan = plan(&[known, replacement, bound_late], &policy, Some(&first));
        let uids: Vec<_> = plan.evict.iter().map(|pod| pod.uid.as_str()).collect();
        assert_eq!(uids, ["1", "3"]);
        assert_eq!(plan.skip.len(), 1);
    }
}
