//! Budgets as a node may watch them, with `guard.yaml`: what a watch begins with, what opens, and that the refusal names it.

use std::time::Duration;

use rollboot::cluster::Deadlines;
use rollboot::config::Config;
use rollboot::drain::{BudgetRef, BudgetView, EvictAnswer, PodRef};
use rollboot::failure::FailureKind;
use rollboot::ports::Cluster;
use serde_json::{Value, json};

use super::{MERGE, Plane};

cases! {
    both:
    the_budget_that_a_refusal_names_is_seen_to_open,
    a_watch_of_a_budget_shows_what_there_is_and_its_end,
    a_budget_that_does_not_exist_is_waited_for_in_silence;
    real only:
    budgets_are_watched_with_guard_yaml_and_only_then,
}

const SHORT: Deadlines = Deadlines {
    watch: Duration::from_secs(3),
    ..Deadlines::DEFAULT
};

fn status(allowed: u32) -> Value {
    json!({"observedGeneration": 1, "disruptionsAllowed": allowed, "currentHealthy": 2 + allowed, "desiredHealthy": 2, "expectedPods": 2 + allowed})
}

fn open(allowed: u32) -> Option<BudgetView> {
    Some(BudgetView {
        allowed,
        behind: false,
    })
}

impl Plane {
    fn budget_path(of: &BudgetRef) -> String {
        format!(
            "/apis/policy/v1/namespaces/{}/poddisruptionbudgets/{}",
            of.namespace, of.name
        )
    }

    async fn budget_status(&self, of: &BudgetRef, status: &Value) {
        let path = format!("{}/status", Self::budget_path(of));
        let body = json!({"status": status}).to_string();
        self.call("PATCH", &path, MERGE, &body).await;
    }

    async fn watched(
        &self,
        of: &BudgetRef,
        acts: impl Future<Output = ()>,
    ) -> Vec<Option<BudgetView>> {
        let a = self.node_with("contract-a", SHORT, &Config::default());
        let mut seen = Vec::new();
        let acts = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            acts.await;
        };
        let (end, ()) = tokio::join!(a.watch_budget(of, |view| seen.push(view)), acts);
        assert_eq!(end, Ok(()), "it ends when its time is over");
        seen
    }

    /// A budget over a pod of this node that allows nothing, as the refusal of its eviction names it.
    async fn closed_budget(&self) -> (PodRef, BudgetRef) {
        let namespace = self.namespace().await;
        let pod = self.pod(&namespace, "web", "contract-a").await;
        self.budget(&namespace, "full", Some(status(0))).await;
        let answer = self.node("contract-a").evict(&pod).await;
        let EvictAnswer::Budget(why) = &answer else {
            panic!("{answer:?}");
        };
        let budget = BudgetRef::refusing(&pod, why);
        assert_eq!(
            budget.as_ref().map(ToString::to_string),
            Some(format!("PodDisruptionBudget {namespace}/full")),
            "{why}"
        );
        (pod, budget.unwrap())
    }
}

async fn the_budget_that_a_refusal_names_is_seen_to_open(plane: &Plane) {
    plane.guard(true).await;
    let (pod, budget) = plane.closed_budget().await;
    let seen = plane
        .watched(&budget, plane.budget_status(&budget, &status(1)))
        .await;
    assert_eq!(seen, [open(0), open(1)]);
    let seen = plane
        .watched(&budget, async {
            let answer = plane.node("contract-a").evict(&pod).await;
            assert_eq!(answer, EvictAnswer::Accepted);
        })
        .await;
    assert_eq!(
        seen,
        [open(1), open(0)],
        "the server counts an eviction itself"
    );
    plane.guard(false).await;
}

async fn a_watch_of_a_budget_shows_what_there_is_and_its_end(plane: &Plane) {
    plane.guard(true).await;
    let namespace = plane.namespace().await;
    let budget = BudgetRef {
        namespace: namespace.clone(),
        name: "new".into(),
    };
    plane.budget(&namespace, "new", None).await;
    plane.budget(&namespace, "other", Some(status(5))).await;
    let seen = plane
        .watched(&budget, async {
            plane.budget_status(&budget, &status(2)).await;
            let spec = json!({"spec": {"minAvailable": 1}}).to_string();
            let path = Plane::budget_path(&budget);
            plane.call("PATCH", &path, MERGE, &spec).await;
            plane.call("DELETE", &path, "", "").await;
        })
        .await;
    let view = |allowed, behind| Some(BudgetView { allowed, behind });
    let wanted = [view(0, true), view(2, false), view(2, true), None];
    assert_eq!(seen, wanted, "of this budget alone");
    plane.guard(false).await;
}

async fn a_budget_that_does_not_exist_is_waited_for_in_silence(plane: &Plane) {
    plane.guard(true).await;
    let namespace = plane.namespace().await;
    let budget = BudgetRef {
        namespace: namespace.clone(),
        name: "late".into(),
    };
    let made = async { plane.budget(&namespace, "late", None).await };
    let seen = plane.watched(&budget, made).await;
    assert_eq!(
        seen.first(),
        Some(&Some(BudgetView {
            allowed: 0,
            behind: true
        }))
    );
    let nonsense = BudgetRef {
        namespace: "../x".into(),
        name: "y".into(),
    };
    let a = plane.node("contract-a");
    let refused = a.watch_budget(&nonsense, |_| ()).await.unwrap_err();
    assert_eq!(refused.kind, FailureKind::Invalid, "{refused}");
    plane.guard(false).await;
}

async fn budgets_are_watched_with_guard_yaml_and_only_then(plane: &Plane) {
    plane.guard(false).await;
    let (_, budget) = plane.closed_budget().await;
    let a = plane.node("contract-a");
    let refused = a.watch_budget(&budget, |_| panic!("it is seen")).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.kind, FailureKind::Forbidden, "{refused}");
    assert!(
        refused
            .message
            .starts_with("cannot watch PodDisruptionBudget"),
        "{refused}"
    );
}
