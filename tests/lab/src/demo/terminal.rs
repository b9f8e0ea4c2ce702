//! stub
use std::io;
#[derive(Debug)]
pub(super) struct Terminal;
impl Terminal { pub(super) fn on_stdout() -> Option<Self> { let _ = io::stdout(); None } }
