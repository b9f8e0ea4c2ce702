//! What each step does to the world.

use std::sync::Arc;
use std::time::Duration;

use rollboot::drain::EvictAnswer;
use rollboot::lock::{PAUSE, RESUMED, TURNS};
use rollboot::machine::{Event, Timer};

use crate::actions::Act;
use crate::daemon::pod_view;
use crate::names;
use crate::world::{BARE, Backup, LATE, Owner, Pod, Shutdown, World, limits};

/// Seconds since the epoch, as `resume` writes them: more than any lock has had turns.
const NOW: u64 = 1_000_000;

impl World {
    /// The state after a step.
    pub(crate) fn after(&self, act: Act) -> Self {
        let mut world = self.clone();
        if let Some(kind) = act.kind() {
            let budget = if kind.is_operator() {
                &mut world.operators
            } else {
                &mut world.faults
            };
            let free = act == Act::Limit(self.scenario.max);
            *budget = budget.saturating_sub(u8::from(!free));
        }
        // Waiting for something that fails takes time.
        if let Act::ServeSlowly(at) | Act::Refuse(at) | Act::Lose(at) = act {
            world.ghost(at).node_seen_lately = false;
        }
        world.apply(act);
        world.forget_void_strays();
        world
    }

    fn apply(&mut self, act: Act) {
        match act {
            Act::Serve(at) => self.serve(at, Duration::ZERO),
            Act::ServeSlowly(at) => self.serve(at, Duration::from_secs(60)),
            Act::Lose(at) => self.lose(at),
            Act::Refuse(at) => self.refuse(at),
            Act::Land(stray) => self.land(stray),
            Act::Fire(at, timer) => self.fire(at, timer),
            Act::Streak(at) | Act::Looks(at) => self.streak(at),
            Act::WatchSees(at) => self.watch_sees(at),
            Act::WatchEnds(at) => {
                if let Some(daemon) = &mut self.host(at).daemon {
                    daemon.lock_watch = None;
                }
                self.feed(at, Event::LockWatchEnded(None));
            }
            Act::PodsSee(at) => self.pods_see(at),
            Act::EvictAnswer(at) => self.evicted(at, EvictAnswer::Accepted),
            Act::EvictBlocked(at) => {
                let why = "The disruption budget b needs 1 healthy pods and has 1 currently";
                self.evicted(at, EvictAnswer::Budget(why.into()));
            }
            Act::AppLooks => self.app_looks(),
            Act::AppReplaces => {
                self.app.elsewhere += self.app.pending;
                self.app.pending = 0;
            }
            Act::BarePodGone(at) => {
                if let Some(node) = &mut self.nodes[at] {
                    Arc::make_mut(node).pods.retain(|pod| !pod.bare);
                }
            }
            Act::PodGone(at) => {
                if let Some(node) = &mut self.nodes[at] {
                    Arc::make_mut(node).pods.retain(|pod| !pod.terminating);
                }
            }
            Act::BarePod(at) => self.bind(at, BARE),
            // Each has a UID of its own: what is left of the budget is never the same twice.
            Act::LatePod(at) => self.bind(at, LATE + self.faults),
            Act::CallHandled(at) => self.logind_handles(at),
            Act::CallDropped(at) => self.host(at).bus_call = None,
            Act::Boot(at) | Act::Power(at) => self.boot(at, false),
            Act::BootSick(at) => self.boot(at, true),
            Act::Kubelet(at) | Act::Register(at) => self.kubelet_reports(at),
            Act::Heal(at) => self.host(at).sick = false,
            Act::Sicken(at) => self.host(at).sick = true,
            Act::CallOff(at) | Act::ForeignCallOff(at) => self.call_off(at),
            Act::LeftSick(at) => self.left_sick(at),
            Act::Crash(at) => {
                self.end(at);
                self.start(at);
            }
            Act::Silence(at) => self.host(at).silent = true,
            Act::Speak(at) => self.host(at).silent = false,
            Act::DiskFull(at) => self.host(at).disk_full = true,
            Act::DiskFree(at) => self.host(at).disk_full = false,
            Act::Heartbeat(at) => self.change_node(at, |_| ()),
            Act::Stop(at) => {
                if let Some(daemon) = &mut self.host(at).daemon {
                    daemon.stopping = true;
                }
                self.feed(at, Event::StopRequested);
            }
            Act::Kill(at) => self.end(at),
            Act::StartUnit(at) => self.start(at),
            Act::Restart(at) => self.restart(at),
            Act::Abort(at) => {
                if let Some(daemon) = &mut self.host(at).daemon {
                    daemon.aborting = true;
                }
                self.feed(at, Event::Abort);
            }
            Act::Observe(at) | Act::Act(at) => {
                self.host(at).observe = matches!(act, Act::Observe(_));
                let config = self.config(at);
                self.feed(at, Event::Reload(config));
            }
            // Nobody tells the daemon: it is later now.
            Act::Shut(at) => self.host(at).shut = true,
            Act::Open(at) => self.host(at).shut = false,
            // Nobody tells the daemon either.
            Act::Trouble(at) => self.host(at).trouble = true,
            Act::Calm(at) => self.host(at).trouble = false,
            Act::Shutdown(at) => {
                let host = self.host(at);
                host.shutdown = Shutdown::Foreign;
                host.ghost.down_since_facts = true;
            }
            Act::WriteSentinel(at) => {
                let host = self.host(at);
                host.written += 1;
                let written = host.written;
                let request = self.request(written);
                self.host(at).sentinel = Some(request);
                self.sentinel_changed(at);
            }
            Act::RemoveSentinel(at) => {
                self.host(at).sentinel = None;
                self.sentinel_changed(at);
            }
            other => self.operate(other),
        }
    }

    /// What operators do to objects.
    fn operate(&mut self, act: Act) {
        match act {
            Act::Unlock(at) => self.unlock(at),
            Act::Pause => self.change_lock(|lock| {
                lock.annotations.insert(PAUSE.into(), "p".into());
            }),
            Act::Unpause => self.change_lock(|lock| {
                lock.annotations.remove(PAUSE);
            }),
            Act::Limit(max) => {
                self.most = self.most.max(usize::from(max));
                self.change_lock(|lock| lock.data = limits(max));
            }
            Act::Cordon(at) => self.change_node(at, |node| node.cordon = Some(Owner::Foreign)),
            Act::Uncordon(at) | Act::LiftForeign(at) => {
                self.change_node(at, |node| node.cordon = None);
                self.touch_node(at);
            }
            Act::Hold(at) => self.change_node(at, |node| node.hold = true),
            Act::Unhold(at) => self.change_node(at, |node| node.hold = false),
            Act::MarkDeleting(at) => self.change_node(at, |node| node.deleting = true),
            Act::DeleteNode(at) | Act::Deleted(at) => {
                self.nodes[at] = None;
                self.ghost(at).removed = true;
                self.touch_node(at);
            }
            Act::RecreateNode(at) => {
                let boot = self.hosts[at].boot.clone();
                let healthy = !self.hosts[at].ghost.unproven;
                let node = self.new_node(boot, healthy);
                self.nodes[at] = Some(Arc::new(node));
                self.touch_node(at);
            }
            Act::DeleteLock => {
                self.lock = None;
                self.lose_slots();
            }
            Act::Wipe => {
                self.change_lock(|lock| lock.annotations.clear());
                self.lose_slots();
            }
            Act::Backup => {
                self.backup = Some(Backup {
                    lock: self.lock.clone(),
                    nodes: self.nodes.clone(),
                });
            }
            Act::Restore => self.restore(),
            Act::CreateLock => {
                let lock = self.new_lock(self.scenario.max);
                self.lock = Some(Arc::new(lock));
            }
            Act::Resume => {
                self.forced = true;
                self.lost = false;
                self.change_lock(|lock| {
                    lock.annotations.insert(RESUMED.into(), lock.uid.clone());
                    let turns = NOW.max(lock.view().turns() + 1);
                    lock.annotations.insert(TURNS.into(), turns.to_string());
                });
            }
            other => unreachable!("{other:?}"),
        }
    }

    /// Slots may be gone that nobody gave up.
    fn lose_slots(&mut self) {
        self.lost = true;
        for at in 0..self.hosts.len() {
            self.take_slot(at);
            self.touch_node(at);
        }
        self.excuse_unknowing();
    }

    /// Everything that the API server knows is as it was, under versions that nobody has seen.
    fn restore(&mut self) {
        let Some(Backup { lock, nodes }) = self.backup.clone() else {
            return;
        };
        (self.lock, self.nodes) = (lock, nodes);
        self.change_lock(|_| ());
        for at in 0..self.hosts.len() {
            self.change_node(at, |_| ());
        }
        self.lose_slots();
    }

    fn bind(&mut self, at: usize, uid: u8) {
        if let Some(node) = &mut self.nodes[at] {
            Arc::make_mut(node).pods.push(Pod {
                uid,
                terminating: false,
                bare: uid == BARE,
            });
        }
    }

    fn fire(&mut self, at: usize, timer: Timer) {
        // Whatever is done after a wait needs facts that are newer.
        self.ghost(at).down_since_facts = false;
        if let Some(daemon) = &mut self.host(at).daemon {
            daemon.timers.clear(timer);
        }
        self.feed(at, Event::Timer(timer));
    }

    fn watch_sees(&mut self, at: usize) {
        let view = self.lock.as_ref().map(|lock| lock.view());
        if let Some(daemon) = &mut self.host(at).daemon {
            let version = view.as_ref().map(|view| view.version.clone());
            daemon.lock_watch = Some(version.unwrap_or_default());
        }
        self.show_lock(at);
        self.feed(at, Event::LockSeen(view));
    }

    fn pods_see(&mut self, at: usize) {
        let pods: Vec<_> = self.nodes[at]
            .iter()
            .flat_map(|node| node.pods.clone())
            .collect();
        let views = pods.iter().map(pod_view).collect();
        if let Some(daemon) = &mut self.host(at).daemon {
            daemon.pods_seen = Some(pods);
        }
        self.feed(at, Event::PodsSeen(views));
    }

    fn evicted(&mut self, at: usize, answer: EvictAnswer) {
        let Some(daemon) = &mut self.host(at).daemon else {
            return;
        };
        let pod = daemon.evicting.remove(0);
        if answer == EvictAnswer::Accepted {
            self.evict(at, &pod);
        }
        self.feed(at, Event::Evicted(pod, answer));
    }

    fn restart(&mut self, at: usize) {
        if let Some(daemon) = &mut self.host(at).daemon {
            daemon.restarting = true;
        }
        self.feed(at, Event::StopRequested);
        if self.hosts[at].daemon.is_none() {
            self.start(at);
        }
    }

    fn sentinel_changed(&mut self, at: usize) {
        let present = self.hosts[at].sentinel.iter().cloned().collect();
        self.feed(at, Event::Sentinels(present));
    }

    fn unlock(&mut self, at: usize) {
        let prefix = format!("{}.rollboot.io/", names::NODES[at]);
        self.change_lock(|lock| lock.annotations.retain(|key, _| !key.starts_with(&prefix)));
        self.forced = true;
        self.take_slot(at);
    }

    /// Somebody else than its daemon ended a slot.
    fn take_slot(&mut self, at: usize) {
        let host = self.host(at);
        host.ghost.slot_taken = true;
        if let Some(call) = &mut host.bus_call {
            call.slot_taken = true;
        }
    }

    fn touch_node(&mut self, at: usize) {
        let host = self.host(at);
        host.ghost.node_touched = true;
        if let Some(call) = &mut host.bus_call {
            call.node_touched = true;
        }
    }
}
