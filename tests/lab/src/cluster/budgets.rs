//! Computes the status of every disruption budget, as the disruption controller does.

use serde_json::{Value, json};

use super::object::{covers, is_healthy, name};
use super::{App, NAMESPACE};
use crate::api::{Kind, Store};

/// Creates the budget of an app that wants one.
pub(super) fn create(store: &Store, app: &App) {
    let Some(min_available) = app.min_available() else {
        return;
    };
    let budget = json!({
        "metadata": {"namespace": NAMESPACE, "name": app.name()},
        "spec": {"minAvailable": min_available, "selector": {"matchLabels": {"app": app.name()}}},
    });
    let made = store.create("operator", Kind::PodDisruptionBudget, budget);
    made.expect("a budget can be created");
}

/// Brings every status up to date.
pub(super) fn step(store: &Store) {
    let pods = store.list(Kind::Pod);
    for budget in store.list(Kind::PodDisruptionBudget) {
        let status = status(&budget, &pods);
        let kind = Kind::PodDisruptionBudget;
        store.update(
            "disruption-controller",
            kind,
            NAMESPACE,
            name(&budget),
            |it| {
                it["status"] = status;
            },
        );
    }
}

fn status(budget: &Value, pods: &[Value]) -> Value {
    let covered = || pods.iter().filter(|pod| covers(budget, pod));
    let healthy = covered().filter(|pod| is_healthy(pod)).count();
    let desired = budget["spec"]["minAvailable"].as_u64().unwrap_or_default();
    let desired = usize::try_from(desired).unwrap_or(usize::MAX);
    json!({
        "observedGeneration": budget["metadata"]["generation"],
        "expectedPods": covered().count(),
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "disruptionsAllowed": healthy.saturating_sub(desired),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ready_pods_that_stay_count() {
        let budget = json!({
            "metadata": {"generation": 1},
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "a"}}},
        });
        let pod = |app: &str, ready: &str, going: Value| {
            json!({
                "metadata": {"labels": {"app": app}, "deletionTimestamp": going},
                "status": {"conditions": [{"type": "Ready", "status": ready}]},
            })
        };
        let pods = [
            pod("a", "True", Value::Null),
            pod("a", "True", Value::Null),
            pod("a", "True", json!("2026-01-01T00:00:00Z")),
            pod("a", "False", Value::Null),
            pod("b", "True", Value::Null),
        ];
        let status = status(&budget, &pods);
        assert_eq!(status["currentHealthy"], 2);
        assert_eq!(status["disruptionsAllowed"], 1);
        assert_eq!(status["expectedPods"], 4);
        assert_eq!(status["observedGeneration"], 1);
    }
}
