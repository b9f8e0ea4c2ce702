//! The time line of a roll as a picture: a row for each node, a bar for each phase.

use std::fmt::Write;

use super::tracks::{Phase, Track};

const WIDTH: f64 = 860.0;
/// Of the names on the left, and of the edge on the right.
const LEFT: f64 = 84.0;
const RIGHT: f64 = 20.0;
/// Of title and legend, of a row, of the bar in it, and of the axis.
const TOP: f64 = 74.0;
const ROW: f64 = 30.0;
const BAR: f64 = 18.0;
const BOTTOM: f64 = 46.0;
/// More labels than that would touch each other.
const MAX_TICKS: f64 = 12.0;

/// Colours that can be told apart on both grounds, also by those who see fewer; in a picture that a page embeds, the media query
/// follows the reader's choice. The picture brings its own ground for pages that do not.
const STYLE: &str = "\
    .ground { fill: #ffffff; stroke: #d0d7de }
    text { fill: #1f2328; font: 13px system-ui, -apple-system, 'Segoe UI', sans-serif }
    .title { font-weight: 600; font-size: 15px }
    .small { fill: #59636e; font-size: 12px }
    .grid { stroke: #d0d7de; stroke-width: 1 }
    .waiting { fill: #c9d1d9 }
    .draining { fill: #e0a100 }
    .rebooting { fill: #c4314b }
    .recovering { fill: #2f7ed8 }
    @media (prefers-color-scheme: dark) {
      .ground { fill: #0d1117; stroke: #30363d }
      text { fill: #e6edf3 }
      .small { fill: #9198a1 }
      .grid { stroke: #30363d }
      .waiting { fill: #3d444d }
      .rebooting { fill: #f0506e }
      .recovering { fill: #58a6ff }
    }
";

/// Draws the tracks under a title.
pub fn svg(title: &str, tracks: &[Track]) -> String {
    let spans = tracks.iter().flat_map(|track| &track.spans);
    let seconds = spans.map(|span| span.to).fold(1.0, f64::max);
    let step = step(seconds);
    // The axis ends on a tick.
    let seconds = (seconds / step).ceil() * step;
    let x = |at: f64| LEFT + at / seconds * (WIDTH - LEFT - RIGHT);
    let rows = tracks.len() as f64 * ROW;
    let height = TOP + rows + BOTTOM;
    let title = escape(title);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n\
         <rect class=\"ground\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"6\"/>\n\
         <text class=\"title\" x=\"20\" y=\"30\">{title}</text>\n",
        WIDTH - 1.0,
        height - 1.0
    );
    legend(&mut out);
    let ticks = (seconds / step).round() as usize;
    for tick in 0..=ticks {
        let at = tick as f64 * step;
        let (x, end) = (x(at), TOP + rows);
        put(
            &mut out,
            format_args!(
                "<line class=\"grid\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{:.1}\"/>",
                end + 5.0
            ),
        );
        put(
            &mut out,
            format_args!(
                "<text class=\"small\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{at} s</text>",
                end + 20.0
            ),
        );
    }
    let (middle, below) = (f64::midpoint(LEFT, WIDTH - RIGHT), TOP + rows + 38.0);
    put(
        &mut out,
        format_args!(
            "<text class=\"small\" x=\"{middle:.1}\" y=\"{below:.1}\" text-anchor=\"middle\">since the reboot was asked for, on all nodes at once</text>"
        ),
    );
    for (number, track) in tracks.iter().enumerate() {
        let y = TOP + number as f64 * ROW;
        let (name, base) = (escape(&track.node), y + ROW / 2.0 + 4.5);
        put(
            &mut out,
            format_args!(
                "<text x=\"{:.1}\" y=\"{base:.1}\" text-anchor=\"end\">{name}</text>",
                LEFT - 12.0
            ),
        );
        for span in &track.spans {
            let (from, to, name) = (x(span.from), x(span.to), span.phase.name());
            let (top, width) = (y + (ROW - BAR) / 2.0, to - from);
            put(
                &mut out,
                format_args!(
                    "<rect class=\"{name}\" x=\"{from:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{BAR}\"><title>{}: {name}, {:.1} s to {:.1} s</title></rect>",
                    escape(&track.node),
                    span.from,
                    span.to
                ),
            );
        }
    }
    out.push_str("</svg>\n");
    out
}

fn legend(out: &mut String) {
    let mut x = 20.0;
    for phase in Phase::ALL {
        let name = phase.name();
        put(
            out,
            format_args!(
                "<rect class=\"{name}\" x=\"{x:.1}\" y=\"44\" width=\"12\" height=\"12\"/>"
            ),
        );
        put(
            out,
            format_args!(
                "<text class=\"small\" x=\"{:.1}\" y=\"54\">{name}</text>",
                x + 18.0
            ),
        );
        x += 38.0 + 7.0 * name.len() as f64;
    }
}

/// Seconds between two labels: 1, 2 or 5 times a power of ten.
fn step(seconds: f64) -> f64 {
    let mut step = 1.0;
    for factor in [2.0, 2.5, 2.0].into_iter().cycle() {
        if seconds / step <= MAX_TICKS {
            break;
        }
        step *= factor;
    }
    step
}

fn put(out: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "{line}");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests;
