//! Looks at the controllers of the pods that would be evicted, as the guard for the last ready pod does in a drain.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::SingleReplica;
use crate::drain::{ControllerRef, ControllerView, Guard, PodRef, PodView};
use crate::failure::Failure;

/// For all questions together, one for each controller.
pub(super) const LIMIT: Duration = Duration::from_secs(20);

/// What the controllers have shown.
#[derive(Debug)]
pub(super) struct Survey {
    /// Knows which pods wait for a replacement, and why.
    pub(super) guard: Guard,
    /// Controllers that were read.
    pub(super) read: usize,
    /// Controllers of pods that are the only wanted ones, or why not all could be read. `None`: it was not done in time.
    pub(super) singles: Option<Result<Vec<String>, Failure>>,
}

impl Survey {
    /// Reads them. `None`: there is nothing to read.
    pub(super) async fn of(
        controller: impl AsyncFn(&ControllerRef) -> Result<Option<ControllerView>, Failure>,
        pods: &[PodView],
        going: &[PodRef],
    ) -> Option<Self> {
        let mut guard = Guard::new(SingleReplica::Block, BTreeMap::new(), false);
        guard.pods(pods, &going.iter().cloned().collect());
        let mut next = guard.survey(going).err()?;
        let mut read: usize = 0;
        let reading = async {
            loop {
                guard.read(Ok(controller(&next).await?));
                read = read.saturating_add(1);
                next = match guard.survey(going) {
                    Ok(singles) => return Ok(singles),
                    Err(next) => next,
                };
            }
        };
        let singles = tokio::time::timeout(LIMIT, reading).await.ok();
        Some(Self {
            guard,
            read,
            singles,
        })
    }
}
