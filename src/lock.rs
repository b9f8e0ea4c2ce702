//! The cluster-wide lock as data: one ConfigMap, a held slot is one annotation `<node>.rollboot.io/<group>`.
//!
//! A key is a slot whatever its value says; only the own value and `data` are ever parsed. Nothing here asks the server.

mod entry;
mod limits;
mod noted;
mod operate;
mod view;

pub use entry::{Entry, TurnId};
pub use limits::{CONTROL_PLANE, DEFAULT_GROUP, Limits, unreadable};
pub use noted::Noted;
pub use operate::{Marked, REVOKED};
pub use view::{LockPatch, LockView, Slot, Verdict, key};

/// Annotation that stops new turns; its value is the reason.
pub const PAUSE: &str = "rollboot.io/pause";
/// Annotation that counts acquisitions: each raises it by one, so that whoever has seen a number knows a lock that was wiped, or
/// came from a backup, by a lower one.
pub const TURNS: &str = "rollboot.io/turns";
/// Annotation with which an operator accepts a re-created lock object; its value is that object's UID.
pub const RESUMED: &str = "rollboot.io/resumed";
