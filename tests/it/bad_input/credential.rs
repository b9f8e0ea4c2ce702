//! The kubelet's kubeconfig and the credential in it.

use rollboot_lab::api::Api;

use super::case::Case;
use super::host::{Host, KUBECONFIG, NODE};

const WRITTEN: &str = "the kubelet writes it";
const REPLACED: &str = "the kubelet writes a good one";

/// Starts with this kubeconfig, and goes on with a good one.
async fn with(mut host: Host, kubeconfig: &str, words: &[&str]) -> String {
    host.write(KUBECONFIG, kubeconfig);
    host.ask();
    host.start();
    let message = host.tells(words).await;
    host.untouched();
    host.write(KUBECONFIG, &host.api.node_kubeconfig(NODE));
    host.goes_on().await;
    message
}

/// The good kubeconfig up to this word, as somebody who writes it in place leaves it for a moment.
async fn cut_at(word: &str, words: &[&str]) -> String {
    let host = Host::new().await;
    let whole = host.api.node_kubeconfig(NODE);
    let half = whole.split(word).next().unwrap();
    assert_ne!(half, whole);
    with(host, half, words).await
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("no kubeconfig", WRITTEN, async || {
            let mut host = Host::new().await;
            host.remove(KUBECONFIG);
            host.ask();
            host.start();
            let message = host
                .tells(&[
                    "waiting for a usable kubeconfig",
                    "etc/kubernetes/kubelet.conf",
                    "names another place",
                ])
                .await;
            host.untouched();
            host.write(KUBECONFIG, &host.api.node_kubeconfig(NODE));
            host.goes_on().await;
            message
        }),
        Case::privileged("a kubeconfig that may not be read", "it may", async || {
            let mut host = Host::new().await;
            if !host.is_confined() {
                return None;
            }
            host.permit(KUBECONFIG, 0o000);
            host.ask();
            host.start();
            let message = host
                .tells(&["waiting for a usable kubeconfig", "Permission denied"])
                .await;
            host.untouched();
            host.permit(KUBECONFIG, 0o600);
            host.goes_on().await;
            Some(message)
        }),
        Case::new("half a kubeconfig: not YAML yet", WRITTEN, async || {
            with(
                Host::new().await,
                "apiVersion: v1\nclusters:\n- cluster: {server: \"htt",
                &["waiting for a usable kubeconfig", "cannot use"],
            )
            .await
        }),
        Case::new("half a kubeconfig: YAML, without its user", WRITTEN, || {
            cut_at("users:", &["it has no user", "is it being written?"])
        }),
        Case::new("an expired certificate", REPLACED, async || {
            let host = Host::new().await;
            let expired = host.api.expired_node_kubeconfig(NODE);
            with(
                host,
                &expired,
                &["answered 401", "expired, or another cluster's?"],
            )
            .await
        }),
        Case::new("a certificate of another CA", REPLACED, async || {
            let host = Host::new().await;
            let stranger = host.api.stranger_kubeconfig(NODE);
            with(
                host,
                &stranger,
                &["answered 401", "expired, or another cluster's?"],
            )
            .await
        }),
        Case::new(
            "another CA in the kubeconfig than the server's",
            REPLACED,
            async || {
                let host = Host::new().await;
                let other = Api::start().await.unwrap();
                let wrong = other
                    .node_kubeconfig(NODE)
                    .replace(other.url(), host.api.url());
                with(
                    host,
                    &wrong,
                    &[
                        "invalid peer certificate",
                        "the kubeconfig is another cluster's",
                    ],
                )
                .await
            },
        ),
        Case::new(
            "another cluster's kubeconfig, with a lock and a Node of this name",
            REPLACED,
            async || {
                let host = Host::new().await;
                // Another machine, and another lock: neither may be mistaken for what was here before.
                let other = Host::new().await;
                other.api.store().update(
                    "kubelet",
                    rollboot_lab::api::Kind::Node,
                    "",
                    NODE,
                    |node| {
                        node["status"]["nodeInfo"]["bootID"] = "another".into();
                    },
                );
                let wrong = other.api.node_kubeconfig(NODE);
                let message =
                    with(host, &wrong, &["reports another boot ID than this host's"]).await;
                other.untouched();
                message
            },
        ),
        Case::new(
            "another node's kubeconfig while it runs",
            REPLACED,
            async || {
                let mut host = Host::new().await;
                host.start();
                host.becomes_idle().await;
                host.write(KUBECONFIG, &host.api.node_kubeconfig("n2"));
                host.ask();
                let message = host.tells(&["there is no Node n2"]).await;
                assert!(host.log().contains("is of node n2 now"), "{}", host.log());
                host.untouched();
                host.write(KUBECONFIG, &host.api.node_kubeconfig(NODE));
                host.goes_on().await;
                message
            },
        ),
    ]
}
