//! A server that is stopped, or ends, in the middle. A real one has to be of `tests/control-plane/up`, whose `plane.json` names
//! the process.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rollboot::cluster::Deadlines;
use rollboot::config::Config;
use rollboot::failure::{FailureKind, WriteOutcome};
use rollboot::ports::Cluster;
use rollboot_lab::api::Fault;
use serde_json::Value;

use super::{Plane, Server};

cases! {
    both:
    a_frozen_server_leaves_a_write_open_until_it_is_asked_again,
    a_server_that_ends_ends_the_watch_at_once_and_the_old_version_is_gone_with_it,
}

/// The folder that makes planes.
const CONTROL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/control-plane");

impl Plane {
    /// Stops the server, or lets it go on.
    fn freeze(&self, stopped: bool) {
        match &self.server {
            Server::Embedded { api, .. } if stopped => api.set_fault(Fault::Silent),
            Server::Embedded { api, .. } => api.set_fault(Fault::None),
            Server::Real { .. } => {
                let text = std::fs::read_to_string(self.folder.join("plane.json")).unwrap();
                let saved: Value = serde_json::from_str(&text).unwrap();
                let process = saved["processes"]["api"]["pid"].to_string();
                let signal = if stopped { "-STOP" } else { "-CONT" };
                let status = Command::new("kill").args([signal, &process]).status();
                assert!(status.unwrap().success());
            }
        }
    }

    fn kill(&self) {
        match &self.server {
            Server::Embedded { api, .. } => api.stop(),
            Server::Real { .. } => self.control("stop_part('api', kill=True)"),
        }
    }

    async fn start(&self) {
        match &self.server {
            Server::Embedded { api, .. } => api.resume().await.unwrap(),
            Server::Real { .. } => self.control("start_api()"),
        }
    }

    /// By the means of the folder that made it.
    fn control(&self, action: &str) {
        assert!(Path::new(CONTROL).join("plane").exists());
        let script = format!(
            "import pathlib, sys; from plane.plane import Plane; Plane.load(pathlib.Path(sys.argv[1])).{action}"
        );
        let status = Command::new("python3")
            .args(["-B", "-c", &script])
            .arg(&self.folder)
            .current_dir(CONTROL)
            .status()
            .unwrap();
        assert!(status.success());
    }
}

/// The API server, stopped until this is dropped.
struct Frozen<'a>(&'a Plane);

impl<'a> Frozen<'a> {
    fn new(plane: &'a Plane) -> Self {
        plane.freeze(true);
        Self(plane)
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        self.0.freeze(false);
    }
}

async fn a_frozen_server_leaves_a_write_open_until_it_is_asked_again(plane: &Plane) {
    let deadlines = Deadlines {
        connect: Duration::from_millis(500),
        request: Duration::from_secs(1),
        write: Duration::from_secs(1),
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
        let frozen = Frozen::new(plane);
        // On the connection that stands the write leaves this host.
        let sent = hasty.patch_lock(&patch).await;
        // That connection is given up; a new one gets no further than TCP.
        let unsent = hasty.patch_lock(&patch).await;
        assert!(hasty.read_lock().await.is_err(), "the read tells");
        (frozen, sent, unsent)
    };
    let (end, (frozen, sent, unsent)) = tokio::join!(watch, freeze);
    assert_eq!(end, Ok(()), "silence alone is no failure");
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

async fn a_server_that_ends_ends_the_watch_at_once_and_the_old_version_is_gone_with_it(
    plane: &Plane,
) {
    let a = plane.node("contract-a");
    let view = a.read_lock().await.unwrap().unwrap();
    let key = "contract-a.rollboot.io/default".to_owned();
    let patch = view.patch(Some((key, "x".to_owned())), &[]);
    let end = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        plane.kill();
        Instant::now()
    };
    let watch = async {
        let limit = Duration::from_secs(20);
        let end = tokio::time::timeout(limit, a.watch_lock(&view.version, |_| {})).await;
        (end, Instant::now())
    };
    let ((ended, noticed), killed) = tokio::join!(watch, end);
    let noticed = noticed.saturating_duration_since(killed);
    assert!(noticed < Duration::from_secs(1), "{noticed:?}");
    let failure = ended.unwrap().unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unavailable, "{failure}");

    let begun = Instant::now();
    let outcome = a.patch_lock(&patch).await;
    assert!(
        // Refused, or reset while its socket goes: either way there was no connection, so nothing was sent.
        matches!(&outcome, WriteOutcome::Refused(failure) if failure.message.contains("Connect")),
        "{outcome:?}"
    );
    assert!(begun.elapsed() < Duration::from_secs(1));

    plane.start().await;
    let back = loop {
        // RBAC is not loaded at once: the first answers may be 403.
        match a.read_lock().await {
            Ok(view) => break view.unwrap(),
            Err(failure) => assert!(begun.elapsed() < Duration::from_secs(60), "{failure}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(back, view);
    let end = a.watch_lock("1", |view| panic!("{view:?}")).await;
    let failure = end.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unavailable);
    assert!(failure.message.contains("410"), "{failure}");
    assert!(matches!(
        a.patch_lock(&patch).await,
        WriteOutcome::Applied(_)
    ));
}
