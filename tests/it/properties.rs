//! Inputs that nobody thought of: whatever parses what comes from outside never panics, and takes nothing that its rules refuse.
//! Here is what adapters parse; what the core parses is in `tests/core`. `tests/fuzz` looks for longer and by coverage.

use jiff::Timestamp;
use proptest::prelude::*;
use rollboot::cluster::reading;
use rollboot::drain::{Blocker, ControllerRef, EvictionRecord, Kind, StatusRevision};
use rollboot::failure::WriteOutcome;
use rollboot::host::{JournalFile, listed};
use rollboot::journal::{Asked, EvictionLog, Failed, Journal, Latch, Outcome, Stage, Turn};
use rollboot::lock::{Noted, TurnId};
use rollboot::request::{Request, Requests};
use serde_json::json;

use crate::any_json::json_value;

fn timestamp() -> impl Strategy<Value = Timestamp> {
    (0_i64..4_000_000_000).prop_map(|seconds| Timestamp::from_second(seconds).unwrap())
}

fn requests() -> impl Strategy<Value = Requests> {
    let request =
        (any::<String>(), any::<String>()).prop_map(|(path, identity)| Request { path, identity });
    prop::collection::btree_set(request, 0..3)
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Done),
        Just(Outcome::Stop),
        any::<String>().prop_map(Outcome::Again),
        any::<String>().prop_map(Outcome::BackOff),
        any::<String>().prop_map(Outcome::Latch),
    ]
}

fn turn() -> impl Strategy<Value = Turn> {
    let stage = prop_oneof![
        Just(Stage::Active),
        Just(Stage::Rebooting),
        outcome().prop_map(Stage::Undoing)
    ];
    (
        any::<u64>(),
        any::<[String; 4]>(),
        timestamp(),
        requests(),
        any::<Vec<String>>(),
        prop::collection::vec(record(), 0..3),
        any::<bool>(),
        stage,
    )
        .prop_map(
            |(
                id,
                [boot_id, node_uid, group, lock_version],
                since,
                requests,
                control_plane,
                records,
                shutdown,
                stage,
            )| Turn {
                id: TurnId(id),
                boot_id,
                node_uid,
                since,
                group,
                lock_version,
                requests,
                control_plane,
                containers: ["containerd://1".into()].into(),
                daemon_sets: shutdown
                    .then(|| records.iter().map(|record| record.of.clone()).collect()),
                shutdown,
                stage,
            },
        )
}

fn record() -> impl Strategy<Value = EvictionRecord> {
    (any::<[u32; 2]>(), any::<[String; 5]>()).prop_map(
        |([ready, counted], [namespace, name, uid, full, version])| EvictionRecord {
            of: ControllerRef {
                namespace,
                kind: Kind::StatefulSet,
                name,
                uid,
            },
            ready,
            full: full.as_str().into(),
            written: StatusRevision {
                fresh: ready > 9,
                others: ready.into(),
                generation: counted.into(),
                ..version.as_str().into()
            },
            counted,
            confirmed: ready % 2 == 0,
        },
    )
}

prop_compose! {
    fn journal()(
        turn in prop::option::of(turn()),
        asked in prop::collection::vec((timestamp(), any::<String>(), any::<u64>(), requests()), 0..4),
        latch in prop::option::of((any::<String>(), requests())),
        failed in prop::option::of((any::<u8>(), any::<String>(), timestamp(), any::<Vec<[String; 3]>>())),
        lock in prop::option::of((any::<String>(), any::<u64>())),
        evictions in prop::option::of((any::<u64>(), prop::collection::btree_map(any::<String>(), record(), 0..3))),
    ) -> Journal {
        Journal {
            turn,
            history: asked.into_iter()
                .map(|(at, boot_id, turn, requests)| Asked { at, boot_id, turn: TurnId(turn), requests })
                .collect(),
            latch: latch.map(|(why, requests)| Latch { why, requests }),
            failed: failed.map(|(times, why, retry_at, blocked)| Failed {
                times,
                why,
                retry_at,
                blocked: blocked.into_iter()
                    .map(|[namespace, name, uid]| Blocker { namespace, name, uid })
                    .collect(),
            }),
            lock: lock.map(|(uid, turns)| Noted { uid, turns }),
            evictions: evictions.map(|(turn, records)| EvictionLog { turn: TurnId(turn), records }),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_journal_comes_back_as_it_was_written_and_half_of_it_never(journal in journal(), cut in any::<prop::sample::Index>()) {
        let bytes = JournalFile::render(&journal, None).unwrap();
        prop_assert_eq!(JournalFile::parse(&bytes).map(|stored| stored.journal), Ok(journal));
        prop_assert!(JournalFile::parse(&bytes[..cut.index(bytes.len())]).is_err());
    }

    #[test]
    fn only_a_journal_is_taken_for_one(value in json_value(), version in 0_u64..4) {
        let stored = json!({"v": version, "journal": value});
        if JournalFile::parse(stored.to_string().as_bytes()).is_ok() {
            prop_assert_eq!(version, 1);
            prop_assert!(stored["journal"].is_object() || stored["journal"].is_array(), "{}", stored);
        }
    }

    #[test]
    fn no_answer_of_a_server_is_too_strange(value in json_value(), kind in "ConfigMap|Node|PodList|Status|Pod", status in 100_u16..600) {
        let mut object = value;
        if let Some(map) = object.as_object_mut() {
            map.insert("kind".into(), kind.into());
        }
        let body = object.to_string();
        let body = body.as_bytes();
        let _ = reading::node(body);
        let _ = reading::pods(body);
        let _ = reading::evicted(status, body);
        // Whatever is no object of ours is not taken for one.
        if let Ok(view) = reading::lock(body) {
            prop_assert_eq!(&object["kind"], "ConfigMap");
            prop_assert!(object["metadata"].is_array() || object["metadata"]["resourceVersion"] == json!(view.version));
            let _ = view.slots();
            let _ = view.verdict("default");
        }
        // Only the server's own words say that a write came to nothing.
        match reading::written(status, body) {
            WriteOutcome::Applied(_) => prop_assert!((200..300).contains(&status)),
            WriteOutcome::Conflict => prop_assert!(status == 409 && object["kind"] == "Status"),
            WriteOutcome::Refused(_) => prop_assert!((400..500).contains(&status) && status != 408),
            WriteOutcome::Unknown(_) => {}
        }
    }

    #[test]
    fn a_list_of_packages_is_short_and_without_repetition(text in prop::collection::vec(any::<u8>(), 0..2000)) {
        let names = listed(&text);
        prop_assert!(names.len() <= 256);
        for (at, name) in names.iter().enumerate() {
            prop_assert!(!name.trim().is_empty() && !name.contains('\n') && !names[..at].contains(name));
        }
    }

    #[test]
    fn a_pem_text_has_a_name_or_none(text in prop_oneof![any::<String>(), "-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]{0,80}\n-----END CERTIFICATE-----\n"]) {
        let _ = reading::common_name(text.as_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// Each case is a file on the disk.
    #[test]
    fn any_kubeconfig_gives_a_name_that_a_node_can_have_or_an_error_on_one_line(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "apiVersion: v1\n", "current-context: c\n", "contexts:\n", "- name: c\n", "  context: {cluster: k, user: u}\n", "clusters:\n",
            "- name: k\n", "  cluster: {server: 'https://h'}\n", "users:\n", "- name: u\n", "  user:\n", "    client-certificate-data: aGVsbG8=\n",
            "    token: t\n", "  user: {}\n", "\t", "{", "]", ": ", "&a *a\n", "!!binary x\n", "\0", "user: [", "null\n",
        ]), 0..16),
    ) {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("etc/kubernetes")).unwrap();
        std::fs::write(root.path().join("etc/kubernetes/kubelet.conf"), pieces.concat()).unwrap();
        let source = rollboot::cluster::Source::find(None, root.path()).unwrap();
        match source.node_name(None) {
            Ok(found) => prop_assert_eq!(found, None),
            Err(failure) => prop_assert!(!failure.message.contains('\n'), "{}", failure),
        }
    }
}
