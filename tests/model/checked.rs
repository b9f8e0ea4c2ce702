//! The model as stateright sees it: each promise is a property that always holds.
//!
//! This is the second opinion on safety, by another explorer. What stateright cannot say, that a good end stays possible
//! from every state, is said by [`crate::explore`] on the same states and steps.

use std::sync::Arc;

use stateright::{Checker, Model, Property};

use crate::actions::Act;
use crate::properties::Violation;
use crate::scenario::Scenario;
use crate::world::World;

/// A scenario to be explored.
#[derive(Debug, Clone)]
pub(crate) struct Checked(pub(crate) Arc<Scenario>);

impl Model for Checked {
    type State = World;
    type Action = Act;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(Arc::clone(&self.0))]
    }

    fn actions(&self, state: &World, actions: &mut Vec<Act>) {
        state.actions(actions);
    }

    fn next_state(&self, last_state: &World, action: Act) -> Option<World> {
        Some(last_state.after(action))
    }

    fn format_step(&self, last_state: &World, action: Act) -> Option<String> {
        Some(format!(
            "{}\n{}",
            last_state.tell(action),
            last_state.after(action).picture()
        ))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        use Violation as V;
        fn unless(world: &World, broken: fn(&Violation) -> bool) -> bool {
            !world.bad.as_ref().is_some_and(broken)
        }
        vec![
            Property::always(
                "no acquisition while all slots are held, or in a pause",
                |_, w| unless(w, |v| matches!(v, V::TooMany | V::AcquiredInPause)),
            ),
            Property::always(
                "no reboot without slot, cordon, drain and journal",
                |_, w| {
                    unless(w, |v| {
                        matches!(
                            v,
                            V::NoSlot
                                | V::LookedLongAgo
                                | V::NotCordoned
                                | V::NotDrained
                                | V::NotJournaled
                                | V::AskedInPause
                        )
                    })
                },
            ),
            Property::always("nothing of somebody else's is lifted or evicted", |_, w| {
                unless(w, |v| {
                    matches!(v, V::ForeignCordonLifted | V::EvictedUncordoned)
                })
            }),
            Property::always(
                "no controller loses its last Ready pod, no two nodes drain",
                |_, w| unless(w, |v| matches!(v, V::WentToZero | V::TwoDraining)),
            ),
            Property::always(
                "nothing is given up while the host goes down, or an eviction is on its way",
                |_, w| {
                    unless(w, |v| {
                        matches!(v, V::GaveUpGoingDown | V::EvictionInFlight | V::Concluded)
                    })
                },
            ),
            Property::always("no slot is given up without proof of health", |_, w| {
                unless(w, |v| matches!(v, V::NoProof))
            }),
            Property::always("never more nodes down than may be", |_, w| {
                unless(w, |v| matches!(v, V::TwoDown))
            }),
            Property::always("no request reboots a node twice", |_, w| {
                unless(w, |v| matches!(v, V::Twice))
            }),
            Property::always("the machine is never surprised", |_, w| {
                unless(w, |v| matches!(v, V::Defect(_) | V::TwoCalls | V::Loop))
            }),
            Property::sometimes("a good end", |_, w: &World| w.is_good()),
        ]
    }
}

/// Checks the safety of a model; returns how many states there are.
pub(crate) fn check(scenario: &Arc<Scenario>) -> usize {
    let model = Checked(Arc::clone(scenario));
    let checker = model.checker().threads(2).spawn_bfs().join();
    checker.assert_properties();
    checker.unique_state_count()
}
