//! The machine's timers, by name.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::tasks::random;
use crate::backoff::Delay;
use crate::machine::Timer;

/// Which timers run, and when each is due.
#[derive(Debug, Default)]
pub(super) struct Timers(BTreeMap<Timer, Instant>);

impl Timers {
    /// Starts a timer; draws its random part.
    pub(super) fn set(&mut self, timer: Timer, delay: Delay) {
        let spread = u64::try_from(delay.spread.as_micros()).unwrap_or(u64::MAX);
        let chance = Duration::from_micros(random() % spread.saturating_add(1).max(1));
        let wait = delay.after.saturating_add(chance);
        let due = Instant::now().checked_add(wait);
        // A wait beyond what the clock can say is for ever.
        match due {
            Some(due) => self.0.insert(timer, due),
            None => self.0.remove(&timer),
        };
    }

    pub(super) fn cancel(&mut self, timer: Timer) {
        self.0.remove(&timer);
    }

    /// When this one is due.
    pub(super) fn due(&self, timer: Timer) -> Option<Instant> {
        self.0.get(&timer).copied()
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.values().min().copied()
    }

    /// Takes the timer that has been due longest.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Timer> {
        let timer = self
            .0
            .iter()
            .filter(|(_, due)| **due <= now)
            .min_by_key(|(_, due)| **due)
            .map(|(timer, _)| *timer)?;
        self.0.remove(&timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_timer_fires_once_within_its_spread_and_the_earliest_first() {
        let mut timers = Timers::default();
        let spread = Duration::from_secs(2);
        timers.set(
            Timer::Attempt,
            Delay {
                after: Duration::from_secs(5),
                spread,
            },
        );
        timers.set(Timer::Poll, Delay::NOW);
        timers.set(Timer::Soak, Delay::exactly(Duration::MAX));
        let now = Instant::now();
        assert_eq!(timers.due(Timer::Poll), Some(now));
        assert_eq!(timers.pop(now), Some(Timer::Poll));
        assert_eq!(timers.due(Timer::Poll), None);
        assert_eq!(timers.pop(now + Duration::from_secs(4)), None);
        let due = timers.next().unwrap() - now;
        assert!((5..=7).contains(&due.as_secs()), "{due:?}");
        assert_eq!(
            timers.pop(now + Duration::from_secs(8)),
            Some(Timer::Attempt)
        );
        assert_eq!(timers.next(), None);
    }
}
