//! When the eviction of a pod is tried again that was refused for now.
//!
//! The pods of one budget are spread over the period: where no watch shows that it opens, one of them soon finds out, and still
//! each costs the server about one request in a period.

use std::time::Duration;

/// One tick of the retry timer.
pub const TICK: Duration = Duration::from_millis(1700);
/// So much longer a tick may be.
pub const TICK_SPREAD: Duration = Duration::from_millis(300);
/// Ticks between two evictions of a pod that stays blocked: 5 to 6 seconds. The first wait may be up to a tick less, or two more.
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

/// Ticks until a pod is asked for again that its budget has refused, if the others of it are so many ticks away: the first after a
/// period where few of them are, so that all are spread over one.
pub(super) fn next_tick(others: &[u8]) -> u8 {
    let pods = others.len().saturating_add(1);
    let most = pods.div_ceil(PERIOD.into());
    let at = |tick: u8| others.iter().filter(|other| **other == tick).count();
    let mut ticks = PERIOD..PERIOD.saturating_mul(2);
    // There is one: all of them together have room for every pod.
    ticks.find(|tick| at(*tick) < most).unwrap_or(PERIOD)
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

    /// Refused at once, then asked for tick by tick: how many are asked for at each tick.
    fn asked(pods: usize, ticks: usize) -> Vec<usize> {
        let mut all: Vec<u8> = Vec::new();
        for _ in 0..pods {
            let next = next_tick(&all);
            all.push(next);
        }
        let mut asked = Vec::new();
        for _ in 0..ticks {
            all.iter_mut().for_each(|left| *left -= 1);
            let due = all.extract_if(.., |left| *left == 0).count();
            asked.push(due);
            for _ in 0..due {
                let next = next_tick(&all);
                all.push(next);
            }
        }
        asked
    }

    #[test]
    fn the_pods_of_one_budget_are_spread_over_the_period() {
        assert_eq!(asked(1, 9), [0, 0, 1, 0, 0, 1, 0, 0, 1]);
        assert_eq!(asked(2, 9), [0, 0, 1, 1, 0, 1, 1, 0, 1]);
        assert_eq!(asked(3, 9), [0, 0, 1, 1, 1, 1, 1, 1, 1]);
        for pods in 4..100 {
            let each = asked(pods, 30);
            let (least, most) = (pods / usize::from(PERIOD), pods.div_ceil(PERIOD.into()));
            assert!(
                each[2..].iter().all(|asked| *asked <= most),
                "{pods}: {each:?}"
            );
            let period = each[3..]
                .windows(3)
                .all(|three| three.iter().sum::<usize>() <= pods);
            assert!(period, "{pods}: {each:?}");
            assert!(
                each[5..].iter().all(|asked| *asked >= least),
                "{pods}: {each:?}"
            );
        }
    }
}
