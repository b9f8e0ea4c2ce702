//! What happens to a host: logind, shutdowns, boots, crashes.

use rollboot::machine::{Event, Reply};
use rollboot::reboot::{RebootAnswer, RebootReply};

use crate::names;
use crate::properties::Violation;
use crate::world::{Shutdown, World};

impl World {
    fn reboot_reply(&mut self, at: usize, reply: RebootReply) {
        let answer = RebootAnswer {
            reply,
            connection: 0,
        };
        self.feed(at, Event::Reply(Reply::Reboot(answer)));
    }

    /// logind handles the call and its reply arrives.
    pub(crate) fn logind_answers(&mut self, at: usize) {
        self.logind_handles(at);
        self.reboot_reply(at, RebootReply::Accepted);
    }

    /// logind says no, and will not do it.
    pub(crate) fn logind_refuses(&mut self, at: usize) {
        self.host(at).bus_call = None;
        self.reboot_reply(at, RebootReply::Refused("no".into()));
    }

    /// The daemon's patience with the bus ends. The call stays on its way.
    pub(crate) fn logind_is_silent(&mut self, at: usize) {
        self.reboot_reply(at, RebootReply::Lost("no reply".into()));
    }

    /// logind handles the call, whoever sent it and whether or not he still lives.
    pub(crate) fn logind_handles(&mut self, at: usize) {
        self.judge_reboot(at);
        let host = self.host(at);
        host.bus_call = None;
        if host.shutdown == Shutdown::No {
            host.shutdown = Shutdown::Ours;
            host.ghost.saw_down = true;
        }
    }

    /// The host goes down, however, and comes back: a new boot ID, nothing left of the processes and of `/run`.
    pub(crate) fn boot(&mut self, at: usize, sick: bool) {
        self.end(at);
        let boot = self.fresh(names::BOOT);
        let persistent = self.scenario.persistent;
        let host = self.host(at);
        host.boot = boot;
        host.shutdown = Shutdown::No;
        host.bus_call = None;
        host.silent = false;
        host.sick = sick;
        host.ghost.unproven = true;
        (host.ghost.left, host.ghost.saw_down) = (false, false);
        if !persistent {
            host.sentinel = None;
        }
        let lives = |pod: &crate::world::Pod| !pod.terminating && !pod.bare;
        let mut nodes = self.nodes[at].iter();
        let stirred = nodes.any(|node| node.pods.iter().any(lives));
        self.app.stirred |= stirred && self.scenario.wanted > 0;
        if let Some(node) = &mut self.nodes[at] {
            // Ready stays True through a fast reset; only what the kubelet reports next is of this boot.
            std::sync::Arc::make_mut(node).fresh = false;
        }
        self.start(at);
    }

    /// The shutdown is called off.
    pub(crate) fn call_off(&mut self, at: usize) {
        let host = self.host(at);
        host.shutdown = Shutdown::No;
        // Unless it was down before and has not proved its health since.
        host.ghost.down &= host.ghost.unproven;
    }

    /// The same, and the kubelet, which said at once that the host goes down, does not take note.
    pub(crate) fn left_sick(&mut self, at: usize) {
        self.call_off(at);
        let host = self.host(at);
        host.sick = true;
        host.ghost.left = host.ghost.saw_down;
        if self.nodes[at].is_some() {
            self.change_node(at, |node| node.ready = false);
        }
    }

    /// The kubelet registers its Node or reports its state.
    pub(crate) fn kubelet_reports(&mut self, at: usize) {
        let boot = self.hosts[at].boot.clone();
        let sick = self.hosts[at].sick;
        if self.nodes[at].is_none() {
            let node = self.new_node(boot, !sick);
            self.nodes[at] = Some(std::sync::Arc::new(node));
        } else {
            self.change_node(at, |node| {
                node.boot = boot;
                node.ready = !sick;
                node.fresh = true;
            });
        }
        let going_down = self.hosts[at].shutdown != Shutdown::No;
        if !sick {
            let ghost = self.ghost(at);
            ghost.unproven = false;
            (ghost.left, ghost.saw_down) = (false, going_down && ghost.saw_down);
            ghost.down &= going_down;
        }
    }

    /// Whether the kubelet has something to report.
    pub(crate) fn kubelet_lags(&self, at: usize) -> bool {
        let host = &self.hosts[at];
        self.nodes[at]
            .as_ref()
            .is_none_or(|node| node.boot != host.boot || !node.fresh || node.ready == host.sick)
    }

    /// The facts are asked until the daemon is sure that no shutdown is pending, or many times. Each look alone only counts.
    pub(crate) fn streak(&mut self, at: usize) {
        use rollboot::machine::Timer;
        for _ in 0..20 {
            let Some(daemon) = &mut self.host(at).daemon else {
                return;
            };
            if !daemon.timers.has(Timer::Poll) {
                return;
            }
            daemon.timers.clear(Timer::Poll);
            self.feed(at, Event::Timer(Timer::Poll));
        }
        if self.hosts[at].shutdown == Shutdown::No && !self.hosts[at].silent {
            self.break_promise(Violation::Loop);
        }
    }
}
