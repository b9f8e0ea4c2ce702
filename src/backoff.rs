//! How long to wait before something is tried again: doubling, bounded, and spread at random so that nodes do not march in step.

use std::time::Duration;

/// A wait of at least `after`, and of up to `spread` more, which whoever keeps the time draws at random.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Delay {
    /// Shortest wait.
    pub after: Duration,
    /// How much longer it may be.
    pub spread: Duration,
}

impl Delay {
    /// No wait at all.
    pub const NOW: Self = Self {
        after: Duration::ZERO,
        spread: Duration::ZERO,
    };

    /// A wait of exactly `after`.
    pub const fn exactly(after: Duration) -> Self {
        Self {
            after,
            spread: Duration::ZERO,
        }
    }

    /// Anything up to `spread`.
    pub const fn within(spread: Duration) -> Self {
        Self {
            after: Duration::ZERO,
            spread,
        }
    }

    /// Half of `period` for certain, the other half by chance.
    pub fn about(period: Duration) -> Self {
        let after = period / 2;
        Self {
            after,
            spread: period.saturating_sub(after),
        }
    }
}

/// `first` doubled for each earlier try, at most `cap`.
pub fn doubling(first: Duration, cap: Duration, earlier: u8) -> Duration {
    let factor = 1_u32.checked_shl(u32::from(earlier)).unwrap_or(u32::MAX);
    first.saturating_mul(factor).min(cap)
}

/// Wait before the next turn after `times` failed ones in a row: a minute, doubling to six hours.
pub fn after_failed_turns(times: u8) -> Duration {
    doubling(
        Duration::from_secs(60),
        Duration::from_secs(6 * 60 * 60),
        times.saturating_sub(1),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_their_cap_and_never_overflow() {
        let wait = |times| after_failed_turns(times).as_secs();
        assert_eq!([wait(0), wait(1), wait(2), wait(3)], [60, 60, 120, 240]);
        assert_eq!([wait(9), wait(40), wait(255)], [15360, 21600, 21600]);
    }

    #[test]
    fn half_of_a_wait_is_by_chance() {
        let delay = Delay::about(Duration::from_secs(5));
        assert_eq!(delay.after + delay.spread, Duration::from_secs(5));
    }
}
