//! Events about the own Node: what `kubectl describe node` shows. A node may make them, and may not read them.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::Resource;
use kube::core::{Request, request};

use super::KubeletCluster;
use super::exchange::Lost;
use super::text::name;
use crate::failure::Failure;
use crate::node::NodeEvent;

/// Nodes live in no namespace; their Events are in this one, as the kubelet's are. Anywhere else the server refuses them.
const NAMESPACE: &str = "default";

impl KubeletCluster {
    /// Makes an Event. The same one a second time is none.
    pub(super) async fn post_event(&self, event: &NodeEvent) -> Result<(), Failure> {
        let node = &self.place.node;
        let text = |text: &str| Some(text.to_owned());
        let at = Timestamp::from_second(event.at.as_second()).unwrap_or(event.at);
        let body = Event {
            metadata: ObjectMeta {
                namespace: text(NAMESPACE),
                name: Some(format!("{}.{}", name(node)?, event.turn)),
                ..ObjectMeta::default()
            },
            involved_object: ObjectReference {
                api_version: text("v1"),
                kind: text("Node"),
                name: text(node),
                uid: text(&event.node_uid),
                ..ObjectReference::default()
            },
            type_: text("Warning"),
            reason: text(event.reason),
            message: text(&event.message),
            source: Some(EventSource {
                component: text("rollboot"),
                host: text(node),
            }),
            reporting_component: text("rollboot"),
            reporting_instance: text(node),
            first_timestamp: Some(Time(at)),
            last_timestamp: Some(Time(at)),
            count: Some(1),
            ..Event::default()
        };
        let events = Request::new(Event::url_path(&(), Some(NAMESPACE)));
        let what = format!("cannot make an Event about Node {node}");
        let sent = self.connector.post(what, |params| {
            let body = serde_json::to_vec(&body).map_err(request::Error::SerializeBody)?;
            events.create(params, body)
        });
        let answer = sent.await.map_err(Lost::failure)?;
        answer.made()
    }
}
