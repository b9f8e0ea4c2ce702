//! Inputs that nobody thought of: whatever parses what comes from outside never panics, and takes nothing that its rules refuse.
//! Here is what the core parses; what adapters parse is in `tests/it`. `tests/fuzz` looks for longer and by coverage.

use std::collections::BTreeMap;
use std::path::PathBuf;

use proptest::prelude::*;
use rollboot::config::load::merge;
use rollboot::lock::{Entry, Limits, LockView, TurnId, Verdict, key, unreadable};

use crate::any_json::json_value;

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
}
