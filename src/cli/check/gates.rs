//! The gates on the cluster: pods on this node that are waited for, and other nodes in trouble.

use super::finding::{Finding, fail, ok, warn};
use crate::config::Config;
use crate::drain::PodView;
use crate::failure::{Failure, FailureKind};
use crate::lock::LockView;
use crate::machine::{blocking_pods_gates, control_plane_gate, is_waited_for, nodes_gate};
use crate::node::NodesView;

const PODS: &str = "gate.pods";
const NODES: &str = "gate.nodes";
const CONTROL_PLANE: &str = "control plane";

/// Whether a gate waits for a pod that is here, and whether that will ever end. `None`: no gate is configured.
pub(super) fn pods(config: &Config, pods: &[PodView]) -> Option<Finding> {
    let gates = &config.gates.pods;
    if gates.is_empty() {
        return None;
    }
    let stays = pods.iter().find(|pod| {
        let kind = pod.controller.as_ref().map(|owner| owner.kind.as_str());
        (pod.mirror || kind == Some("DaemonSet"))
            && gates.iter().any(|gate| is_waited_for(gate, pod))
    });
    let here: Vec<_> = blocking_pods_gates(config, pods)
        .into_iter()
        .map(|blocked| blocked.what)
        .collect();
    Some(match (stays, here.is_empty()) {
        (Some(pod), _) => fail(
            PODS,
            format!("{} matches a selector and is always here", pod.pod),
            "a pod of a DaemonSet, or a static one, never goes: change the selector",
        ),
        (None, false) => warn(
            PODS,
            here.join("; "),
            "no turn until it is finished or gone",
        ),
        (None, true) => ok(PODS, "no pod is here that has to be waited for"),
    })
}

/// Whether so many other nodes are in trouble that no turn begins. `None`: no gate is configured.
pub(super) fn nodes(
    config: &Config,
    own: &str,
    lock: Option<&LockView>,
    result: &Result<NodesView, Failure>,
) -> Option<Finding> {
    let max = config.gates.max_not_ready?;
    Some(match (result, nodes_gate(config, own, lock, result)) {
        (Err(failure), Some(blocked)) if is_forbidden(failure) => {
            fail(NODES, blocked.what, blocked.detail)
        }
        (_, Some(blocked)) => warn(NODES, blocked.what, blocked.detail),
        (_, None) => ok(
            NODES,
            format!(
                "of {} Nodes no more than {max} others are not Ready",
                result.as_ref().map_or(0, |view| view.all)
            ),
        ),
    })
}

/// Whether the rest of the control plane is Ready, for a node of it.
pub(super) fn control_plane(own: &str, result: &Result<NodesView, Failure>) -> Finding {
    match (result, control_plane_gate(own, result)) {
        (Err(failure), None) => warn(
            CONTROL_PLANE,
            format!("nobody looks whether the others are Ready before this one goes: {failure}"),
            "apply health.yaml",
        ),
        (_, Some(blocked)) => warn(CONTROL_PLANE, blocked.what, blocked.detail),
        (Ok(_), None) => ok(CONTROL_PLANE, "the others are Ready"),
    }
}

fn is_forbidden(failure: &Failure) -> bool {
    matches!(
        failure.kind,
        FailureKind::Forbidden | FailureKind::Restricted
    )
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;
    use crate::config::PodGate;
    use crate::drain::{Controller, PodRef};
    use crate::selector::Selector;

    fn config() -> Config {
        let mut config = Config::default();
        config.gates.pods = vec![PodGate {
            namespace: None,
            selector: Selector::parse("app=backup").unwrap(),
        }];
        config.gates.max_not_ready = Some(1);
        config
    }

    fn pod(app: &str, kind: &str) -> PodView {
        PodView {
            pod: PodRef {
                namespace: "jobs".into(),
                name: "p".into(),
                uid: "u".into(),
            },
            controller: Some(Controller {
                api_version: "v1".into(),
                kind: kind.into(),
                name: "c".into(),
                uid: "o".into(),
            }),
            labels: [("app".to_owned(), app.to_owned())].into_iter().collect(),
            ..PodView::default()
        }
    }

    #[test]
    fn a_pod_that_is_waited_for_passes_unless_it_is_always_here() {
        for (here, expected, says) in [
            (vec![], Verdict::Ok, "no pod is here"),
            (vec![pod("web", "DaemonSet")], Verdict::Ok, "no pod is here"),
            (
                vec![pod("backup", "Job")],
                Verdict::Warn,
                "jobs/p is here and matches app=backup",
            ),
            (
                vec![pod("backup", "Job"), pod("backup", "DaemonSet")],
                Verdict::Fail,
                "always here",
            ),
        ] {
            let found = pods(&config(), &here).unwrap();
            assert_eq!(found.result, expected, "{found:?}");
            assert!(found.found.contains(says), "{found:?}");
        }
        assert_eq!(pods(&Config::default(), &[pod("backup", "Job")]), None);
    }

    #[test]
    fn nodes_that_nobody_may_list_need_somebody_who_grants_it() {
        let view = |names: &[&str]| {
            Ok(NodesView {
                all: 5,
                not_ready: names.iter().map(|name| (*name).to_owned()).collect(),
                control_plane: Vec::new(),
            })
        };
        let failed = |kind| Err(Failure::new(kind, "why"));
        for (result, expected, says) in [
            (view(&["a", "own"]), Verdict::Ok, "of 5 Nodes"),
            (view(&["a", "b"]), Verdict::Warn, "not Ready: a, b"),
            (failed(FailureKind::Restricted), Verdict::Fail, "why"),
            (failed(FailureKind::Timeout), Verdict::Warn, "why"),
        ] {
            let found = nodes(&config(), "own", None, &result).unwrap();
            assert_eq!(found.result, expected, "{found:?}");
            assert!(found.found.contains(says), "{found:?}");
            assert_eq!(
                found.advice.contains("health.yaml"),
                expected == Verdict::Fail
            );
        }
        assert_eq!(nodes(&Config::default(), "own", None, &view(&["a"])), None);
        let of_control_plane = |names: &[&str]| {
            view(names).map(|mut view: NodesView| {
                view.control_plane = view.not_ready.clone();
                view
            })
        };
        for (result, expected, says) in [
            (
                of_control_plane(&["own"]),
                Verdict::Ok,
                "the others are Ready",
            ),
            (of_control_plane(&["a"]), Verdict::Warn, "not Ready: a"),
            (
                failed(FailureKind::Forbidden),
                Verdict::Warn,
                "nobody looks",
            ),
            (failed(FailureKind::Timeout), Verdict::Warn, "why"),
        ] {
            let found = control_plane("own", &result);
            assert_eq!(found.result, expected, "{found:?}");
            assert!(found.found.contains(says), "{found:?}");
        }
    }
}
