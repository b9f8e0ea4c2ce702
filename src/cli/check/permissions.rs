//! What this node may do, asked the way the daemon asks it.

use super::finding::{Finding, fail, ok, warn};
use super::lock::arm;
use super::pods::Answers;
use crate::cluster::KubeletCluster;
use crate::config::Config;
use crate::failure::{Failure, FailureKind};
use crate::lock::LockView;
use crate::node::NodeView;

const CHECK: &str = "permissions";
const POLICY: &str = "policy";
const MANIFEST: &str = "/usr/share/rollboot/kubernetes/policy.yaml";

/// What was asked, the answer if it was, and what grants it.
type Asked<'a> = (
    &'static str,
    &'a Option<Result<(), Failure>>,
    &'a dyn Fn() -> String,
);

/// The answers to everything that is asked beyond reading.
#[derive(Debug, Default)]
pub(super) struct Permissions {
    cordon: Option<Result<(), Failure>>,
    watch: Option<Result<(), Failure>>,
    write: Option<Result<(), Failure>>,
    guarded: Option<Result<bool, Failure>>,
}

impl Permissions {
    /// Asks, all at once, as dry runs. What is not there is not asked about.
    pub(super) async fn ask(
        cluster: &KubeletCluster,
        node: Option<&NodeView>,
        lock: Option<&LockView>,
    ) -> Self {
        let node = node.map(|node| node.version.as_str());
        let lock = lock.map(|lock| lock.version.as_str());
        let cordon = async { Some(cluster.may_cordon(node?).await) };
        let watch = async { Some(cluster.may_watch_lock(lock?).await) };
        let write = async { Some(cluster.may_write_lock(lock?).await) };
        let guarded = async { Some(cluster.lock_is_guarded(lock?).await) };
        let (cordon, watch, write, guarded) = tokio::join!(cordon, watch, write, guarded);
        Self {
            cordon,
            watch,
            write,
            guarded,
        }
    }

    /// Whether the API server itself keeps nodes to the rules of the lock. Nothing to say of a node that may not write it at all.
    pub(super) fn policy(&self) -> Option<Finding> {
        if !matches!(self.write, Some(Ok(()))) {
            return None;
        }
        Some(match self.guarded.as_ref()? {
            Ok(true) => ok(
                POLICY,
                "the API server refuses what no node may write into the lock; whether slots.rollboot.io keeps everybody else from \
                 losing its slots cannot be seen from a node",
            ),
            Ok(false) => warn(
                POLICY,
                "nothing but honesty keeps nodes to the rules of the lock: the API server would let this one write what it likes",
                format!("with Kubernetes 1.30 or later: kubectl apply -f {MANIFEST}"),
            ),
            Err(failure) => warn(POLICY, failure, "run it again"),
        })
    }

    /// One finding for all that is permitted, and one for each that is not.
    pub(super) fn findings(&self, config: &Config, evictions: &Answers) -> Vec<Finding> {
        let evict = evictions.permitted();
        let evict = evict.map(|it| it.map_err(|why| Failure::new(FailureKind::Forbidden, why)));
        let role = || format!("its Role allows get, watch and patch: {}", arm(config));
        let node = || {
            "is this the kubelet's own credential, and does the API server authorize by Node?"
                .to_owned()
        };
        let asked: [Asked<'_>; 4] = [
            ("cordon its Node", &self.cordon, &node),
            ("evict its pods", &evict, &node),
            ("watch the lock", &self.watch, &role),
            ("write the lock", &self.write, &role),
        ];
        let may: Vec<_> = asked
            .iter()
            .filter(|(_, answer, _)| matches!(answer, Some(Ok(()))))
            .map(|(what, ..)| *what)
            .collect();
        let mut findings = Vec::new();
        if !may.is_empty() {
            let found = format!("this node may {} (asked as dry runs)", may.join(", "));
            findings.push(ok(CHECK, found));
        }
        for (what, answer, advice) in asked {
            let Some(Err(failure)) = answer else { continue };
            let advice = match failure.kind {
                FailureKind::Forbidden => advice(),
                FailureKind::Policy => "an admission policy refuses; see its message".to_owned(),
                FailureKind::Restricted => {
                    "that is another node's: are `kubeconfig` and `node-name` this node's?"
                        .to_owned()
                }
                FailureKind::Unauthorized
                | FailureKind::NotFound
                | FailureKind::Throttled
                | FailureKind::Invalid
                | FailureKind::Unavailable
                | FailureKind::Timeout
                | FailureKind::Local => String::new(),
            };
            let found = format!("this node could not {what}: {failure}");
            findings.push(fail(CHECK, found, advice));
        }
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn what_is_missing_is_told_one_by_one_with_the_manifest_that_grants_it() {
        let no = |kind| Some(Err(Failure::new(kind, "403")));
        let mixed = Permissions {
            cordon: Some(Ok(())),
            watch: no(FailureKind::Forbidden),
            write: no(FailureKind::Policy),
            guarded: Some(Ok(true)),
        };
        let found = mixed.findings(&Config::default(), &Answers::default());
        let verdicts: Vec<_> = found.iter().map(|it| it.result).collect();
        assert_eq!(verdicts, [Verdict::Ok, Verdict::Fail, Verdict::Fail]);
        assert!(
            found[0].found.contains("cordon its Node (asked"),
            "{found:?}"
        );
        assert!(found[1].found.contains("watch the lock") && found[1].advice.contains("lock.yaml"));
        assert!(found[2].advice.contains("policy"));
        assert_eq!(mixed.policy().map(|it| it.result), None);
        let nothing = Permissions::default().findings(&Config::default(), &Answers::default());
        assert!(nothing.is_empty(), "{nothing:?}");
    }

    #[test]
    fn whether_the_lock_is_guarded_is_said_where_it_may_be_written() {
        let failed = || Failure::new(FailureKind::Unavailable, "409");
        for (guarded, expected) in [
            (Ok(true), Verdict::Ok),
            (Ok(false), Verdict::Warn),
            (Err(failed()), Verdict::Warn),
        ] {
            let asked = Permissions {
                write: Some(Ok(())),
                guarded: Some(guarded),
                ..Permissions::default()
            };
            let found = asked.policy().unwrap();
            assert_eq!(found.result, expected, "{found:?}");
        }
    }
}
