//! Whether this host is going down: three facts that must agree before anything is undone.

/// What logind and PID 1 answered. `None`: no answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct ShutdownFacts {
    /// logind's `PreparingForShutdown`.
    pub preparing: Option<bool>,
    /// PID 1 has a job for reboot, poweroff, halt, kexec or soft-reboot.
    pub job: Option<bool>,
    /// PID 1's `SystemState` is `stopping`.
    pub stopping: Option<bool>,
    /// Which connection to the bus answered, counted from the start of the process: a call is only known to be done with when the
    /// *same* connection answered a later one.
    pub connection: u32,
}

/// What the three facts say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GoingDown {
    /// At least one says so.
    Yes,
    /// All three were answered, and all say no.
    No,
    /// None says so, and at least one was not answered: treated like yes, and told apart for the report.
    Unanswered,
}

impl ShutdownFacts {
    /// Who did not answer, for the report; `None`: everybody did.
    pub fn silent(&self) -> Option<&'static str> {
        match (self.preparing, self.job, self.stopping) {
            (Some(_), Some(_), Some(_)) => None,
            (None, None, None) => Some("neither logind nor systemd answers"),
            (None, _, _) => Some("logind does not answer"),
            (Some(_), _, _) => Some("systemd does not answer"),
        }
    }

    /// Judges the three facts. What is not answered counts as going down.
    pub fn judge(&self) -> GoingDown {
        let facts = [self.preparing, self.job, self.stopping];
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

    #[test]
    fn only_three_clear_answers_mean_that_the_host_stays_up() {
        let facts = |preparing, job, stopping| ShutdownFacts {
            preparing,
            job,
            stopping,
            connection: 0,
        };
        assert_eq!(
            facts(Some(false), Some(false), Some(false)).judge(),
            GoingDown::No
        );
        for one in 0..3 {
            let mut said = [Some(false); 3];
            let mut silent = [Some(false); 3];
            said[one] = Some(true);
            silent[one] = None;
            assert_eq!(facts(said[0], said[1], said[2]).judge(), GoingDown::Yes);
            assert_eq!(
                facts(silent[0], silent[1], silent[2]).judge(),
                GoingDown::Unanswered
            );
        }
        assert_eq!(facts(Some(true), None, None).judge(), GoingDown::Yes);
    }
}
