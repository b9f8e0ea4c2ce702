//! When the eviction of a pod is tried again that was refused for now.
//!
//! As `kubectl drain` does, each blocked pod is asked for again every five seconds: whether its budget has opened says the server.

use std::time::Duration;

/// One tick of the retry timer.
pub const TICK: Duration = Duration::from_millis(1700);
/// So much longer a tick may be.
pub const TICK_SPREAD: Duration = Duration::from_millis(300);
/// Ticks between two evictions of a pod that stays blocked: 5 to 6 seconds. The first wait may be up to a tick less.
pub const PERIOD: u8 = 3;

/// Ticks that take at least so many seconds, up to seven minutes; the first may have begun already.
pub(super) fn ticks(seconds: u16) -> u8 {
    let whole = Duration::from_secs(seconds.into())
        .as_millis()
        .div_ceil(TICK.as_millis());
    u8::try_from(whole.saturating_add(1))
        .unwrap_or(u8::MAX)
        .clamp(PERIOD, 250)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blocked_pod_waits_for_five_to_six_seconds() {
        let period = |tick: Duration| tick * PERIOD.into();
        assert!(period(TICK) >= Duration::from_secs(5));
        assert!(period(TICK + TICK_SPREAD) <= Duration::from_secs(6));
    }

    #[test]
    fn seconds_are_never_cut_short() {
        for seconds in 0..420 {
            let waits = TICK * (ticks(seconds) - 1).into();
            assert!(waits >= Duration::from_secs(seconds.into()), "{seconds} s");
            assert!(ticks(seconds) >= PERIOD);
        }
        assert_eq!(ticks(u16::MAX), 250);
    }
}
