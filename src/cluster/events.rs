//! Events about the own Node: what `kubectl describe node` shows. A node may make them, and may not read them.

use http::Method;
use jiff::Timestamp;
use serde_json::json;

use super::KubeletCluster;
use super::exchange::{Lost, Question};
use super::text::name;
use crate::failure::Failure;
use crate::node::NodeEvent;

/// Nodes live in no namespace; their Events are in this one, as the kubelet's are. Anywhere else the server refuses them.
const NAMESPACE: &str = "default";

impl KubeletCluster {
    /// Makes an Event. The same one a second time is none.
    pub(super) async fn post_event(&self, event: &NodeEvent) -> Result<(), Failure> {
        let at = Timestamp::from_second(event.at.as_second()).unwrap_or(event.at);
        let at = at.to_string();
        let body = json!({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"namespace": NAMESPACE, "name": format!("{}.{}", name(&self.place.node)?, event.turn)},
            "involvedObject": {"apiVersion": "v1", "kind": "Node", "name": self.place.node, "uid": event.node_uid},
            "type": "Warning",
            "reason": event.reason,
            "message": event.message,
            "source": {"component": "rollboot", "host": self.place.node},
            "reportingComponent": "rollboot",
            "reportingInstance": self.place.node,
            "firstTimestamp": at,
            "lastTimestamp": at,
            "count": 1,
        });
        let question = Question {
            what: format!("cannot make an Event about Node {}", self.place.node),
            method: Method::POST,
            target: format!(
                "/api/v1/namespaces/{NAMESPACE}/events{}",
                self.write_query()
            ),
            body: Some(("application/json", body.to_string())),
        };
        let answer = self.write(&question).await.map_err(Lost::failure)?;
        answer.made()
    }
}
