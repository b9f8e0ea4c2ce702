//! Whether this host is going down: four facts that must agree before anything is undone.

use jiff::Timestamp;

/// Seconds. A shutdown that is due later does not matter: a turn that begins now may well be over by then.
const SOON: i64 = 10 * 60;
/// Seconds. One that was due longer ago has come to nothing, or logind would say that it prepares for it. It keeps what it could not
/// do: after a reboot that was asked for at once, `("reboot", 0)` (`method_do_shutdown_or_sleep` in systemd's logind-dbus.c).
const PAST: i64 = 10 * 60;

/// A shutdown that somebody has set for a certain time (`shutdown -r 02:00`), as logind's `ScheduledShutdown` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Scheduled {
    /// `reboot`, `poweroff` or the like. Empty: none is set; one that begins with `dry-` only warns.
    pub kind: String,
    /// When, in seconds since the epoch by the clock of this host.
    pub at: i64,
}

impl Scheduled {
    /// Whether this host goes down within ten minutes. One whose time came a moment ago is about to happen.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let real = !self.kind.is_empty() && !self.kind.starts_with("dry-");
        let now = now.as_second();
        let from = now.saturating_sub(PAST);
        real && (from..=now.saturating_add(SOON)).contains(&self.at)
    }
}

/// What logind and PID 1 answered. `None`: no answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct ShutdownFacts {
    /// logind's `PreparingForShutdown`.
    pub preparing: Option<bool>,
    /// PID 1 has a job for reboot, poweroff, halt, kexec or soft-reboot.
    pub job: Option<bool>,
    /// PID 1's `SystemState` is `stopping`.
    pub stopping: Option<bool>,
    /// logind's `ScheduledShutdown`.
    pub scheduled: Option<Scheduled>,
    /// Which connection to the bus answered, counted from the start of the process: a call is only known to be done with when the
    /// *same* connection answered a later one.
    pub connection: u32,
}

/// What the four facts say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GoingDown {
    /// At least one says so.
    Yes,
    /// All four were answered, and all say no.
    No,
    /// None says so, and at least one was not answered: treated like yes, and told apart for the report.
    Unanswered,
}

impl ShutdownFacts {
    /// Who did not answer, for the report; `None`: everybody did.
    pub fn silent(&self) -> Option<&'static str> {
        let logind = self.preparing.and(self.scheduled.as_ref()).map(|_| ());
        match (logind, self.job, self.stopping) {
            (Some(()), Some(_), Some(_)) => None,
            (None, None, None) => Some("neither logind nor systemd answers"),
            (None, _, _) => Some("logind does not answer"),
            (Some(()), _, _) => Some("systemd does not answer"),
        }
    }

    /// The shutdown that is due soon, if one is set and none has begun.
    pub fn due(&self, now: Timestamp) -> Option<&Scheduled> {
        let begun = [self.preparing, self.job, self.stopping].contains(&Some(true));
        let scheduled = self.scheduled.as_ref().filter(|_| !begun);
        scheduled.filter(|scheduled| scheduled.is_due(now))
    }

    /// Judges the four facts at this time. What is not answered counts as going down.
    pub fn judge(&self, now: Timestamp) -> GoingDown {
        let scheduled = self.scheduled.as_ref().map(|it| it.is_due(now));
        let facts = [self.preparing, self.job, self.stopping, scheduled];
        if facts.contains(&Some(true)) {
            GoingDown::Yes
        } else if facts.contains(&None) {
            GoingDown::Unanswered
        } else {
            GoingDown::No
        }
    }
}

/// Why the process was asked to end, by PID 1's own word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StopReason {
    /// The job of our unit is *stop*, and the system itself is not stopping.
    Stop,
    /// Our unit is being restarted.
    Restart,
    /// The system is going down.
    Shutdown,
    /// PID 1 did not answer, or knows of no job of ours.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Far from the 0 that logind writes.
    const NOW: Timestamp = Timestamp::constant(T, 0);
    const T: i64 = 1_700_000_000;

    fn scheduled(kind: &str, at: i64) -> Scheduled {
        Scheduled {
            kind: kind.to_owned(),
            at,
        }
    }

    fn facts(
        [preparing, job, stopping]: [Option<bool>; 3],
        scheduled: Option<Scheduled>,
    ) -> ShutdownFacts {
        ShutdownFacts {
            preparing,
            job,
            stopping,
            scheduled,
            connection: 0,
        }
    }

    #[test]
    fn only_clear_answers_to_all_mean_that_the_host_stays_up() {
        let none = Some(Scheduled::default());
        let clear = facts([Some(false); 3], none.clone());
        assert_eq!(clear.judge(NOW), GoingDown::No);
        assert_eq!(clear.silent(), None);
        for one in 0..3 {
            let mut said = [Some(false); 3];
            let mut silent = [Some(false); 3];
            said[one] = Some(true);
            silent[one] = None;
            assert_eq!(facts(said, none.clone()).judge(NOW), GoingDown::Yes);
            let silent = facts(silent, none.clone());
            assert_eq!(silent.judge(NOW), GoingDown::Unanswered);
            assert!(silent.silent().is_some());
        }
        let yes = facts([Some(true), None, None], None);
        assert_eq!(yes.judge(NOW), GoingDown::Yes);
        let silent = facts([Some(false); 3], None);
        assert_eq!(silent.judge(NOW), GoingDown::Unanswered);
        assert_eq!(silent.silent(), Some("logind does not answer"));
    }

    #[test]
    fn a_shutdown_that_is_set_for_soon_counts_and_one_for_later_or_a_dry_one_does_not() {
        for (kind, at, due) in [
            ("", T, false),
            ("reboot", T, true),
            ("reboot", T - 5, true),
            ("poweroff", T + SOON, true),
            ("reboot", T + SOON + 1, false),
            ("dry-reboot", T + 5, false),
            ("kexec", T + 5, true),
            ("", i64::MAX, false),
            // What is left of one that was asked for at once, and of one that came to nothing long ago.
            ("reboot", 0, false),
            ("reboot", T - PAST - 1, false),
        ] {
            let facts = facts([Some(false); 3], Some(scheduled(kind, at)));
            let down = facts.judge(NOW) == GoingDown::Yes;
            assert_eq!((down, facts.due(NOW).is_some()), (due, due), "{kind} {at}");
        }
        let begun = facts([Some(true); 3], Some(scheduled("reboot", T)));
        assert_eq!(begun.due(NOW), None);
    }
}
