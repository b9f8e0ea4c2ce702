//! The findings on one screen: a column for the result, one for what was looked at, the rest for what was found and what to do.

use super::finding::{Finding, Verdict};
use crate::cli::text::{page, wrap};

/// Wide enough for every name.
const NAME: usize = 17;

/// The whole answer.
pub(super) fn render(findings: &[Finding]) -> String {
    let mut lines: Vec<String> = findings.iter().flat_map(lines).collect();
    lines.push(String::new());
    lines.push(summary(findings));
    page(lines)
}

fn lines(finding: &Finding) -> Vec<String> {
    let mark = match finding.result {
        Verdict::Ok => "ok",
        Verdict::Warn => "warn",
        Verdict::Fail => "FAIL",
    };
    let head = format!("{mark:4}  {:NAME$}  ", finding.check);
    let mut lines = wrap(&head, &finding.found);
    let head = format!("{}> ", " ".repeat(head.chars().count()));
    for piece in pieces(&finding.advice) {
        lines.extend(wrap(&head, piece));
    }
    lines
}

/// How commands begin that stand in advice.
const COMMANDS: [&str; 6] = [
    "kubectl ",
    "systemctl ",
    "journalctl ",
    "systemd-",
    "rollboot ",
    "df ",
];

/// Advice in pieces, each command in one of its own: a command that is broken in two cannot be copied.
fn pieces(advice: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut begun = 0;
    for (at, sign) in advice.match_indices([':', ';']) {
        let end = if sign == ":" { at + 1 } else { at };
        let rest = advice.get(at + 1..).unwrap_or_default();
        let command = rest.strip_prefix(' ').unwrap_or_default();
        if COMMANDS.iter().any(|name| command.starts_with(name)) {
            pieces.extend(advice.get(begun..end));
            begun = at + 2;
        }
    }
    pieces.extend(advice.get(begun..).filter(|rest| !rest.is_empty()));
    pieces
}

fn summary(findings: &[Finding]) -> String {
    let count = |result| {
        findings
            .iter()
            .filter(|finding| finding.result == result)
            .count()
    };
    let warnings = match count(Verdict::Warn) {
        0 => String::new(),
        1 => ", with 1 warning".to_owned(),
        many => format!(", with {many} warnings"),
    };
    match count(Verdict::Fail) {
        0 => format!("This node could reboot when it is its turn{warnings}."),
        failed
            if findings
                .iter()
                .any(|it| it.result == Verdict::Fail && !it.not_permitted) =>
        {
            format!(
                "This node could not reboot: {failed} of {} looks failed{warnings}.",
                findings.len()
            )
        }
        _ => {
            "Too little can be seen by this user to say whether this node could reboot.".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::{fail, not_permitted, ok, warn};
    use super::*;
    use crate::cli::text::WIDTH;

    #[test]
    fn every_line_fits_and_the_columns_stand_below_each_other() {
        let long = "this was found ".repeat(20);
        let text = render(&[
            ok("configuration", "x"),
            warn("graceful shutdown", &long, "do this"),
            fail("lock", "y", long.clone()),
        ]);
        let lines: Vec<_> = text.lines().collect();
        assert!(
            lines.iter().all(|line| line.chars().count() <= WIDTH),
            "{text}"
        );
        assert_eq!(lines[0], "ok    configuration      x");
        assert!(lines[1].starts_with("warn  graceful shutdown  this was"));
        assert!(
            text.contains("\n                         > do this\n"),
            "{text}"
        );
        assert!(text.ends_with("could not reboot: 1 of 3 looks failed, with 1 warning."));
    }

    #[test]
    fn a_command_has_a_line_of_its_own() {
        for (advice, expected) in [
            ("", &[][..]),
            ("rollboot status", &["rollboot status"]),
            ("see it: and do", &["see it: and do"]),
            ("then: systemctl reload x", &["then:", "systemctl reload x"]),
            (
                "systemctl enable x; systemctl status x",
                &["systemctl enable x", "systemctl status x"],
            ),
            (
                "kubectl -n a get b; or not",
                &["kubectl -n a get b; or not"],
            ),
        ] {
            assert_eq!(pieces(advice), expected, "{advice}");
        }
    }

    #[test]
    fn the_last_line_says_what_it_comes_to() {
        assert!(render(&[ok("a", "")]).ends_with("could reboot when it is its turn."));
        assert!(render(&[not_permitted("a", "")]).contains("Too little can be seen"));
        assert!(render(&[not_permitted("a", ""), fail("b", "", "")]).contains("2 of 2"));
    }
}
