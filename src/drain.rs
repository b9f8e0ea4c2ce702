//! Emptying the node: which pods are evicted, and how the evictions go.
//!
//! Everything is decided on lists of the node's pods that the adapter keeps fresh; nothing here asks the server or sleeps.

mod arrival;
mod blocker;
mod budget;
mod controller;
mod ending;
mod engine;
mod few;
mod guard;
mod observed;
mod pace;
mod plan;
mod pod;
mod retry;
mod status;
mod track;
mod unobserved;
mod volumes;
mod wish;

pub use arrival::{Arrival, Arrivals};
pub use blocker::{Blocker, HeldUp};
pub use budget::{BudgetRef, essence, named};
pub use controller::{ControllerRef, ControllerView, Kind};
pub use engine::{Drain, DrainEvent, Progress};
pub use few::few;
pub use guard::{EvictionRecord, Guard};
pub use plan::{Choice, Plan, choose, plan};
pub use pod::{Controller, EvictAnswer, PodRef, PodView};
pub use retry::{PERIOD, TICK, TICK_SPREAD};
pub use status::{StatusRevision, StatusSnapshot};
pub use unobserved::UnobservedEvictions;
pub use volumes::{Attached, LOOK as VOLUMES_LOOK, Volumes};
pub use wish::{Directive, DrainAnnotations, Order};
