//! The own Node.

use rollboot_lab::api::Kind;

use super::case::Case;
use super::host::{Host, KUBECONFIG, NODE};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("no Node object", "the host joins", async || {
            let mut host = Host::new().await;
            host.api.store().remove("operator", Kind::Node, "", NODE);
            host.ask();
            host.start();
            let message = host
                .tells(&[
                    "there is no Node n1",
                    "has this host joined the cluster under this name?",
                ])
                .await;
            host.untouched();
            host.add_node(NODE);
            host.goes_on().await;
            message
        }),
        Case::new(
            "a name of 242 characters",
            "the kubelet gets another name",
            async || {
                let mut host = Host::new().await;
                host.write(KUBECONFIG, &host.api.node_kubeconfig(&"n".repeat(242)));
                host.ask();
                host.start();
                let message = host
                    .tells(&["242 characters", "at most 241", "`node-name` sets it"])
                    .await;
                host.untouched();
                host.write(KUBECONFIG, &host.api.node_kubeconfig(NODE));
                host.goes_on().await;
                message
            },
        ),
        Case::new(
            "a mark of ours that nobody can read",
            "by itself, after a proof of health",
            async || {
                let mut host = Host::new().await;
                host.api
                    .store()
                    .update("somebody", Kind::Node, "", NODE, |node| {
                        node["metadata"]["annotations"]["rollboot.io/turn"] = "garbage".into();
                    });
                host.start();
                host.becomes_idle().await;
                host.clean();
                host.ask();
                host.goes_on().await;
                String::new()
            },
        ),
    ]
}
