//! Windows against their plain definition, second by second, over changes of the clocks.

use jiff::ToSpan;

use super::*;

const MONDAY_TO_SUNDAY: [bool; 7] = [true; 7];

fn zone(name: &str) -> Zone {
    Zone(TimeZone::get(name).unwrap())
}

fn window(days: [bool; 7], start: &str, end: &str, zone_name: &str, must_fit: u64) -> Window {
    Window {
        days,
        start: start.parse().unwrap(),
        end: (end != "24:00").then(|| end.parse().unwrap()),
        zone: zone(zone_name),
        must_fit: Duration::from_secs(must_fit),
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The definition in other words: minutes of the week that the clock shows, compared with minutes of the week.
fn plainly_open(window: &Window, now: Timestamp) -> bool {
    const WEEK: i64 = 7 * 24 * 3600;
    let clock = now.to_zoned(window.zone.0.clone());
    let second = i64::from(clock.weekday().to_monday_zero_offset()) * 86_400
        + i64::from(clock.hour()) * 3600
        + i64::from(clock.minute()) * 60
        + i64::from(clock.second());
    let of_day = |time: Time| i64::from(time.hour()) * 3600 + i64::from(time.minute()) * 60;
    let (start, end) = (of_day(window.start), window.end.map_or(86_400, of_day));
    let length = if end <= start {
        end + 86_400 - start
    } else {
        end - start
    };
    (0_i64..7)
        .zip(window.days)
        .filter(|(_, chosen)| *chosen)
        .any(|(day, _)| (second - day * 86_400 - start).rem_euclid(WEEK) < length)
}

/// A simple source of numbers, so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// Weekends in which the clocks are set, and one in which a whole day is skipped.
const CHANGES: [(&str, &str); 9] = [
    ("Europe/Berlin", "2026-03-28T00:00:00Z"),
    ("Europe/Berlin", "2026-10-24T00:00:00Z"),
    ("America/New_York", "2026-03-07T12:00:00Z"),
    ("America/New_York", "2026-10-31T12:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T00:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T00:00:00Z"),
    ("America/Sao_Paulo", "2018-11-03T12:00:00Z"),
    ("Pacific/Apia", "2011-12-29T12:00:00Z"),
    ("UTC", "2026-06-01T00:00:00Z"),
];

#[test]
fn windows_do_what_their_plain_definition_says_second_by_second() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for (name, from) in CHANGES {
        let from = at(from);
        for _ in 0..2 {
            let days = std::array::from_fn(|_| dice.below(3) > 0);
            // Where clocks are set, mostly: the first hours of a day.
            let minute = |dice: &mut Dice| {
                let limit = if dice.below(4) == 0 { 1440 } else { 240 };
                let minute = i8::try_from(dice.below(60)).unwrap();
                Time::constant(i8::try_from(dice.below(limit) / 60).unwrap(), minute, 0, 0)
            };
            let start = minute(&mut dice);
            let end = minute(&mut dice);
            let window = Window {
                days,
                start,
                end: (end != start && dice.below(5) > 0).then_some(end),
                zone: zone(name),
                must_fit: Duration::from_secs(60 * dice.below(150)),
            };
            compare(&window, from, 30 * 3600);
        }
    }
}

/// Thirty hours as the definition has them, and what the production code says at a thousand instants of them.
fn compare(window: &Window, from: Timestamp, seconds: usize) {
    let second = |i: usize| {
        from.checked_add(SignedDuration::from_secs(i64::try_from(i).unwrap()))
            .unwrap()
    };
    let open: Vec<bool> = (0..seconds)
        .map(|i| plainly_open(window, second(i)))
        .collect();
    // For how long it stays open from each second on.
    let mut left = vec![0_u64; seconds + 1];
    for i in (0..seconds).rev() {
        left[i] = if open[i] { left[i + 1] + 1 } else { 0 };
    }
    let fits = |i: usize| open[i] && left[i] >= window.must_fit.as_secs();
    let known = seconds - usize::try_from(window.must_fit.as_secs()).unwrap() - 1;
    let windows = Windows::new(vec![window.clone()]);
    let edges = (1..known).filter(|i| open[*i] != open[i - 1] || fits(*i) != fits(i - 1));
    let looked_at: Vec<usize> = edges
        .flat_map(|i| [i - 1, i])
        .chain((0..known).step_by(601))
        .collect();
    for i in looked_at {
        let now = second(i);
        assert_eq!(windows.is_open(now), open[i], "{window:?} at {now}");
        assert_eq!(windows.admits(now), fits(i), "{window:?} at {now}");
        let next = (i + 1..known).find(|j| fits(*j));
        if let Some(next) = next.filter(|_| !fits(i)) {
            assert_eq!(windows.next(now), Some(second(next)), "{window:?} at {now}");
        }
    }
}

#[test]
fn a_night_belongs_to_the_day_on_which_it_starts() {
    let friday = [false, false, false, false, true, false, false];
    let window = Windows::new(vec![window(friday, "22:00", "04:00", "UTC", 0)]);
    for (now, open) in [
        ("2026-11-20T21:59:59Z", false),
        ("2026-11-20T22:00:00Z", true),
        ("2026-11-21T03:59:59Z", true),
        ("2026-11-21T04:00:00Z", false),
        ("2026-11-21T22:00:00Z", false),
        ("2026-11-20T03:00:00Z", false),
    ] {
        assert_eq!(window.is_open(at(now)), open, "{now}");
    }
    assert_eq!(
        window.next(at("2026-11-21T12:00:00Z")),
        Some(at("2026-11-27T22:00:00Z"))
    );
}

#[test]
fn the_turn_must_fit_before_the_window_closes() {
    let window = Windows::new(vec![window(
        MONDAY_TO_SUNDAY,
        "02:00",
        "03:00",
        "UTC",
        20 * 60,
    )]);
    assert!(window.admits(at("2026-11-22T02:40:00Z")));
    assert!(!window.admits(at("2026-11-22T02:40:01Z")));
    assert!(window.is_open(at("2026-11-22T02:40:01Z")));
    assert_eq!(
        window.next(at("2026-11-22T02:40:01Z")),
        Some(at("2026-11-23T02:00:00Z"))
    );
}

#[test]
fn an_hour_that_the_clocks_skip_waits_for_another_day() {
    let window = Windows::new(vec![window(
        MONDAY_TO_SUNDAY,
        "02:00",
        "03:00",
        "Europe/Berlin",
        60,
    )]);
    // On the 29th of March 2026 the clocks go from 02:00 to 03:00.
    assert_eq!(
        window.next(at("2026-03-28T12:00:00+01:00")),
        Some(at("2026-03-30T02:00:00+02:00"))
    );
}

#[test]
fn an_hour_that_comes_twice_is_open_twice() {
    let window = Windows::new(vec![window(
        MONDAY_TO_SUNDAY,
        "02:15",
        "02:45",
        "Europe/Berlin",
        60,
    )]);
    assert!(window.is_open(at("2026-10-25T02:30:00+02:00")));
    assert!(!window.is_open(at("2026-10-25T02:50:00+02:00")));
    assert!(window.is_open(at("2026-10-25T02:30:00+01:00")));
    assert_eq!(
        window.next(at("2026-10-25T02:50:00+02:00")),
        Some(at("2026-10-25T02:15:00+01:00"))
    );
}

#[test]
fn any_of_several_windows_will_do_and_none_is_always() {
    let saturday = [false, false, false, false, false, true, false];
    let windows = Windows::new(vec![
        window(MONDAY_TO_SUNDAY, "02:00", "03:00", "UTC", 0),
        window(saturday, "00:00", "24:00", "Asia/Kolkata", 0),
    ]);
    assert!(windows.is_open(at("2026-11-18T02:30:00Z")));
    assert!(windows.is_open(at("2026-11-21T12:00:00+05:30")));
    assert!(!windows.is_open(at("2026-11-22T00:00:00+05:30")));
    // One that is open admits a turn, whatever the others are.
    assert!(windows.admits(at("2026-11-18T02:30:00Z")));
    assert!(!windows.admits(at("2026-11-18T03:30:00Z")));
    assert_eq!(
        windows.next(at("2026-11-20T12:00:00+05:30")),
        Some(at("2026-11-21T00:00:00+05:30"))
    );
    let always = Windows::default();
    let now = Timestamp::UNIX_EPOCH;
    assert!(always.is_empty() && always.is_open(now) && always.admits(now));
    assert!(always.admits(now + 3.hours()));
}

#[test]
fn a_window_has_the_length_that_it_has_on_the_clock() {
    let length = |start, end| {
        window(MONDAY_TO_SUNDAY, start, end, "UTC", 0)
            .length()
            .as_secs()
            / 60
    };
    assert_eq!(length("02:00", "05:00"), 180);
    assert_eq!(length("22:00", "04:00"), 360);
    assert_eq!(length("00:00", "24:00"), 1440);
    assert_eq!(length("22:00", "24:00"), 120);
}
