use super::super::scratch::{Scratch, skipped};
use super::*;
use crate::journal::{Latch, Place, Stage, Turn};
use crate::lock::TurnId;
use crate::request::Requests;

fn host() -> (Scratch, JournalFile) {
    let scratch = Scratch::new();
    let file = JournalFile::of(&Root::new(scratch.path()));
    (scratch, file)
}

fn journal(why: &str) -> Journal {
    Journal {
        latch: Some(Latch {
            why: why.into(),
            requests: Requests::new(),
        }),
        ..Journal::default()
    }
}

fn put(file: &JournalFile, text: &str) {
    fs::create_dir_all(file.path().parent().unwrap()).unwrap();
    fs::write(file.path(), text).unwrap();
}

fn files(file: &JournalFile) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(file.path().parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_missing_file_is_empty_and_a_written_one_is_read_back() {
    let (_scratch, file) = host();
    assert_eq!(file.read(), Ok(Journal::default()));
    for why in ["one", "two"] {
        file.write(&journal(why)).await.unwrap();
        assert_eq!(file.read(), Ok(journal(why)));
        assert_eq!(files(&file), ["journal.json"]);
    }
    let text = fs::read_to_string(file.path()).unwrap();
    assert!(text.starts_with(r#"{"v":1,"journal":{"#), "{text}");
}

#[tokio::test]
async fn a_file_torn_at_any_byte_is_damaged_and_never_empty() {
    let (_scratch, file) = host();
    file.write(&journal("x")).await.unwrap();
    let whole = fs::read(file.path()).unwrap();
    for length in 0..whole.len() {
        fs::write(file.path(), &whole[..length]).unwrap();
        let error = file.read().unwrap_err();
        let JournalError::Damaged { text, .. } = &error else {
            panic!("{length}: {error}");
        };
        assert!(String::from_utf8_lossy(&whole).starts_with(text));
    }
}

#[test]
fn what_we_did_not_write_is_damaged() {
    let (_scratch, file) = host();
    for (text, why) in [
        ("\0\0\0\0", "expected value"),
        ("[]", "invalid"),
        (r#"{"journal":{}}"#, "missing field `v`"),
        (r#"{"v":1}"#, "missing field `journal`"),
        (r#"{"v":1,"journal":{"turn":{}}}"#, "missing field `id`"),
    ] {
        put(&file, text);
        let error = file.read().unwrap_err();
        assert!(error.to_string().contains(why), "{text}: {error}");
        assert!(matches!(error, JournalError::Damaged { .. }), "{error}");
    }
}

#[test]
fn what_a_newer_version_wrote_is_left_alone() {
    let (_scratch, file) = host();
    put(&file, r#"{"v":2,"journal":{"new":1}}"#);
    let error = file.read().unwrap_err();
    assert!(
        matches!(error, JournalError::Newer { found: 2, .. }),
        "{error}"
    );
    assert!(
        error.to_string().contains("this rollboot knows 1"),
        "{error}"
    );
}

#[test]
fn fields_that_nobody_knows_do_not_hide_a_turn() {
    let (_scratch, file) = host();
    put(
        &file,
        r#"{"v":1,"more":1,"journal":{"turn":{"id":"000000000000000a","boot_id":"b","node_uid":"u","since":"2026-01-01T00:00:00Z",
            "group":"default","lock_version":"5","requests":[],"stage":"rebooting","later":{"x":[1]}},"also":null}}"#,
    );
    let turn = file.read().unwrap().turn.unwrap();
    assert_eq!((turn.boot_id.as_str(), turn.stage), ("b", Stage::Rebooting));
}

#[tokio::test]
async fn the_record_is_written_with_a_turn_and_goes_with_it() {
    let (_scratch, file) = host();
    let record = Record {
        place: Place {
            node: "n".into(),
            named: true,
            kubeconfig: "/k".into(),
            namespace: "s".into(),
            lock: "l".into(),
        },
        configuration: vec![("/etc/c".into(), "mode = 1".into())],
    };
    file.set_record(record.clone());
    let mut journal = journal("x");
    journal.turn = Some(Turn {
        id: TurnId(1),
        boot_id: "b".into(),
        node_uid: "u".into(),
        since: jiff::Timestamp::UNIX_EPOCH,
        group: "default".into(),
        lock_version: "1".into(),
        requests: Requests::new(),
        control_plane: Vec::new(),
        containers: Default::default(),
        daemon_sets: None,
        shutdown: false,
        stage: Stage::Active,
    });
    file.write(&journal).await.unwrap();
    let stored = file.read_all().unwrap();
    assert_eq!(stored.record, Some(record));
    assert_eq!(stored.journal, journal);
    journal.turn = None;
    file.write(&journal).await.unwrap();
    assert_eq!(file.read_all().unwrap().record, None);
}

#[test]
fn what_cannot_be_read_is_not_empty_either() {
    let (_scratch, file) = host();
    fs::create_dir_all(file.path()).unwrap();
    let error = file.read().unwrap_err();
    assert!(matches!(error, JournalError::Unreadable { .. }), "{error}");
}

#[tokio::test]
async fn damaged_files_are_set_aside_and_none_is_lost() {
    let (_scratch, file) = host();
    for text in ["first", "second"] {
        put(&file, text);
        let aside = file.put_beside().unwrap();
        assert!(
            file.read().is_err(),
            "it is still there until the next write"
        );
        file.write(&journal("x")).await.unwrap();
        assert_eq!(fs::read_to_string(aside).unwrap(), text);
        assert_eq!(file.read(), Ok(journal("x")));
    }
    assert_eq!(
        files(&file),
        ["journal.json", "journal.json.bad-1", "journal.json.bad-2"]
    );
}

#[tokio::test]
async fn a_folder_that_takes_no_file_is_a_failure_and_leaves_the_old_journal() {
    let (_scratch, file) = host();
    file.write(&journal("old")).await.unwrap();
    // A folder in the place of the new file stops root too, whom permissions do not stop everywhere.
    let mut new = file.path().as_os_str().to_os_string();
    new.push(".new");
    fs::create_dir(&new).unwrap();
    let failure = file.write(&journal("new")).await.unwrap_err();
    assert_eq!(
        failure.kind,
        crate::failure::FailureKind::Local,
        "{failure}"
    );
    assert_eq!(file.read(), Ok(journal("old")));
    fs::remove_dir(&new).unwrap();
    file.write(&journal("new")).await.unwrap();
    assert_eq!(file.read(), Ok(journal("new")));
}

#[tokio::test]
async fn a_read_only_folder_is_a_failure() {
    use std::os::unix::fs::PermissionsExt;
    let (_scratch, file) = host();
    file.write(&journal("old")).await.unwrap();
    let folder = file.path().parent().unwrap().to_path_buf();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o500)).unwrap();
    let probe = File::create(folder.join("probe"));
    if probe.is_ok() {
        return skipped("this user can write to folders of mode 500");
    }
    let failure = file.write(&journal("new")).await.unwrap_err();
    assert!(failure.message.contains("cannot be written"), "{failure}");
    assert_eq!(file.read(), Ok(journal("old")));
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
}

#[tokio::test]
async fn a_file_where_the_folder_should_be_is_a_failure() {
    let scratch = Scratch::new();
    let root = Root::new(scratch.path());
    fs::create_dir_all(root.join("/var/lib")).unwrap();
    fs::write(root.join("/var/lib/rollboot"), "").unwrap();
    let file = JournalFile::of(&root);
    assert!(file.write(&Journal::default()).await.is_err());
}

#[tokio::test]
async fn an_abandoned_write_does_not_land_after_a_later_one() {
    let (_scratch, file) = host();
    for round in 0..20 {
        let old = journal("abandoned");
        let abandoned = file.write(&old);
        // Started, and given up at once.
        let _ = tokio::time::timeout(std::time::Duration::ZERO, abandoned).await;
        let new = journal(&format!("round {round}"));
        file.write(&new).await.unwrap();
        assert_eq!(file.read(), Ok(new));
    }
}

#[tokio::test]
async fn a_write_that_fails_leaves_nothing_half_done() {
    let (_scratch, file) = host();
    fs::create_dir_all(file.path().join("in the way")).unwrap();
    assert!(file.write(&Journal::default()).await.is_err());
    assert_eq!(files(&file), ["journal.json"]);
}
