//! A line in colours, cut to the width that there is. Every character that is used here is one column wide.

use crate::roll::Phase;

/// How a part of a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Plain,
    Dim,
    Bold,
    Good,
    Phase(Phase),
}

impl Look {
    /// The sixteen colours that follow the terminal's own scheme.
    fn escape(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Dim | Self::Phase(Phase::Waiting) => "\x1b[2m",
            Self::Bold => "\x1b[1m",
            Self::Good => "\x1b[32m",
            Self::Phase(Phase::Draining) => "\x1b[33m",
            Self::Phase(Phase::Rebooting) => "\x1b[31m",
            Self::Phase(Phase::Recovering) => "\x1b[34m",
        }
    }
}

/// A line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Text(Vec<(Look, String)>);

impl Text {
    pub(super) fn new(look: Look, text: impl Into<String>) -> Self {
        Self::default().and(look, text)
    }

    /// The line with more at its end.
    pub(super) fn and(mut self, look: Look, text: impl Into<String>) -> Self {
        match self.0.last_mut() {
            Some((last, before)) if *last == look => *before += &text.into(),
            _ => self.0.push((look, text.into())),
        }
        self
    }

    /// The line with blanks up to this column, at least one.
    pub(super) fn to(self, column: usize) -> Self {
        let blanks = column.saturating_sub(self.width()).max(1);
        self.and(Look::Plain, " ".repeat(blanks))
    }

    pub(super) fn width(&self) -> usize {
        self.0.iter().map(|(_, text)| text.chars().count()).sum()
    }

    /// No wider than `columns`; what is cut off ends in three dots.
    pub(super) fn render(&self, columns: usize, colours: bool) -> String {
        let cut = self.width() > columns;
        let mut left = if cut {
            columns.saturating_sub(3)
        } else {
            columns
        };
        let mut out = String::new();
        for (look, text) in &self.0 {
            let shown: String = text
                .chars()
                .take(left)
                .filter(|c| !c.is_control())
                .collect();
            left = left.saturating_sub(text.chars().count());
            let escape = look.escape();
            if colours && !escape.is_empty() && !shown.is_empty() {
                out += &format!("{escape}{shown}\x1b[0m");
            } else {
                out += &shown;
            }
        }
        if cut {
            out.extend(std::iter::repeat_n('.', columns.min(3)));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_to_the_columns_that_there_are() {
        let line = Text::new(Look::Bold, "node-1")
            .to(8)
            .and(Look::Good, "done");
        assert_eq!(line.render(80, false), "node-1  done");
        assert_eq!(line.render(12, false), "node-1  done");
        assert_eq!(line.render(11, false), "node-1  ...");
        assert_eq!(line.render(2, false), "..");
        assert_eq!(line.render(0, false), "");
        assert_eq!(
            line.render(80, true),
            "\x1b[1mnode-1\x1b[0m  \x1b[32mdone\x1b[0m"
        );
    }

    #[test]
    fn nothing_that_is_shown_can_move_the_cursor() {
        let line = Text::new(Look::Plain, "a\nb\x1b[2J");
        assert_eq!(line.render(80, false), "ab[2J");
    }
}
