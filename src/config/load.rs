//! Reads the configuration of a host: the main file, then drop-ins that replace single keys of it.
//!
//! Each file is checked by itself, also where a later one replaces what it says: what an operator wrote and cannot be meant
//! is always said, never skipped. Of a key that several files set, the last file wins; tables merge, arrays are replaced.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use super::raw::Raw;
use super::{Config, windows};

mod files;

pub use files::{MAIN, files};

/// Why the configuration cannot be used. Reads as one line: `FILE:LINE:COLUMN: what is wrong; what to do`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file.
    pub file: PathBuf,
    /// Line and column, both from 1, where there is a place.
    pub place: Option<(usize, usize)>,
    /// What is wrong, and what is expected instead.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for ConfigError {}

/// Reads the configuration below `root`. `file` replaces the main file, is taken as it is given, and must exist; without it
/// a main file that does not exist is an empty one.
pub fn load(root: &Path, file: Option<&Path>) -> Result<Config, ConfigError> {
    merge(&texts(root, file)?)
}

/// The files that [`load`] reads, in the order in which they apply, each with its text.
///
/// # Errors
/// One of them cannot be read.
pub fn texts(root: &Path, file: Option<&Path>) -> Result<Vec<(PathBuf, String)>, ConfigError> {
    let mut texts = Vec::new();
    for file in files(root, file)? {
        match files::text(&file) {
            Ok(text) => texts.push((file, text)),
            Err(message) => {
                return Err(ConfigError {
                    file,
                    place: None,
                    message,
                });
            }
        }
    }
    Ok(texts)
}

/// Applies files, each with its text, one after the other to the defaults.
///
/// # Errors
/// The first thing in any of them that cannot be meant.
pub fn merge(texts: &[(PathBuf, String)]) -> Result<Config, ConfigError> {
    let mut config = Config::default();
    let mut patience = None;
    for (file, text) in texts {
        let error = |span: Option<Range<usize>>, message| ConfigError {
            file: file.clone(),
            place: span.map(|span| place(text, &span)),
            message,
        };
        let raw: Raw =
            toml::from_str(text).map_err(|wrong| error(wrong.span(), one_line(wrong.message())))?;
        if let Some(span) = raw.drain.patience() {
            patience = Some(error(
                Some(span),
                "`quiet` must be shorter than `timeout`, or no drain could ever be done".to_owned(),
            ));
        }
        if let Some(windows) = &raw.window {
            config.windows = windows::read(windows, |name| TimeZone::get(name).ok())
                .map_err(|(span, message)| error(Some(span), message))?;
        }
        raw.apply(&mut config);
    }
    match patience {
        Some(error) if config.drain.quiet >= config.drain.timeout => Err(error),
        _ => Ok(config),
    }
}

/// The parser's message on one line, in the words of an operator.
fn one_line(message: &str) -> String {
    let mut line = message.trim().replace('\n', ", ");
    for (parser, operator) in [
        ("unknown field", "unknown key"),
        ("unknown variant", "unknown value"),
        ("wanted string or table", "expected a word in quotes"),
        (
            "invalid type: map, expected a sequence",
            "expected a list of tables, each with two brackets: [[window]], [[gate.pods]]",
        ),
        ("expected a sequence", "expected a list in brackets"),
    ] {
        line = line.replace(parser, operator);
    }
    line
}

/// Line and column of the start of a span, as editors count them.
fn place(text: &str, span: &Range<usize>) -> (usize, usize) {
    let before = text.get(..span.start).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests;
