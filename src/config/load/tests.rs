use std::time::Duration;

use super::super::raw::KEYS;
use super::super::{
    DrainMode, EmptyDir, ForeignCordon, Mode, SingleReplica, Unmanaged, UnsafeToEvict,
};
use super::*;

const REFERENCE: &str = include_str!("../../../etc/rollboot/config.toml");

fn read(texts: &[&str]) -> Result<Config, ConfigError> {
    let texts: Vec<_> = texts
        .iter()
        .enumerate()
        .map(|(n, text)| (PathBuf::from(format!("{n}.toml")), (*text).to_owned()))
        .collect();
    merge(&texts)
}

/// The reference with every key uncommented. Prose begins with `# `, a key with `#` alone.
fn uncommented() -> String {
    let key = |line: &str| line.starts_with(|c: char| c.is_ascii_lowercase());
    REFERENCE
        .lines()
        .map(|line| {
            line.strip_prefix('#')
                .filter(|rest| key(rest))
                .unwrap_or(line)
        })
        .fold(String::new(), |text, line| text + line + "\n")
}

#[test]
fn an_empty_file_and_the_shipped_reference_change_nothing() {
    let default = Config::default();
    for texts in [&[][..], &[""], &[REFERENCE], &[&uncommented()]] {
        assert_eq!(read(texts), Ok(default.clone()));
    }
}

#[test]
fn the_reference_has_every_key_with_its_table() {
    let table: toml::Table = toml::from_str(&uncommented()).unwrap();
    for (name, keys) in KEYS {
        if name == "window" {
            // There is none by default, so it is shown as an example that is not taken for a key.
            assert!(REFERENCE.contains("\n# [[window]]\n"));
            for key in keys {
                assert!(REFERENCE.contains(&format!("\n# {key} = ")), "{key}");
            }
            continue;
        }
        let shown = if name.is_empty() {
            &table
        } else {
            table[name].as_table().unwrap()
        };
        for key in keys.iter().filter(|key| **key != "window") {
            assert!(shown.contains_key(*key), "[{name}] {key} is not shown");
        }
    }
}

#[test]
fn the_manual_has_every_key() {
    let manual = include_str!("../../../packaging/man/rollboot.toml.5");
    for key in KEYS.iter().filter(|(name, _)| !name.is_empty()) {
        let title = match key.0 {
            "window" => ".Sh TABLES window\n".to_owned(),
            table => format!(".Sh TABLE {table}\n"),
        };
        assert!(manual.contains(&title), "{title}");
    }
    let keys = KEYS.iter().flat_map(|(_, keys)| *keys);
    for key in keys.filter(|key| !["lock", "drain", "recovery", "window"].contains(key)) {
        assert!(manual.contains(&format!("\n.It Cm {key} No = ")), "{key}");
    }
}

#[test]
fn the_list_of_keys_is_what_the_parser_takes() {
    for (table, keys) in KEYS {
        let header = match table {
            "" => String::new(),
            "window" => "[[window]]\n".to_owned(),
            table => format!("[{table}]\n"),
        };
        let wrong = toml::from_str::<Raw>(&format!("{header}zzz = 0")).unwrap_err();
        let taken: Vec<_> = wrong.message().split('`').skip(3).step_by(2).collect();
        assert_eq!(taken, keys, "[{table}]");
    }
}

#[test]
fn every_key_reaches_the_configuration() {
    let text = r#"
        mode = "observe"
        node-name = "worker-1.example"
        kubeconfig = "/etc/k.conf"
        sentinels = ["//var/run/./reboot-required"]
        settle = "0s"
        max-reboots-per-day = 24
        [lock]
        namespace = "ops"
        name = "lock.of-nodes"
        group = "storage"
        [drain]
        mode = "none"
        timeout = "1h30m"
        quiet = "2 minutes"
        unmanaged = "skip"
        empty-dir = "refuse"
        single-replica = "block"
        unsafe-to-evict = "evict"
        foreign-cordon = "proceed"
        concurrency = 1
        [recovery]
        units = ["chronyd.service", "vpn@hq.service", "dev-disk-by\\x2duuid.mount"]
        soak = "24h"
        [[window]]
        start = "22:00"
        end = "04:30"
        days = ["fri", "sun"]
        timezone = "UTC"
        must-fit = "45m"
        [[window]]
        start = "00:00"
        end = "24:00"
    "#;
    let expected = Config {
        mode: Mode::Observe,
        node_name: Some("worker-1.example".into()),
        kubeconfig: Some("/etc/k.conf".into()),
        sentinels: vec!["/var/run/reboot-required".into()],
        settle: Duration::ZERO,
        max_reboots_per_day: 24,
        lock: super::super::Lock {
            namespace: "ops".into(),
            name: "lock.of-nodes".into(),
            group: "storage".into(),
        },
        drain: super::super::Drain {
            mode: DrainMode::None,
            timeout: Duration::from_secs(90 * 60),
            quiet: Duration::from_secs(120),
            unmanaged: Unmanaged::Skip,
            empty_dir: EmptyDir::Refuse,
            unsafe_to_evict: UnsafeToEvict::Evict,
            single_replica: SingleReplica::Block,
            foreign_cordon: ForeignCordon::Proceed,
            concurrency: 1,
        },
        recovery: super::super::Recovery {
            units: vec![
                "chronyd.service".into(),
                "vpn@hq.service".into(),
                "dev-disk-by\\x2duuid.mount".into(),
            ],
            soak: Duration::from_secs(24 * 60 * 60),
        },
        windows: {
            use crate::window::{Window, Windows, Zone};
            let utc = || Zone(jiff::tz::TimeZone::UTC);
            Windows::new(vec![
                Window {
                    days: [false, false, false, false, true, false, true],
                    start: jiff::civil::time(22, 0, 0, 0),
                    end: Some(jiff::civil::time(4, 30, 0, 0)),
                    zone: utc(),
                    must_fit: Duration::from_secs(45 * 60),
                },
                Window {
                    days: [true; 7],
                    start: jiff::civil::Time::midnight(),
                    end: None,
                    zone: utc(),
                    must_fit: Duration::from_secs(20 * 60),
                },
            ])
        },
    };
    assert_eq!(read(&[text]), Ok(expected));
}

#[test]
fn later_files_replace_single_keys_and_whole_lists() {
    let config = read(&[
        "sentinels = [\"/a\", \"/b\"]\nnode-name = \"n\"\n[lock]\nname = \"one\"\ngroup = \"g\"",
        "sentinels = [\"/c\"]\nlock.name = \"two\"",
        "node-name = \"\"\n[lock]\n[drain]",
    ])
    .unwrap();
    assert_eq!(config.sentinels, [PathBuf::from("/c")]);
    assert_eq!(config.node_name, None);
    assert_eq!(config.lock.name, "two");
    assert_eq!(config.lock.group, "g");
    assert_eq!(config.drain, Config::default().drain);
}

#[test]
fn what_cannot_be_meant_is_refused_at_its_place() {
    let long = format!("[lock]\ngroup = \"{}\"", "g".repeat(64));
    let node = format!("node-name = \"{}\"", "n.".repeat(120) + "nn");
    let cases = [
        // Names that do not exist, and what may have been meant.
        (
            "mod = \"observe\"",
            (1, 1),
            "unknown key `mod`, expected one of `mode`",
        ),
        ("mod = \"observe\"", (1, 1), "; did you mean `mode`?"),
        (
            "[drain]\nempty_dir = \"evict\"",
            (2, 1),
            "; did you mean `empty-dir`?",
        ),
        (
            "[darin]\nmode = \"none\"",
            (1, 2),
            "; did you mean `drain`?",
        ),
        (
            "mode = \"reboto\"",
            (1, 8),
            "unknown value `reboto`, expected `reboot` or `observe`; did you mean \"reboot\"?",
        ),
        (
            "[lock]\nsettle = \"5s\"",
            (2, 1),
            "; `settle` belongs above the first table",
        ),
        (
            "\n\ntimeout = \"5m\"",
            (3, 1),
            "; `timeout` belongs in the table [drain]",
        ),
        // Not TOML.
        ("mode = observe", (1, 8), "string values must be quoted"),
        ("[lock\n", (1, 6), "unclosed table, expected `]`"),
        (
            "mode = \"reboot\"\nmode = \"reboot\"",
            (2, 1),
            "duplicate key",
        ),
        ("# ü\n\"ü\" = 1", (2, 1), "unknown key `ü`"),
        // Of a wrong type.
        ("mode = 3", (1, 8), "expected a word in quotes"),
        ("lock = 3", (1, 8), "expected the table [lock]"),
        ("sentinels = \"/a\"", (1, 13), "expected a list in brackets"),
        ("settle = 30", (1, 10), "expected a duration in quotes"),
        (
            "settle = 00:30:00",
            (1, 10),
            "expected a duration in quotes",
        ),
        (
            "max-reboots-per-day = \"3\"",
            (1, 23),
            "expected a whole number from 1 to 24",
        ),
        // Out of range.
        (
            "max-reboots-per-day = 0",
            (1, 23),
            "expected a whole number from 1 to 24",
        ),
        ("max-reboots-per-day = 25", (1, 23), "25 is out of range"),
        ("max-reboots-per-day = -1", (1, 23), "-1 is out of range"),
        ("[drain]\nconcurrency = 0", (2, 15), "from 1 to 256"),
        ("[drain]\nconcurrency = 65552", (2, 15), "from 1 to 256"),
        ("settle = \"30\"", (1, 10), "`30` is not a duration"),
        ("settle = \"-3s\"", (1, 10), "`-3s` is not a duration"),
        ("settle = \"1 fortnight\"", (1, 10), "is not a duration"),
        ("settle = \"\"", (1, 10), "is not a duration"),
        ("settle = \"25h\"", (1, 10), "from 0s to 24h"),
        ("[recovery]\nsoak = \"48h\"", (2, 8), "from 0s to 24h"),
        ("[drain]\ntimeout = \"0s\"", (2, 11), "from 1s to 24h"),
        ("[drain]\nquiet = \"900ms\"", (2, 9), "from 1s to 10m"),
        ("[drain]\nquiet = \"11m\"", (2, 9), "from 1s to 10m"),
        (
            "[drain]\nquiet = \"2m\"\ntimeout = \"2m\"",
            (2, 9),
            "`quiet` must be shorter than `timeout`",
        ),
        (
            "[drain]\ntimeout = \"5s\"",
            (2, 11),
            "`quiet` must be shorter than `timeout`",
        ),
        // Paths.
        ("sentinels = []", (1, 13), "no sentinels"),
        (
            "sentinels = [\"/a\", \"//a\"]",
            (1, 13),
            "`/a` is listed twice",
        ),
        (
            "sentinels = [\"run/reboot-required\"]",
            (1, 13),
            "expected an absolute path",
        ),
        ("sentinels = [\"/run/../etc\"]", (1, 13), "without `..`"),
        (
            "sentinels = [\"/run/\"]",
            (1, 13),
            "is not the path of a file",
        ),
        ("sentinels = [\"/\"]", (1, 13), "is not the path of a file"),
        ("sentinels = [\"\"]", (1, 13), "is not the path of a file"),
        (
            "sentinels = [\"/proc/reboot\"]",
            (1, 13),
            "cannot be watched",
        ),
        (
            "kubeconfig = \"kubelet.conf\"",
            (1, 14),
            "expected an absolute path",
        ),
        // Names.
        (
            "node-name = \"Worker\"",
            (1, 13),
            "cannot be the name of a Node",
        ),
        (node.as_str(), (1, 13), "at most 241 characters"),
        (
            "[lock]\nname = \"A_b\"",
            (2, 8),
            "cannot be the name of a ConfigMap",
        ),
        (
            "[lock]\nname = \"\"",
            (2, 8),
            "cannot be the name of a ConfigMap",
        ),
        (
            "[lock]\nnamespace = \"a.b\"",
            (2, 13),
            "cannot be the name of a namespace",
        ),
        (
            "[lock]\ngroup = \"\"",
            (2, 9),
            "cannot be the name of a group",
        ),
        (
            "[lock]\ngroup = \"-a\"",
            (2, 9),
            "cannot be the name of a group",
        ),
        (long.as_str(), (2, 9), "expected 1 to 63"),
        ("[lock]\ngroup = \"total\"", (2, 9), "`max.total`"),
        (
            "[recovery]\nunits = [\"chronyd\"]",
            (2, 9),
            "expected a full name",
        ),
        (
            "[recovery]\nunits = [\"a@.service\"]",
            (2, 9),
            "expected a full name",
        ),
        (
            "[recovery]\nunits = [\"a b.service\"]",
            (2, 9),
            "expected a full name",
        ),
        // Windows.
        (
            "[[window]]\nstart = \"02:00\"",
            (1, 1),
            "missing field `end`",
        ),
        (
            "[[window]]\nstart = \"2:00\"\nend = \"05:00\"",
            (2, 9),
            "`2:00` is not a time of day",
        ),
        (
            "[[window]]\nstart = \"02:00\"\nend = \"25:00\"",
            (3, 7),
            "`25:00` is not a time of day",
        ),
        (
            "[[window]]\nstart = \"02:00\"\nend = \"02:00\"",
            (1, 1),
            "`start` and `end` are the same",
        ),
        (
            "[[window]]\nstart = \"24:00\"\nend = \"02:00\"",
            (1, 1),
            "`start` cannot be",
        ),
        (
            "[[window]]\nstart = \"02:00\"\nend = \"02:30\"\nmust-fit = \"31m\"",
            (1, 1),
            "shorter than `must-fit` (31 minutes)",
        ),
        (
            "[[window]]\nstart = \"02:00\"\nend = \"02:30\"\nmust-fit = \"30m\"",
            (1, 1),
            "`must-fit` leaves less than 60 s",
        ),
        (
            "[[window]]\nstart = \"02:00\"\nend = \"05:00\"\ntimezone = \"Europe/Berlim\"",
            (4, 12),
            "no time zone `Europe/Berlim`",
        ),
        (
            "[[window]]\nstart = \"02:00\"\nend = \"05:00\"\ndays = []",
            (4, 8),
            "never open",
        ),
        (
            "[[window]]\nstart = \"02:00\"\nend = \"05:00\"\ndays = [\"mon\", \"mon\"]",
            (4, 8),
            "listed twice",
        ),
        (
            "[[window]]\nstart = \"02:00\"\nend = \"05:00\"\ndays = [\"monday\"]",
            (4, 9),
            "unknown value `monday`",
        ),
        (
            "[window]\nstart = \"02:00\"\nend = \"05:00\"",
            (1, 1),
            "[[window]]",
        ),
        (
            "[drain]\nsingle-replica = \"skip\"",
            (2, 18),
            "unknown value `skip`",
        ),
    ];
    for (text, place, part) in cases {
        let error = read(&["mode = \"observe\"", text]).unwrap_err();
        assert_eq!(error.place, Some(place), "{text}\n{error}");
        assert!(error.message.contains(part), "{text}\n{error}");
        let line = format!("1.toml:{}:{}: ", place.0, place.1);
        assert!(error.to_string().starts_with(&line), "{text}\n{error}");
        assert!(!error.to_string().contains('\n'), "{text}\n{error}");
    }
}

#[test]
fn what_a_later_file_replaces_is_checked_all_the_same() {
    assert!(read(&["settle = \"soon\"", "settle = \"1s\""]).is_err());
    // Two keys that contradict each other are judged as they stand in the end.
    let replaced = read(&["[drain]\ntimeout = \"5s\"", "[drain]\nquiet = \"1s\""]);
    assert_eq!(replaced.unwrap().drain.timeout, Duration::from_secs(5));
    let broken = read(&["[drain]\nquiet = \"3s\"", "[drain]\ntimeout = \"3s\""]).unwrap_err();
    assert_eq!(
        (broken.file, broken.place),
        ("1.toml".into(), Some((2, 11)))
    );
}
