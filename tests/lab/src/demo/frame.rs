//! What the live view shows at one moment, as lines.

use super::ABOUT;
use super::text::{Look, Text};
use crate::roll::{Phase, Track};

/// Where what a node does begins in its line, where its pods do, and where the time line does.
const DOES: usize = 10;
const PODS: usize = 22;
const TIME: usize = 10;
/// The story is shown with so many lines, if they fit.
const STORY: usize = 6;
/// Seconds of one column of the time line, as long as it fits.
const COLUMN: f64 = 0.5;

/// All that is shown.
#[derive(Debug, Clone, Default)]
pub(super) struct Frame {
    pub(super) title: String,
    pub(super) nodes: Vec<Row>,
    pub(super) apps: Vec<String>,
    pub(super) tracks: Vec<Track>,
    /// The last lines of the story.
    pub(super) story: Vec<String>,
}

/// A node.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) phase: Option<Phase>,
    pub(super) reboots: usize,
    /// Its pods but for those on each node: `web`, `+web` that starts, `-web` that ends.
    pub(super) pods: Vec<String>,
    /// What it waits for.
    pub(super) why: String,
}

impl Frame {
    /// The lines, no more than fit into `rows` with the cursor below them. What matters least goes first: story, then time line.
    pub(super) fn lines(&self, columns: usize, rows: usize) -> Vec<Text> {
        let room = rows.saturating_sub(1);
        let mut lines = vec![
            Text::new(Look::Bold, &self.title),
            Text::new(Look::Dim, ABOUT),
        ];
        lines.extend(self.nodes.iter().map(|row| row.line(columns)));
        lines.push(Text::new(Look::Dim, self.apps.join("   ")));
        let time_line = self.time_line(columns);
        if lines.len() + time_line.len() <= room {
            lines.extend(time_line);
        }
        let spare = room.saturating_sub(lines.len() + 1).min(STORY);
        let told = self.story.len().saturating_sub(spare);
        if spare > 0 {
            // As many as there will be, so that the frame does not grow and jump.
            lines.push(Text::default());
            for number in 0..spare {
                let line = self.story.get(told + number);
                lines.push(line.map_or_else(Text::default, |line| Text::new(Look::Plain, line)));
            }
        }
        lines.truncate(room);
        lines
    }

    fn time_line(&self, columns: usize) -> Vec<Text> {
        let width = columns.saturating_sub(TIME).max(1) as f64;
        let spans = self.tracks.iter().flat_map(|track| &track.spans);
        let seconds = spans.map(|span| span.to).fold(0.0, f64::max);
        let mut column = COLUMN;
        while seconds > column * width {
            column *= 2.0;
        }
        let mut legend = Text::default();
        for phase in Phase::ALL {
            legend = legend
                .and(Look::Phase(phase), glyph(phase).to_string())
                .and(Look::Dim, format!(" {}   ", phase.name()));
        }
        let legend = legend.and(Look::Dim, format!("one column is {column} s"));
        let rows = self.tracks.iter().map(|track| row(track, column, seconds));
        let blank = || [Text::default()];
        blank().into_iter().chain(rows).chain([legend]).collect()
    }
}

impl Row {
    fn line(&self, columns: usize) -> Text {
        let (look, does) = match (self.phase, self.reboots) {
            (Some(phase), _) => (Look::Phase(phase), phase.name()),
            (None, 0) => (Look::Plain, "idle"),
            (None, _) => (Look::Good, "rebooted"),
        };
        let line = Text::new(Look::Bold, &self.name).to(DOES).and(look, does);
        let line = line.to(PODS).and(Look::Plain, self.pods.join(" "));
        if self.why.is_empty() {
            return line;
        }
        // Below each other, unless the pods need more.
        let column = (columns / 2).max(PODS + 20);
        line.to(column).and(Look::Dim, &self.why)
    }
}

fn row(track: &Track, column: f64, seconds: f64) -> Text {
    let mut line = Text::new(Look::Plain, &track.node).to(TIME);
    let mut at = column / 2.0;
    while at < seconds {
        let span = track
            .spans
            .iter()
            .find(|span| span.from <= at && at < span.to);
        line = match span {
            Some(span) => line.and(Look::Phase(span.phase), glyph(span.phase).to_string()),
            None => line.and(Look::Plain, " "),
        };
        at += column;
    }
    line
}

/// Told apart without colours, too.
fn glyph(phase: Phase) -> char {
    match phase {
        Phase::Waiting => '·',
        Phase::Draining => '▒',
        Phase::Rebooting => '█',
        Phase::Recovering => '░',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roll::Span;

    fn frame() -> Frame {
        let span = |phase, from, to| Span { phase, from, to };
        let spans = vec![
            span(Phase::Waiting, 0.0, 1.0),
            span(Phase::Draining, 1.0, 2.0),
            span(Phase::Rebooting, 2.0, 3.5),
            span(Phase::Recovering, 3.5, 4.0),
        ];
        Frame {
            title: "rollboot demo".to_owned(),
            nodes: vec![Row {
                name: "node-1".to_owned(),
                phase: Some(Phase::Draining),
                reboots: 0,
                pods: vec!["web".to_owned(), "-db".to_owned()],
                why: "the turn of node-2".to_owned(),
            }],
            apps: vec!["web 3 of 3 (needs 2)".to_owned()],
            tracks: vec![Track {
                node: "node-1".to_owned(),
                spans,
            }],
            story: (0..20).map(|number| format!("line {number}")).collect(),
        }
    }

    fn shown(columns: usize, rows: usize) -> Vec<String> {
        let lines = frame().lines(columns, rows);
        lines
            .iter()
            .map(|line| line.render(columns, false))
            .collect()
    }

    #[test]
    fn everything_is_shown_where_there_is_room() {
        assert_eq!(
            shown(80, 24),
            [
                "rollboot demo",
                "Each node runs the production daemon; API server, kubelets, apps and hosts ar...",
                "node-1    draining    web -db             the turn of node-2",
                "web 3 of 3 (needs 2)",
                "",
                "node-1    ··▒▒███░",
                "· waiting   ▒ draining   █ rebooting   ░ recovering   one column is 0.5 s",
                "",
                "line 14",
                "line 15",
                "line 16",
                "line 17",
                "line 18",
                "line 19",
            ]
        );
    }

    #[test]
    fn it_fits_into_any_terminal() {
        for columns in 0..100 {
            for rows in 0..30 {
                let lines = shown(columns, rows);
                assert!(lines.len() < rows.max(1), "{columns}x{rows}: {lines:?}");
                for line in lines {
                    assert!(line.chars().count() <= columns, "{columns}: {line}");
                }
            }
        }
    }

    #[test]
    fn a_long_time_line_is_shown_with_wider_columns() {
        let mut frame = frame();
        frame.tracks[0].spans[3].to = 100.0;
        let lines = frame.lines(60, 24);
        let text: Vec<_> = lines.iter().map(|line| line.render(60, false)).collect();
        assert!(text[5].starts_with("node-1    ▒█"), "{}", text[5]);
        assert!(lines[5].width() <= 60);
    }
}
