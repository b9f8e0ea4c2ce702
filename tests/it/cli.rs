//! The program as a person calls it: exit codes and the words that go with them.

pub(crate) mod bus;
mod check;
mod daemon;
mod operator;
mod plan;
mod status;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn rollboot(root: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rollboot"))
        .arg("--root")
        .arg(root)
        .args(arguments)
        .env_remove("JOURNAL_STREAM")
        .env_remove("NOTIFY_SOCKET")
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&both).into_owned()
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    let root = tempfile::tempdir().unwrap();
    for arguments in [&["reboot"][..], &["status", "--now"], &["unlock"], &[]] {
        let output = rollboot(root.path(), arguments);
        assert_eq!(
            output.status.code(),
            Some(64),
            "{arguments:?}: {}",
            said(&output)
        );
    }
    let mistyped = said(&rollboot(root.path(), &["stauts"]));
    assert!(mistyped.contains("'status'"), "{mistyped}");
    let version = rollboot(root.path(), &["--version"]);
    assert_eq!(version.status.code(), Some(0));
    assert_eq!(
        said(&version).trim(),
        concat!("rollboot ", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn status_without_a_daemon_says_what_to_look_at() {
    let root = tempfile::tempdir().unwrap();
    let output = rollboot(root.path(), &["status"]);
    assert_eq!(output.status.code(), Some(69));
    assert!(
        said(&output).contains("systemctl status rollboot"),
        "{}",
        said(&output)
    );
}

#[test]
fn a_wrong_configuration_stops_every_command_that_needs_it_and_names_the_place() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("etc/rollboot")).unwrap();
    fs::write(
        root.path().join("etc/rollboot/config.toml"),
        "settle = 30\n",
    )
    .unwrap();
    for command in ["run", "check"] {
        let output = rollboot(root.path(), &[command]);
        assert_eq!(
            output.status.code(),
            Some(78),
            "{command}: {}",
            said(&output)
        );
        assert!(
            said(&output).contains("config.toml:1:"),
            "{}",
            said(&output)
        );
    }
}

#[test]
fn check_names_everything_that_is_missing_at_once() {
    let root = tempfile::tempdir().unwrap();
    let output = rollboot(root.path(), &["check", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["ready"], false);
    let failed: Vec<_> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["result"] == "fail")
        .map(|finding| finding["check"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(failed, ["daemon", "logind", "kubeconfig"]);
}

#[test]
fn abort_where_nothing_runs_and_nothing_is_recorded_has_nothing_to_do() {
    let root = tempfile::tempdir().unwrap();
    let output = rollboot(root.path(), &["abort"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn abort_with_a_recorded_turn_and_no_cluster_says_so_and_keeps_the_record() {
    let root = tempfile::tempdir().unwrap();
    let state = root.path().join("var/lib/rollboot");
    fs::create_dir_all(&state).unwrap();
    fs::create_dir_all(root.path().join("run/rollboot")).unwrap();
    let journal = r#"{"v":1,"journal":{"turn":{"id":"00000000000000ab","boot_id":"b","node_uid":"u","since":"2026-01-01T00:00:00Z",
        "group":"default","lock_version":"7","requests":[],"stage":"active"}}}"#;
    fs::write(state.join("journal.json"), journal).unwrap();
    let output = rollboot(root.path(), &["abort"]);
    assert_eq!(output.status.code(), Some(69), "{}", said(&output));
    assert!(said(&output).contains("kubeconfig"), "{}", said(&output));
    assert_eq!(
        fs::read_to_string(state.join("journal.json")).unwrap(),
        journal
    );
}
