//! Explores every state of a model, then asks from which of them a good end can be reached.
//!
//! stateright checks the safety of the same model. It says nothing about "always possible" (its `eventually` is unsound on
//! cycles), so the graph is built here once more, with what is needed to walk it backwards and to tell a story.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use crate::actions::{Act, Reliance};
use crate::properties::Violation;
use crate::scenario::Scenario;
use crate::world::World;

/// Fingerprints are hashes already.
#[derive(Debug, Default)]
pub(crate) struct Plain(u64);

impl Hasher for Plain {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only fingerprints are hashed");
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

/// What was found out about a model.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) states: usize,
    pub(crate) steps: usize,
    /// The shortest story to a broken promise.
    pub(crate) broken: Option<(Violation, String)>,
    /// The shortest story to a state from which there is no good end, and which kind of end is missing.
    pub(crate) stuck: Option<(&'static str, String)>,
    /// The number of states was limited, and the limit was reached.
    pub(crate) incomplete: bool,
}

const GOOD: u8 = 1;
const REST: u8 = 2;
const EXCUSED: u8 = 4;
/// Where a depth-first walk has been.
const OPEN: u8 = 1;
const CLOSED: u8 = 2;

#[derive(Default)]
struct Graph {
    known: HashMap<u64, u32, BuildHasherDefault<Plain>>,
    /// From which state each was found, and by which of its actions.
    parents: Vec<(u32, u8)>,
    marks: Vec<u8>,
    /// Where the steps of each state begin.
    offsets: Vec<usize>,
    steps: Vec<(u32, Reliance)>,
}

/// Explores all of it, or up to so many states.
pub(crate) fn explore(scenario: &Arc<Scenario>, limit: usize) -> Found {
    explore_by(scenario, limit, |acts| acts)
}

/// How many states and steps there are if what can happen is tried in the opposite order. Of the states that count as one
/// another is then looked at: if they are not one, the numbers differ.
pub(crate) fn backwards(scenario: &Arc<Scenario>, limit: usize) -> (usize, usize) {
    let reverse = |mut acts: Numbered| {
        acts.reverse();
        acts
    };
    let found = explore_by(scenario, limit, reverse);
    (found.states, found.steps)
}

/// What can happen, each with its place among all that can.
type Numbered = Vec<(usize, Act)>;

fn explore_by(scenario: &Arc<Scenario>, limit: usize, order: fn(Numbered) -> Numbered) -> Found {
    let mut graph = Graph::default();
    let first = World::new(Arc::clone(scenario));
    let mut queue = VecDeque::new();
    graph.add(&first, (0, 0));
    queue.push_back(first);
    let mut acts = Vec::new();
    let mut incomplete = false;
    let mut number = 0;
    while let Some(world) = queue.pop_front() {
        if let Some(violation) = world.bad.clone() {
            let story = graph.story(scenario, number);
            return graph.found(Some((violation, story)), None, incomplete);
        }
        graph.offsets.push(graph.steps.len());
        acts.clear();
        world.actions(&mut acts);
        for (index, act) in order(acts.iter().copied().enumerate().collect()) {
            if graph.parents.len() >= limit {
                incomplete = true;
                break;
            }
            let next = world.after(act);
            let how = (number, u8::try_from(index).unwrap());
            let (target, new) = graph.add(&next, how);
            graph.steps.push((target, act.reliance()));
            if new {
                queue.push_back(next);
            }
        }
        number += 1;
    }
    graph.offsets.push(graph.steps.len());
    let stuck = if incomplete {
        None
    } else {
        graph.stuck(scenario)
    };
    graph.found(None, stuck, incomplete)
}

impl Graph {
    fn add(&mut self, world: &World, how: (u32, u8)) -> (u32, bool) {
        let new = u32::try_from(self.parents.len()).unwrap();
        let number = *self.known.entry(world.fingerprint()).or_insert(new);
        if number == new {
            self.parents.push(how);
            self.marks.push(marks(world));
        }
        (number, number == new)
    }

    fn found(
        self,
        broken: Option<(Violation, String)>,
        stuck: Option<(&'static str, String)>,
        incomplete: bool,
    ) -> Found {
        Found {
            states: self.parents.len(),
            steps: self.steps.len(),
            broken,
            stuck,
            incomplete,
        }
    }

    /// The first state from which an end cannot be reached.
    fn stuck(&self, scenario: &Arc<Scenario>) -> Option<(&'static str, String)> {
        let good = self.reaching(GOOD, &[Reliance::Answer, Reliance::Sure, Reliance::Mended]);
        let rest = self.reaching(REST | EXCUSED, &[Reliance::Answer, Reliance::Sure]);
        let all = 0..self.parents.len();
        let no_good = all.clone().find(|state| !good[*state]);
        let no_rest = all.clone().find(|state| !rest[*state]);
        let what = "a good end, once operators have put things right";
        let story = |(state, what)| (what, self.story(scenario, u32::try_from(state).unwrap()));
        if let Some(state) = self.round() {
            return Some(story((state, "wait: it goes round and round by itself")));
        }
        let no_good = no_good.map(|state| (state, what));
        let no_rest = no_rest.map(|state| (state, "rest, without an operator"));
        no_good.into_iter().chain(no_rest).min().map(story)
    }

    /// A state that comes back to itself by nothing but answers: a daemon there asks the server again and again without a wait.
    fn round(&self) -> Option<usize> {
        let mut seen = vec![0_u8; self.parents.len()];
        let mut path: Vec<(usize, usize)> = Vec::new();
        for begin in 0..seen.len() {
            if seen[begin] != 0 {
                continue;
            }
            seen[begin] = OPEN;
            path.push((begin, self.offsets[begin]));
            while let Some((state, step)) = path.last_mut() {
                if *step == self.offsets[*state + 1] {
                    seen[*state] = CLOSED;
                    path.pop();
                    continue;
                }
                let (target, reliance) = self.steps[*step];
                *step += 1;
                let target = target as usize;
                if reliance != Reliance::Answer {
                    continue;
                }
                match seen[target] {
                    0 => {
                        seen[target] = OPEN;
                        path.push((target, self.offsets[target]));
                    }
                    OPEN => return Some(target),
                    _ => {}
                }
            }
        }
        None
    }

    /// From which states one with a mark can be reached by steps to rely on.
    fn reaching(&self, mark: u8, by: &[Reliance]) -> Vec<bool> {
        let mut reach: Vec<bool> = self.marks.iter().map(|marks| marks & mark != 0).collect();
        loop {
            let mut changed = false;
            for state in (0..reach.len()).rev() {
                if reach[state] {
                    continue;
                }
                let steps = &self.steps[self.offsets[state]..self.offsets[state + 1]];
                let now = steps
                    .iter()
                    .any(|(target, reliance)| by.contains(reliance) && reach[*target as usize]);
                reach[state] = now;
                changed |= now;
            }
            if !changed {
                return reach;
            }
        }
    }

    /// How a state is reached, one sentence a step.
    fn story(&self, scenario: &Arc<Scenario>, state: u32) -> String {
        let mut path = Vec::new();
        let mut at = state;
        while at != 0 {
            let (parent, act) = self.parents[at as usize];
            path.push(act);
            at = parent;
        }
        let mut world = World::new(Arc::clone(scenario));
        let mut story = String::new();
        for index in path.iter().rev() {
            let mut acts = Vec::new();
            world.actions(&mut acts);
            let act: Act = acts[usize::from(*index)];
            let _ = writeln!(story, "  {}", world.tell(act));
            world = world.after(act);
        }
        let _ = write!(story, "{}", world.picture());
        story
    }
}

fn marks(world: &World) -> u8 {
    let calm = world.scenario.faults + world.scenario.operators == 0;
    let good = if calm {
        world.is_served()
    } else {
        world.is_good()
    };
    // A node that is not healthy keeps its slot, and one without a daemon keeps everything.
    let mut hosts = world.hosts.iter().zip(&world.nodes);
    let excused = hosts.any(|(host, node)| {
        let turn = host.journal.turn.as_ref();
        let rebooted = turn.is_some_and(|turn| turn.boot_id != host.boot) || world.scenario.garbage;
        host.sick || host.daemon.is_none() || (node.is_none() && rebooted)
    });
    u8::from(good) * GOOD + u8::from(world.at_rest()) * REST + u8::from(excused) * EXCUSED
}

impl World {
    /// What an operator would see.
    pub(crate) fn picture(&self) -> String {
        let mut text = String::new();
        for (at, host) in self.hosts.iter().enumerate() {
            let machine = host.daemon.as_ref().and_then(|d| d.machine.as_ref());
            let phase = machine.map_or_else(
                || "no daemon".to_owned(),
                |machine| format!("{:?} ({})", machine.label(), machine.reason()),
            );
            let node = self.nodes[at]
                .as_ref()
                .map(|node| (node.cordon, node.marker.is_some()));
            let _ = writeln!(
                text,
                "    {}: {phase}; cordon and marker {node:?}; waits for {:?}; journal {:?}",
                crate::names::NODES[at],
                host.daemon.as_ref().map(|d| (&d.op, d.timers)),
                host.journal.turn.as_ref().map(|turn| &turn.stage),
            );
        }
        let lock = self.lock.as_ref().map(|lock| &lock.annotations);
        let _ = writeln!(text, "    lock {lock:?}; broken: {:?}", self.bad);
        text
    }
}
