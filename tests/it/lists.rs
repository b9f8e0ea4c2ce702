//! The plan of a drain on lists of pods as an API server gives them, or as none would.

use proptest::prelude::*;
use rollboot::cluster::reading;
use rollboot::config::Config;
use rollboot::drain::{Arrival, Choice, Drain, DrainEvent, EvictAnswer, Order, Progress, choose};
use serde_json::{Value, json};

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Fields that are missing, null or of another type: a list that makes no sense is an error, never another list.
    #[test]
    fn a_pod_without_what_pods_have_is_not_guessed_at(
        phase in prop::option::of(prop::sample::select(vec!["", "Running", "Unknown", "Strange"])),
        status in any::<bool>(), spec in any::<bool>(),
        lacks in prop::option::of(prop::sample::select(vec!["apiVersion", "kind", "name", "uid"])),
        controller in prop::sample::select(vec![Value::Null, json!(true), json!(false), json!("true")]),
    ) {
        let mut owner = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "r", "controller": controller});
        if let Some(field) = lacks {
            owner.as_object_mut().unwrap().remove(field);
        }
        let mut pod = json!({"metadata": {"namespace": "ns", "name": "p", "uid": "u", "ownerReferences": [owner]}});
        if status {
            pod["status"] = json!({"phase": phase});
        }
        if spec {
            pod["spec"] = json!({});
        }
        let list = json!({"kind": "PodList", "metadata": {"resourceVersion": "1"}, "items": [pod]});
        let Ok(pods) = reading::pods(list.to_string().as_bytes()) else {
            prop_assert_eq!(controller, "true");
            return Ok(());
        };
        let choice = choose(&pods[0], &Config::default().drain, Arrival::Before);
        if controller == true && lacks.is_none() {
            prop_assert_eq!(choice, Choice::Evict(Order::default()));
        } else {
            prop_assert!(matches!(choice, Choice::Refuse(_)), "{choice:?}");
        }
    }
}

#[test]
fn ten_thousand_pods_are_a_plan_like_any_other() {
    let job = |number: usize| {
        json!({"metadata": {
            "namespace": "ns", "name": format!("p{number:05}"), "uid": format!("u{number:05}"),
            "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "j", "controller": true}],
        }})
    };
    let items: Vec<_> = (0..10_000).map(job).collect();
    let list = json!({"kind": "PodList", "metadata": {"resourceVersion": "1"}, "items": items});
    let pods = reading::pods(list.to_string().as_bytes()).unwrap();
    let mut drain = Drain::new(&Config::default().drain);
    let (sent, progress) = drain.on(DrainEvent::Pods(pods));
    assert_eq!((sent.len(), progress), (16, Progress::Going));
    assert_eq!(drain.left(), 10_000);
    let mut sent = sent;
    // Each answer makes room for one more.
    for _ in 0..100 {
        let pod = sent.pop().unwrap();
        sent.extend(drain.on(DrainEvent::Answer(pod, EvictAnswer::Accepted)).0);
        assert_eq!(sent.len(), 16);
    }
}
