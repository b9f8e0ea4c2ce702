//! Stories with a known moral, told step by step on the production core: those that an earlier model found in the first
//! draft of the protocol, and those that this one found in the core.

use std::sync::Arc;

use rollboot::journal::Stage;
use rollboot::machine::{Label, Timer};

use crate::actions::{Act, Kind, Reliance};
use crate::scenario::Scenario;
use crate::world::{Owner, World};

const A: usize = 0;
const B: usize = 1;

/// A world with everything allowed, and what has happened so far.
struct Story {
    world: World,
    told: Vec<String>,
}

impl Story {
    fn new(scenario: Scenario) -> Self {
        let scenario = scenario.faults(50, &Kind::ALL).operators(50, &[]);
        Self {
            world: World::new(Arc::new(scenario)),
            told: Vec::new(),
        }
    }

    fn of(nodes: usize) -> Self {
        Self::new(Scenario::calm("a story", nodes, 1))
    }

    /// Something happens. It must be possible.
    fn then(&mut self, act: Act) -> &mut Self {
        let mut acts = Vec::new();
        self.world.actions(&mut acts);
        assert!(
            acts.contains(&act),
            "{act:?} cannot happen\n{}",
            self.text()
        );
        self.told.push(self.world.tell(act));
        self.world = self.world.after(act);
        assert_eq!(self.world.bad, None, "{}", self.text());
        self
    }

    /// One node goes on undisturbed until something is so.
    fn goes_on(&mut self, at: usize, until: impl Fn(&World) -> bool) -> &mut Self {
        for _ in 0..100 {
            if until(&self.world) {
                return self;
            }
            let act = self.next_of(at);
            self.then(act.unwrap_or_else(|| panic!("nothing goes on\n{}", self.text())));
        }
        panic!("it never came to that\n{}", self.text());
    }

    /// All nodes go on until nothing happens any more but looks at closed gates.
    fn ends(&mut self) -> &mut Self {
        for _ in 0..300 {
            if self.world.is_good() && self.world.strays.is_empty() {
                return self;
            }
            let nodes = 0..self.world.hosts.len();
            let mut acts = nodes.filter_map(|at| self.next_of(at));
            let act = acts.nth(self.told.len() % self.world.hosts.len());
            let act = act.or_else(|| (0..self.world.hosts.len()).find_map(|at| self.next_of(at)));
            self.then(act.unwrap_or_else(|| panic!("nothing goes on\n{}", self.text())));
        }
        panic!("no good end\n{}", self.text());
    }

    /// Answers alone bring the node to a point where it waits for a timer.
    fn waits(&mut self, at: usize) -> &mut Self {
        self.goes_on(at, |world| {
            let daemon = world.hosts[at].daemon.as_ref();
            daemon.is_some_and(|daemon| daemon.op.is_none())
        })
    }

    fn next_of(&self, at: usize) -> Option<Act> {
        self.next_but(at, &[])
    }

    /// What happens next at one node by itself. Waiting is what is done when there is nothing else.
    fn next_but(&self, at: usize, never: &[Act]) -> Option<Act> {
        let mut acts = Vec::new();
        self.world.actions(&mut acts);
        let own = acts.into_iter().filter(|act| {
            let sure = matches!(act.reliance(), Reliance::Answer | Reliance::Sure);
            let by_itself = sure && act.kind().is_none();
            let look = matches!(act, Act::Fire(_, Timer::Look));
            act.host() == Some(at) && by_itself && !look && !never.contains(act)
        });
        own.min_by_key(|act| match act {
            Act::Kubelet(_) => 0,
            Act::Fire(..) | Act::Streak(_) => 2,
            _ => 1,
        })
    }

    fn text(&self) -> String {
        format!("{}\n{}", self.told.join("\n"), self.world.picture())
    }
}

fn label(at: usize, label: Label) -> impl Fn(&World) -> bool {
    move |world| world.label(at) == Some(label)
}

fn cordoned(world: &World) -> bool {
    world.nodes[A]
        .as_ref()
        .is_some_and(|node| node.cordon.is_some())
}

fn about_to(text: &'static str) -> impl Fn(&World) -> bool {
    move |world| world.tell(Act::Serve(A)).contains(text)
}

#[test]
fn a_cordon_survives_a_restart_and_a_reboot_as_ours() {
    Story::of(1)
        .goes_on(A, label(A, Label::Drained))
        .then(Act::Crash(A))
        .goes_on(A, label(A, Label::Rebooting))
        .goes_on(A, label(A, Label::Recovering))
        .then(Act::Crash(A))
        .ends();
}

#[test]
fn a_cordon_that_lands_late_finds_another_version() {
    let mut story = Story::of(1);
    story
        .goes_on(A, about_to("(cordon, marker"))
        .then(Act::Crash(A))
        .then(Act::RemoveSentinel(A));
    assert_eq!(story.world.strays.len(), 1);
    // Whether it lands before the new process has voided it or not at all: there is nothing of ours at the end.
    let before = Story {
        world: story.world.clone(),
        told: story.told.clone(),
    };
    story.ends();
    let mut late = before;
    late.then(Act::Land(0)).ends();
    assert!(!cordoned(&late.world) && !cordoned(&story.world));
}

#[test]
fn an_uncordon_that_lands_late_finds_another_version() {
    let mut story = Story::of(1);
    story
        .goes_on(A, label(A, Label::Drained))
        .then(Act::Pause)
        .goes_on(A, about_to("(uncordon"))
        .then(Act::Crash(A))
        .then(Act::Unpause)
        .goes_on(A, |world| world.strays.is_empty())
        .ends();
}

#[test]
fn somebody_elses_shutdown_keeps_the_slot() {
    let mut story = Story::of(2);
    story
        .goes_on(A, label(A, Label::Rebooting))
        .goes_on(A, label(A, Label::Recovering))
        .then(Act::Shutdown(A))
        .goes_on(A, label(A, Label::Rebooting));
    assert_eq!(story.world.holders(), [A]);
    story.goes_on(B, |world| {
        let b = world.hosts[B].daemon.as_ref();
        b.is_some_and(|daemon| daemon.lock_watch.is_some())
    });
    story.ends();
}

#[test]
fn a_restamp_keeps_the_boot_of_the_acquisition() {
    let mut story = Story::of(1);
    story
        .goes_on(A, label(A, Label::Acquired))
        .then(Act::Power(A))
        .goes_on(A, label(A, Label::Recovering))
        .then(Act::Crash(A));
    // The kubelet is silent: there is no proof, whatever else goes on.
    for _ in 0..30 {
        let Some(act) = story.next_but(A, &[Act::Kubelet(A)]) else {
            break;
        };
        story.then(act);
        assert_eq!(story.world.holders(), [A]);
    }
    story.ends();
}

#[test]
fn a_call_on_the_bus_keeps_slot_and_cordon() {
    let mut story = Story::of(1);
    story
        .goes_on(A, about_to("the call of logind"))
        .then(Act::Crash(A));
    for _ in 0..30 {
        let Some(act) = story.next_but(A, &[Act::CallDropped(A)]) else {
            break;
        };
        story.then(act);
        assert_eq!(story.world.holders(), [A]);
    }
    assert!(cordoned(&story.world));
    story.then(Act::CallHandled(A)).ends();
}

#[test]
fn a_reclaim_that_lands_late_meets_a_turn_that_was_voided() {
    let mut story = Story::of(2);
    story
        .goes_on(A, label(A, Label::Acquired))
        .then(Act::DeleteNode(A));
    story
        .goes_on(B, |world| {
            matches!(world.tell(Act::Serve(B)).as_str(), text if text.contains("remove a."))
        })
        .then(Act::Crash(B))
        .then(Act::Register(A));
    assert_eq!(story.world.strays.len(), 1);
    // The holder notices another Node, and re-stamps before it undoes.
    story.goes_on(A, |world| world.strays.is_empty());
    assert_ne!(story.world.label(A), Some(Label::Rebooting));
    story.ends();
}

#[test]
fn a_reclaim_leaves_a_newer_turn_of_a_node_that_is_back() {
    let mut story = Story::of(2);
    story
        .goes_on(A, label(A, Label::Acquired))
        .goes_on(B, label(B, Label::Waiting))
        .then(Act::DeleteNode(A))
        .goes_on(B, |world| {
            let b = world.hosts[B].daemon.as_ref();
            let reason = b
                .and_then(|daemon| daemon.machine.as_ref())
                .map(|m| m.reason());
            reason.as_deref() == Some("reclaiming a stale slot")
        })
        .goes_on(A, |world| world.holders().is_empty())
        .then(Act::Register(A))
        .goes_on(A, label(A, Label::Cordoned).or(label(A, Label::Drained)));
    let turn = story.world.slot_turn(A);
    story
        .then(Act::Serve(B))
        .goes_on(B, |world| world.tell(Act::Serve(B)).contains("nothing"));
    assert_eq!(story.world.slot_turn(A), turn);
    story.ends();
}

#[test]
fn a_slot_that_only_an_operator_may_reclaim_is_watched() {
    let mut story = Story::of(2);
    story
        .goes_on(A, label(A, Label::Acquired))
        .then(Act::DeleteNode(A))
        .goes_on(B, |world| world.tell(Act::Serve(B)).contains("remove a."))
        .then(Act::Refuse(B))
        .goes_on(B, |world| {
            let b = world.hosts[B].daemon.as_ref();
            b.is_some_and(|daemon| daemon.lock_watch.is_some())
        });
    story.then(Act::Register(A)).ends();
}

#[test]
fn a_last_read_of_the_lock_that_fails_begins_the_checks_anew() {
    let mut story = Story::of(1);
    story
        .goes_on(A, |world| world.stage(A) == Some(&Stage::Rebooting))
        .then(Act::Refuse(A))
        .then(Act::Uncordon(A))
        .goes_on(A, label(A, Label::Rebooting));
    assert!(cordoned(&story.world), "{}", story.text());
    story.ends();
}

#[test]
fn a_node_that_is_deleted_for_good_does_not_keep_its_slot() {
    let mut story = Story::of(1);
    story
        .goes_on(A, label(A, Label::Drained))
        .then(Act::RemoveSentinel(A))
        .goes_on(A, about_to("(uncordon"))
        .then(Act::DeleteNode(A))
        .goes_on(A, World::at_rest);
}

#[test]
fn a_marker_that_stays_on_a_node_that_is_being_deleted_is_left_alone() {
    let mut story = Story::of(1);
    story
        .goes_on(A, label(A, Label::Drained))
        .then(Act::MarkDeleting(A))
        .goes_on(A, |world| world.holders().is_empty());
    story.waits(A);
}

#[test]
fn a_marker_that_nobody_can_read_goes() {
    let mut story = Story::of(1);
    story
        .world
        .change_node(A, |node| node.marker = Some("garbage".into()));
    story.ends();
}

#[test]
fn a_lock_that_is_deleted_for_good_does_not_keep_a_cordon() {
    let mut story = Story::of(1);
    story
        .goes_on(A, label(A, Label::Rebooting))
        .goes_on(A, about_to("the lock write"))
        .then(Act::DeleteLock)
        .goes_on(A, World::at_rest);
}

#[test]
fn a_cordon_of_somebody_else_is_never_lifted() {
    let mut story = Story::of(1);
    story
        .goes_on(A, label(A, Label::Drained))
        .then(Act::Uncordon(A))
        .then(Act::Cordon(A))
        .goes_on(A, label(A, Label::Rebooting))
        .goes_on(A, |world| world.holders().is_empty());
    let node = story.world.nodes[A].as_ref();
    assert_eq!(node.and_then(|node| node.cordon), Some(Owner::Foreign));
}

/// Two conditions, either of them.
trait Or: Sized + Fn(&World) -> bool {
    fn or(self, other: impl Fn(&World) -> bool) -> impl Fn(&World) -> bool {
        move |world| self(world) || other(world)
    }
}

impl<F: Fn(&World) -> bool> Or for F {}
