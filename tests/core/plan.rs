//! The plan of a drain on pods that nobody thought of: what must hold of every one, whatever is written on them.

use std::collections::BTreeSet;

use proptest::prelude::*;
use rollboot::config::{Config, Drain as Policy, EmptyDir, Unmanaged, UnsafeToEvict};
use rollboot::drain::{
    Arrival, Arrivals, Choice, Controller, Drain, DrainAnnotations, DrainEvent, EvictAnswer, Order,
    PodRef, PodView, Progress, choose, plan,
};

fn owner() -> impl Strategy<Value = Option<Controller>> {
    let version =
        prop::sample::select(vec!["apps/v1", "v1", "batch/v1", "apps.example.com/v1", ""]);
    let kind = prop::sample::select(vec![
        "DaemonSet",
        "ReplicaSet",
        "Job",
        "Node",
        "daemonset",
        "",
    ]);
    // What no server accepts is no reason to guess either.
    let name = prop::sample::select(vec!["a", "b", ""]);
    prop::option::weighted(
        0.8,
        (version, kind, name).prop_map(|(version, kind, name)| Controller {
            api_version: version.into(),
            kind: kind.into(),
            name: name.into(),
            uid: name.into(),
        }),
    )
}

fn wishes() -> impl Strategy<Value = DrainAnnotations> {
    let text = |known: Vec<&'static str>| {
        let known = prop::sample::select(known).prop_map(str::to_owned);
        prop::option::weighted(0.3, prop_oneof![8 => known, 1 => any::<String>()])
    };
    (
        text(vec!["skip", "wait", "refuse", "Skip", ""]),
        text(vec![
            "-1",
            "0",
            "7",
            "2147483647",
            "-2147483648",
            "first",
            "",
        ]),
        text(vec!["false", "true", "False", ""]),
    )
        .prop_map(|(drain, order, safe_to_evict)| DrainAnnotations {
            drain,
            order,
            safe_to_evict,
        })
}

fn pod() -> impl Strategy<Value = PodView> {
    (owner(), wishes(), any::<[bool; 7]>()).prop_map(|(controller, wishes, flags)| {
        let [
            mirror,
            finished,
            terminating,
            empty_dir,
            tolerates_cordon,
            ready,
            critical,
        ] = flags;
        PodView {
            controller,
            mirror,
            finished,
            terminating,
            empty_dir,
            tolerates_cordon,
            ready,
            critical,
            wishes,
            ..PodView::default()
        }
    })
}

/// Pods of one node: all different.
fn pods(most: usize) -> impl Strategy<Value = Vec<PodView>> {
    prop::collection::vec(pod(), 0..most).prop_map(|mut pods| {
        for (number, pod) in pods.iter_mut().enumerate() {
            pod.pod = named(number);
        }
        pods
    })
}

fn named(number: usize) -> PodRef {
    PodRef {
        namespace: "ns".into(),
        name: format!("p{number:05}"),
        uid: format!("u{number:05}"),
    }
}

fn policy() -> impl Strategy<Value = Policy> {
    let unmanaged =
        prop::sample::select(vec![Unmanaged::Refuse, Unmanaged::Evict, Unmanaged::Skip]);
    (unmanaged, any::<[bool; 2]>(), 1..20_u16).prop_map(|(unmanaged, flags, concurrency)| {
        let [empty_dir, unsafe_to_evict] = flags;
        Policy {
            unmanaged,
            empty_dir: if empty_dir {
                EmptyDir::Refuse
            } else {
                EmptyDir::Evict
            },
            unsafe_to_evict: if unsafe_to_evict {
                UnsafeToEvict::Refuse
            } else {
                UnsafeToEvict::Evict
            },
            concurrency,
            ..Config::default().drain
        }
    })
}

/// A pod of a DaemonSet of Kubernetes' own that has not ended.
fn is_daemon(pod: &PodView) -> bool {
    let owner = pod.controller.as_ref();
    !pod.finished && owner.is_some_and(|it| it.kind == "DaemonSet" && it.api_version == "apps/v1")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_pod_has_exactly_one_decision(pods in pods(24), policy in policy(), known in any::<bool>()) {
        let first = pods.iter().filter(|_| known).map(|pod| pod.pod.uid.clone()).collect();
        let plan = plan(&pods, &policy, &Arrivals::since(first));
        let mut decided: Vec<_> = plan.evict.iter().chain(&plan.wait).cloned().collect();
        decided.extend(plan.skip.iter().chain(&plan.refuse).map(|(pod, _)| pod.clone()));
        decided.sort();
        let all: Vec<_> = pods.iter().map(|pod| pod.pod.clone()).collect();
        prop_assert_eq!(decided, all);
        let ordered: Vec<_> = plan.order.keys().cloned().collect();
        let mut evicted = plan.evict;
        evicted.sort();
        prop_assert_eq!(ordered, evicted, "whatever goes has its time, and nothing else has");
    }

    #[test]
    fn what_the_kubelet_and_daemon_sets_keep_never_goes(pod in pod(), policy in policy(), late in any::<bool>()) {
        if pod.mirror || is_daemon(&pod) {
            let came = if late { Arrival::Late } else { Arrival::Before };
            let choice = choose(&pod, &policy, came);
            prop_assert!(matches!(choice, Choice::Skip(_) | Choice::Refuse(_)), "{choice:?}");
        }
    }

    #[test]
    fn what_is_written_on_a_living_pod_is_heeded_and_never_guessed(pod in pod(), policy in policy()) {
        let choice = choose(&pod, &policy, Arrival::Before);
        let lives = !pod.finished && !pod.terminating;
        let stays = pod.mirror || is_daemon(&pod);
        let drain = pod.wishes.drain.as_deref();
        match drain {
            Some("refuse") if lives => prop_assert!(matches!(choice, Choice::Refuse(_)), "{choice:?}"),
            Some("skip") if lives => prop_assert!(matches!(choice, Choice::Skip(_)), "{choice:?}"),
            Some("wait") if lives && !stays => prop_assert_eq!(choice, Choice::Wait),
            Some("wait") | None => {}
            Some(_) if lives => prop_assert!(matches!(choice, Choice::Refuse(_)), "{choice:?}"),
            Some(_) => {}
        }
        let order = pod.wishes.order.as_deref();
        if let Choice::Evict(when) = choice {
            let wanted = order.and_then(|text| text.parse::<i32>().ok()).unwrap_or_default();
            let wanted = if !lives { 0 } else if pod.critical { Order::CRITICAL.number() } else { wanted.into() };
            prop_assert_eq!(when.number(), wanted);
            prop_assert!(!lives || order.is_none_or(|text| text.parse::<i32>().is_ok()));
        }
    }

    #[test]
    fn one_refusal_and_nothing_is_sent(pods in pods(12), policy in policy()) {
        let refused = plan(&pods, &policy, &Arrivals::default()).refusal().is_some();
        let mut drain = Drain::new(&policy);
        let (sent, progress) = drain.on(DrainEvent::Pods(pods));
        if refused {
            prop_assert!(sent.is_empty());
            prop_assert!(matches!(progress, Progress::Failed(_)));
        }
    }

    /// Everything is accepted and ends at once; Jobs keep the pods, so no controller is asked.
    #[test]
    fn orders_go_one_after_the_other_each_pod_once(orders in prop::collection::vec(-2..3_i32, 1..20), concurrency in 1..5_u16) {
        let job = Controller { api_version: "batch/v1".into(), kind: "Job".into(), name: "j".into(), uid: "j".into() };
        let mut left: Vec<_> = orders.iter().enumerate().map(|(number, order)| PodView {
            pod: named(number),
            controller: Some(job.clone()),
            wishes: DrainAnnotations { order: Some(order.to_string()), ..DrainAnnotations::default() },
            ..PodView::default()
        }).collect();
        let order = |pod: &PodRef| orders[pod.name[1..].parse::<usize>().unwrap()];
        let mut drain = Drain::new(&Policy { concurrency, ..Config::default().drain });
        let (mut due, mut progress) = drain.on(DrainEvent::Pods(left.clone()));
        let mut gone = BTreeSet::new();
        while let Some(pod) = due.pop() {
            prop_assert!(gone.insert(pod.clone()), "{} goes twice", pod);
            let lowest = left.iter().map(|other| order(&other.pod)).min();
            prop_assert_eq!(Some(order(&pod)), lowest);
            prop_assert!(due.len() < usize::from(concurrency));
            due.extend(drain.on(DrainEvent::Answer(pod.clone(), EvictAnswer::Accepted)).0);
            left.retain(|other| other.pod != pod);
            let (more, now) = drain.on(DrainEvent::Pods(left.clone()));
            due.extend(more);
            progress = now;
        }
        prop_assert_eq!((gone.len(), progress), (orders.len(), Progress::Done));
    }
}
