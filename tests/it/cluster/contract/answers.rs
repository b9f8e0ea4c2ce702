//! What a server answers to an eviction, each answer provoked, and what the drain does then: the table in `README.md`.
//!
//! `ROLLBOOT_WRITE_TABLE=1` writes down what a real server says now.

use std::path::PathBuf;

use http::Request;
use kube::client::Body;
use kube::config::Kubeconfig;
use rollboot::cluster::reading;
use rollboot::config::Config;
use rollboot::drain::{
    Controller, Drain, DrainEvent, EvictAnswer, PodRef, PodView, Progress, TICK,
};
use serde_json::{Value, json};

use super::{MERGE, Plane, RECORDED, pod_path, skipped};

cases! {
    both:
    each_answer_to_an_eviction_has_its_path,
}

const INTRODUCTION: &str = "\
# Answers to an eviction

Made by `ROLLBOOT_WRITE_TABLE=1 cargo test --test it contract::answers` with a real API server, and checked by `cargo test` on the
embedded one too: each line provokes the answer, reads it as the program does, and gives it to the engine of the drain.

| eviction of | the server answers | the drain |
|---|---|---|
";

/// Evicts as a node, by hand: `change` may spoil what the program would send.
struct Evictor<'a> {
    plane: &'a Plane,
    client: kube::Client,
    rows: String,
}

impl<'a> Evictor<'a> {
    async fn new(plane: &'a Plane) -> Self {
        let file = Kubeconfig::read_from(plane.kubeconfig("contract-a")).unwrap();
        let mut config = kube::Config::try_from(file).unwrap();
        config.default_retry = false;
        Self {
            plane,
            client: kube::Client::try_from(config).unwrap(),
            rows: String::new(),
        }
    }

    async fn ask(&self, pod: &PodRef, spoil: impl FnOnce(&mut Value)) -> (u16, Vec<u8>) {
        let mut body = json!({
            "apiVersion": "policy/v1", "kind": "Eviction",
            "metadata": {"namespace": pod.namespace, "name": pod.name},
            "deleteOptions": {"preconditions": {"uid": pod.uid}},
        });
        spoil(&mut body);
        let timeout = body.as_object_mut().and_then(|body| body.remove("timeout"));
        let timeout = timeout.as_ref().and_then(Value::as_str).unwrap_or("10s");
        let path = pod_path(&pod.namespace, &pod.name);
        let path = format!("{path}/eviction?fieldValidation=Strict&timeout={timeout}");
        // At the end of its time the server may also just hang up.
        for _try in 0..20 {
            let request = Request::post(&path)
                .header("Content-Type", "application/json")
                .body(Body::from(body.to_string().into_bytes()))
                .unwrap();
            let Ok(response) = self.client.send(request).await else {
                continue;
            };
            let code = response.status().as_u16();
            if let Ok(text) = response.into_body().collect_bytes().await {
                return (code, text.to_vec());
            }
        }
        panic!("no answer to an eviction of {pod}");
    }

    /// One line of the table; the answer must be of this code and reason.
    async fn row(
        &mut self,
        what: &str,
        wanted: &str,
        pod: &PodRef,
        spoil: impl FnOnce(&mut Value),
    ) {
        let (code, body) = self.ask(pod, spoil).await;
        let status: Value = serde_json::from_slice(&body).unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let cause = text(&status["details"]["causes"][0]["reason"]);
        let mut said = format!("{code} {}", text(&status["reason"]));
        if !cause.is_empty() {
            said = format!("{said}, cause {cause}");
        }
        let said = said.trim().to_owned();
        assert_eq!(said, wanted, "{what}: {}", String::from_utf8_lossy(&body));
        let path = path(reading::evicted(code, &body));
        self.rows += &format!("| {what} | {said} | {path} |\n");
    }

    async fn budget(&self, namespace: &str, allowed: u32, healthy: u32) {
        let status = json!({"observedGeneration": 1, "disruptionsAllowed": allowed, "currentHealthy": healthy,
            "desiredHealthy": 2, "expectedPods": 2});
        self.plane.budget(namespace, "web", Some(status)).await;
    }

    async fn phase(&self, pod: &PodRef, phase: &str, ready: &str) {
        let conditions = json!([{"type": "Ready", "status": ready}]);
        let status = json!({"status": {"phase": phase, "conditions": conditions}});
        let path = format!("{}/status", pod_path(&pod.namespace, &pod.name));
        self.plane
            .call("PATCH", &path, MERGE, &status.to_string())
            .await;
    }

    /// A pod in a namespace of its own.
    async fn pod(&self) -> PodRef {
        let namespace = self.plane.namespace().await;
        self.plane.pod(&namespace, "web", "contract-a").await
    }
}

/// What the engine does with it: asked of the engine.
fn path(answer: EvictAnswer) -> String {
    let pod = PodView {
        pod: PodRef {
            namespace: "ns".into(),
            name: "p".into(),
            uid: "u".into(),
        },
        // No controller is read for it.
        controller: Some(Controller {
            api_version: "batch/v1".into(),
            kind: "Job".into(),
            name: "j".into(),
            uid: "j".into(),
        }),
        ..PodView::default()
    };
    let mut drain = Drain::new(&Config::default().drain);
    let (sent, _) = drain.on(DrainEvent::Pods(vec![pod]));
    assert_eq!(sent.len(), 1);
    let (sent, progress) = drain.on(DrainEvent::Answer(sent[0].clone(), answer));
    assert!(sent.is_empty(), "nothing is tried again at once");
    if matches!(progress, Progress::Failed(_)) {
        return "fails: the turn is undone, the reason told".to_owned();
    }
    if drain.blocked().next().is_none() {
        return "waits until the pod is gone".to_owned();
    }
    for ticks in 1..200 {
        if !drain.on(DrainEvent::Tick).0.is_empty() {
            let seconds = (TICK * ticks).as_secs();
            return format!("names the reason, tries again after {seconds} s");
        }
    }
    "is never tried again".to_owned()
}

async fn each_answer_to_an_eviction_has_its_path(plane: &Plane) {
    let minor = plane.minor().await;
    if minor != RECORDED {
        skipped(&format!(
            "the table is of Kubernetes 1.{RECORDED}, this is 1.{minor}"
        ));
        return;
    }
    let mut to = Evictor::new(plane).await;
    let same = |_: &mut Value| ();
    let dry = |body: &mut Value| body["deleteOptions"]["dryRun"] = json!(["All"]);

    let pod = to.pod().await;
    to.row("a pod, as a dry run", "201", &pod, dry).await;
    // While it lives: of one that is ending the server tries for as long as it may, then says that or that its time is over.
    let other_uid =
        |body: &mut Value| body["deleteOptions"]["preconditions"]["uid"] = json!("another");
    to.row("a pod of another UID", "409 Conflict", &pod, other_uid)
        .await;
    to.row("a pod", "201", &pod, same).await;
    to.row("a pod that is ending", "201", &pod, same).await;
    let path = format!(
        "{}?gracePeriodSeconds=0",
        pod_path(&pod.namespace, &pod.name)
    );
    plane.call("DELETE", &path, "", "").await;
    to.row("a pod that is gone", "404 NotFound", &pod, same)
        .await;

    let elsewhere = plane.pod(&pod.namespace, "web", "contract-b").await;
    to.row(
        "a pod that was made again on another node",
        "403 Forbidden",
        &elsewhere,
        same,
    )
    .await;
    let pod = to.pod().await;
    plane
        .call(
            "DELETE",
            &format!("/api/v1/namespaces/{}", pod.namespace),
            "",
            "",
        )
        .await;
    // Admission knows the namespace from a cache.
    tokio::time::sleep(std::time::Duration::from_secs(if plane.is_real() {
        2
    } else {
        0
    }))
    .await;
    to.row(
        "a pod whose namespace is being deleted",
        "403 Forbidden, cause NamespaceTerminating",
        &pod,
        same,
    )
    .await;

    let pod = to.pod().await;
    to.budget(&pod.namespace, 0, 2).await;
    let full = "429 TooManyRequests, cause DisruptionBudget";
    to.row("a pod whose budget allows none", full, &pod, same)
        .await;
    to.row("the same as a dry run", full, &pod, dry).await;
    to.phase(&pod, "Running", "False").await;
    to.row(
        "a pod that is not Ready, its budget healthy",
        "201",
        &pod,
        dry,
    )
    .await;
    let path = format!(
        "/apis/policy/v1/namespaces/{}/poddisruptionbudgets/web",
        pod.namespace
    );
    let ill = json!({"status": {"currentHealthy": 1}}).to_string();
    plane
        .call("PATCH", &format!("{path}/status"), MERGE, &ill)
        .await;
    to.row(
        "a pod that is not Ready, its budget not healthy either",
        full,
        &pod,
        dry,
    )
    .await;
    let always = json!({"spec": {"unhealthyPodEvictionPolicy": "AlwaysAllow"}}).to_string();
    plane.call("PATCH", &path, MERGE, &always).await;
    to.row(
        "the same with unhealthyPodEvictionPolicy AlwaysAllow",
        "201",
        &pod,
        dry,
    )
    .await;
    to.phase(&pod, "Pending", "False").await;
    to.row(
        "a pod that has not begun, whatever its budget",
        "201",
        &pod,
        dry,
    )
    .await;
    to.phase(&pod, "Succeeded", "False").await;
    to.row(
        "a pod that has ended, whatever its budget",
        "201",
        &pod,
        dry,
    )
    .await;

    let pod = to.pod().await;
    plane.budget(&pod.namespace, "stale", None).await;
    to.row(
        "a pod whose budget's status is of an earlier generation",
        full,
        &pod,
        same,
    )
    .await;
    plane.budget(&pod.namespace, "second", None).await;
    to.row("a pod with two budgets", "500", &pod, same).await;
    let unknown = |body: &mut Value| body["surprise"] = json!(true);
    to.row(
        "a pod, with a field that the server does not know",
        "400 BadRequest",
        &pod,
        unknown,
    )
    .await;
    if plane.is_real() {
        let pod = to.pod().await;
        let short = |body: &mut Value| body["timeout"] = json!("1us");
        to.row(
            "a pod, with `?timeout=` too short for the server",
            "504 Timeout",
            &pod,
            short,
        )
        .await;
    }
    check(plane, &to.rows);
}

/// The committed table must be this one.
fn check(plane: &Plane, rows: &str) {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/cluster/contract/README.md");
    let text = format!("{INTRODUCTION}{rows}");
    if plane.is_real() && std::env::var_os("ROLLBOOT_WRITE_TABLE").is_some() {
        std::fs::write(&path, text).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    let only_real = |line: &&str| plane.is_real() || !line.contains("`?timeout=`");
    let expected: Vec<_> = committed.lines().filter(only_real).collect();
    let found: Vec<_> = text.lines().collect();
    assert_eq!(expected, found, "{} is stale", path.display());
}
