//! What is new since the last look, in the order in which it happened.

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;

use crate::api::Change;
use crate::host::Occurrence;
use crate::roll::Stage;

/// Something that happened.
#[derive(Debug)]
pub(super) enum News {
    Change(Change),
    Occurrence(Occurrence),
}

/// Remembers what was told.
#[derive(Debug, Default)]
pub(super) struct Feed {
    changes: Option<Receiver<Change>>,
    revision: u64,
    occurrences: usize,
}

impl Feed {
    pub(super) fn news(&mut self, stage: &Stage) -> Vec<News> {
        let occurrences = stage.log().since(self.occurrences);
        self.occurrences += occurrences.len();
        let mut news: Vec<_> = occurrences.into_iter().map(News::Occurrence).collect();
        news.extend(self.changes(stage).into_iter().map(News::Change));
        news.sort_by_key(|one| match one {
            News::Change(change) => change.at,
            News::Occurrence(occurrence) => occurrence.at,
        });
        news
    }

    fn changes(&mut self, stage: &Stage) -> Vec<Change> {
        let mut changes = Vec::new();
        let receiver = self.changes.take();
        let mut receiver = receiver.unwrap_or_else(|| {
            changes = stage.store().history();
            stage.store().changes()
        });
        loop {
            match receiver.try_recv() {
                Ok(change) => changes.push(change),
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
                // Too many at once: the whole history has what was lost.
                Err(TryRecvError::Lagged(_)) => changes = stage.store().history(),
            }
        }
        self.changes = Some(receiver);
        changes.retain(|change| {
            let new = change.revision > self.revision;
            self.revision = self.revision.max(change.revision);
            new
        });
        changes
    }
}
