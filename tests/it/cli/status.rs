//! `rollboot status`: with a daemon, after it, before it, and with a file of another version.

use std::fs;
use std::path::Path;

use super::{rollboot, said};

const OLD: &str = r#"{"pid":4712,"node":"node-a","phase":"waiting","since":"2026-01-01T00:00:00Z","reason":"the turn of b: 1 of group default, 1 in all may go at once",
    "blocked_by":[{"gate":"lock","what":"the turn of b","detail":"1 of group default, 1 in all may go at once"}],"retry_at":null,
    "sentinels":[{"path":"/run/reboot-required","present":true,"since":"2026-01-01T00:00:00Z","packages":["linux-image"]}],
    "lock":{"group":"default","max":1,"max_total":1,"holders":[{"node":"b","group":"default","since":null}],"pause":null}}"#;

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn the_last_word_of_a_daemon_is_shown_and_said_to_be_that() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "run/rollboot/status.json", OLD);
    let ended = rollboot(root.path(), &["status"]);
    assert_eq!(ended.status.code(), Some(69), "{}", said(&ended));
    assert!(
        said(&ended).contains("this is its last word"),
        "{}",
        said(&ended)
    );

    write(root.path(), "proc/4712/comm", "cron\n");
    let reused = rollboot(root.path(), &["status"]);
    assert_eq!(reused.status.code(), Some(69), "the process is another one");

    write(root.path(), "proc/4712/comm", "rollboot\n");
    let runs = rollboot(root.path(), &["status"]);
    assert_eq!(runs.status.code(), Some(0), "{}", said(&runs));
    let text = said(&runs);
    for line in [
        "node-a: waiting since 2026-01-01T00:00:00Z (",
        "  blocked by lock: the turn of b (1 of group default",
        "    > nothing to do: it waits for its turn",
        "sentinel /run/reboot-required: asks for a reboot since",
        "  because of linux-image",
        "  b (default)",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let json = rollboot(root.path(), &["status", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["lock"]["holders"][0]["node"], "b");
}

#[test]
fn a_file_of_another_version_is_said_to_be_one() {
    let root = tempfile::tempdir().unwrap();
    write(
        root.path(),
        "run/rollboot/status.json",
        r#"{"pid":1,"phase":"dancing"}"#,
    );
    let output = rollboot(root.path(), &["status"]);
    assert_eq!(output.status.code(), Some(69), "{}", said(&output));
    assert!(
        said(&output).contains("not what this version writes"),
        "{}",
        said(&output)
    );
}
