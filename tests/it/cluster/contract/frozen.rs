//! A server that is stopped in the middle: the connection stands, and nothing comes. Needs a plane of
//! `tests/control-plane/up`, whose `plane.json` names the process.

use std::process::Command;
use std::time::{Duration, Instant};

use rollboot::cluster::Deadlines;
use rollboot::config::Config;
use rollboot::failure::{FailureKind, WriteOutcome};
use rollboot::ports::Cluster;
use serde_json::Value;

use super::Plane;

/// The API server, stopped until this is dropped.
struct Frozen(String);

impl Frozen {
    fn new(process: &str) -> Self {
        signal("STOP", process);
        Self(process.to_owned())
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        signal("CONT", &self.0);
    }
}

fn signal(name: &str, process: &str) {
    let status = Command::new("kill")
        .args([&format!("-{name}"), process])
        .status()
        .unwrap();
    assert!(status.success());
}

#[tokio::test]
async fn a_frozen_server_leaves_a_write_open_until_it_is_asked_again() {
    let Some(plane) = Plane::enter().await else {
        return;
    };
    let text = std::fs::read_to_string(plane.folder.join("plane.json")).unwrap();
    let saved: Value = serde_json::from_str(&text).unwrap();
    let process = saved["processes"]["api"]["pid"].to_string();
    let deadlines = Deadlines {
        connect: Duration::from_millis(500),
        request: Duration::from_secs(1),
        idle: Duration::from_secs(2),
        ..Deadlines::DEFAULT
    };
    let hasty = plane.node_with("contract-a", deadlines, &Config::default());
    let a = plane.node("contract-a");
    let view = hasty.read_lock().await.unwrap().unwrap();
    let key = "contract-a.rollboot.io/default";
    let patch = view.patch(Some((key.to_owned(), "x".to_owned())), &[]);

    let begun = Instant::now();
    let watch = hasty.watch_lock(&view.version, |_| {});
    let freeze = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        // The watch has taken the first connection; this leaves a second one behind.
        hasty.read_lock().await.unwrap();
        let frozen = Frozen::new(&process);
        // On the connection that stands the write leaves this host.
        let sent = hasty.patch_lock(&patch).await;
        // That connection is given up; a new one gets no further than TCP.
        let unsent = hasty.patch_lock(&patch).await;
        (frozen, sent, unsent)
    };
    let (end, (frozen, sent, unsent)) = tokio::join!(watch, freeze);
    assert_eq!(end.unwrap_err().kind, FailureKind::Timeout);
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    assert!(
        matches!(&sent, WriteOutcome::Unknown(failure) if failure.kind == FailureKind::Timeout),
        "{sent:?}"
    );
    assert!(
        matches!(&unsent, WriteOutcome::Refused(failure) if failure.kind == FailureKind::Unavailable),
        "{unsent:?}"
    );
    drop(frozen);

    // Repeated with the same precondition until there is an outcome: 200 once, or 409 if the first one landed.
    let outcome = a.patch_lock(&patch).await;
    let now = a.read_lock().await.unwrap().unwrap();
    assert!(
        matches!(outcome, WriteOutcome::Applied(_) | WriteOutcome::Conflict),
        "{outcome:?}"
    );
    assert_eq!(now.annotations.get(key).map(String::as_str), Some("x"));
    assert_eq!(a.patch_lock(&patch).await, WriteOutcome::Conflict);
}
