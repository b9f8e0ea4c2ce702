//! The daemon as a process beside the commands that ask about it.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::check::Site;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Killed when the test is over.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Daemon {
    fn start(site: &Site) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_rollboot"))
            .arg("--root")
            .arg(site.root.path())
            .arg("run")
            .env_remove("JOURNAL_STREAM")
            .env_remove("NOTIFY_SOCKET")
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        site.write(&format!("proc/{}/comm", child.id()), "rollboot\n");
        Self(child)
    }
}

/// What `rollboot status --json` says when this holds of it.
async fn status(site: &Site, holds: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let (_, text) = site.run(&["status", "--json"]).await;
        let status: Value = serde_json::from_str(&text).unwrap_or_default();
        if holds(&status) {
            return status;
        }
        assert!(begun.elapsed() < PATIENCE, "{text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_daemon_that_observes_looks_and_reports_and_writes_nothing() {
    let site = Site::healthy().await;
    site.write(
        "etc/rollboot/config.toml",
        "mode = \"observe\"\nsettle = \"0s\"\n",
    );
    let before = site.api.store().history().len();
    let _daemon = Daemon::start(&site);
    status(&site, |it| it["phase"] == "idle" && it["mode"] == "observe").await;
    site.write("run/reboot-required", "");
    let asked = status(&site, |it| it["blocked_by"][0]["gate"] == "mode").await;
    assert!(
        asked["reason"].as_str().unwrap().contains("observe"),
        "{asked}"
    );
    let (code, text) = site.run(&["status"]).await;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("mode: observe"), "{text}");
    let (code, findings) = site.check().await;
    let failed: Vec<_> = findings.iter().filter(|it| it[1] == "fail").collect();
    assert_eq!(
        (code, failed.len(), failed[0][0].as_str()),
        (Some(1), 1, "mode"),
        "{failed:#?}"
    );
    assert_eq!(site.api.store().history().len(), before);

    // The file says something else by now, and nobody has told the daemon.
    site.write("etc/rollboot/config.toml", "settle = \"0s\"\n");
    let (code, findings) = site.check().await;
    let told = findings
        .iter()
        .any(|it| it[0] == "mode" && it[3].contains("reload"));
    assert!(told && code == Some(0), "{findings:#?}");
}

#[tokio::test]
async fn what_fails_is_told_with_the_time_of_the_next_try() {
    let site = Site::healthy().await;
    site.write("etc/rollboot/config.toml", "settle = \"0s\"\n");
    let _daemon = Daemon::start(&site);
    status(&site, |it| it["phase"] == "idle").await;
    site.api.stop();
    site.write("run/reboot-required", "");
    let failing = status(&site, |it| it["failing"]["error"].is_string()).await;
    let at: jiff::Timestamp = failing["retry_at"].as_str().unwrap().parse().unwrap();
    let wait = jiff::Timestamp::now().duration_until(at).as_secs();
    assert!((-5..=60).contains(&wait), "{failing}");
    let (_, text) = site.run(&["status"]).await;
    assert!(text.contains("tried again at"), "{text}");
}

/// The configuration on the disk was broken while the daemon ran with the one it had (no reload, or one that was refused). The node
/// takes its turn, reboots, and comes back to a program that ends with 78, which the unit never starts again: slot and cordon stay.
#[test]
fn a_turn_that_is_under_way_is_ended_also_with_a_broken_configuration() {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("etc/rollboot/config.d/50-team.toml", "soak = \"10s\"\n");
    write(
        "var/lib/rollboot/journal.json",
        r#"{"v":1,"journal":{"turn":{"id":"000000000000000a","boot_id":"before","node_uid":"u","since":"2026-01-01T00:00:00Z",
            "group":"default","lock_version":"5","requests":[],"stage":"rebooting"},"lock_uid":"l"}}"#,
    );
    let output = super::rollboot(root.path(), &["run"]);
    let unit = include_str!("../../../systemd/rollboot.service");
    let never_again = unit
        .lines()
        .find_map(|line| line.strip_prefix("RestartPreventExitStatus="))
        .unwrap();
    let code = output.status.code().unwrap().to_string();
    assert!(
        !never_again.split(' ').any(|it| it == code),
        "exit {code}, and the unit is not started again: {}",
        super::said(&output)
    );
}
