//! The lock under `policy.yaml`: what the API server itself refuses, to whom, and what it lets through. Only a real one can say.

mod plane;

use std::time::Duration;

use rollboot::failure::{FailureKind, WriteOutcome};
use rollboot::lock::{LockPatch, LockView, REVOKED, TURNS};
use rollboot::ports::Cluster;
use serde_json::{Value, json};

use self::plane::{SINCE, as_node, said};
use super::{LOCK, MERGE, Plane, applied};

cases! {
    both:;
    real only:
    under_the_policy_a_node_changes_its_own_slot_and_nothing_else,
    under_the_policy_nobody_else_loses_a_slot,
    fifty_writes_at_once_take_no_more_slots_than_there_are,
}

fn annotations(pairs: &Value) -> Value {
    json!({"metadata": {"annotations": pairs}})
}

async fn under_the_policy_a_node_changes_its_own_slot_and_nothing_else(plane: &Plane) {
    if plane.minor().await < SINCE {
        return;
    }
    let limits = json!({"data": {"max.default": "2", "max.control-plane": "5", "max.total": "2"},
        "metadata": {"annotations": {"other": "kept", TURNS: "7", "contract-b.rollboot.io/default": "x"}}});
    plane.call("PATCH", LOCK, MERGE, &limits.to_string()).await;
    plane.with_policy().await;
    let before = plane.lock().await;
    let mine = "contract-a.rollboot.io/default";
    let big = "x".repeat(262_050 - 4096);
    let owner = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "0"}]);
    for (body, words) in [
        (json!({"metadata": {"ownerReferences": owner}}), "owners"),
        (
            json!({"metadata": {"finalizers": ["example.com/never"]}}),
            "finalizers",
        ),
        (json!({"metadata": {"labels": {"a": "b"}}}), "labels"),
        (json!({"immutable": true}), "data"),
        (json!({"data": {"max.total": "9"}}), "data"),
        (json!({"data": null}), "data"),
        (json!({"binaryData": {"a": "YQ=="}}), "data"),
        (
            annotations(&json!({"contract-b.rollboot.io/default": null})),
            "only annotations",
        ),
        (
            annotations(&json!({"contract-b.rollboot.io/default": "y"})),
            "only annotations",
        ),
        (
            annotations(&json!({"contract-b.rollboot.io/default": REVOKED})),
            "only annotations",
        ),
        (
            annotations(&json!({"ghost.rollboot.io/default": "x", TURNS: "8"})),
            "only annotations",
        ),
        (
            annotations(&json!({"x.contract-a.rollboot.io/default": "x"})),
            "only annotations",
        ),
        (
            annotations(&json!({"rollboot.io/pause": "ha"})),
            "only annotations",
        ),
        (
            annotations(&json!({"rollboot.io/resumed": before.uid})),
            "only annotations",
        ),
        (annotations(&json!({"other": null})), "only annotations"),
        (
            annotations(&json!({"other": "changed"})),
            "only annotations",
        ),
        (
            json!({"metadata": {"annotations": null}}),
            "only annotations",
        ),
        (annotations(&json!({TURNS: "8"})), "rises by one"),
        (annotations(&json!({TURNS: null})), "only annotations"),
        (annotations(&json!({mine: "x"})), "rises by one"),
        (annotations(&json!({mine: "x", TURNS: "9"})), "rises by one"),
        (annotations(&json!({mine: "x", TURNS: "6"})), "rises by one"),
        (
            annotations(&json!({mine: "x", TURNS: "08"})),
            "rises by one",
        ),
        (
            annotations(&json!({mine: "x", "contract-a.rollboot.io/b": "x", TURNS: "8"})),
            "one slot",
        ),
        (
            annotations(&json!({"contract-a.rollboot.io/gpu": "x", TURNS: "8"})),
            "gpu is full",
        ),
        (
            annotations(&json!({mine: "x".repeat(1025), TURNS: "8"})),
            "1024",
        ),
        (annotations(&json!({mine: big, TURNS: "8"})), "1024"),
    ] {
        let (code, message) = plane.as_node("contract-a", LOCK, &body).await;
        let text: String = body.to_string().chars().take(100).collect();
        assert!(matches!(code, 403 | 422), "{text}: {code} {message}");
        assert!(message.contains("lock.rollboot.io"), "{text}: {message}");
        assert!(message.contains(words), "{text}: {message}");
    }
    assert_eq!(plane.lock().await, before);

    // The daemon's own way: take, stamp anew, release; told from a refusal of RBAC.
    let (a, b) = (plane.node("contract-a"), plane.node("contract-b"));
    let write = |view: &LockView, pairs: &[(&str, Option<&str>)]| LockPatch {
        version: view.version.clone(),
        annotations: pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned)))
            .collect(),
    };
    let patch = write(&before, &[(mine, Some("x")), (TURNS, Some("8"))]);
    let taken = applied(a.patch_lock(&patch).await);
    let stamped = applied(a.patch_lock(&write(&taken, &[(mine, Some("y"))])).await);
    let full = json!({"contract-c.rollboot.io/default": "x", TURNS: "9"});
    let (code, message) = plane.as_node("contract-c", LOCK, &annotations(&full)).await;
    assert!(
        code == 403 && message.contains("is full: max 2, total 2"),
        "{message}"
    );
    let free = applied(a.patch_lock(&write(&stamped, &[(mine, None)])).await);
    let cp = "contract-a.rollboot.io/control-plane";
    let patch = write(&free, &[(cp, Some("x")), (TURNS, Some("9"))]);
    let taken = applied(a.patch_lock(&patch).await);
    // One control-plane node, whatever the limit says.
    let moved = [
        ("contract-b.rollboot.io/default", None),
        ("contract-b.rollboot.io/control-plane", Some("x")),
        (TURNS, Some("10")),
    ];
    let outcome = b.patch_lock(&write(&taken, &moved)).await;
    assert!(
        matches!(&outcome, WriteOutcome::Refused(it) if it.kind == FailureKind::Policy),
        "{outcome:?}"
    );
    let pause = annotations(&json!({"rollboot.io/pause": "why"}));
    plane.call("PATCH", LOCK, MERGE, &pause.to_string()).await;
    let view = plane.lock().await;
    let freed = applied(a.patch_lock(&write(&view, &[(cp, None)])).await);
    let patch = write(&freed, &[(mine, Some("x")), (TURNS, Some("10"))]);
    let outcome = a.patch_lock(&patch).await;
    assert!(
        matches!(&outcome, WriteOutcome::Refused(it) if it.message.contains("paused")),
        "{outcome:?}"
    );
    plane.without_policy().await;
}

async fn under_the_policy_nobody_else_loses_a_slot(plane: &Plane) {
    if plane.minor().await < SINCE {
        return;
    }
    let held = "contract-b.rollboot.io/default";
    let start = annotations(&json!({TURNS: "7", held: "x"}));
    plane.call("PATCH", LOCK, MERGE, &start.to_string()).await;
    plane.with_policy().await;
    let before = plane.lock().await;
    let maps = "/api/v1/namespaces/kube-system/configmaps";
    let labelled = format!("{maps}?labelSelector=app.kubernetes.io%2Fname%3Drollboot");
    let bare = json!({"metadata": {"name": "rollboot", "namespace": "kube-system"}}).to_string();
    let set = |pairs: &Value| annotations(pairs).to_string();
    let owner = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "11111111-1111-1111-1111-111111111111"}]);
    // What the garbage collector acts on; that it may be set does not matter, since the delete is refused.
    plane
        .call(
            "PATCH",
            LOCK,
            MERGE,
            &json!({"metadata": {"ownerReferences": owner}}).to_string(),
        )
        .await;
    let json_patch = "application/json-patch+json";
    let drop = json!([{"op": "remove", "path": "/metadata/annotations"}]).to_string();
    for (method, path, media, body, words) in [
        (
            "DELETE",
            LOCK,
            "",
            String::new(),
            "slots are held: contract-b",
        ),
        ("DELETE", &labelled, "", String::new(), "slots are held"),
        (
            "PUT",
            LOCK,
            "application/json",
            bare.clone(),
            "slots are held",
        ),
        ("PATCH", LOCK, json_patch, drop, "slots are held"),
        (
            "PATCH",
            LOCK,
            MERGE,
            set(&json!({held: null})),
            "slots are held",
        ),
        (
            "PATCH",
            LOCK,
            MERGE,
            set(&json!({held: "y"})),
            "only a node",
        ),
        (
            "PATCH",
            LOCK,
            MERGE,
            set(&json!({"ghost.rollboot.io/default": "x"})),
            "only a node",
        ),
        (
            "PATCH",
            LOCK,
            MERGE,
            set(&json!({TURNS: null})),
            "never falls",
        ),
        (
            "PATCH",
            LOCK,
            MERGE,
            set(&json!({TURNS: "6"})),
            "never falls",
        ),
        (
            "PATCH",
            LOCK,
            MERGE,
            set(&json!({TURNS: "x"})),
            "never falls",
        ),
    ] {
        let (code, message) = said(plane.try_call(method, path, media, &body).await);
        assert_eq!(code, 403, "{method} {path} {body}: {message}");
        assert!(
            message.contains("slots.rollboot.io"),
            "{method} {body}: {message}"
        );
        assert!(message.contains(words), "{method} {body}: {message}");
    }
    let after = plane.lock().await;
    assert_eq!(
        (&after.uid, &after.annotations),
        (&before.uid, &before.annotations)
    );

    // What an administrator does stays possible.
    plane
        .call("PATCH", LOCK, MERGE, r#"{"data":{"max.total":"3"}}"#)
        .await;
    plane.apply_lock().await;
    let resumed = after.resuming(1_700_000_000);
    let body = json!({"metadata": {"resourceVersion": plane.lock().await.version, "annotations": resumed.annotations}});
    plane.call("PATCH", LOCK, MERGE, &body.to_string()).await;
    let other = json!({"metadata": {"name": "other", "annotations": {held: "x"}}});
    plane.post(maps, &other).await;
    plane.call("DELETE", &format!("{maps}/other"), "", "").await;
    // The way of `unlock`; then the lock may go, and none comes with slots in it.
    plane
        .call("PATCH", LOCK, MERGE, &set(&json!({held: REVOKED})))
        .await;
    plane
        .call("PATCH", LOCK, MERGE, &set(&json!({held: null})))
        .await;
    plane.call("DELETE", LOCK, "", "").await;
    let copy = json!({"metadata": {"name": "rollboot", "annotations": {held: "x"}}});
    let (code, message) = said(
        plane
            .try_call("POST", maps, "application/json", &copy.to_string())
            .await,
    );
    assert!(
        code == 403 && message.contains("a copy or a backup"),
        "{code} {message}"
    );
    plane.apply_lock().await;
    plane.without_policy().await;
}

/// On two API servers that share an etcd: each judges by itself, and only a write's precondition in etcd is for both.
async fn fifty_writes_at_once_take_no_more_slots_than_there_are(plane: &Plane) {
    if plane.minor().await < SINCE {
        return;
    }
    let limits = json!({"data": {"max.default": "3", "max.total": "3"}});
    plane.call("PATCH", LOCK, MERGE, &limits.to_string()).await;
    plane.with_policy().await;
    let second = plane.second();
    let servers = [&plane.admin, &second];
    let probe = annotations(&json!({"x.rollboot.io/probe": "x"}));
    let path = format!("{LOCK}?dryRun=All");
    let mut code = 0;
    for _try in 0..200 {
        code = as_node(&second, "contract-a", &path, &probe).await.0;
        if code == 403 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(
        code, 403,
        "the policies do not come into force on the second"
    );
    for round in 0..5_u64 {
        // Unconditional: only the policy stands between. All try every number that may be the next.
        let writes = (0..50).map(|number| {
            let server = servers[number % 2];
            async move {
                let node = format!("volley-{number}");
                let mut taken = false;
                for turns in (round * 3 + 1)..=(round * 3 + 4) {
                    let slot = format!("{node}.rollboot.io/default");
                    let body = annotations(&json!({slot: "x", TURNS: turns.to_string()}));
                    taken |= as_node(server, &node, LOCK, &body).await.0 == 200;
                }
                taken
            }
        });
        let taken = futures_util::future::join_all(writes).await;
        let count = taken.iter().filter(|it| **it).count();
        assert_eq!(count, 3, "round {round}");
        let view = plane.lock().await;
        assert_eq!((view.slots().len(), view.turns()), (3, round * 3 + 3));
        for slot in view.slots() {
            let key = format!("{}.rollboot.io/default", slot.node);
            let body = annotations(&json!({key: null}));
            assert_eq!(plane.as_node(&slot.node, LOCK, &body).await.0, 200);
        }
    }
    plane.without_policy().await;
}
