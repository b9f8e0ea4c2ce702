//! Behaviour of the whole, and rules that hold across files: one binary, one module per subject.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that cannot go on ends there: that is its failure"
)]

#[path = "../core/any_json.rs"]
mod any_json;
mod bad_input;
mod cli;
mod cluster;
mod daemon;
mod demo;
mod layers;
mod lists;
#[path = "../core/pieces.rs"]
mod pieces;
mod properties;
