//! Looks for the DaemonSets of pods, as the daemon does before a turn.

use std::time::Duration;

use crate::drain::{ControllerRef, ControllerView, Orphans, PodView};
use crate::failure::{Failure, FailureKind};

/// For all questions together, one for each DaemonSet.
const LIMIT: Duration = Duration::from_secs(20);

/// Notes on each pod whether its DaemonSet is gone.
///
/// # Errors
/// A DaemonSet may be read, but could not be.
pub(super) async fn mark(
    controller: impl AsyncFn(&ControllerRef) -> Result<Option<ControllerView>, Failure>,
    pods: &mut [PodView],
) -> Result<(), Failure> {
    let mut orphans = Orphans::among(pods);
    let all = orphans.due();
    let reading = async {
        while let Some(daemon_set) = orphans.next_read() {
            orphans.read(controller(&daemon_set).await)?;
        }
        Ok(())
    };
    let in_time = tokio::time::timeout(LIMIT, reading).await;
    in_time.unwrap_or_else(|_| {
        let what = format!(
            "looking for the DaemonSets of the pods takes too long: {} of {all} in {} s",
            all.saturating_sub(orphans.due()),
            LIMIT.as_secs()
        );
        Err(Failure::new(FailureKind::Timeout, what))
    })?;
    orphans.mark(pods);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drain::{Controller, PodRef};

    #[tokio::test(start_paused = true)]
    async fn a_search_that_takes_too_long_says_how_far_it_came() {
        let pod = |number: usize| PodView {
            pod: PodRef {
                name: format!("p{number}"),
                ..PodRef::default()
            },
            controller: Some(Controller {
                api_version: "apps/v1".into(),
                kind: "DaemonSet".into(),
                name: format!("d{number}"),
                uid: format!("d{number}"),
            }),
            ..PodView::default()
        };
        let mut pods: Vec<_> = (0..100).map(pod).collect();
        let slow = async |_: &ControllerRef| {
            tokio::time::sleep(Duration::from_secs(3)).await;
            Ok(None)
        };
        let failure = mark(slow, &mut pods).await.unwrap_err();
        assert!(failure.message.ends_with("6 of 100 in 20 s"), "{failure}");
        assert!(pods.iter().all(|pod| !pod.orphaned), "nothing is known");
        mark(slow, &mut pods[..5]).await.unwrap();
        assert!(pods[..5].iter().all(|pod| pod.orphaned));
    }
}
