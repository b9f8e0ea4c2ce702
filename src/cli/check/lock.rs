//! The lock: whether it is there and the one that is known, its limits, its holders.

use super::finding::{Finding, fail, ok, warn};
use crate::cli::text::list;
use crate::config::Config;
use crate::failure::{Failure, FailureKind};
use crate::lock::{CONTROL_PLANE, Limits, LockView, Noted, unreadable as unreadable_limits};
use crate::machine::recreated_gate;

const LOCK: &str = "lock";
const LIMITS: &str = "limits";
const HOLDERS: &str = "holders";
/// What it takes to read, watch and write the lock.
const MANIFEST: &str = "/usr/share/rollboot/kubernetes/lock.yaml";

/// How to arm an installation; the manifest names the default lock.
pub(super) fn arm(config: &Config) -> String {
    let default = &Config::default().lock;
    let lock = &config.lock;
    if (&lock.namespace, &lock.name) == (&default.namespace, &default.name) {
        format!("kubectl apply -f {MANIFEST}")
    } else {
        format!(
            "kubectl apply a copy of {MANIFEST} in which the names are {} in namespace {}",
            lock.name, lock.namespace
        )
    }
}

/// A lock that cannot be read.
pub(super) fn unreadable(config: &Config, failure: &Failure) -> Finding {
    let advice = match failure.kind {
        FailureKind::Forbidden | FailureKind::NotFound => arm(config),
        FailureKind::Unauthorized
        | FailureKind::Restricted
        | FailureKind::Policy
        | FailureKind::Throttled
        | FailureKind::Invalid
        | FailureKind::Unavailable
        | FailureKind::Timeout
        | FailureKind::Local => "nobody begins a turn that cannot read the lock".to_owned(),
    };
    fail(LOCK, failure, advice)
}

/// What stands in the lock, for a node of this group. `known` is what this node has noted of it.
pub(super) fn lock(
    config: &Config,
    known: Option<&Noted>,
    view: Option<&LockView>,
    own: &str,
    group: &str,
) -> Vec<Finding> {
    let name = format!("{}/{}", config.lock.namespace, config.lock.name);
    let Some(view) = view else {
        let found = format!("there is no ConfigMap {name}");
        return vec![fail(LOCK, found, arm(config))];
    };
    vec![
        object(known, view, &name),
        limits(view, group),
        holders(view, own, group),
    ]
}

fn object(known: Option<&Noted>, view: &LockView, name: &str) -> Finding {
    if let Some(gate) = recreated_gate(known, view) {
        return fail(LOCK, format!("{name}: {}", gate.what), gate.detail);
    }
    match view.pause() {
        Some(reason) => fail(
            LOCK,
            format!("{name}: turns are paused: {reason}"),
            "rollboot resume, with an operator's kubeconfig",
        ),
        None => ok(LOCK, format!("{name} is there")),
    }
}

fn limits(view: &LockView, group: &str) -> Finding {
    let of_group = format!("max.{group}");
    let limits = Limits::read(&view.data, group);
    let garbage: Vec<_> = unreadable_limits(&view.data, group)
        .into_iter()
        .map(|(key, value)| {
            format!("{key} = {value:?} is no number from 0 to 9999 and counts as 0")
        })
        .collect();
    let unknown: Vec<_> = view
        .data
        .keys()
        .filter(|key| !key.starts_with("max."))
        .map(String::as_str)
        .collect();
    let found = format!(
        "group {group}: {} at once, all groups: {}",
        limits.group, limits.total
    );
    let set = format!("set {of_group} and max.total in the data of the lock");
    if !garbage.is_empty() {
        fail(LIMITS, garbage.join("; "), set)
    } else if limits.group == 0 || limits.total == 0 {
        fail(
            LIMITS,
            format!("{found}: nobody of this group begins a turn"),
            set,
        )
    } else if !unknown.is_empty() {
        warn(
            LIMITS,
            format!("{found}; in its data {} means nothing", list(unknown, 3)),
            "limits are named max.<group> and max.total",
        )
    } else if limits.total < limits.group {
        warn(LIMITS, format!("{found}, which is the lower limit"), set)
    } else if group == CONTROL_PLANE && view.data.get(&of_group).is_some_and(|it| it != "1") {
        ok(
            LIMITS,
            format!("{found} (never more than one control-plane node)"),
        )
    } else {
        ok(LIMITS, found)
    }
}

fn holders(view: &LockView, own: &str, group: &str) -> Finding {
    let slots = view.slots();
    let names: Vec<_> = slots
        .iter()
        .map(|slot| {
            let own = if slot.node == own { ", this node" } else { "" };
            format!("{} ({}{own})", slot.node, slot.group)
        })
        .collect();
    if names.is_empty() {
        return ok(HOLDERS, "nobody is in a turn");
    }
    let named = list(names.iter().map(String::as_str), 8);
    let in_group = slots.iter().filter(|slot| slot.group == group).count();
    let limits = Limits::read(&view.data, group);
    let full = in_group >= usize::from(limits.group) || slots.len() >= usize::from(limits.total);
    let held = slots.iter().any(|slot| slot.node == own);
    ok(
        HOLDERS,
        if full && !held {
            format!("in a turn: {named}; this node waits until one of them is done")
        } else {
            format!("in a turn: {named}")
        },
    )
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    fn view(annotations: &[(&str, &str)], data: &[(&str, &str)]) -> LockView {
        let map = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect()
        };
        LockView {
            uid: "u".into(),
            version: "1".into(),
            annotations: map(annotations),
            data: map(data),
        }
    }

    fn noted(uid: &str) -> Noted {
        Noted {
            uid: uid.into(),
            turns: 0,
        }
    }

    fn look(view: &LockView, group: &str) -> Vec<Finding> {
        lock(
            &Config::default(),
            Some(&noted("u")),
            Some(view),
            "n",
            group,
        )
    }

    #[test]
    fn a_missing_lock_names_its_manifest() {
        let found = lock(&Config::default(), None, None, "n", "default");
        assert_eq!((found.len(), found[0].result), (1, Verdict::Fail));
        assert!(found[0].advice.ends_with("lock.yaml"));
        let mut config = Config::default();
        config.lock.name = "other".into();
        assert!(arm(&config).contains("other in namespace kube-system"));
        let forbidden = Failure::new(FailureKind::Forbidden, "403");
        assert!(unreadable(&config, &forbidden).advice.contains("lock.yaml"));
        let away = Failure::new(FailureKind::Timeout, "late");
        assert!(!unreadable(&config, &away).advice.contains("lock.yaml"));
    }

    #[test]
    fn a_pause_and_another_lock_are_in_the_way() {
        let paused = look(&view(&[("rollboot.io/pause", "storage")], &[]), "default");
        assert!(paused[0].result == Verdict::Fail && paused[0].found.contains("storage"));
        let fresh = view(&[], &[]);
        let found = lock(
            &Config::default(),
            Some(&noted("old")),
            Some(&fresh),
            "n",
            "default",
        );
        assert!(found[0].result == Verdict::Fail && found[0].advice.contains("rollboot resume"));
        assert_eq!(look(&fresh, "default")[0].result, Verdict::Ok);
    }

    #[test]
    fn limits_that_allow_nothing_are_told_from_those_that_cannot_be_read() {
        for (data, group, verdict, said) in [
            (vec![], "default", Verdict::Ok, "1 at once, all groups: 1"),
            (vec![], "gpu", Verdict::Fail, "nobody of this group"),
            (
                vec![("max.total", "two")],
                "default",
                Verdict::Fail,
                "\"two\" is no number",
            ),
            (
                vec![("max.default", "01")],
                "default",
                Verdict::Fail,
                "counts as 0",
            ),
            (
                vec![("max.default", "0")],
                "default",
                Verdict::Fail,
                "0 at once",
            ),
            (
                vec![("max.default", "3")],
                "default",
                Verdict::Warn,
                "the lower limit",
            ),
            (
                vec![("max.default", "3"), ("max.total", "3")],
                "default",
                Verdict::Ok,
                "3 at once",
            ),
            (
                vec![("maxTotal", "3")],
                "default",
                Verdict::Warn,
                "maxTotal means nothing",
            ),
            (
                vec![("max.control-plane", "3"), ("max.total", "3")],
                "control-plane",
                Verdict::Ok,
                "never more than one",
            ),
        ] {
            let found = &look(&view(&[], &data), group)[1];
            assert_eq!(found.result, verdict, "{found:?}");
            assert!(found.found.contains(said), "{found:?}");
        }
    }

    #[test]
    fn holders_are_named_whatever_their_values_say() {
        let found = |slots: &[(&str, &str)]| look(&view(slots, &[]), "default").remove(2).found;
        assert_eq!(found(&[]), "nobody is in a turn");
        let other = found(&[("m.rollboot.io/default", "garbage")]);
        assert!(
            other.contains("m (default)") && other.contains("waits"),
            "{other}"
        );
        let own = found(&[("n.rollboot.io/default", "")]);
        assert!(own.contains("this node") && !own.contains("waits"), "{own}");
    }
}
