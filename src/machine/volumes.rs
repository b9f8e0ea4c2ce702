//! The wait for volumes between the drain and the last checks: what it decides is in [`crate::drain`].

use std::time::Duration;

use super::gate::Blocked;
use super::{Gate, Machine, Out, Phase, Report, Timer};
use crate::backoff::Delay;
use crate::drain::Attached;
use crate::node::NodeView;

/// What is left of a turn whose drain took all the time there was, but for its volumes.
const LAST_CHECKS: Duration = Duration::from_secs(60);

impl Machine {
    /// Whether volumes of pods that went are still attached and worth waiting for.
    pub(super) fn volumes_gate(&mut self, out: &mut Out, node: &NodeView) -> Option<Blocked> {
        let bound = self.config.drain.volumes_timeout;
        let Phase::Verifying(verifying) = &mut self.phase else {
            return None;
        };
        let volumes = verifying.drain.volumes_mut();
        match volumes.look(&node.attached, &node.in_use, bound) {
            Attached::Nothing => None,
            Attached::Wait(names) => Some(Blocked::new(
                Gate::Volumes,
                "volumes are still attached to this node",
                names,
            )),
            // Nothing on this node is undrained for it, and the node may well be what keeps it attached: to back off would help nobody.
            Attached::GoOn(names) => {
                let text = format!(
                    "the node reboots although volumes are still attached to it: {names}; pods that need them on other nodes may have to wait for some minutes"
                );
                out.report(Report::StillAttached, text);
                None
            }
        }
    }

    /// The drain's time is over while only volumes are waited for, which is no reason to fail: the wait ends instead.
    pub(super) fn volumes_late(&mut self, out: &mut Out) -> bool {
        let Phase::Verifying(verifying) = &mut self.phase else {
            return false;
        };
        let waits = verifying
            .blocked()
            .is_some_and(|it| it.gate == Gate::Volumes);
        if !waits || !verifying.drain.volumes_mut().end() {
            return false;
        }
        out.set(Timer::Drain, Delay::exactly(LAST_CHECKS));
        true
    }
}
