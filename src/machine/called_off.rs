//! A shutdown that was called off. A kubelet that has begun its graceful shutdown stays not Ready until it is restarted: the node
//! is up, and dead to the cluster. It keeps slot and cordon until it is Ready, or the roll would walk through the cluster and
//! leave dead nodes behind.

use std::time::Duration;

use super::undo::Step;
use super::{Action, Machine, Out, Patience, Phase, Report, Stop, Timer};
use crate::backoff::Delay;
use crate::journal::Outcome;
use crate::node::NodeView;

/// What the kubelet says of its Node once it has heard of a shutdown, which may have come and gone between two looks.
const SHUTTING_DOWN: &str = "node is shutting down";
/// Looks that are made quickly.
const QUICK: u16 = 30;

impl Machine {
    /// The host is, or may be, going down in its turn. The journal says so before anything else is done; whether it is being
    /// written.
    pub(super) fn note_shutdown(&mut self, out: &mut Out) -> bool {
        let news = match &mut self.journal.turn {
            Some(turn) => !std::mem::replace(&mut turn.shutdown, true),
            None => false,
        };
        if news {
            self.write_journal(out, Patience::Once);
        }
        news
    }

    /// Why neither cordon nor slot may be given up, if so. A Node that is gone, or that somebody is deleting, never becomes Ready.
    pub(super) fn left_not_ready(&self, node: Option<&NodeView>) -> Option<String> {
        let node = node.filter(|node| !node.deleting && !node.ready.ready)?;
        let turn = self.turn()?;
        let mut history = self.journal.history.iter();
        let shutdown = turn.shutdown
            || history.any(|asked| asked.turn == turn.id)
            || node.ready.message.contains(SHUTTING_DOWN);
        let message = &node.ready.message;
        shutdown.then(|| {
            if self.boot_changed() {
                format!("the Node was Ready after the reboot and is not any more: {message} (journalctl -u kubelet)")
            } else {
                format!(
                    "the Node is not Ready since a shutdown of this host was called off: {message} (systemctl restart kubelet, or \
                     reboot by hand)"
                )
            }
        })
    }

    /// Keeps what there is for this reason, and looks again. Whoever asks for an end gets one: the next start goes on.
    pub(super) fn keep(&mut self, out: &mut Out, why: String) {
        if self.stop == Stop::Undo {
            self.end(out);
            return;
        }
        if std::mem::take(&mut self.abort) {
            let answer = format!("the slot is kept: {why}");
            out.push(Action::AnswerAbort(Err(answer)));
        }
        let Phase::Undoing(undoing) = &mut self.phase else {
            return;
        };
        undoing.kept = undoing.kept.saturating_add(1);
        // What it has been whole for so far does not count.
        undoing.soaked = self.config.recovery.soak.is_zero() || undoing.outcome != Outcome::Done;
        let looks = undoing.kept;
        if looks == 1 || (looks > QUICK && looks.is_power_of_two()) {
            let text = format!("the slot is kept and nobody else reboots: {why}");
            out.report(Report::NotHealthy, text);
        }
        undoing.step = Step::Keep;
        undoing.kept_for = Some(why);
        let wait = if looks < QUICK { 2 } else { 15 };
        out.set(Timer::Check, Delay::about(Duration::from_secs(wait)));
    }
}
