//! A cluster and its hosts in one process, for tests and for the demo: an API server with only what rollboot asks of one,
//! simulated kubelets and controllers, and hosts with a logind and a PID 1 of their own.
//!
//! It is no second Kubernetes: the contract suite holds it to the answers of the real server, and what only the real one can
//! show is tested there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a lab that cannot go on ends there"
)]

pub mod api;
pub mod bus;
pub mod cluster;
pub mod demo;
pub mod host;
pub mod roll;
