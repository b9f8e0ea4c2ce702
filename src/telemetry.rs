//! What the daemon tells people and machines about itself. It reports and decides nothing.

pub mod ids;
