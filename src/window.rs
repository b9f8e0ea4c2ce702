//! Maintenance windows: when a turn may begin, and when it must have asked for its reboot.
//!
//! A window is what a clock on the wall shows. When clocks are set back it may be open twice, when they are set forward it may
//! be short or missing; nothing is ever open outside the hours that an operator wrote down.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// How far ahead an opening is looked for. A week that the change of the clocks makes too short is followed by others.
const DAYS_AHEAD: i32 = 22;

/// A time zone, known by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(pub TimeZone);

impl Zone {
    /// The name in the time zone database.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }
}

impl Hash for Zone {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

/// One window: hours of the day on some days of the week.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Window {
    /// Days on which it starts, from Monday.
    pub days: [bool; 7],
    /// When it opens.
    pub start: Time,
    /// When it closes; not later than `start`: on the day after. `None`: at midnight after the day on which it starts.
    pub end: Option<Time>,
    /// Whose clocks count.
    pub zone: Zone,
    /// A turn begins only if the window stays open for so long.
    pub must_fit: Duration,
}

/// All windows of a node. None: always open.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Windows(Vec<Window>);

impl Windows {
    /// These windows.
    pub fn new(windows: Vec<Window>) -> Self {
        Self(windows)
    }

    /// Whether there are none, so that everything is always open.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a turn that has begun may go on.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.0.is_empty() || self.0.iter().any(|window| window.is_open(now))
    }

    /// Whether a turn may begin: a window is open, and will be for long enough.
    pub fn admits(&self, now: Timestamp) -> bool {
        self.0.is_empty() || self.0.iter().any(|window| window.admits(now))
    }

    /// When a turn may begin, as none may now. `None`: not within three weeks.
    pub fn next(&self, now: Timestamp) -> Option<Timestamp> {
        self.0.iter().filter_map(|window| window.next(now)).min()
    }
}

impl Window {
    /// How long it is by the clock.
    pub fn length(&self) -> Duration {
        let midnight = SignedDuration::from_hours(24);
        let day = |time: Time| time.duration_since(Time::midnight());
        let end = self.end.map_or(midnight, |end| {
            if end <= self.start {
                day(end) + midnight
            } else {
                day(end)
            }
        });
        (end - day(self.start)).unsigned_abs()
    }

    fn starts_on(&self, day: Weekday) -> bool {
        self.days
            .get(usize::from(day.to_monday_zero_offset().unsigned_abs()))
            .copied()
            .unwrap_or(false)
    }

    /// What the clock on the wall shows decides, second by second.
    fn is_open(&self, now: Timestamp) -> bool {
        let clock = self.zone.0.to_datetime(now);
        let (day, time) = (clock.date().weekday(), clock.time());
        let after_start = self.starts_on(day) && time >= self.start;
        match self.end {
            None => after_start,
            Some(end) if end > self.start => after_start && time < end,
            Some(end) => after_start || (self.starts_on(day.previous()) && time < end),
        }
    }

    fn admits(&self, now: Timestamp) -> bool {
        let Ok(fit) = SignedDuration::try_from(self.must_fit) else {
            return false;
        };
        let Ok(until) = now.checked_add(fit) else {
            return false;
        };
        self.is_open(now)
            && self
                .edges(now, until)
                .iter()
                .all(|edge| *edge >= until || self.is_open(*edge))
    }

    fn next(&self, now: Timestamp) -> Option<Timestamp> {
        let ahead = SignedDuration::from_hours(24 * i64::from(DAYS_AHEAD));
        // The longer one stays open, the less time is left: a turn fits from the moment of opening, or not at all.
        let until = now.checked_add(ahead).unwrap_or(Timestamp::MAX);
        self.edges(now, until)
            .into_iter()
            .find(|edge| self.admits(*edge))
    }

    /// Every instant after `from`, up to `until`, at which the window may open or close, in order. Between two of them nothing
    /// changes: the clock passes neither start nor end nor midnight, and is not set.
    fn edges(&self, from: Timestamp, until: Timestamp) -> Vec<Timestamp> {
        let zone = &self.zone.0;
        let mut edges: Vec<Timestamp> = zone
            .following(from)
            .map(|change| change.timestamp())
            .take_while(|instant| *instant <= until)
            .collect();
        let last = zone.to_datetime(until).date().tomorrow().ok();
        let mut day = zone.to_datetime(from).date().yesterday().ok();
        while let Some(date) = day.filter(|date| last.is_some_and(|last| *date <= last)) {
            let times = [Some(self.start), self.end, Some(Time::midnight())];
            for time in times.into_iter().flatten() {
                edges.extend(instants(zone, date, time));
            }
            day = date.tomorrow().ok();
        }
        edges.retain(|edge| *edge > from && *edge <= until);
        edges.sort_unstable();
        edges.dedup();
        edges
    }
}

/// When the clock shows this: twice where it is set back. Where it skips this, the change of the clock is an edge by itself.
fn instants(zone: &TimeZone, date: Date, time: Time) -> impl Iterator<Item = Timestamp> {
    let shown = zone.to_ambiguous_timestamp(DateTime::from_parts(date, time));
    [shown.earlier(), shown.later()].into_iter().flatten()
}

#[cfg(test)]
mod tests;
