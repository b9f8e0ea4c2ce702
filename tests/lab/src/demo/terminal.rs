//! The terminal: a few lines that are drawn over themselves. Plain escapes that every terminal since the VT100 knows do that;
//! a library would bring input, windows and more, none of which is used here.

use std::env;
use std::io::{self, IsTerminal, Write};

use super::text::Text;

/// No cursor, and no wrapping of what is too long after all.
const BEGIN: &str = "\x1b[?25l\x1b[?7l";
const RESTORE: &str = "\x1b[0m\x1b[?7h\x1b[?25h";

/// A terminal that can be drawn on; dropping it restores it.
#[derive(Debug)]
pub(super) struct Terminal {
    colours: bool,
    /// Lines of the last frame, above the cursor.
    drawn: usize,
}

impl Terminal {
    /// Standard output, if it is a terminal that can move its cursor.
    pub(super) fn on_stdout() -> Option<Self> {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty());
        let term = set("TERM")?;
        if !io::stdout().is_terminal() || term == "dumb" {
            return None;
        }
        let told = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            write(RESTORE);
            told(panic);
        }));
        write(BEGIN);
        Some(Self {
            colours: set("NO_COLOR").is_none(),
            drawn: 0,
        })
    }

    /// Columns and rows, as they are now.
    pub(super) fn size() -> (usize, usize) {
        match rustix::termios::tcgetwinsize(io::stdout()) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
                (size.ws_col.into(), size.ws_row.into())
            }
            // A serial line does not know.
            _ => (80, 24),
        }
    }

    /// Draws these lines where the last ones were.
    pub(super) fn draw(&mut self, lines: &[Text], columns: usize) {
        let mut out = String::new();
        if self.drawn > 0 {
            out = format!("\r\x1b[{}A", self.drawn);
        }
        for line in lines {
            out += &line.render(columns, self.colours);
            out += "\x1b[K\r\n";
        }
        // What is left of a longer frame.
        out += "\x1b[J";
        write(&out);
        self.drawn = lines.len();
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        write(RESTORE);
    }
}

/// A terminal that is gone is no reason to fail.
fn write(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
