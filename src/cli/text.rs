//! Words for a person: how long, how long ago, wrapped to the width of a screen.

use jiff::{SignedDuration, Timestamp};

use crate::plain;

/// Columns of a line.
pub(super) const WIDTH: usize = 100;
/// Characters of one text: whoever may write to the lock can write 256 KiB.
const LONGEST: usize = 2000;

/// A span of time in its largest unit, or the largest two where the first is small: `12 s`, `5 min`, `1 h 20 min`, `3 days`.
pub(super) fn span(length: SignedDuration) -> String {
    let seconds = length.as_secs().max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    if minutes == 0 {
        format!("{seconds} s")
    } else if hours == 0 {
        format!("{minutes} min")
    } else if days == 0 && minutes % 60 == 0 {
        format!("{hours} h")
    } else if days == 0 {
        format!("{hours} h {} min", minutes % 60)
    } else if days == 1 {
        "1 day".to_owned()
    } else {
        format!("{days} days")
    }
}

/// A moment and how far it is from now: `2026-01-01T00:00:00Z (5 min ago)`. Clocks are set: a moment in the future says so.
pub(super) fn moment(at: Timestamp, now: Timestamp) -> String {
    let seconds = Timestamp::from_second(at.as_second()).unwrap_or(at);
    let passed = at.duration_until(now);
    if passed.as_secs() >= 0 {
        format!("{seconds} ({} ago)", span(passed))
    } else {
        format!("{seconds} (in {})", span(-passed))
    }
}

/// Names in a row, the first few of them.
pub(super) fn list<'a>(names: impl IntoIterator<Item = &'a str>, shown: usize) -> String {
    let names: Vec<_> = names.into_iter().collect();
    let mut text = names
        .iter()
        .take(shown)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    if let Some(more) = names.len().checked_sub(shown).filter(|more| *more > 0) {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

/// Lines as one text. What others wrote in them commands no terminal, begins no line, and has an end.
pub(super) fn page(lines: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let lines: Vec<_> = lines
        .into_iter()
        .map(|line| plain::line(line.as_ref(), LONGEST))
        .collect();
    lines.join("\n")
}

/// Lines of at most [`WIDTH`] columns: the first one after `head`, the others indented as deep as `head` is long. A word that
/// is too long for a line has one of its own.
pub(super) fn wrap(head: &str, text: &str) -> Vec<String> {
    let indent = " ".repeat(head.chars().count());
    let mut lines = Vec::new();
    let mut line = head.to_owned();
    let mut empty = true;
    let text = plain::cut(text, LONGEST);
    for word in text.split_whitespace().map(plain::plain) {
        let length = line.chars().count() + usize::from(!empty) + word.chars().count();
        if !empty && length > WIDTH {
            lines.push(std::mem::replace(&mut line, indent.clone()));
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(&word);
        empty = false;
    }
    lines.push(line.trim_end().to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_said_in_the_units_of_people() {
        for (seconds, text) in [
            (-5, "0 s"),
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3599, "59 min"),
            (3600, "1 h"),
            (4800, "1 h 20 min"),
            (86_400, "1 day"),
            (172_800, "2 days"),
            (31_536_000, "365 days"),
        ] {
            assert_eq!(span(SignedDuration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn a_moment_says_how_far_it_is() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let at = |seconds: i64| Timestamp::from_second(1_000_000 + seconds).unwrap();
        assert_eq!(moment(at(-300), now), "1970-01-12T13:41:40Z (5 min ago)");
        assert_eq!(moment(at(90), now), "1970-01-12T13:48:10Z (in 1 min)");
    }

    #[test]
    fn a_long_list_is_cut() {
        assert_eq!(list(["a", "b"], 2), "a, b");
        assert_eq!(list(["a", "b", "c", "d"], 2), "a, b and 2 more");
        assert_eq!(list([], 2), "");
    }

    #[test]
    fn lines_are_no_wider_than_the_screen_and_lose_no_word() {
        let text = "word ".repeat(100) + &"x".repeat(150) + " end";
        let lines = wrap("ok    name  ", &text);
        for line in &lines {
            let long = line.trim().chars().count() == 150;
            assert!(line.chars().count() <= WIDTH || long, "{line}");
        }
        let words: usize = lines
            .iter()
            .map(|line| line.split_whitespace().count())
            .sum();
        assert_eq!(words, 2 + 102);
        assert!(
            lines
                .iter()
                .skip(1)
                .all(|line| line.starts_with("            "))
        );
        assert_eq!(wrap("head", ""), ["head"]);
    }

    #[test]
    fn text_of_others_has_an_end_and_begins_no_line() {
        let long = "word\u{1b} ".repeat(256 * 1024 / 6);
        let lines = wrap("paused: ", &long);
        assert!(lines.len() < 60, "{}", lines.len());
        assert!(
            lines[0].starts_with(r"paused: word\u{1b} word"),
            "{}",
            lines[0]
        );
        assert_eq!(page(["a\nb\u{202e}", "c"]), "a\\nb\\u{202e}\nc");
        assert!(page(["x".repeat(256 * 1024)]).len() < 2100);
    }
}
