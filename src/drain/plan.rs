//! Which pods a drain evicts: kubectl's filters, in kubectl's order (`pkg/drain/filters.go`), with the policy of the configuration.

use std::collections::BTreeMap;

use super::few::few;
use super::{Arrival, Arrivals, Directive, Order, PodRef, PodView};
use crate::config::{Drain as Policy, EmptyDir, Unmanaged, UnsafeToEvict};

/// Why a replacement stays that a cordon does not keep off.
pub(super) const CAME_BACK: &str =
    "came back although the node is cordoned, because it tolerates that";
/// Why a pod stays that no scheduler has put here.
pub(super) const PLACED: &str = "was created after the node was cordoned and is here all the same: its template names this node";
/// Why a pod stays that has ended: to evict it would be to delete it, and somebody may still want to read it.
const FINISHED: &str = "it has ended already";

/// What a drain does about one pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Evict it in this order, then wait until it is gone.
    Evict(Order),
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
    /// When each of them goes.
    pub order: BTreeMap<PodRef, Order>,
    /// Pods that end by themselves.
    pub wait: Vec<PodRef>,
    /// Pods that stay, each with the reason.
    pub skip: Vec<(PodRef, &'static str)>,
    /// Pods that forbid the drain, each with what to do.
    pub refuse: Vec<(PodRef, &'static str)>,
}

impl Plan {
    /// Why nothing may be evicted at all, if so: the pods that forbid it, by name.
    pub fn refusal(&self) -> Option<String> {
        let pods = self.refuse.iter();
        let words = pods.map(|(pod, why)| format!("{pod}: {why}"));
        (!self.refuse.is_empty()).then(|| few(words))
    }

    /// Nothing is left that a drain would have to move.
    pub fn is_empty(&self) -> bool {
        self.evict.is_empty() && self.wait.is_empty()
    }
}

/// Judges every pod. One that came after the cordon because it tolerates that, or because its template names this node, would come
/// back for ever, so it stays like a pod of a DaemonSet.
pub fn plan(pods: &[PodView], policy: &Policy, arrivals: &Arrivals) -> Plan {
    let mut plan = Plan::default();
    for pod in pods {
        let name = pod.pod.clone();
        match choose(pod, policy, arrivals.of(pod)) {
            Choice::Evict(order) => {
                plan.order.insert(name.clone(), order);
                plan.evict.push(name);
            }
            Choice::Wait => plan.wait.push(name),
            Choice::Skip(why) => plan.skip.push((name, why)),
            Choice::Refuse(why) => plan.refuse.push((name, why)),
        }
    }
    plan
}

/// Judges one pod.
pub fn choose(pod: &PodView, policy: &Policy, arrival: Arrival) -> Choice {
    if pod.finished {
        return Choice::Skip(FINISHED);
    }
    let kept_by = pod.controller.as_ref();
    let stays = if kept_by.is_some_and(super::Controller::is_daemon_set) {
        Some("kept on every node by its DaemonSet")
    } else if pod.mirror {
        Some("a static pod of the kubelet")
    } else {
        None
    };
    // Whatever it says, and even if it is ending: it may be Ready, and count for a controller that others here are judged by.
    if pod.unclear && stays.is_none() {
        return Choice::Refuse(
            "its owner references do not name one controller in full, so nobody knows who would create it again (kubectl get pod -o yaml)",
        );
    }
    let order = match wished(pod, policy) {
        Ok(order) => order,
        // Of a pod that no drain moves it can only be asked that the node stays up.
        Err(Choice::Refuse(why)) => return Choice::Refuse(why),
        Err(choice) if stays.is_none() => return choice,
        Err(_) => Order::default(),
    };
    if let Some(why) = stays {
        return Choice::Skip(why);
    }
    if pod.terminating {
        return Choice::Wait;
    }
    match arrival {
        Arrival::Late | Arrival::Placed if pod.tolerates_cordon => {
            return Choice::Skip(CAME_BACK);
        }
        Arrival::Placed => return Choice::Skip(PLACED),
        Arrival::Late | Arrival::Before => {}
    }
    if pod.empty_dir && policy.empty_dir == EmptyDir::Refuse {
        return Choice::Refuse(
            "has an emptyDir volume, whose data would be lost (drain.empty-dir = \"refuse\")",
        );
    }
    if pod.controller.is_none() {
        return match policy.unmanaged {
            Unmanaged::Refuse => Choice::Refuse(
                "has no controller that would create it again (delete it, or set drain.unmanaged to \"evict\" or \"skip\")",
            ),
            Unmanaged::Skip => Choice::Skip("has no controller (drain.unmanaged = \"skip\")"),
            Unmanaged::Evict => Choice::Evict(order),
        };
    }
    Choice::Evict(order)
}

/// What is written on the pod: when it goes, or that it does not. A pod that is ending has nothing to say.
fn wished(pod: &PodView, policy: &Policy) -> Result<Order, Choice> {
    if pod.terminating {
        return Ok(Order::default());
    }
    let refuse = Choice::Refuse;
    match pod.wishes.wish().map_err(refuse)? {
        Some(Directive::Refuse) => {
            return Err(Choice::Refuse(
                "its annotation rollboot.io/drain says \"refuse\"",
            ));
        }
        Some(Directive::Wait) => return Err(Choice::Wait),
        Some(Directive::Skip) => {
            return Err(Choice::Skip(
                "its annotation rollboot.io/drain says \"skip\"",
            ));
        }
        None => {}
    }
    if pod.wishes.unsafe_to_evict() && policy.unsafe_to_evict == UnsafeToEvict::Refuse {
        return Err(Choice::Refuse(
            "its annotation safe-to-evict says \"false\" (drain.unsafe-to-evict = \"refuse\")",
        ));
    }
    let order = pod.wishes.order().map_err(refuse)?;
    Ok(if pod.critical { Order::CRITICAL } else { order })
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
            ready: true,
            ..PodView::default()
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
        named(choose(
            &pod(change),
            &Config::default().drain,
            Arrival::Before,
        ))
    }

    fn named(choice: Choice) -> &'static str {
        match choice {
            Choice::Evict(_) => "evict",
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
        let other_group = |p: &mut PodView| {
            p.controller = Some(Controller {
                api_version: "example.com/v1".into(),
                ..owner("DaemonSet")
            });
        };
        assert_eq!(verdict(other_group), "evict");
    }

    #[test]
    fn a_pod_of_which_nobody_knows_who_keeps_it_refuses_whatever_the_policy() {
        let mut policy = Config::default().drain;
        let unclear = |change: fn(&mut PodView)| {
            pod(|pod| {
                (pod.controller, pod.unclear) = (None, true);
                change(pod);
            })
        };
        for unmanaged in [Unmanaged::Refuse, Unmanaged::Evict, Unmanaged::Skip] {
            policy.unmanaged = unmanaged;
            let judged = |change| named(choose(&unclear(change), &policy, Arrival::Before));
            assert_eq!(judged(|_| ()), "refuse");
            assert_eq!(judged(|pod| pod.terminating = true), "refuse");
            assert_eq!(judged(|pod| written("skip")(pod)), "refuse");
            assert_eq!(judged(|pod| pod.finished = true), "skip");
            assert_eq!(judged(|pod| pod.mirror = true), "skip");
        }
    }

    #[test]
    fn the_policy_decides_on_pods_that_lose_something() {
        let mut policy = Config::default().drain;
        let alone = pod(|p| p.controller = None);
        for (unmanaged, wanted) in [(Unmanaged::Evict, "evict"), (Unmanaged::Skip, "skip")] {
            policy.unmanaged = unmanaged;
            assert_eq!(named(choose(&alone, &policy, Arrival::Before)), wanted);
        }
        policy.empty_dir = EmptyDir::Refuse;
        assert_eq!(
            named(choose(
                &pod(|p| p.empty_dir = true),
                &policy,
                Arrival::Before
            )),
            "refuse"
        );
    }

    #[test]
    fn a_pod_that_has_ended_is_left_alone_whatever_it_is() {
        let changes: [fn(&mut PodView); 6] = [
            |_| (),
            |p| p.controller = None,
            |p| p.controller = Some(owner("DaemonSet")),
            |p| p.terminating = true,
            |p| p.wishes.drain = Some("refuse".into()),
            |p| p.empty_dir = true,
        ];
        let policy = Config::default().drain;
        for change in changes {
            let ended = pod(|p| {
                p.finished = true;
                change(p);
            });
            for came in [Arrival::Before, Arrival::Late, Arrival::Placed] {
                assert_eq!(choose(&ended, &policy, came), Choice::Skip(FINISHED));
            }
        }
    }

    #[test]
    fn a_pod_that_no_scheduler_has_put_here_stays_and_may_still_refuse() {
        let policy = Config::default().drain;
        let placed = |change: fn(&mut PodView)| choose(&pod(change), &policy, Arrival::Placed);
        assert_eq!(placed(|_| ()), Choice::Skip(PLACED));
        assert_eq!(placed(|p| p.controller = None), Choice::Skip(PLACED));
        assert_eq!(placed(|p| p.terminating = true), Choice::Wait);
        let refuses = placed(|p| p.wishes.drain = Some("refuse".into()));
        assert_eq!(named(refuses), "refuse");
    }

    fn written(drain: &str) -> impl FnOnce(&mut PodView) {
        let drain = drain.to_owned();
        move |pod| pod.wishes.drain = Some(drain)
    }

    #[test]
    fn what_is_written_on_a_pod_counts() {
        for (drain, wanted) in [
            ("skip", "skip"),
            ("wait", "wait"),
            ("refuse", "refuse"),
            ("Skip", "refuse"),
        ] {
            assert_eq!(verdict(written(drain)), wanted);
        }
        assert_eq!(
            verdict(|p| p.wishes.order = Some("first".into())),
            "refuse",
            "what cannot be read is not guessed at"
        );
        // A pod that has ended has no say any more.
        for ended in [
            |p: &mut PodView| p.finished = true,
            |p: &mut PodView| p.terminating = true,
        ] {
            let verdict = verdict(|p| {
                written("refuse")(p);
                ended(p);
            });
            assert_ne!(verdict, "refuse");
        }
    }

    #[test]
    fn of_a_pod_that_stays_anyway_only_a_refusal_counts() {
        let stays: [fn(&mut PodView); 2] = [
            |p| p.controller = Some(owner("DaemonSet")),
            |p| p.mirror = true,
        ];
        for stay in stays {
            for (drain, wanted) in [("skip", "skip"), ("wait", "skip"), ("refuse", "refuse")] {
                let verdict = verdict(|p| {
                    stay(p);
                    written(drain)(p);
                });
                assert_eq!(verdict, wanted, "{drain}");
            }
        }
    }

    #[test]
    fn a_pod_that_is_not_safe_to_evict_refuses_unless_the_policy_says_otherwise() {
        let not_safe = pod(|p| p.wishes.safe_to_evict = Some("false".into()));
        let mut policy = Config::default().drain;
        let judged = |policy: &Policy| named(choose(&not_safe, policy, Arrival::Before));
        assert_eq!(judged(&policy), "refuse");
        policy.unsafe_to_evict = UnsafeToEvict::Evict;
        assert_eq!(judged(&policy), "evict");
    }

    #[test]
    fn the_critical_go_last_whatever_they_say() {
        let policy = Config::default().drain;
        let order = |change: fn(&mut PodView)| choose(&pod(change), &policy, Arrival::Before);
        let critical: fn(&mut PodView) = |p| {
            p.critical = true;
            p.wishes.order = Some("-7".into());
        };
        assert_eq!(order(critical), Choice::Evict(Order::CRITICAL));
        assert_eq!(order(|_| ()), Choice::Evict(Order::default()));
    }

    #[test]
    fn only_a_replacement_that_tolerates_the_cordon_stays() {
        let policy = Config::default().drain;
        let first = Arrivals::since(["1".to_owned()].into());
        let known = pod(|p| p.tolerates_cordon = true);
        let replacement = pod(|p| {
            p.pod.uid = "2".into();
            p.tolerates_cordon = true;
        });
        let bound_late = pod(|p| p.pod.uid = "3".into());
        let plan = plan(&[known, replacement, bound_late], &policy, &first);
        let uids: Vec<_> = plan.evict.iter().map(|pod| pod.uid.as_str()).collect();
        assert_eq!(uids, ["1", "3"]);
        assert_eq!(plan.skip.len(), 1);
    }
}
