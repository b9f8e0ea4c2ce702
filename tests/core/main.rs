//! What decides, tested by itself: no API server, no bus, no file and no clock but those that a test makes up.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on ends there: that is its failure"
)]

mod any_json;
mod pieces;
mod plan;
mod properties;
mod scale;
mod simulation;
