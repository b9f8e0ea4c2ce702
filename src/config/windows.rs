//! `[[window]]`: what a table says, as a window, or why it cannot be meant.

use std::ops::Range;
use std::time::Duration;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use toml::Spanned;

use super::raw::RawWindow;
use crate::window::{Window, Windows, Zone};

/// `must-fit`, where it is not set.
const MUST_FIT: Duration = Duration::from_secs(20 * 60);
/// A turn does not begin at the very moment at which a window opens: nodes start at random, and each looks around first.
const TO_BEGIN: Duration = Duration::from_secs(60);

/// All windows of a file. `find` looks a time zone up by its name.
///
/// # Errors
/// Where in the file it is wrong, and what.
pub(super) fn read(
    raw: &[Spanned<RawWindow>],
    find: impl Fn(&str) -> Option<TimeZone>,
) -> Result<Windows, (Range<usize>, String)> {
    raw.iter()
        .map(|table| window(table, &find))
        .collect::<Result<_, _>>()
        .map(Windows::new)
}

fn window(
    table: &Spanned<RawWindow>,
    find: impl Fn(&str) -> Option<TimeZone>,
) -> Result<Window, (Range<usize>, String)> {
    let raw = table.get_ref();
    let wrong = |why: String| (table.span(), why);
    let start = raw.start.0.unwrap_or(Time::midnight());
    if raw.start == raw.end || (raw.start.0.is_none() && raw.end.0 == Some(start)) {
        return Err(wrong(
            "`start` and `end` are the same: for whole days expected \"00:00\" and \"24:00\""
                .into(),
        ));
    }
    if raw.start.0.is_none() {
        return Err(wrong(
            "`start` cannot be \"24:00\": expected \"00:00\", on the day after".into(),
        ));
    }
    let zone = match &raw.timezone {
        None => TimeZone::UTC,
        Some(name) => find(name.get_ref()).ok_or_else(|| {
            let why = format!(
                "there is no time zone `{}` on this host: expected a name such as \"Europe/Berlin\" (is tzdata installed?)",
                name.get_ref()
            );
            (name.span(), why)
        })?,
    };
    let window = Window {
        days: raw.days.as_ref().map_or([true; 7], |days| days.0),
        start,
        end: raw.end.0,
        zone: Zone(zone),
        must_fit: raw.must_fit.as_ref().map_or(MUST_FIT, |fit| fit.0),
    };
    if window.must_fit > window.length() {
        return Err(wrong(format!(
            "the window is shorter than `must-fit` ({} minutes), so no turn would ever begin in it",
            window.must_fit.as_secs().div_ceil(60)
        )));
    }
    if window.must_fit.saturating_add(TO_BEGIN) > window.length() {
        return Err(wrong(format!(
            "`must-fit` leaves less than {} s of the window to begin a turn in",
            TO_BEGIN.as_secs()
        )));
    }
    Ok(window)
}
