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

/// A reason of a pause, or of a hold, is free text that others write, with the right to the lock: any one node's credential.
#[test]
fn what_others_wrote_does_not_command_the_terminal() {
    let root = tempfile::tempdir().unwrap();
    let evil = r"\u001b]0;owned\u0007\u001b[2J\u001b]52;c;cm0gLXJmIC8=\u0007";
    let text = OLD
        .replace("\"pause\":null", &format!("\"pause\":\"{evil}\""))
        .replace("\"since\":null}]", &format!("\"since\":\"{evil}\"}}]"))
        .replace("the turn of b", &format!("paused: {evil}"));
    write(root.path(), "run/rollboot/status.json", &text);
    write(root.path(), "proc/4712/comm", "rollboot\n");
    let shown = said(&rollboot(root.path(), &["status"]));
    let commands = shown.chars().filter(|it| it.is_control() && *it != '\n');
    assert_eq!(commands.count(), 0, "{shown:?}");
}

#[test]
fn every_control_character_is_spelled_out_and_a_long_text_is_cut() {
    let controls = (0..=0x9f_u32).chain([0x61c, 0x200e, 0x200f, 0x2028, 0x2029]);
    let controls = controls.chain(0x202a..=0x202e).chain(0x2066..=0x2069);
    let controls = controls.filter_map(char::from_u32);
    let evil: String = controls
        .filter(|it| !it.is_ascii_graphic() && *it != ' ')
        .collect();
    let evil = evil.repeat(256 * 1024 / evil.len());
    let quoted = serde_json::to_string(&evil).unwrap();
    let text = OLD
        .replace("\"pause\":null", &format!("\"pause\":{quoted}"))
        .replace("\"since\":null}]", &format!("\"since\":{quoted}}}]"))
        .replace("\"group\":\"default\"", &format!("\"group\":{quoted}"))
        .replace("\"linux-image\"", &quoted)
        .replace("\"what\":\"the turn of b\"", &format!("\"what\":{quoted}"));
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "run/rollboot/status.json", &text);
    write(root.path(), "proc/4712/comm", "rollboot\n");
    for words in [&["status"][..], &["status", "--json"]] {
        let done = rollboot(root.path(), words);
        assert_eq!(done.status.code(), Some(0), "{words:?}");
        let shown = said(&done);
        let bidi = ['\u{61c}', '\u{200e}', '\u{202e}', '\u{2066}', '\u{2028}'];
        let acts = |it: char| (it.is_control() && it != '\n') || bidi.contains(&it);
        assert!(!shown.contains(acts), "{words:?}");
        if words.len() == 1 {
            assert!(shown.len() < 200_000, "{}", shown.len());
            assert!(shown.lines().count() < 400, "{}", shown.lines().count());
        } else {
            let json: serde_json::Value = serde_json::from_str(&shown).unwrap();
            assert_eq!(json["lock"]["pause"], evil.as_str());
        }
    }
}
