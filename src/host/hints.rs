//! Hints that something may have changed: never what.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// Says "look again", any number of times until it is heard, as one.
///
/// A task of its own keeps the source drained while the loop is busy: a bus connection whose signals nobody takes
/// stops delivering replies too.
pub struct Hints {
    told: Arc<Told>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Told {
    again: Notify,
    problem: Mutex<Option<String>>,
}

/// The side of [`Hints`] that the watching task has.
#[derive(Clone)]
pub(super) struct Teller(Arc<Told>);

impl Hints {
    /// Runs `work` until the hints are dropped. It must not end by itself.
    pub(super) fn spawn<W>(work: impl FnOnce(Teller) -> W) -> Self
    where
        W: Future<Output = ()> + Send + 'static,
    {
        let told = Arc::new(Told::default());
        let task = tokio::spawn(work(Teller(Arc::clone(&told))));
        Self { told, task }
    }

    /// Returns as soon as there was a hint since the last return. Nothing is lost when the future is dropped.
    pub async fn next(&self) {
        self.told.again.notified().await;
    }

    /// What keeps the source from seeing everything; it looks at intervals meanwhile.
    pub fn problem(&self) -> Option<String> {
        self.told
            .problem
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for Hints {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Hints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hints")
            .field("problem", &self.problem())
            .finish_non_exhaustive()
    }
}

impl Teller {
    /// Look again.
    pub(super) fn tell(&self) {
        self.0.again.notify_one();
    }

    /// What the source cannot see at the moment.
    pub(super) fn problem(&self, problem: Option<String>) {
        *self
            .0
            .problem
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = problem;
    }
}
