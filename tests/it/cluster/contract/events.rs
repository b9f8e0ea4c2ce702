//! Events about the own Node, made as the kubelet makes its own.

use jiff::Timestamp;
use rollboot::lock::TurnId;
use rollboot::node::NodeEvent;
use rollboot::ports::Cluster;
use serde_json::{Value, json};

use super::Plane;

cases! {
    both:
    a_node_tells_a_thing_once_and_it_is_found_with_its_node,
    an_event_about_a_node_is_refused_in_another_namespace;
    real only:
    describe_finds_the_event_by_name_kind_and_uid,
}

const EVENTS: &str = "/api/v1/namespaces/default/events";

impl Plane {
    /// An event of the own Node that nobody has made before.
    async fn event(&self, node: &str) -> NodeEvent {
        let object = self
            .call("GET", &format!("/api/v1/nodes/{node}"), "", "")
            .await;
        let uid = object["metadata"]["uid"].as_str().unwrap();
        let now = Timestamp::now();
        NodeEvent {
            node_uid: uid.to_owned(),
            turn: TurnId(u64::try_from(now.as_nanosecond()).unwrap()),
            at: now,
            reason: "DrainBlocked",
            message: "default/web: The disruption budget web needs 2".to_owned(),
        }
    }

    async fn events_of(&self, event: &NodeEvent, selector: &str) -> Vec<Value> {
        let list = self
            .call("GET", &format!("{EVENTS}{selector}"), "", "")
            .await;
        let items = list["items"].as_array().unwrap().clone();
        let ours = |item: &Value| item["involvedObject"]["uid"] == event.node_uid.as_str();
        items.into_iter().filter(ours).collect()
    }
}

async fn a_node_tells_a_thing_once_and_it_is_found_with_its_node(plane: &Plane) {
    let a = plane.node("contract-a");
    let event = plane.event("contract-a").await;
    for _try in 0..2 {
        assert_eq!(a.announce(&event).await, Ok(()));
    }
    let found = plane.events_of(&event, "").await;
    let [found] = found.as_slice() else {
        panic!("{found:?}");
    };
    let about =
        json!({"apiVersion": "v1", "kind": "Node", "name": "contract-a", "uid": event.node_uid});
    assert_eq!(found["involvedObject"], about);
    assert_eq!(
        (&found["reason"], &found["type"], &found["message"]),
        (
            &json!(event.reason),
            &json!("Warning"),
            &json!(event.message)
        )
    );
    let at: Timestamp = found["lastTimestamp"].as_str().unwrap().parse().unwrap();
    assert_eq!(at.as_second(), event.at.as_second());
}

async fn an_event_about_a_node_is_refused_in_another_namespace(plane: &Plane) {
    let body = json!({
        "metadata": {"name": format!("contract.{}", Timestamp::now().as_nanosecond()), "namespace": "kube-system"},
        "involvedObject": {"kind": "Node", "name": "contract-a"},
        "reason": "DrainBlocked", "type": "Warning", "message": "no",
    });
    let path = "/api/v1/namespaces/kube-system/events";
    let (code, answer) = plane
        .try_call("POST", path, "application/json", &body.to_string())
        .await;
    assert_eq!(code, 422, "{answer}");
    let message = answer["message"].as_str().unwrap();
    assert!(
        message.contains("involvedObject.namespace") && message.contains("does not match"),
        "{message}"
    );
}

async fn describe_finds_the_event_by_name_kind_and_uid(plane: &Plane) {
    let event = plane.event("contract-b").await;
    assert_eq!(plane.node("contract-b").announce(&event).await, Ok(()));
    // As kubectl asks.
    let selector = format!(
        "?fieldSelector=involvedObject.name%3Dcontract-b%2CinvolvedObject.namespace%3D%2CinvolvedObject.kind%3DNode%2CinvolvedObject.uid%3D{}",
        event.node_uid
    );
    let found = plane.events_of(&event, &selector).await;
    assert_eq!(found.len(), 1, "{found:?}");
}
