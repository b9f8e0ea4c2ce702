//! The API server: away, stuck, replaced by something else, and unwilling in each of its ways.

use std::time::Duration;

use rollboot_lab::api::Fault;
use serde_json::{Value, json};

use super::case::Case;
use super::host::{CONFIG, Host, SETTINGS};

/// What a server answers to everything.
async fn answers(code: u16, media: &'static str, body: String, words: &[&str]) -> String {
    fails(Fault::Answer { code, media, body }, words).await
}

/// The fault is there at the start, then goes, then comes while the daemon is idle, and goes again.
async fn fails(fault: Fault, words: &[&str]) -> String {
    let mut host = Host::new().await;
    host.api.set_fault(fault.clone());
    host.start();
    let message = host.tells(words).await;
    host.untouched();
    host.api.set_fault(Fault::None);
    host.becomes_idle().await;
    host.api.set_fault(fault);
    host.ask();
    host.tells(&["cannot read Node n1"]).await;
    host.untouched();
    host.api.set_fault(Fault::None);
    host.goes_on().await;
    message
}

fn status(code: u16, reason: &str, message: &str, causes: &Value) -> String {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message,
        "details": {"causes": causes}})
    .to_string()
}

const PASSES: &str = "it passes";

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("unreachable", PASSES, async || {
            let mut host = Host::new().await;
            host.api.stop();
            host.ask();
            host.start();
            let message = host
                .tells(&["Connection refused", "can this host reach the API server?"])
                .await;
            host.untouched();
            host.api.resume().await.unwrap();
            host.goes_on().await;
            message
        }),
        Case::new("silent", PASSES, || {
            fails(
                Fault::Silent,
                &["no connection within 4s", "can this host reach"],
            )
        }),
        Case::new("slow: half a minute for each answer", PASSES, || {
            fails(
                Fault::Slow(Duration::from_secs(30)),
                &["no answer within 10s", "can this host reach"],
            )
        }),
        Case::new("a page in HTML", PASSES, || {
            let page = "<html><body>Please log in</body></html>".to_owned();
            answers(
                200,
                "text/html",
                page,
                &["something in between?", "Please log in"],
            )
        }),
        Case::new("401", PASSES, || {
            let body = status(401, "Unauthorized", "Unauthorized", &Value::Null);
            answers(
                401,
                "application/json",
                body,
                &["answered 401: Unauthorized", "journalctl -u kubelet"],
            )
        }),
        Case::new(
            "403 of RBAC: lock.yaml is not applied",
            "it is applied",
            async || {
                let mut host = Host::bare().await;
                host.add_node(super::host::NODE);
                host.write(
                    super::host::KUBECONFIG,
                    &host.api.node_kubeconfig(super::host::NODE),
                );
                host.ask();
                host.start();
                // The same words in the log, in another order.
                let message = host
                    .tells(&["answered 403", "lock.yaml", "only observes"])
                    .await;
                host.untouched();
                host.api.arm();
                host.goes_on().await;
                message
            },
        ),
        Case::new(
            "403 of the node authorizer: `node-name` is another node's",
            "corrected and reloaded",
            async || {
                let mut host = Host::new().await;
                host.add_node("n2");
                host.write(CONFIG, &format!("node-name = \"n2\"\n{SETTINGS}"));
                host.ask();
                host.start();
                let message = host
                    .tells(&[
                        "answered 403",
                        "only its own Node object",
                        "are `kubeconfig` and `node-name` this node's?",
                    ])
                    .await;
                host.untouched();
                host.write(CONFIG, SETTINGS);
                host.reload();
                host.goes_on().await;
                message
            },
        ),
        Case::new("403 of NodeRestriction", PASSES, || {
            let message =
                "nodes \"n1\" is forbidden: node \"n2\" is not allowed to modify node \"n1\"";
            let body = status(403, "Forbidden", message, &Value::Null);
            answers(
                403,
                "application/json",
                body,
                &[
                    "is not allowed to modify node",
                    "are `kubeconfig` and `node-name` this node's?",
                ],
            )
        }),
        Case::new("403 of an admission policy", PASSES, || {
            let message = "configmaps \"rollboot\" is forbidden: ValidatingAdmissionPolicy 'rollboot-lock' with binding 'rollboot-lock' \
                           denied request: no new turn while paused";
            let causes = json!([{"message": "no new turn while paused"}]);
            let body = status(403, "Forbidden", message, &causes);
            answers(
                403,
                "application/json",
                body,
                &["denied request: no new turn", "an admission policy refuses"],
            )
        }),
        Case::new("429 in plain text", PASSES, || {
            let body = "Too many requests, please try again later.\n".to_owned();
            answers(
                429,
                "text/plain",
                body,
                &["Too many requests", "has too much to do"],
            )
        }),
        Case::new("500", PASSES, || {
            let body = status(
                500,
                "InternalError",
                "etcdserver: request timed out",
                &Value::Null,
            );
            answers(
                500,
                "application/json",
                body,
                &["answered 500: etcdserver: request timed out"],
            )
        }),
    ]
}
