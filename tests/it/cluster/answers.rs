//! What is made of each answer, and of none.

use std::path::Path;
use std::time::Duration;

use rollboot::drain::EvictAnswer;
use rollboot::failure::{Failure, FailureKind, WriteOutcome};
use rollboot::lock::{LockPatch, LockView};
use rollboot::ports::Cluster;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::authority::Authority;
use super::server::{Piece, Reply, Server};
use super::wire::{lock_object, pod_ref};
use super::{HASTY, PATIENT, cluster_at, cluster_with};
use rollboot::cluster::{Deadlines, KubeletCluster};

pub(super) fn status(code: u16, reason: &str, message: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code, "reason": reason, "message": message})
}

pub(super) fn cause(mut status: Value, reason: &str, message: &str) -> Value {
    status["details"] = json!({"causes": [{"reason": reason, "message": message}]});
    status
}

pub(super) fn json_reply(status: Value) -> Reply {
    let code = u16::try_from(status["code"].as_u64().unwrap()).unwrap();
    Reply::Json(code, status)
}

pub(super) const HTML: &str = "<html>\n<head><title>502 Bad Gateway</title></head></html>";
const FORBIDDEN: &str = "configmaps \"rollboot\" is forbidden: User \"system:node:a\" cannot get resource \"configmaps\"";
const POLICY: &str = "configmaps \"rollboot\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'p' denied request: not your slot";
pub(super) const THROTTLED: &str = "Too many requests, please try again later.\n";

pub(super) fn policy_403() -> Value {
    cause(status(403, "Forbidden", POLICY), "", "not your slot")
}

/// Only for silence is it worth not to wait long.
pub(super) fn cluster_for(reply: &Reply, folder: &Path, server: &Server) -> KubeletCluster {
    let deadlines = if matches!(reply, Reply::Silence) {
        HASTY
    } else {
        PATIENT
    };
    cluster_with(folder, &server.url, deadlines)
}

async fn read(reply: Reply) -> Result<Option<LockView>, Failure> {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::plain([reply.clone()]).await;
    let answer = cluster_for(&reply, folder.path(), &server)
        .read_lock()
        .await;
    assert_eq!(server.asked().len(), 1, "nothing is retried");
    answer
}

async fn write(reply: Reply) -> WriteOutcome<LockView> {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::plain([reply.clone()]).await;
    let outcome = cluster_for(&reply, folder.path(), &server)
        .patch_lock(&lock_patch())
        .await;
    assert_eq!(server.asked().len(), 1, "nothing is retried");
    outcome
}

fn lock_patch() -> LockPatch {
    LockPatch {
        version: "41".to_owned(),
        annotations: [("node-a.rollboot.io/default".to_owned(), None)].into(),
    }
}

#[tokio::test]
async fn each_kind_of_failure_is_told_apart() {
    use FailureKind::*;
    let invalid = cause(
        status(422, "Invalid", "value is too long"),
        "FieldValueInvalid",
        "too long",
    );
    let webhook = "admission webhook \"w\" denied the request: no";
    for (reply, kind, words) in [
        (
            json_reply(status(401, "Unauthorized", "Unauthorized")),
            Unauthorized,
            "401: Unauthorized",
        ),
        (
            json_reply(status(403, "Forbidden", FORBIDDEN)),
            Forbidden,
            "cannot get resource",
        ),
        (json_reply(policy_403()), Policy, "not your slot"),
        (
            json_reply(cause(status(422, "Invalid", POLICY), "", "not your slot")),
            Policy,
            "not your slot",
        ),
        (
            json_reply(status(403, "Forbidden", webhook)),
            Policy,
            "denied the request",
        ),
        (json_reply(invalid), Invalid, "too long"),
        (
            json_reply(status(400, "BadRequest", "strict decoding error")),
            Invalid,
            "strict",
        ),
        (
            json_reply(status(415, "UnsupportedMediaType", "x")),
            Invalid,
            "415",
        ),
        (
            json_reply(status(429, "TooManyRequests", "storage is initializing")),
            Throttled,
            "initializing",
        ),
        (
            Reply::Text(429, "text/plain", "Retry-After: 1\r\n", THROTTLED),
            Throttled,
            "please try again",
        ),
        (
            json_reply(status(500, "InternalError", "etcdserver: no leader")),
            Unavailable,
            "no leader",
        ),
        (
            json_reply(status(503, "ServiceUnavailable", "shutting down")),
            Unavailable,
            "503",
        ),
        (
            json_reply(status(504, "Timeout", "request did not complete")),
            Timeout,
            "did not complete",
        ),
        (
            json_reply(status(410, "Expired", "too old")),
            Unavailable,
            "too old",
        ),
        (
            Reply::Text(504, "text/html", "", HTML),
            Timeout,
            "504 text/html",
        ),
        (
            Reply::Text(502, "text/html", "", HTML),
            Unavailable,
            "something in between",
        ),
        (
            Reply::Text(200, "text/html", "", HTML),
            Unavailable,
            "502 Bad Gateway",
        ),
        (
            Reply::Text(200, "application/json", "", "{\"kind\":\"Conf"),
            Unavailable,
            "something in between",
        ),
        (
            Reply::Text(200, "application/json", "", ""),
            Unavailable,
            "something in between",
        ),
        (
            Reply::Text(302, "text/html", "Location: https://login.invalid/\r\n", ""),
            Unavailable,
            "302",
        ),
        (
            Reply::Json(
                200,
                json!({"kind": "Node", "metadata": {"uid": "u", "resourceVersion": "1"}}),
            ),
            Unavailable,
            "something in between",
        ),
        (
            Reply::Json(200, json!({"kind": "ConfigMap", "metadata": {"uid": "u"}})),
            Unavailable,
            "resourceVersion",
        ),
        (Reply::HangUp, Unavailable, "cannot read ConfigMap"),
        (Reply::Half, Unavailable, "broke off"),
        (Reply::Silence, Timeout, "no answer within 2s"),
    ] {
        let shown = format!("{reply:?}");
        let failure = read(reply).await.unwrap_err();
        assert_eq!(failure.kind, kind, "{shown}: {failure}");
        assert!(failure.message.contains(words), "{shown}: {failure}");
        assert!(
            failure
                .message
                .starts_with("cannot read ConfigMap kube-system/rollboot: "),
            "{failure}"
        );
    }
}

#[tokio::test]
async fn only_the_server_itself_can_say_that_something_does_not_exist() {
    let mut absent = status(404, "NotFound", "configmaps \"rollboot\" not found");
    absent["details"] = json!({"kind": "configmaps", "name": "rollboot"});
    assert_eq!(read(json_reply(absent.clone())).await, Ok(None));
    let mut other = absent.clone();
    other["details"]["name"] = json!("other");
    let mut node = absent.clone();
    node["details"]["kind"] = json!("nodes");
    for reply in [
        json_reply(other),
        json_reply(node),
        json_reply(status(
            404,
            "NotFound",
            "the server could not find the requested resource",
        )),
        Reply::Text(404, "text/plain", "", "404 page not found\n"),
        Reply::Text(404, "text/html", "", HTML),
    ] {
        let shown = format!("{reply:?}");
        assert!(read(reply).await.is_err(), "{shown}");
    }
}

#[tokio::test]
async fn a_write_is_refused_only_in_the_servers_own_words() {
    for (reply, kind) in [
        (
            json_reply(status(401, "Unauthorized", "Unauthorized")),
            FailureKind::Unauthorized,
        ),
        (
            json_reply(status(403, "Forbidden", FORBIDDEN)),
            FailureKind::Forbidden,
        ),
        (json_reply(policy_403()), FailureKind::Policy),
        (
            json_reply(status(404, "NotFound", "not found")),
            FailureKind::NotFound,
        ),
        (
            json_reply(status(422, "Invalid", "x")),
            FailureKind::Invalid,
        ),
        (
            json_reply(status(429, "TooManyRequests", "x")),
            FailureKind::Throttled,
        ),
        (
            Reply::Text(429, "text/plain", "", THROTTLED),
            FailureKind::Throttled,
        ),
    ] {
        let shown = format!("{reply:?}");
        let outcome = write(reply).await;
        assert!(
            matches!(&outcome, WriteOutcome::Refused(failure) if failure.kind == kind),
            "{shown}: {outcome:?}"
        );
    }
}

#[tokio::test]
async fn a_write_that_nobody_knows_of_is_unknown() {
    for reply in [
        json_reply(status(
            500,
            "InternalError",
            "etcdserver: request timed out",
        )),
        json_reply(status(503, "ServiceUnavailable", "x")),
        json_reply(status(504, "Timeout", "x")),
        json_reply(status(408, "Timeout", "x")),
        Reply::Text(502, "text/html", "", HTML),
        Reply::Text(504, "text/html", "", HTML),
        Reply::Text(409, "text/html", "", HTML),
        Reply::Text(403, "text/html", "", HTML),
        Reply::Text(302, "text/html", "", ""),
        Reply::Text(200, "text/html", "", HTML),
        Reply::Json(200, json!({"kind": "Status", "status": "Success"})),
        // A gateway that speaks JSON, too.
        Reply::Json(
            403,
            json!({"message": "no healthy upstream", "reason": "Forbidden"}),
        ),
        Reply::Text(200, "application/json", "", "{\"kind\":\"ConfigMap\""),
        Reply::HangUp,
        Reply::Half,
        Reply::Silence,
    ] {
        let shown = format!("{reply:?}");
        let outcome = write(reply).await;
        assert!(
            matches!(outcome, WriteOutcome::Unknown(_)),
            "{shown}: {outcome:?}"
        );
    }
}

#[tokio::test]
async fn a_conflict_is_a_conflict_and_an_answer_is_an_answer() {
    let conflict = status(409, "Conflict", "the object has been modified");
    assert_eq!(write(json_reply(conflict)).await, WriteOutcome::Conflict);
    let outcome = write(Reply::Json(200, lock_object("42"))).await;
    assert!(
        matches!(&outcome, WriteOutcome::Applied(view) if view.version == "42"),
        "{outcome:?}"
    );
}

/// An admission webhook may take 30 s, so a write is waited for when a read is long given up.
#[tokio::test]
async fn a_write_is_given_the_time_of_a_webhook_and_a_read_is_not() {
    let default = Deadlines::DEFAULT;
    assert!(default.write * 7 / 9 > Duration::from_secs(30) && default.request < default.write / 4);
    let folder = tempfile::tempdir().unwrap();
    let slow = Reply::Stream(vec![
        Piece::Pause(HASTY.request * 2),
        Piece::Line(lock_object("42")),
    ]);
    let server = Server::plain([slow.clone(), slow]).await;
    let deadlines = Deadlines {
        request: HASTY.request,
        ..PATIENT
    };
    let cluster = cluster_with(folder.path(), &server.url, deadlines);
    let failure = cluster.read_lock().await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Timeout, "{failure}");
    let outcome = cluster.patch_lock(&lock_patch()).await;
    assert!(
        matches!(&outcome, WriteOutcome::Applied(view) if view.version == "42"),
        "{outcome:?}"
    );
    let asked: Vec<_> = server.asked().iter().map(|it| it.line()).collect();
    assert!(asked[0].ends_with("timeout=1600ms"), "{asked:?}");
    assert!(asked[1].ends_with("timeout=15555ms"), "{asked:?}");
}

/// Whoever reads that nothing can be written has to know where to look.
#[tokio::test]
async fn the_webhook_that_failed_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let message = "Internal error occurred: failed calling webhook \"dead.example.test\": failed to call webhook: \
        Post \"https://127.0.0.1:1/?timeout=10s\": context deadline exceeded";
    let status = json!({"kind": "Status", "status": "Failure", "message": message, "reason": "InternalError",
        "details": {"causes": [{"message": message}]}, "code": 500});
    let server = Server::plain([
        Reply::Json(500, status.clone()),
        Reply::Json(500, status),
        Reply::Silence,
    ])
    .await;
    let cluster = cluster_with(folder.path(), &server.url, HASTY);
    let WriteOutcome::Unknown(failure) = cluster.patch_lock(&lock_patch()).await else {
        panic!("a webhook that failed says nothing about etcd");
    };
    assert!(failure.message.contains("dead.example.test"), "{failure}");
    let EvictAnswer::Failed(failure) = cluster.evict(&pod_ref()).await else {
        panic!("not evicted");
    };
    assert!(failure.message.contains("dead.example.test"), "{failure}");
    let WriteOutcome::Unknown(failure) = cluster.patch_lock(&lock_patch()).await else {
        panic!("nobody knows");
    };
    assert!(failure.message.contains("admission webhook"), "{failure}");
}

/// The connection that is refused, and the one that never gets ready: in both cases nothing was sent.
#[tokio::test]
async fn a_write_that_never_left_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // It listens, so the kernel completes TCP, but nobody answers the client's hello.
    let deadlines = Deadlines {
        connect: Duration::from_millis(200),
        ..PATIENT
    };
    let cluster = cluster_with(folder.path(), &format!("https://{address}"), deadlines);
    let outcome = cluster.patch_lock(&lock_patch()).await;
    assert!(
        matches!(&outcome, WriteOutcome::Refused(failure) if failure.kind == FailureKind::Unavailable),
        "{outcome:?}"
    );
    drop(listener);
    for scheme in ["http", "https"] {
        let cluster = cluster_at(folder.path(), &format!("{scheme}://{address}"));
        let outcome = cluster.patch_lock(&lock_patch()).await;
        assert!(
            matches!(&outcome, WriteOutcome::Refused(failure)
                if failure.kind == FailureKind::Unavailable && failure.message.contains("refused")),
            "{outcome:?}"
        );
    }
}

/// A server whose certificate is not signed by the CA of the kubeconfig is never sent anything.
#[tokio::test]
async fn a_server_that_is_not_ours_is_sent_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (mine, theirs) = (Authority::new(), Authority::new());
    let server = Server::tls(theirs.acceptor(), [Reply::Json(200, lock_object("42"))]).await;
    let cluster = mine.cluster(folder.path(), &server.url, "{}");
    let outcome = cluster.patch_lock(&lock_patch()).await;
    assert!(
        matches!(&outcome, WriteOutcome::Refused(failure) if failure.message.contains("certificate")),
        "{outcome:?}"
    );
    assert_eq!(server.asked(), []);
}
