//! What is made of each answer to an eviction.

use rollboot::drain::EvictAnswer;
use rollboot::failure::FailureKind;
use rollboot::ports::Cluster;
use serde_json::json;

use super::answers::{HTML, THROTTLED, cause, cluster_for, json_reply, policy_403, status};
use super::server::{Reply, Server};
use super::wire::pod_ref;

async fn evict(reply: Reply) -> EvictAnswer {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::plain([reply.clone()]).await;
    let answer = cluster_for(&reply, folder.path(), &server)
        .evict(&pod_ref())
        .await;
    assert_eq!(server.asked().len(), 1, "nothing is retried");
    answer
}

#[tokio::test]
async fn each_answer_to_an_eviction_has_its_own_path() {
    use EvictAnswer::*;
    let budget = "Cannot evict pod as it would violate the pod's disruption budget.";
    let needs = "The disruption budget web needs 2 healthy pods and has 2 currently";
    let blocked = cause(
        status(429, "TooManyRequests", budget),
        "DisruptionBudget",
        needs,
    );
    let uid = "Operation cannot be fulfilled on Pod \"web-0\": the UID in the precondition (a) does not match the UID in record (b). The object might have been deleted and then recreated";
    let elsewhere = "pods \"web-0\" is forbidden: node \"node-a\" can only evict pods with spec.nodeName set to itself";
    let ending = "unable to create new content in namespace shop because it is being terminated";
    let several = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
    let mut throttled = status(429, "TooManyRequests", "storage is (re)initializing");
    throttled["details"] = json!({"retryAfterSeconds": 3});
    let several = json!({"kind": "Status", "metadata": {}, "status": "Failure", "message": several, "code": 500});
    for (reply, wanted) in [
        (
            Reply::Json(
                201,
                json!({"kind": "Status", "status": "Success", "code": 201}),
            ),
            Accepted,
        ),
        (
            json_reply(status(404, "NotFound", "pods \"web-0\" not found")),
            Gone,
        ),
        (json_reply(status(409, "Conflict", uid)), Gone),
        (json_reply(status(403, "Forbidden", elsewhere)), Elsewhere),
        (
            json_reply(cause(
                status(403, "Forbidden", ending),
                "NamespaceTerminating",
                "namespace shop is being terminated",
            )),
            NamespaceTerminating,
        ),
        (json_reply(blocked), Budget(format!("{budget} {needs}"))),
        (
            Reply::Text(429, "text/plain", "Retry-After: 7\r\n", THROTTLED),
            Throttled(7),
        ),
        (Reply::Text(429, "text/plain", "", THROTTLED), Throttled(1)),
        (json_reply(throttled), Throttled(3)),
        (
            json_reply(several.clone()),
            SeveralBudgets(several["message"].as_str().unwrap().to_owned()),
        ),
    ] {
        let shown = format!("{reply:?}");
        assert_eq!(evict(reply).await, wanted, "{shown}");
    }
    for code in [400, 422] {
        let answer = evict(json_reply(status(code, "BadRequest", "unknown field"))).await;
        assert!(
            matches!(&answer, Invalid(failure) if failure.kind == FailureKind::Invalid),
            "{answer:?}"
        );
    }
}

/// KubeVirt answers so while it moves a virtual machine away.
#[tokio::test]
async fn whoever_refuses_for_now_in_an_admission_webhook_is_not_taken_for_an_overloaded_server() {
    let words = "admission webhook \"virt-launcher-eviction-interceptor.kubevirt.io\" denied the request: Eviction triggered evacuation of VMI \"shop/vm\"";
    let answer = evict(json_reply(status(429, "TooManyRequests", words))).await;
    assert!(
        matches!(&answer, EvictAnswer::Failed(failure) if failure.message.contains(words)),
        "{answer:?}"
    );
}

#[tokio::test]
async fn an_eviction_that_failed_otherwise_says_how() {
    use FailureKind::*;
    for (reply, kind) in [
        (
            json_reply(status(401, "Unauthorized", "Unauthorized")),
            Unauthorized,
        ),
        (
            json_reply(status(403, "Forbidden", "no such right")),
            Forbidden,
        ),
        (json_reply(policy_403()), Policy),
        (
            json_reply(status(
                409,
                "Conflict",
                "the object has been modified; please apply your changes to the latest version",
            )),
            Unavailable,
        ),
        (
            json_reply(status(500, "InternalError", "etcdserver: no leader")),
            Unavailable,
        ),
        (
            json_reply(status(
                504,
                "Timeout",
                "couldn't update PodDisruptionBudget",
            )),
            Timeout,
        ),
        // A budget's message in a status that is no 500 from the server itself, and a success that is none.
        (
            Reply::Text(404, "text/plain", "", "404 page not found\n"),
            Unavailable,
        ),
        (Reply::Text(201, "text/html", "", HTML), Unavailable),
        (
            Reply::Json(
                201,
                json!({"kind": "Status", "status": "Failure", "message": "x"}),
            ),
            Unavailable,
        ),
        (Reply::HangUp, Unavailable),
        (Reply::Silence, Timeout),
    ] {
        let shown = format!("{reply:?}");
        let answer = evict(reply).await;
        assert!(
            matches!(&answer, EvictAnswer::Failed(failure) if failure.kind == kind),
            "{shown}: {answer:?}"
        );
    }
}
