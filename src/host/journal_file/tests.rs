use super::super::scratch::{Scratch, skipped};
use super::*;
use crate::journal::Latch;
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
        (
            r#"{"v":2,"journal":{"new":1}}"#,
            "its version is 2, this rollboot knows 1",
        ),
        (r#"{"v":1}"#, "missing field `journal`"),
        (
            r#"{"v":1,"journal":{"turns":null}}"#,
            "unknown field `turns`",
        ),
        (r#"{"v":1,"journal":{},"more":1}"#, "unknown field `more`"),
    ] {
        put(&file, text);
        let error = file.read().unwrap_err();
        assert!(error.to_string().contains(why), "{text}: {error}");
        assert!(matches!(error, JournalError::Damaged { .. }), "{error}");
    }
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
    assert_eq!(failure.kind, FailureKind::Local, "{failure}");
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
