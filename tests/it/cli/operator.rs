//! What an operator does from anywhere: `pause`, `resume` and `unlock` with a kubeconfig of their own.

use std::fs;
use std::process::{Command, Output};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rollboot_lab::api::{Api, Kind};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::said;

/// An entry as a daemon writes it.
fn entry(turn: &str) -> String {
    json!({"v": 1, "turn": turn, "stamp": turn, "node_uid": "u", "boot_id": "b", "since": "2026-01-01T00:00:00Z"}).to_string()
}

/// The mark of a turn on a Node.
fn marker(turn: &str) -> String {
    json!({"turn": turn, "stamp": turn, "boot_id": "b", "cordon": "ours"}).to_string()
}

const ONE: &str = "1111111111111111";
const TWO: &str = "2222222222222222";

struct Desk {
    api: Api,
    home: TempDir,
}

impl Desk {
    async fn new() -> Self {
        let api = Api::start().await.unwrap();
        api.arm();
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join(".kube")).unwrap();
        fs::write(home.path().join(".kube/config"), api.admin_kubeconfig()).unwrap();
        Self { api, home }
    }

    fn start(&self, arguments: &[&str]) -> std::process::Child {
        Command::new(env!("CARGO_BIN_EXE_rollboot"))
            .args(arguments)
            .env_clear()
            .env("HOME", self.home.path())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .stdin(std::process::Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Exit code and words.
    async fn run(&self, arguments: &[&str]) -> (i32, String) {
        let child = self.start(arguments);
        let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
        ended(&output.await.unwrap())
    }

    fn lock(&self) -> Value {
        let store = self.api.store();
        store
            .get(Kind::ConfigMap, "kube-system", "rollboot")
            .unwrap()
    }

    fn annotation(&self, key: &str) -> Option<String> {
        let value = &self.lock()["metadata"]["annotations"][key];
        value.as_str().map(str::to_owned)
    }

    fn annotate(&self, key: &str, value: &str) {
        let change = |lock: &mut Value| lock["metadata"]["annotations"][key] = json!(value);
        let store = self.api.store();
        let changed = store.update("node", Kind::ConfigMap, "kube-system", "rollboot", change);
        assert!(changed.is_some());
    }

    fn node(&self, name: &str, annotations: &Value) {
        let node = json!({"metadata": {"name": name, "annotations": annotations}, "spec": {"unschedulable": true}});
        let store = self.api.store();
        store.create("rollboot", Kind::Node, node).unwrap();
    }
}

fn ended(output: &Output) -> (i32, String) {
    (output.status.code().unwrap(), said(output))
}

#[tokio::test]
async fn a_pause_is_written_with_its_reason_by_rollboot_and_taken_back_by_resume() {
    let desk = Desk::new().await;
    let before = desk.lock();
    let (code, text) = desk.run(&["pause", "storage", "moves", "--dry-run"]).await;
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("nothing was changed"), "{text}");
    assert_eq!(desk.lock(), before);

    let (code, text) = desk.run(&["pause", "storage", "moves\u{1b}[2J"]).await;
    assert_eq!(code, 0, "{text}");
    let reason = desk.annotation("rollboot.io/pause").unwrap();
    assert!(reason.starts_with("storage moves [2J"), "{reason:?}");
    let managers = desk.lock()["metadata"]["managedFields"].clone();
    let ours = managers.as_array().unwrap().iter();
    let ours = ours.filter(|it| it["manager"] == "rollboot").count();
    assert_eq!(ours, 1, "{managers}");

    let (code, text) = desk.run(&["pause", "again"]).await;
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("already: storage moves"), "{text}");

    desk.annotate("rollboot.io/turns", "41");
    let (code, text) = desk.run(&["resume"]).await;
    assert_eq!(code, 0, "{text}");
    assert_eq!(desk.annotation("rollboot.io/pause"), None);
    let uid = desk.lock()["metadata"]["uid"].clone();
    assert_eq!(
        desk.annotation("rollboot.io/resumed").as_deref(),
        uid.as_str()
    );
    let turns: u64 = desk
        .annotation("rollboot.io/turns")
        .unwrap()
        .parse()
        .unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    assert!(turns.abs_diff(now.as_secs()) < 60, "{turns}");
    // Once more: it only ever rises.
    let (code, text) = desk.run(&["resume"]).await;
    assert_eq!(code, 0, "{text}");
    let later: u64 = desk
        .annotation("rollboot.io/turns")
        .unwrap()
        .parse()
        .unwrap();
    assert!(later > turns, "{later} {turns}");
}

#[tokio::test]
async fn a_lock_is_not_accepted_while_a_node_is_in_a_turn_that_it_does_not_know() {
    let desk = Desk::new().await;
    desk.annotate("rollboot.io/pause", "a backup was taken into use");
    desk.annotate("n1.rollboot.io/default", &entry(ONE));
    desk.node("n1", &json!({"rollboot.io/turn": marker(ONE)}));
    desk.node("n2", &json!({"other": "x"}));
    // Its turn has its slot: a resume in the midst of a roll.
    let (code, text) = desk.run(&["resume", "--dry-run"]).await;
    assert_eq!(code, 0, "{text}");
    desk.node("n3", &json!({"rollboot.io/turn": marker(TWO)}));
    let before = desk.lock();
    let (code, text) = desk.run(&["resume"]).await;
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("n3") && !text.contains("n1"), "{text}");
    assert_eq!(desk.lock(), before);
    let (code, text) = desk.run(&["resume", "--force"]).await;
    assert_eq!(code, 0, "{text}");
    assert_eq!(desk.annotation("rollboot.io/pause"), None);
}

#[tokio::test]
async fn unlock_says_what_it_does_not_do() {
    let desk = Desk::new().await;
    desk.annotate("n1.rollboot.io/default", &entry(ONE));
    desk.node("n1", &json!({}));
    let before = desk.lock();
    for (arguments, expected, words) in [
        (&["unlock", "N1!"][..], 64, "cannot be the name of a node"),
        (&["unlock", "../x"], 64, "cannot be the name of a node"),
        (&["unlock", "n9"], 1, "n9 holds no slot; in a turn: n1"),
        (&["unlock", "n1"], 1, "--force"),
        (
            &["unlock", "n1", "--force", "--dry-run"],
            0,
            "nothing was changed",
        ),
        (
            &["unlock", "n1", "--kubeconfig", "/nowhere"],
            69,
            "/nowhere",
        ),
        (&["unlock", "n1", "--context", "other"], 69, "\"other\""),
        (&["unlock", "n1", "--request-timeout", "soon"], 64, "30s"),
        (&["pause", "--as", "nobody"], 77, "nobody"),
        (&["pause", "--as-group", "x"], 64, "--as"),
    ] {
        let (code, text) = desk.run(arguments).await;
        // The embedded server knows nothing of impersonation.
        if arguments.contains(&"--as") && code == 0 {
            continue;
        }
        assert_eq!(code, expected, "{arguments:?}: {text}");
        assert!(text.contains(words), "{arguments:?}: {text}");
    }
    let slot = |lock: &Value| lock["metadata"]["annotations"]["n1.rollboot.io/default"].clone();
    assert_eq!(slot(&desk.lock()), slot(&before));
}

/// Takes as long as a holder may need to ask for its reboot.
#[tokio::test(flavor = "multi_thread")]
async fn a_slot_is_freed_once_its_holder_cannot_ask_any_more_and_a_new_one_is_left_alone() {
    let desk = Desk::new().await;
    for node in ["n1", "n2"] {
        desk.annotate(&format!("{node}.rollboot.io/default"), &entry(ONE));
    }
    desk.node("n1", &json!({"rollboot.io/turn": marker(ONE)}));
    let begun = Instant::now();
    let gone = desk.start(&["unlock", "n1", "--force", "--uncordon"]);
    let alive = desk.start(&["unlock", "n2"]);
    let revoked = Some(r#"{"revoked":true}"#.to_owned());
    for node in ["n1", "n2"] {
        while desk.annotation(&format!("{node}.rollboot.io/default")) != revoked {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "{node} is not revoked"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    desk.annotate("n2.rollboot.io/default", &entry(TWO));
    let wait = |child: std::process::Child| {
        tokio::task::spawn_blocking(move || ended(&child.wait_with_output().unwrap()))
    };
    let (code, text) = wait(gone).await.unwrap();
    assert_eq!(code, 0, "{text}");
    assert!(begun.elapsed() >= Duration::from_secs(40), "{text}");
    assert_eq!(desk.annotation("n1.rollboot.io/default"), None);
    assert!(
        text.contains("schedulable again") || !text.contains("cordon"),
        "{text}"
    );
    let (code, text) = wait(alive).await.unwrap();
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("n2 has taken its slot anew"), "{text}");
    assert_eq!(desk.annotation("n2.rollboot.io/default"), Some(entry(TWO)));
}
