//! Inputs that nobody thought of: whatever parses what comes from outside never panics, and takes nothing that its rules refuse.
//! `tests/fuzz` looks for longer and by coverage; this runs with every `cargo test`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use proptest::prelude::*;
use rollboot::cluster::reading;
use rollboot::config::load::merge;
use rollboot::drain::{Blocker, ControllerRef, Kind, Wave, Written};
use rollboot::failure::WriteOutcome;
use rollboot::host::{JournalFile, listed};
use rollboot::journal::{Asked, Failed, Journal, Latch, Outcome, Stage, Turn, Waves};
use rollboot::lock::{Entry, Limits, LockView, Noted, TurnId, Verdict, key, unreadable};
use rollboot::request::{Request, Requests};
use serde_json::{Value, json};

/// Text as it goes wrong in configuration files: pieces of the right thing in any order, and anything in between.
fn config_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "mode", "settle", "sentinels", "node-name", "max-reboots-per-day", "[lock]", "[drain]", "[recovery]", "[[window]]",
            "quiet", "timeout", "units", "group", "=", " = ", "\n", "\"", "\"\"\"", "'", "[", "]", "{", "}", ",", ".", "#",
            "\"30s\"", "\"reboot\"", "[\"/run/x\"]", "3", "-1", "1e9", "0x10", "true", "1979-05-27", "\u{feff}", "\r\n", "ü", "\0",
        ]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// Any JSON, with the names that our objects have.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop::sample::select(vec![
            "ConfigMap",
            "Node",
            "PodList",
            "Status",
            "Failure",
            "v1",
            "True"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        let name = prop_oneof![
            8 => prop::sample::select(vec![
                "kind", "metadata", "uid", "resourceVersion", "annotations", "data", "items", "spec", "status", "details", "causes",
                "reason", "message", "code", "name", "namespace", "ownerReferences", "controller", "managedFields", "fieldsV1",
                "volumes", "tolerations", "conditions", "nodeInfo", "bootID", "rollboot.io/turn", "n1.rollboot.io/default",
            ]).prop_map(str::to_owned),
            1 => any::<String>(),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

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
        prop::collection::vec(wave(), 0..3),
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
                waves,
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
                daemon_sets: shutdown.then(|| waves.iter().map(|wave| wave.of.clone()).collect()),
                shutdown,
                stage,
            },
        )
}

fn wave() -> impl Strategy<Value = Wave> {
    (any::<[u32; 2]>(), any::<[String; 5]>()).prop_map(
        |([ready, counted], [namespace, name, uid, full, version])| Wave {
            of: ControllerRef {
                namespace,
                kind: Kind::StatefulSet,
                name,
                uid,
            },
            ready,
            full: full.as_str().into(),
            written: Written {
                fresh: ready > 9,
                others: ready.into(),
                generation: counted.into(),
                ..version.as_str().into()
            },
            counted,
            took: ready % 2 == 0,
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
        waves in prop::option::of((any::<u64>(), prop::collection::btree_map(any::<String>(), wave(), 0..3))),
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
            waves: waves.map(|(turn, of)| Waves { turn: TurnId(turn), of }),
        }
    }
}

/// Texts around the form of a limit, and any other.
fn limit_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{0,6}",
        "[-+ 0-9.eE_\u{660}-\u{669}]{0,5}",
        any::<String>()
    ]
}

/// `0|[1-9][0-9]{0,3}`, written a second time and in another way.
fn is_limit(text: &str) -> bool {
    (0..=9999).any(|number: u16| number.to_string() == text)
}

fn view(annotations: BTreeMap<String, String>, data: BTreeMap<String, String>) -> LockView {
    LockView {
        uid: "u".into(),
        version: "5".into(),
        annotations,
        data,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_error_of_the_configuration_has_its_place_in_the_file(text in config_text()) {
        let file = PathBuf::from("x.toml");
        if let Err(error) = merge(&[(file.clone(), text.clone())]) {
            let shown = error.to_string();
            prop_assert!(!shown.contains('\n'), "{shown:?}");
            let (line, column) = error.place.expect("there is a place in the one file");
            let lines: Vec<&str> = text.split('\n').collect();
            prop_assert!((1..=lines.len()).contains(&line), "{shown}");
            prop_assert!(column >= 1 && column <= lines[line - 1].chars().count() + 1, "{shown}");
            prop_assert_eq!(error.file, file);
        }
    }

    #[test]
    fn a_key_that_does_not_exist_is_never_taken(name in "[a-z][a-z-]{0,20}") {
        let known = ["mode", "node-name", "kubeconfig", "sentinels", "settle", "max-reboots-per-day", "lock", "drain", "recovery", "window"];
        prop_assume!(!known.contains(&name.as_str()));
        let text = format!("settle = \"1s\"\n{name} = \"x\"\n");
        let error = merge(&[("x.toml".into(), text)]).unwrap_err();
        prop_assert_eq!(error.place, Some((2, 1)));
    }

    #[test]
    fn a_limit_is_read_exactly(text in limit_text()) {
        let data: BTreeMap<_, _> = [("max.default".to_owned(), text.clone()), ("max.total".to_owned(), text.clone())].into();
        let limits = Limits::read(&data, "default");
        let expected = if is_limit(&text) { text.parse().unwrap() } else { 0 };
        prop_assert_eq!((limits.group, limits.total), (expected, expected));
        prop_assert_eq!(unreadable(&data, "default").is_empty(), is_limit(&text));
        prop_assert!(Limits::read(&data, "control-plane").group <= 1);
    }

    #[test]
    fn a_key_is_a_slot_whatever_its_value(
        values in prop::collection::btree_map("[a-z][a-z0-9.]{0,8}", any::<String>(), 0..4),
        foreign in prop::collection::btree_map(any::<String>(), any::<String>(), 0..4),
        max in 0_u16..6,
    ) {
        let ours = |key: &String| key.split_once('/').is_some_and(|(prefix, _)| prefix.ends_with(".rollboot.io"));
        let mut annotations: BTreeMap<String, String> = foreign.into_iter().filter(|(key, _)| !ours(key)).collect();
        annotations.remove("rollboot.io/pause");
        for (node, value) in &values {
            annotations.insert(key(node, "default"), value.clone());
        }
        let data = [("max.default".to_owned(), max.to_string()), ("max.total".to_owned(), max.to_string())].into();
        let view = view(annotations, data);
        prop_assert_eq!(view.slots().len(), values.len());
        prop_assert_eq!(view.verdict("default") == Verdict::Free, values.len() < usize::from(max));
        for node in values.keys() {
            prop_assert_eq!(view.own_keys(node), [key(node, "default")]);
            prop_assert!(view.own_entry(node).is_some());
        }
    }

    #[test]
    fn an_entry_comes_back_as_it_was_written(version in 0_u8..4, turn: u64, stamp: u64, texts: [String; 3], draining: Option<bool>) {
        let [node_uid, boot_id, since] = texts;
        let entry = Entry { v: version, turn: TurnId(turn), stamp: TurnId(stamp), node_uid, boot_id, since, draining };
        let text = entry.encode();
        // Of another version nothing is understood, not even what looks the same.
        let expected = (text.len() <= 1024 && version == Entry::VERSION).then_some(entry);
        prop_assert_eq!(Entry::parse(&text), expected);
    }

    #[test]
    fn what_is_taken_for_an_entry_is_one_of_this_version(text in prop_oneof![any::<String>(), json_value().prop_map(|it| it.to_string())]) {
        if let Some(entry) = Entry::parse(&text) {
            prop_assert_eq!(entry.v, Entry::VERSION);
            prop_assert!(text.len() <= 1024);
        }
    }

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
