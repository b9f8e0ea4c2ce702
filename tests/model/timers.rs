//! The timers of a daemon: they run or do not, and may fire at any time.

use rollboot::machine::Timer;

/// Timers that run, as a set of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Timers(u16);

/// All timers, in the order of their bits.
pub(crate) const TIMERS: [Timer; 12] = [
    Timer::Settle,
    Timer::Retry,
    Timer::Attempt,
    Timer::Reclaim,
    Timer::Drain,
    Timer::Evict,
    Timer::Guard,
    Timer::Check,
    Timer::Round,
    Timer::Poll,
    Timer::Soak,
    Timer::Look,
];

impl Timers {
    fn bit(timer: Timer) -> u16 {
        1 << TIMERS.iter().position(|t| *t == timer).unwrap()
    }

    pub(crate) fn set(&mut self, timer: Timer) {
        self.0 |= Self::bit(timer);
    }

    pub(crate) fn clear(&mut self, timer: Timer) {
        self.0 &= !Self::bit(timer);
    }

    /// As a number.
    pub(crate) fn bits(self) -> u32 {
        u32::from(self.0)
    }

    pub(crate) fn has(self, timer: Timer) -> bool {
        self.0 & Self::bit(timer) != 0
    }
}
