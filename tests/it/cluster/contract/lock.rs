//! The lock object under `lock.yaml`, with nothing but the kubelet's credential.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use rollboot::cluster::Deadlines;
use rollboot::config::{Config, Lock};
use rollboot::failure::{FailureKind, WriteOutcome};
use rollboot::lock::{LockPatch, LockView};
use rollboot::ports::Cluster;
use serde_json::json;

use super::{LOCK, MERGE, Plane, applied};

cases! {
    both:
    a_lock_write_succeeds_on_the_version_it_was_decided_on_and_on_no_other,
    of_two_nodes_at_once_exactly_one_wins,
    before_it_is_armed_the_lock_is_forbidden,
    a_lock_that_is_not_there_is_none_and_another_one_is_forbidden,
    what_the_server_cannot_take_is_refused_as_invalid,
    a_watch_sees_each_state_and_ends_in_good_time
    ;
    real only:
    an_admission_policy_is_told_from_rbac,
}

fn slot(view: &LockView, node: &str, value: &str) -> LockPatch {
    view.patch(
        Some((format!("{node}.rollboot.io/default"), value.to_owned())),
        &[],
    )
}

async fn a_lock_write_succeeds_on_the_version_it_was_decided_on_and_on_no_other(plane: &Plane) {
    let data = json!({"data": {"max.total": "2"}, "metadata": {"annotations": {"other": "kept"}}});
    plane.call("PATCH", LOCK, MERGE, &data.to_string()).await;
    let (a, b) = (plane.node("contract-a"), plane.node("contract-b"));
    let first = a.read_lock().await.unwrap().unwrap();
    assert_eq!(first.data["max.total"], "2");

    let taken = applied(a.patch_lock(&slot(&first, "contract-a", "x")).await);
    assert_ne!(taken.version, first.version);
    assert_eq!(taken.uid, first.uid);
    assert_eq!(taken.annotations["contract-a.rollboot.io/default"], "x");
    assert_eq!(
        b.patch_lock(&slot(&first, "contract-b", "y")).await,
        WriteOutcome::Conflict
    );
    // The same write again, as after a lost reply: its version has passed.
    assert_eq!(
        a.patch_lock(&slot(&first, "contract-a", "x")).await,
        WriteOutcome::Conflict
    );
    // Nothing to change is no conflict, and no new version.
    assert_eq!(
        applied(a.patch_lock(&slot(&taken, "contract-a", "x")).await).version,
        taken.version
    );

    let keys = taken.own_keys("contract-a");
    let released = applied(a.patch_lock(&taken.patch(None, &keys)).await);
    assert!(released.slots().is_empty());
    assert_eq!(released.annotations["other"], "kept");
    assert_eq!(released.data, first.data);
    assert_eq!(b.read_lock().await.unwrap().unwrap(), released);
}

async fn of_two_nodes_at_once_exactly_one_wins(plane: &Plane) {
    let (a, b) = (plane.node("contract-a"), plane.node("contract-b"));
    for round in 0..20 {
        let view = a.read_lock().await.unwrap().unwrap();
        let value = round.to_string();
        let (of_a, of_b) = (
            slot(&view, "contract-a", &value),
            slot(&view, "contract-b", &value),
        );
        let outcomes = tokio::join!(a.patch_lock(&of_a), b.patch_lock(&of_b));
        let winners = match &outcomes {
            (WriteOutcome::Applied(_), WriteOutcome::Conflict)
            | (WriteOutcome::Conflict, WriteOutcome::Applied(_)) => 1,
            _ => 0,
        };
        assert_eq!(winners, 1, "{outcomes:?}");
    }
}

async fn before_it_is_armed_the_lock_is_forbidden(plane: &Plane) {
    let a = plane.node("contract-a");
    let view = a.read_lock().await.unwrap().unwrap();
    let api = "/apis/rbac.authorization.k8s.io/v1/namespaces/kube-system";
    // The binding and the role are nothing without each other.
    for missing in ["rolebindings", "roles"] {
        plane.apply_lock().await;
        plane
            .call("DELETE", &format!("{api}/{missing}/rollboot"), "", "")
            .await;
        let mut found = a.read_lock().await;
        // RBAC is read from a cache.
        for _try in 0..100 {
            if found.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            found = a.read_lock().await;
        }
        let failure = found.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Forbidden, "{failure}");
        let outcome = a.patch_lock(&slot(&view, "contract-a", "x")).await;
        assert!(
            matches!(&outcome, WriteOutcome::Refused(failure) if failure.kind == FailureKind::Forbidden),
            "{outcome:?}"
        );
        let end = a.watch_lock(&view.version, |_| {}).await;
        assert_eq!(end.unwrap_err().kind, FailureKind::Forbidden);
    }
    plane.apply_lock().await;
    assert_eq!(
        a.read_lock().await,
        Ok(Some(view)),
        "applied again it changes nothing"
    );
}

async fn a_lock_that_is_not_there_is_none_and_another_one_is_forbidden(plane: &Plane) {
    let a = plane.node("contract-a");
    let view = a.read_lock().await.unwrap().unwrap();
    plane.call("DELETE", LOCK, "", "").await;
    assert_eq!(a.read_lock().await, Ok(None));
    let outcome = a.patch_lock(&slot(&view, "contract-a", "x")).await;
    assert!(
        matches!(&outcome, WriteOutcome::Refused(failure) if failure.kind == FailureKind::NotFound),
        "{outcome:?}"
    );

    for (namespace, name) in [
        ("kube-system", "other"),
        ("default", "rollboot"),
        ("no-such", "x"),
    ] {
        let config = Config {
            lock: Lock {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
                group: "default".to_owned(),
            },
            ..Config::default()
        };
        let a = plane.node_with("contract-a", Deadlines::DEFAULT, &config);
        let failure = a.read_lock().await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Forbidden, "{failure}");
        let outcome = a.patch_lock(&slot(&view, "contract-a", "x")).await;
        assert!(
            matches!(&outcome, WriteOutcome::Refused(failure) if failure.kind == FailureKind::Forbidden),
            "{outcome:?}"
        );
        let end = a.watch_lock("1", |_| {}).await;
        assert_eq!(end.unwrap_err().kind, FailureKind::Forbidden);
    }
}

async fn what_the_server_cannot_take_is_refused_as_invalid(plane: &Plane) {
    let a = plane.node("contract-a");
    let view = a.read_lock().await.unwrap().unwrap();
    let patch = view.patch(Some(("no key/at/all".to_owned(), "x".to_owned())), &[]);
    let outcome = a.patch_lock(&patch).await;
    assert!(
        matches!(&outcome, WriteOutcome::Refused(failure) if failure.kind == FailureKind::Invalid),
        "{outcome:?}"
    );
    for version in ["", "0", "00"] {
        let patch = LockPatch {
            version: version.to_owned(),
            ..slot(&view, "contract-a", "x")
        };
        let outcome = a.patch_lock(&patch).await;
        assert!(matches!(outcome, WriteOutcome::Refused(_)), "{outcome:?}");
    }
    assert_eq!(a.read_lock().await.unwrap().unwrap(), view);
}

async fn an_admission_policy_is_told_from_rbac(plane: &Plane) {
    let api = "/apis/admissionregistration.k8s.io/v1";
    let (policy, binding) = (
        format!("{api}/validatingadmissionpolicies/contract"),
        format!("{api}/validatingadmissionpolicybindings/contract"),
    );
    let a = plane.node("contract-a");
    for reason in ["", "Forbidden"] {
        let mut validation = json!({"expression": "false", "message": "no slot for you"});
        if !reason.is_empty() {
            validation["reason"] = json!(reason);
        }
        let rule = json!({"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["UPDATE"], "resourceNames": ["rollboot"]});
        let object = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": {"name": "contract"},
            "spec": {"matchConstraints": {"resourceRules": [rule]}, "validations": [validation]}});
        let bound = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": "contract"},
            "spec": {"policyName": "contract", "validationActions": ["Deny"]}});
        for (path, object) in [(&policy, &object), (&binding, &bound)] {
            let path = format!("{path}?fieldManager=contract&force=true");
            plane
                .call("PATCH", &path, super::APPLY, &object.to_string())
                .await;
        }
        let deadline = Instant::now() + Duration::from_secs(20);
        let failure = loop {
            let view = a.read_lock().await.unwrap().unwrap();
            let value = format!("{:?}", Instant::now());
            match a.patch_lock(&slot(&view, "contract-a", &value)).await {
                WriteOutcome::Refused(failure) => break failure,
                other => assert!(Instant::now() < deadline, "not in force: {other:?}"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        plane.call("DELETE", &binding, "", "").await;
        plane.call("DELETE", &policy, "", "").await;
        assert_eq!(failure.kind, FailureKind::Policy, "{failure}");
        assert!(failure.message.contains("no slot for you"), "{failure}");
        // Back to where a write is let through.
        loop {
            let view = a.read_lock().await.unwrap().unwrap();
            let value = format!("{:?}", Instant::now());
            if let WriteOutcome::Applied(_) = a.patch_lock(&slot(&view, "contract-a", &value)).await
            {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

async fn a_watch_sees_each_state_and_ends_in_good_time(plane: &Plane) {
    let deadlines = Deadlines {
        watch: Duration::from_secs(4),
        ..Deadlines::DEFAULT
    };
    let watcher = plane.node_with("contract-b", deadlines, &Config::default());
    let a = plane.node("contract-a");
    let first = a.read_lock().await.unwrap().unwrap();
    let seen = RefCell::new(Vec::new());
    let begun = Instant::now();
    let acts = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let taken = applied(a.patch_lock(&slot(&first, "contract-a", "x")).await);
        plane.call("DELETE", LOCK, "", "").await;
        let body = json!({"metadata": {"name": "rollboot"}, "data": {"max.total": "3"}});
        plane
            .post("/api/v1/namespaces/kube-system/configmaps", &body)
            .await;
        taken
    };
    let watch = watcher.watch_lock(&first.version, |view| seen.borrow_mut().push(view));
    let (end, taken) = tokio::join!(watch, acts);
    assert_eq!(end, Ok(()));
    assert!(
        begun.elapsed() >= Duration::from_millis(3500),
        "{:?}",
        begun.elapsed()
    );
    let seen = seen.into_inner();
    assert_eq!(seen.len(), 3, "{seen:?}");
    assert_eq!(seen[0], Some(taken));
    assert_eq!(seen[1], None);
    let last = seen[2].as_ref().unwrap();
    assert_ne!(last.uid, first.uid);
    assert_eq!(last.data["max.total"], "3");
}
