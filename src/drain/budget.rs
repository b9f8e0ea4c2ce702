//! What the server's words about a PodDisruptionBudget tell.

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
    }
}
