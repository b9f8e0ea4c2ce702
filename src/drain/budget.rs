//! Which PodDisruptionBudget refused an eviction, by the words of the server.

use std::fmt;

use super::PodRef;

/// Names one PodDisruptionBudget.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BudgetRef {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl BudgetRef {
    /// The one that refused the eviction of a pod, if the words say which.
    pub fn refusing(pod: &PodRef, why: &str) -> Option<Self> {
        named(why).map(|name| Self {
            namespace: pod.namespace.clone(),
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for BudgetRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PodDisruptionBudget {}/{}", self.namespace, self.name)
    }
}

/// The part of a refusal that names the budget and what it lacks; the whole of it, if it names none.
pub fn essence(why: &str) -> &str {
    why.find(NAMES).and_then(|at| why.get(at..)).unwrap_or(why)
}

/// Name of the budget that refused, if the words say one.
pub fn named(why: &str) -> Option<&str> {
    let (_, rest) = why.split_once(NAMES)?;
    rest.split(' ').next().filter(|name| !name.is_empty())
}

const NAMES: &str = "The disruption budget ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_is_found_in_the_words_of_the_server() {
        let full = "Cannot evict pod as it would violate the pod's disruption budget. The disruption budget web needs 2 healthy pods and has 2 currently";
        assert_eq!(named(full), Some("web"));
        assert_eq!(
            essence(full),
            "The disruption budget web needs 2 healthy pods and has 2 currently"
        );
        let stale = "Cannot evict pod as it would violate the pod's disruption budget. The disruption budget stale is still being processed by the server.";
        assert_eq!(named(stale), Some("stale"));
        for other in ["", "a budget", "The disruption budget ", "Ü"] {
            assert_eq!((named(other), essence(other)), (None, other));
        }
        let pod = PodRef {
            namespace: "shop".into(),
            name: "web-1".into(),
            uid: "1".into(),
        };
        let found = BudgetRef::refusing(&pod, full).map(|budget| budget.to_string());
        assert_eq!(found.as_deref(), Some("PodDisruptionBudget shop/web"));
        assert_eq!(BudgetRef::refusing(&pod, "several"), None);
    }
}
