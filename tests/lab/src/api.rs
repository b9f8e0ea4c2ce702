//! The embedded API server.

mod store;

pub use store::{Change, Kind, What};
