//! logind was asked. From here there is no undo while the host may be going down.
//!
//! "It did not happen" may be concluded only when a query was answered after the call's own reply on the *same* connection, with
//! no shutdown pending by all four facts for a while. After a lost reply or a restart of the daemon the connection says nothing,
//! so the while is well beyond the time after which the bus gives up a call.

use std::time::Duration;

use jiff::Timestamp;

use super::gate::Blocked;
use super::{Action, Gate, Machine, Op, Out, Patience, Phase, Reply, Report, Stop, Timer};
use crate::backoff::Delay;
use crate::journal::Outcome;
use crate::reboot::{RebootAnswer, RebootReply};
use crate::shutdown::{GoingDown, ShutdownFacts};

/// Between two looks at the facts.
pub(super) const POLL: Delay = Delay::exactly(Duration::from_secs(10));
/// Clear answers in a row after a reply on the same connection: half a minute.
const CLEAR: u8 = 4;
/// Clear answers in a row when the reply is not known: two minutes, five times the bus's own limit of 25 s.
const CLEAR_WITHOUT_REPLY: u8 = 13;
/// Clear answers in a row before somebody else's shutdown counts as called off.
const CALLED_OFF: u8 = 2;

/// Waiting for the host to go down.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    /// The connection on which logind accepted, if its reply is known.
    replied: Option<u32>,
    clear: Streak,
    /// The look that is being made was not due: it may end a streak, and does not lengthen it.
    early: bool,
    /// logind said that it is doing something else, and no shutdown was seen yet.
    busy: bool,
}

impl Asked {
    pub(super) fn describe(&self) -> String {
        let (clear, enough) = (self.clear.length, self.enough());
        if clear == 0 {
            "logind was asked to reboot".to_owned()
        } else {
            format!(
                "logind was asked to reboot and no shutdown is pending: given up after {} more looks, ten seconds apart",
                enough.saturating_sub(clear)
            )
        }
    }

    /// How many clear answers in a row are enough to conclude that no reboot comes.
    fn enough(&self) -> u8 {
        if self.replied == Some(self.clear.connection) {
            CLEAR
        } else {
            CLEAR_WITHOUT_REPLY
        }
    }
}

/// Waiting for a shutdown that somebody else started.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Down {
    clear: Streak,
    early: bool,
    /// Who does not answer: the host may be going down.
    silent: Option<&'static str>,
    /// What is set for soon: it may be called off.
    due: Option<String>,
}

impl Down {
    /// What the last look has shown.
    pub(super) fn seen(facts: &ShutdownFacts, now: Timestamp) -> Self {
        Self {
            clear: Streak::default(),
            early: false,
            silent: facts.silent(),
            due: facts.due(now).map(|due| due.kind.clone()),
        }
    }

    pub(super) fn describe(&self) -> String {
        match (self.silent, &self.due) {
            (Some(silent), _) => {
                format!("{silent} on the system bus, so this host may be going down")
            }
            (None, _) if self.clear.length > 0 => {
                "a shutdown was pending and is not any more".to_owned()
            }
            (None, Some(due)) => {
                format!(
                    "a {due} of this host is set for the next ten minutes (shutdown -c calls it off)"
                )
            }
            (None, None) => "this host is going down".to_owned(),
        }
    }

    /// Who must answer before anything goes on.
    pub(super) fn blocked(&self) -> Option<Blocked> {
        self.silent.map(|silent| {
            Blocked::new(
                Gate::Logind,
                format!("{silent} on the system bus"),
                "so this host may be going down, and nothing is begun or given up; see: systemctl status dbus systemd-logind",
            )
        })
    }
}

/// Clear answers in a row on one connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct Streak {
    connection: u32,
    length: u8,
}

impl Streak {
    /// Takes note of an answer. One that came `early` does not count as time that has passed.
    fn add(&mut self, facts: &ShutdownFacts, early: bool, now: Timestamp) {
        let goes_on = self.connection == facts.connection;
        self.length = match facts.judge(now) {
            GoingDown::No if goes_on && early => self.length,
            GoingDown::No if goes_on => self.length.saturating_add(1),
            GoingDown::No => 1,
            GoingDown::Yes | GoingDown::Unanswered => 0,
        };
        self.connection = facts.connection;
    }
}

impl Machine {
    /// Asks logind, right after the lock was read.
    pub(super) fn ask(&mut self, out: &mut Out) {
        self.end_round(out);
        out.report(Report::RebootAsked, "asking logind to reboot");
        self.phase = Phase::Asked(Asked {
            replied: None,
            clear: Streak::default(),
            early: false,
            busy: false,
        });
        self.call(out, Op::Reboot, Patience::Once);
    }

    /// An earlier process has asked, or was about to, in this very boot.
    pub(super) fn asked_before(&mut self, out: &mut Out) {
        self.refuse_abort(out);
        if self.stop == Stop::Undo {
            self.end(out);
            return;
        }
        self.phase = Phase::Asked(Asked {
            replied: None,
            clear: Streak::default(),
            early: false,
            busy: false,
        });
        out.set(Timer::Poll, POLL);
    }

    /// logind said something, or the connection broke: look at once.
    pub(super) fn on_shutdown_hint(&mut self, out: &mut Out) {
        if self.call.is_some() {
            return;
        }
        match &mut self.phase {
            Phase::Asked(asked) => asked.early = true,
            Phase::Down(down) => down.early = true,
            _ => return,
        }
        out.set(Timer::Poll, Delay::NOW);
    }

    pub(super) fn on_poll(&mut self, out: &mut Out) {
        if matches!(self.phase, Phase::Asked(_) | Phase::Down(_)) && self.call.is_none() {
            self.call(out, Op::Facts, Patience::Once);
        }
    }

    pub(super) fn on_asked(&mut self, out: &mut Out, reply: Reply) {
        let Phase::Asked(asked) = &mut self.phase else {
            return;
        };
        match reply {
            Reply::Reboot(RebootAnswer { reply, connection }) => match reply {
                // Busy with a shutdown, it has accepted; with a sleep, it has not. The facts tell.
                RebootReply::Accepted | RebootReply::Busy => {
                    asked.busy = reply == RebootReply::Busy;
                    asked.replied = Some(connection);
                    out.set(Timer::Poll, POLL);
                }
                RebootReply::Lost(why) => {
                    out.report(
                        Report::Retrying,
                        format!("no reply from logind ({why}): the host may be going down"),
                    );
                    out.set(Timer::Poll, POLL);
                }
                RebootReply::Refused(why) => {
                    self.take_back(
                        out,
                        Outcome::BackOff(format!("logind refused to reboot: {why}")),
                    );
                }
            },
            Reply::Facts(facts) => {
                let early = std::mem::take(&mut asked.early);
                asked.clear.add(&facts, early, out.now);
                // It was a shutdown that logind was busy with.
                asked.busy &= facts.judge(out.now) != GoingDown::Yes;
                if asked.clear.length >= asked.enough() && asked.busy {
                    let why =
                        "logind was busy with something that was no shutdown, such as a sleep";
                    self.take_back(out, Outcome::Again(why.into()));
                } else if asked.clear.length >= asked.enough() {
                    out.report(
                        Report::RebootDidNotHappen,
                        "logind was asked to reboot, and nothing came of it: see journalctl -u systemd-logind",
                    );
                    let why = "logind was asked to reboot, and it did not happen";
                    self.undo(out, Outcome::Latch(why.into()));
                } else {
                    out.set(Timer::Poll, POLL);
                }
            }
            reply => out.report(Report::Defect, format!("nobody asked for {reply:?}")),
        }
    }

    /// Says why nothing happens, once it is so and whenever it changes.
    pub(super) fn tell_down(&self, out: &mut Out, what: &str) {
        let kept = match self.turn() {
            Some(_) => "slot and cordon stay as they are",
            None => "no turn begins",
        };
        out.report(Report::GoingDown, format!("{what}: {kept}"));
    }

    pub(super) fn on_down(&mut self, out: &mut Out, reply: &Reply) {
        let Phase::Down(down) = &mut self.phase else {
            return;
        };
        let facts = match reply {
            Reply::Facts(facts) => facts,
            Reply::JournalWritten(_) => {
                self.stay_down(out);
                return;
            }
            reply => {
                out.report(Report::Defect, format!("nobody asked for {reply:?}"));
                return;
            }
        };
        let early = std::mem::take(&mut down.early);
        down.clear.add(facts, early, out.now);
        let seen = Down::seen(facts, out.now);
        // Another one is silent now, or the host is going down indeed.
        let changed = (seen.silent, &seen.due) != (down.silent, &down.due);
        (down.silent, down.due) = (seen.silent, seen.due);
        let news = changed && facts.judge(out.now) != GoingDown::No;
        let (enough, what) = (down.clear.length >= CALLED_OFF, down.describe());
        if news {
            self.tell_down(out, &what);
        }
        if enough {
            out.push(Action::CancelTimer(Timer::Poll));
            self.restart(out);
        } else {
            out.set(Timer::Poll, POLL);
        }
    }
}
