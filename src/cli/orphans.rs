//! Looks for the DaemonSets of pods, as the daemon does before a turn.

use std::time::Duration;

use crate::drain::{Orphans, PodView};
use crate::failure::{Failure, FailureKind};
use crate::ports::Cluster;

/// For all questions together, one for each DaemonSet.
const LIMIT: Duration = Duration::from_secs(20);

/// Notes on each pod whether its DaemonSet is gone.
///
/// # Errors
/// A DaemonSet may be read, but could not be.
pub(super) async fn mark(cluster: &impl Cluster, pods: &mut [PodView]) -> Result<(), Failure> {
    let mut orphans = Orphans::among(pods);
    let reading = async {
        while let Some(daemon_set) = orphans.next_read() {
            orphans.read(cluster.read_controller(&daemon_set).await)?;
        }
        Ok(())
    };
    let in_time = tokio::time::timeout(LIMIT, reading).await;
    in_time.unwrap_or_else(|_| {
        let what = "looking for the DaemonSets of the pods takes too long";
        Err(Failure::new(FailureKind::Timeout, what))
    })?;
    orphans.mark(pods);
    Ok(())
}
