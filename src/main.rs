//! The `rollboot` program.
fn main() {}
