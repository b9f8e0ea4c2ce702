//! What an operator who mistyped a key or a value may have meant.

use super::raw::KEYS;

/// Advice on an error message of the parser, if it is about a name that does not exist.
pub(super) fn on(message: &str) -> Option<String> {
    let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let (wrong, valid) = names.split_first()?;
    if message.starts_with("unknown field") {
        nearest(wrong, valid)
            .map(|key| format!("did you mean `{key}`?"))
            .or_else(|| elsewhere(wrong))
    } else if message.starts_with("unknown variant") {
        nearest(wrong, valid).map(|value| format!("did you mean \"{value}\"?"))
    } else {
        None
    }
}

/// A key that exists, in another table: a line below the wrong header.
fn elsewhere(wrong: &str) -> Option<String> {
    KEYS.iter()
        .find(|(_, keys)| keys.contains(&wrong))
        .map(|(table, _)| match *table {
            "" => format!("`{wrong}` belongs above the first table"),
            "window" | "gate.pods" => format!("`{wrong}` belongs in a table [[{table}]]"),
            table => format!("`{wrong}` belongs in the table [{table}]"),
        })
}

/// The valid name that takes the fewest edits, if they are few for its length.
fn nearest<'a>(wrong: &str, valid: &[&'a str]) -> Option<&'a str> {
    valid
        .iter()
        .map(|name| (edits(wrong, name), *name))
        .filter(|(edits, name)| *edits <= (name.len() / 3).max(1))
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, name)| name)
}

/// Keys to press until one text is the other, blind to case and to `_` for `-`; two letters that changed places count once.
fn edits(a: &str, b: &str) -> usize {
    let plain = |text: &str| -> Vec<char> {
        text.chars()
            .map(|c| {
                if c == '_' {
                    '-'
                } else {
                    c.to_ascii_lowercase()
                }
            })
            .collect()
    };
    let (a, b) = (plain(a), plain(b));
    let swapped = (1..a.len()).map(|at| {
        let mut a = a.clone();
        a.swap(at - 1, at);
        1 + levenshtein(&a, &b)
    });
    swapped.fold(levenshtein(&a, &b), usize::min)
}

fn levenshtein(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut left = i + 1;
        let mut next = vec![left];
        for (to, pair) in b.iter().zip(row.windows(2)) {
            let &[diagonal, above] = pair else { continue };
            let replaced = diagonal + usize::from(from != to);
            left = replaced.min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted_as_fingers_make_them() {
        for (a, b, count) in [
            ("", "", 0),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("soak", "soak", 0),
            ("Empty_Dir", "empty-dir", 0),
            ("timout", "timeout", 1),
            ("darin", "drain", 1),
        ] {
            assert_eq!(edits(a, b), count, "{a} {b}");
            assert_eq!(edits(b, a), count, "{b} {a}");
        }
    }

    #[test]
    fn a_name_that_resembles_nothing_brings_no_advice() {
        assert_eq!(nearest("colour", &["mode", "lock", "drain"]), None);
        assert_eq!(
            on("unknown field `colour`, expected `mode` or `lock`"),
            None
        );
        assert_eq!(on("a message of another kind"), None);
    }
}
