//! One bad input.

use std::pin::Pin;

/// A heading of the table and its cases.
pub(super) type Section = (&'static str, Vec<Case>);
/// Gives the message, or nothing where the case cannot be made here.
pub(super) type Run = Pin<Box<dyn Future<Output = Option<String>>>>;

pub(super) struct Case {
    pub(super) input: &'static str,
    /// What makes the daemon go on.
    pub(super) heals: &'static str,
    pub(super) run: Box<dyn FnOnce() -> Run>,
}

impl Case {
    pub(super) fn new<F: Future<Output = String> + 'static>(
        input: &'static str,
        heals: &'static str,
        run: impl FnOnce() -> F + 'static,
    ) -> Self {
        Self::privileged(input, heals, async || Some(run().await))
    }

    /// A case that may not be possible here: it gives no message then, and says so aloud.
    pub(super) fn privileged<F: Future<Output = Option<String>> + 'static>(
        input: &'static str,
        heals: &'static str,
        run: impl FnOnce() -> F + 'static,
    ) -> Self {
        Self {
            input,
            heals,
            run: Box::new(move || Box::pin(run())),
        }
    }
}
