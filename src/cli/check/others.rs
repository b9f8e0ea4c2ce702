//! Others that reboot nodes without asking this lock.

use super::finding::{Finding, ok, warn};
use crate::cli::text::list;
use crate::drain::PodView;
use crate::host::Rebooters;

const CHECK: &str = "other rebooters";

/// Controllers of pods that reboot nodes: kind, how the name begins or ends, and what to do. A chart puts a release's name before
/// it.
const CONTROLLERS: [(&str, &str, &str); 4] = [
    (
        "DaemonSet",
        "kured",
        "both would reboot this node, each under a lock of its own: remove kured from it",
    ),
    (
        "DaemonSet",
        "flatcar-linux-update-agent",
        "it reboots Flatcar nodes under a lock of its own: remove one of the two",
    ),
    (
        "DaemonSet",
        "brupop-agent",
        "it reboots Bottlerocket nodes under a lock of its own: remove one of the two",
    ),
    (
        "ReplicaSet",
        "system-upgrade-controller",
        "its plans drain and reboot nodes under a limit of their own: keep a plan from rebooting, or off this node",
    ),
];

/// On this host, and among the pods of this node; `None`: those could not be listed.
pub(super) fn others(host: &Rebooters, pods: Option<&[PodView]>) -> Vec<Finding> {
    let mut findings: Vec<_> = host
        .found
        .iter()
        .map(|it| warn(CHECK, &it.found, it.advice.clone()))
        .collect();
    for (kind, name, advice) in CONTROLLERS {
        let pods = pods.unwrap_or_default().iter();
        let named: Vec<_> = pods
            .filter(|pod| {
                pod.controller
                    .as_ref()
                    .is_some_and(|owner| owner.kind == kind && is_named(&owner.name, name))
            })
            .map(|pod| pod.pod.to_string())
            .collect();
        if !named.is_empty() {
            let found = format!("pod {}", list(named.iter().map(String::as_str), 3));
            findings.push(warn(CHECK, found, advice));
        }
    }
    let mut not_read = host.blind.clone();
    not_read.extend(pods.is_none().then_some("pods"));
    if !findings.is_empty() {
        return findings;
    }
    vec![if not_read.is_empty() {
        ok(CHECK, "none of those that are known")
    } else {
        ok(
            CHECK,
            format!(
                "none in what can be seen, which is not the {}",
                not_read.join(" and ")
            ),
        )
    }]
}

fn is_named(owner: &str, name: &str) -> bool {
    owner == name
        || owner.strip_suffix(name).is_some_and(|it| it.ends_with('-'))
        || owner
            .strip_prefix(name)
            .is_some_and(|it| it.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;
    use crate::drain::{Controller, PodRef};
    use crate::host::Rebooter;

    fn pod(kind: &str, owner: &str) -> PodView {
        PodView {
            pod: PodRef {
                namespace: "kube-system".into(),
                name: format!("{owner}-x"),
                uid: "u".into(),
            },
            controller: Some(Controller {
                api_version: "apps/v1".into(),
                kind: kind.into(),
                name: owner.into(),
                uid: "o".into(),
            }),
            ready: true,
            ..PodView::default()
        }
    }

    #[test]
    fn pods_that_reboot_nodes_are_known_by_their_controllers() {
        for (kind, owner, known) in [
            ("DaemonSet", "kured", true),
            ("DaemonSet", "my-kured", true),
            ("DaemonSet", "kured-arm", true),
            ("DaemonSet", "kuredish", false),
            ("ReplicaSet", "kured", false),
            ("ReplicaSet", "system-upgrade-controller-5d8f", true),
            ("DaemonSet", "kube-proxy", false),
        ] {
            let pods = [pod(kind, owner)];
            let found = others(&Rebooters::default(), Some(&pods));
            assert_eq!(
                found[0].result == Verdict::Warn,
                known,
                "{owner}: {found:?}"
            );
        }
    }

    #[test]
    fn what_could_not_be_looked_at_is_said() {
        let blind = Rebooters {
            blind: vec!["units"],
            ..Rebooters::default()
        };
        let found = others(&blind, None);
        assert!(
            found[0].found.contains("not the units and pods"),
            "{found:?}"
        );
        let host = Rebooters {
            found: vec![Rebooter {
                found: "unattended-upgrades".into(),
                advice: "no".into(),
            }],
            blind: Vec::new(),
        };
        assert_eq!(others(&host, Some(&[])).len(), 1);
    }
}
