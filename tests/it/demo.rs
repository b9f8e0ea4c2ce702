//! Whole rolls with production daemons on simulated hosts, over HTTPS and D-Bus, judged from the API's history: what
//! `cargo demo` shows, with two nodes.

use std::time::Duration;

use rollboot_lab::api::Kind;
use rollboot_lab::roll::{Outcome, Phase, Roll, Stage, run, tracks};

async fn outcome(roll: &Roll, mut audience: impl FnMut(&Stage)) -> Outcome {
    run(roll, &mut audience).await.unwrap()
}

#[tokio::test]
async fn two_nodes_that_need_a_reboot_at_once_go_one_after_the_other() {
    let Outcome { record, verdict } = outcome(&Roll::test(2, 1), |_| ()).await;
    assert_eq!(verdict.broken, [""; 0]);
    assert_eq!((verdict.rebooted, verdict.max_in_turn), (2, 1));
    assert!(verdict.evicted > 0);
    for track in tracks(&record) {
        let phases: Vec<_> = track.spans.iter().map(|span| span.phase).collect();
        assert_eq!(phases, Phase::ALL, "{}", track.node);
    }
}

#[tokio::test]
async fn a_roll_that_cannot_end_is_given_up_and_says_what_each_node_waits_for() {
    let roll = Roll {
        limit: Duration::from_secs(2),
        ..Roll::test(2, 1)
    };
    let verdict = outcome(&roll, |stage| {
        for host in stage.hosts() {
            host.systemd().release_inhibitors();
            host.systemd().inhibit("shutdown", "apt", "block");
        }
    });
    let verdict = verdict.await.verdict;
    assert_eq!((verdict.rebooted, verdict.max_in_turn), (0, 0));
    for what in ["in time", "node-1 (On): Waiting: apt", "node-2 (On)"] {
        let found = verdict.broken.iter().any(|it| it.contains(what));
        assert!(found, "{what}: {:?}", verdict.broken);
    }
}

#[tokio::test]
async fn whoever_breaks_the_lock_is_noticed() {
    let roll = Roll {
        limit: Duration::from_secs(4),
        ..Roll::test(2, 1)
    };
    let verdict = outcome(&roll, |stage| {
        // Somebody raises the limit that the roll is to keep.
        let (kind, namespace, name) = (Kind::ConfigMap, "kube-system", "rollboot");
        stage
            .store()
            .update("somebody", kind, namespace, name, |lock| {
                lock["data"] = serde_json::json!({"max.default": "2", "max.total": "2"});
            });
    });
    let verdict = verdict.await.verdict;
    assert_eq!(verdict.max_in_turn, 2);
    assert!(
        verdict.broken[0].contains("1 may be"),
        "{:?}",
        verdict.broken
    );
}
