//! What can happen next in a world.

use rollboot::journal::Stage;
use rollboot::machine::{Label, Op, Timer};

use crate::actions::{Act, Kind};
use crate::timers::TIMERS;
use crate::world::{LATE, Shutdown, World};

impl World {
    /// What can happen next.
    pub(crate) fn actions(&self, acts: &mut Vec<Act>) {
        if self.bad.is_some() {
            return;
        }
        let mut add = |act: Act| {
            let affordable = act.kind().is_none_or(|kind| {
                let left = if kind.is_operator() {
                    self.operators
                } else {
                    self.faults
                };
                // A limit is restored for free.
                let free = act == Act::Limit(self.scenario.max);
                free || (left > 0 && self.scenario.allows(kind))
            });
            if affordable {
                acts.push(act);
            }
        };
        for at in 0..self.hosts.len() {
            self.of_daemon(at, &mut add);
            self.of_host(at, &mut add);
            self.of_operators(at, &mut add);
        }
        for stray in 0..self.strays.len() {
            add(Act::Land(stray));
        }
        if self.app_lags() {
            add(Act::AppLooks);
        }
        if self.app.pending > 0 {
            add(Act::AppReplaces);
        }
        self.of_lock(&mut add);
    }

    fn of_daemon(&self, at: usize, add: &mut impl FnMut(Act)) {
        let Some(daemon) = &self.hosts[at].daemon else {
            return;
        };
        if let Some(op) = &daemon.op {
            add(Act::Serve(at));
            add(Act::Refuse(at));
            if matches!(op, Op::PatchLock(_) | Op::PatchNode(_) | Op::Reboot) {
                add(Act::Lose(at));
            }
            if matches!(op, Op::ReadLock) {
                add(Act::ServeSlowly(at));
            }
        }
        for timer in TIMERS {
            let wanted = daemon.timers.has(timer)
                && match timer {
                    Timer::Poll => false,
                    // Minutes pass: longer than the bus keeps a call.
                    Timer::Reclaim => {
                        let asking = (0..self.hosts.len()).any(|host| self.is_about_to_ask(host));
                        self.scenario.allows(Kind::Reclaim) && !asking
                    }
                    Timer::Look => self.scenario.allows(Kind::Look),
                    _ => true,
                };
            if wanted {
                add(Act::Fire(at, timer));
            }
        }
        if daemon.timers.has(Timer::Poll) && daemon.op.is_none() {
            if self.streak_completes(at) {
                add(Act::Streak(at));
            } else if !self.facts_are_clear(at) {
                add(Act::Looks(at));
            }
        }
        if let Some(seen) = &daemon.lock_watch {
            let version = self.lock.as_ref().map(|lock| lock.version.as_str());
            if version.unwrap_or_default() != seen {
                add(Act::WatchSees(at));
            }
            add(Act::WatchEnds(at));
        }
        let pods = self.nodes[at].as_ref().map(|node| &node.pods);
        if daemon.pods_watch && daemon.pods_seen.as_ref() != pods {
            add(Act::PodsSee(at));
        }
        if !daemon.evicting.is_empty() {
            add(Act::EvictAnswer(at));
            add(Act::EvictBlocked(at));
        }
        add(Act::Crash(at));
        if !daemon.stopping {
            add(Act::Stop(at));
            add(Act::Restart(at));
        }
        add(Act::Abort(at));
    }

    /// The facts stay clear for long enough. A daemon that has asked waits for longer than the bus keeps a call.
    fn streak_completes(&self, at: usize) -> bool {
        let host = &self.hosts[at];
        let machine = host.daemon.as_ref().and_then(|d| d.machine.as_ref());
        let asked = machine.is_some_and(|machine| machine.reason() == "logind was asked to reboot");
        let hasty = self.scenario.mutation == crate::scenario::Mutation::Hasty;
        self.facts_are_clear(at) && (!asked || host.bus_call.is_none() || hasty)
    }

    fn facts_are_clear(&self, at: usize) -> bool {
        let host = &self.hosts[at];
        host.shutdown == Shutdown::No && !host.silent
    }

    /// The final checks have seen Node and pods, or the call is on the bus: that takes seconds.
    fn is_about_to_ask(&self, at: usize) -> bool {
        let host = &self.hosts[at];
        let machine = host.daemon.as_ref().and_then(|d| d.machine.as_ref());
        let verified = self.stage(at) == Some(&Stage::Rebooting)
            && machine.is_some_and(|machine| machine.label() == Label::Drained);
        verified || host.bus_call.is_some()
    }

    fn of_host(&self, at: usize, add: &mut impl FnMut(Act)) {
        let host = &self.hosts[at];
        if host.bus_call.is_some() {
            let waited_for = host
                .daemon
                .as_ref()
                .is_some_and(|daemon| daemon.op == Some(Op::Reboot));
            if !waited_for {
                add(Act::CallHandled(at));
                add(Act::CallDropped(at));
            }
        }
        match host.shutdown {
            Shutdown::No => add(Act::Shutdown(at)),
            Shutdown::Ours => add(Act::CallOff(at)),
            Shutdown::Foreign => add(Act::ForeignCallOff(at)),
        }
        if host.shutdown != Shutdown::No {
            add(Act::Boot(at));
            add(Act::BootSick(at));
            add(Act::LeftSick(at));
        }
        add(Act::Power(at));
        if self.kubelet_lags(at) && self.nodes[at].is_some() {
            add(Act::Kubelet(at));
        }
        if self.nodes[at].is_none() {
            add(Act::Register(at));
        }
        if host.sick {
            add(Act::Heal(at));
        } else if host.shutdown == Shutdown::No {
            add(Act::Sicken(at));
        }
        add(if host.silent {
            Act::Speak(at)
        } else {
            Act::Silence(at)
        });
        add(if host.disk_full {
            Act::DiskFree(at)
        } else {
            Act::DiskFull(at)
        });
        match &host.daemon {
            Some(daemon) if daemon.stopping => add(Act::Kill(at)),
            Some(_) => {}
            None if host.shutdown == Shutdown::No => add(Act::StartUnit(at)),
            None => {}
        }
    }

    fn of_operators(&self, at: usize, add: &mut impl FnMut(Act)) {
        if let Some(node) = &self.nodes[at] {
            use crate::world::Owner;
            match node.cordon {
                None => add(Act::Cordon(at)),
                Some(Owner::Us) => add(Act::Uncordon(at)),
                Some(Owner::Foreign) => add(Act::LiftForeign(at)),
            }
            add(Act::Heartbeat(at));
            add(if node.deleting {
                Act::Deleted(at)
            } else {
                Act::DeleteNode(at)
            });
            if !node.deleting {
                add(Act::MarkDeleting(at));
            }
            add(Act::RecreateNode(at));
            add(if node.hold {
                Act::Unhold(at)
            } else {
                Act::Hold(at)
            });
            let evicts = !self.scenario.pods.is_empty();
            if node.pods.iter().any(|pod| pod.bare) {
                add(Act::BarePodGone(at));
            } else if evicts {
                add(Act::BarePod(at));
            }
            if evicts && !node.pods.iter().any(|pod| pod.uid >= LATE) {
                add(Act::LatePod(at));
            }
            if node.pods.iter().any(|pod| pod.terminating) {
                add(Act::PodGone(at));
            }
        }
        add(if self.hosts[at].observe {
            Act::Act(at)
        } else {
            Act::Observe(at)
        });
        add(if self.hosts[at].shut {
            Act::Open(at)
        } else {
            Act::Shut(at)
        });
        if self.scenario.config.gates.max_not_ready.is_some() {
            add(if self.hosts[at].trouble {
                Act::Calm(at)
            } else {
                Act::Trouble(at)
            });
        }
        add(Act::WriteSentinel(at));
        if self.hosts[at].sentinel.is_some() {
            add(Act::RemoveSentinel(at));
        }
        if self.holders().contains(&at) {
            add(Act::Unlock(at));
        }
    }

    fn of_lock(&self, add: &mut impl FnMut(Act)) {
        let Some(lock) = &self.lock else {
            add(Act::CreateLock);
            return;
        };
        add(if self.paused() {
            Act::Unpause
        } else {
            Act::Pause
        });
        let max = self.max();
        for limit in 0..=2 {
            if usize::from(limit) != max {
                add(Act::Limit(limit));
            }
        }
        add(Act::DeleteLock);
        if !lock.annotations.is_empty() {
            add(Act::Wipe);
        }
        match &self.backup {
            None if self.scenario.allows(Kind::Restore) => add(Act::Backup),
            None => {}
            Some(_) => add(Act::Restore),
        }
        // What a process that runs was shown counts, on disk or not.
        let view = lock.view();
        let strange = |host: &std::sync::Arc<crate::world::Host>| {
            let machine = host.daemon.as_ref().and_then(|it| it.machine.as_ref());
            let journal = machine.map_or(&host.journal, |machine| machine.journal());
            journal.lock.as_ref().is_some_and(|it| !it.admits(&view))
        };
        if self.hosts.iter().any(strange) {
            add(Act::Resume);
        }
    }
}
