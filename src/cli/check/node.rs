//! The own Node, and whether there is another one to take its pods.

use super::finding::{Finding, fail, ok, warn};
use crate::config::Config;
use crate::failure::{Failure, FailureKind};
use crate::machine::{Gate, node_gates};
use crate::node::NodeView;

const OWN: &str = "own Node";
const OTHERS: &str = "other Nodes";

/// Whether the Node is this host's, and free to begin a turn.
pub(super) fn own(config: &Config, name: &str, boot_id: &str, node: Option<&NodeView>) -> Finding {
    let Some(node) = node else {
        return fail(
            OWN,
            format!("there is no Node {name}"),
            "has this host joined the cluster? set `node-name` if the kubelet uses another name",
        );
    };
    if node.marker.is_some() {
        return ok(
            OWN,
            format!("{name} is this host, and bears the mark of a turn"),
        );
    }
    match node_gates(config, boot_id, node).into_iter().next() {
        None if node.unschedulable => warn(
            OWN,
            format!("{name} is this host; somebody else has cordoned it"),
            "it reboots all the same, and stays cordoned: drain.foreign-cordon = \"proceed\"",
        ),
        None => ok(OWN, format!("{name} is this host (boot ID {boot_id})")),
        Some(gate) if gate.gate == Gate::Node && node.boot_id != boot_id => fail(
            OWN,
            format!(
                "{name} reports boot ID {:?}, this host's is {boot_id}",
                node.boot_id
            ),
            gate.detail,
        ),
        Some(gate) if gate.gate == Gate::Hold => fail(
            OWN,
            gate.what,
            format!("kubectl annotate node {name} rollboot.io/hold-"),
        ),
        Some(gate) => fail(OWN, gate.what, gate.detail),
    }
}

/// Whether a pod that leaves has somewhere to go. A kubelet may not see that by itself.
pub(super) fn others(own: &str, schedulable: &Result<Vec<String>, Failure>) -> Finding {
    match schedulable {
        Ok(names) if names.iter().any(|name| name != own) => {
            ok(OTHERS, "there are others that are not cordoned")
        }
        Ok(_) => warn(
            OTHERS,
            "every other Node is cordoned, or there is none: what is evicted here waits for this node",
            "a node that is alone needs no drain: drain.mode = \"none\"",
        ),
        Err(failure)
            if matches!(
                failure.kind,
                FailureKind::Forbidden | FailureKind::Restricted
            ) =>
        {
            ok(
                OTHERS,
                "not visible to the kubelet's credential, which is usual: whether one takes the pods cannot be told here",
            )
        }
        Err(failure) => warn(OTHERS, failure, "whether one takes the pods cannot be told"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;
    use crate::config::ForeignCordon;
    use crate::node::Readiness;

    type Change = fn(&mut NodeView);

    fn node() -> NodeView {
        NodeView {
            uid: "u".into(),
            version: "1".into(),
            boot_id: "b".into(),
            ready: Readiness {
                ready: true,
                heartbeat: None,
                message: "runtime is down".into(),
            },
            ..NodeView::default()
        }
    }

    #[test]
    fn the_node_is_this_host_and_free_or_it_is_said_why_not() {
        let cases: [(Change, Verdict, &str); 7] = [
            (|_| (), Verdict::Ok, "boot ID b"),
            (|it| it.boot_id = "other".into(), Verdict::Fail, "\"other\""),
            (|it| it.hold = Some("disk".into()), Verdict::Fail, "disk"),
            (|it| it.deleting = true, Verdict::Fail, "deleted"),
            (|it| it.unschedulable = true, Verdict::Fail, "cordoned"),
            (
                |it| it.ready.ready = false,
                Verdict::Fail,
                "runtime is down",
            ),
            (
                |it| it.marker = Some("{}".into()),
                Verdict::Ok,
                "mark of a turn",
            ),
        ];
        for (change, verdict, said) in cases {
            let mut node = node();
            change(&mut node);
            let found = own(&Config::default(), "n", "b", Some(&node));
            assert_eq!(found.result, verdict, "{found:?}");
            assert!(found.found.contains(said), "{found:?}");
        }
        assert_eq!(
            own(&Config::default(), "n", "b", None).result,
            Verdict::Fail
        );
        let mut config = Config::default();
        config.drain.foreign_cordon = ForeignCordon::Proceed;
        let cordoned = NodeView {
            unschedulable: true,
            ..node()
        };
        assert_eq!(
            own(&config, "n", "b", Some(&cordoned)).result,
            Verdict::Warn
        );
    }

    #[test]
    fn a_node_that_is_alone_is_told_from_one_that_cannot_see_the_others() {
        let names = |names: &[&str]| Ok(names.iter().map(|it| (*it).to_owned()).collect());
        let failed = |kind| Err(Failure::new(kind, "why"));
        for (seen, verdict, said) in [
            (names(&["n", "m"]), Verdict::Ok, "others"),
            (names(&["m"]), Verdict::Ok, "others"),
            (names(&["n"]), Verdict::Warn, "every other"),
            (names(&[]), Verdict::Warn, "every other"),
            (
                failed(FailureKind::Forbidden),
                Verdict::Ok,
                "cannot be told",
            ),
            (failed(FailureKind::Timeout), Verdict::Warn, "why"),
        ] {
            let found = others("n", &seen);
            assert_eq!(found.result, verdict, "{found:?}");
            assert!(found.found.contains(said), "{found:?}");
        }
    }
}
