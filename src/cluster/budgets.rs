//! PodDisruptionBudgets, watched one by one: whether they allow an eviction by now.

use serde::Deserialize;

use super::KubeletCluster;
use super::answer::Object;
use super::exchange::Question;
use super::text::{name, query};
use super::watch::Change;
use crate::drain::{BudgetRef, BudgetView};
use crate::failure::Failure;

/// The part of a budget that is read.
#[derive(Debug, Deserialize)]
pub(super) struct Budget {
    metadata: Metadata,
    #[serde(default)]
    status: Status,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    generation: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    observed_generation: Option<i64>,
    disruptions_allowed: Option<i64>,
}

impl Object for Budget {
    const KIND: &'static str = "PodDisruptionBudget";
}

impl From<Budget> for BudgetView {
    fn from(budget: Budget) -> Self {
        let Budget { metadata, status } = budget;
        let allowed = status.disruptions_allowed.unwrap_or_default().max(0);
        Self {
            allowed: u32::try_from(allowed).unwrap_or(u32::MAX),
            behind: status.observed_generation.unwrap_or_default()
                < metadata.generation.unwrap_or_default(),
        }
    }
}

impl KubeletCluster {
    /// Watches one budget. Without a version a watch begins with what there is.
    pub(super) async fn follow_budget(
        &self,
        budget: &BudgetRef,
        mut seen: impl FnMut(Option<BudgetView>),
    ) -> Result<(), Failure> {
        let path = format!(
            "/apis/policy/v1/namespaces/{}/poddisruptionbudgets",
            name(&budget.namespace)?
        );
        let selector = format!("metadata.name={}", name(&budget.name)?);
        let seconds = self.deadlines.watch.as_secs().to_string();
        let question = Question::get(
            format!("cannot watch {budget}"),
            path + &query(&[
                ("watch", "true"),
                ("fieldSelector", &selector),
                ("allowWatchBookmarks", "true"),
                ("timeoutSeconds", &seconds),
            ]),
        );
        let changed = |changes: Vec<Change<Budget>>| {
            for change in changes {
                match change {
                    Change::Is(budget) => seen(Some(budget.into())),
                    Change::Gone(_) => seen(None),
                }
            }
            Ok(())
        };
        self.connector
            .watch(&question, &self.deadlines, changed)
            .await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_budget_does_not_say_allows_nothing() {
        for (budget, allowed, behind) in [
            (json!({"metadata": {}}), 0, false),
            (json!({"metadata": {"generation": 1}}), 0, true),
            (
                json!({"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "disruptionsAllowed": -1}}),
                0,
                false,
            ),
            (
                json!({"metadata": {"generation": 2}, "status": {"observedGeneration": 1, "disruptionsAllowed": 3}}),
                3,
                true,
            ),
            (
                json!({"metadata": {"generation": 2}, "status": {"observedGeneration": 2, "disruptionsAllowed": 3}}),
                3,
                false,
            ),
        ] {
            let view: BudgetView = serde_json::from_value::<Budget>(budget.clone())
                .unwrap()
                .into();
            assert_eq!(view, BudgetView { allowed, behind }, "{budget}");
        }
    }
}
