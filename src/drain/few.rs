//! Sentences about many pods, for a person: a node may have thousands.

/// So many are told.
const TOLD: usize = 10;

/// The first of these in a row, and how many more there are.
pub fn few(all: impl IntoIterator<Item = String>) -> String {
    let mut all = all.into_iter();
    let mut told: Vec<_> = all.by_ref().take(TOLD).collect();
    let more = all.count();
    if more > 0 {
        told.push(format!("and {more} more"));
    }
    told.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_are_told_and_the_others_counted() {
        let numbers = |many: usize| few((1..=many).map(|number| number.to_string()));
        assert_eq!(numbers(0), "");
        assert_eq!(numbers(2), "1; 2");
        assert_eq!(numbers(10), "1; 2; 3; 4; 5; 6; 7; 8; 9; 10");
        assert_eq!(
            numbers(10_000),
            "1; 2; 3; 4; 5; 6; 7; 8; 9; 10; and 9990 more"
        );
    }
}
