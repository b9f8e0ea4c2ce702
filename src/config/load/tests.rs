use std::time::Duration;

use super::super::{
    DrainMode, EmptyDir, ForeignCordon, Gates, Mode, PodGate, SingleReplica, Unmanaged,
    UnsafeToEvict,
};
use super::*;
use crate::selector::Selector;

mod refusals;

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

/// The header of a table that is not there by default.
fn example(table: &str) -> Option<String> {
    match table {
        "window" | "gate.pods" => Some(format!("[[{table}]]")),
        "gate.nodes" => Some(format!("[{table}]")),
        _ => None,
    }
}

/// All tables, the one above the first header included.
const TABLES: [&str; 8] = [
    "",
    "lock",
    "drain",
    "recovery",
    "gate",
    "gate.pods",
    "gate.nodes",
    "window",
];

/// The keys of a table, as the parser names them to whoever writes another.
fn keys(table: &str) -> Vec<String> {
    let header = match table {
        "" => String::new(),
        table => example(table).unwrap_or_else(|| format!("[{table}]")) + "\n",
    };
    let wrong = toml::from_str::<Raw>(&format!("{header}zzz = 0")).unwrap_err();
    let names = wrong.message().split('`').skip(3).step_by(2);
    names.map(str::to_owned).collect()
}

#[test]
fn the_reference_has_every_key_with_its_table() {
    let table: toml::Table = toml::from_str(&uncommented()).unwrap();
    for name in TABLES {
        let keys = keys(name);
        assert!(!keys.is_empty(), "{name}");
        if let Some(header) = example(name) {
            // There is none by default, so it is shown as an example that is not taken for a key.
            assert!(REFERENCE.contains(&format!("\n# {header}\n")), "{header}");
            for key in keys {
                assert!(REFERENCE.contains(&format!("\n# {key} = ")), "{key}");
            }
            continue;
        }
        if name == "gate" {
            // Nothing but tables.
            continue;
        }
        let shown = if name.is_empty() {
            &table
        } else {
            table[name].as_table().unwrap()
        };
        for key in keys
            .iter()
            .filter(|key| !["gate", "window"].contains(&&***key))
        {
            assert!(shown.contains_key(key), "[{name}] {key} is not shown");
        }
    }
}

#[test]
fn the_manual_has_every_key() {
    let manual = include_str!("../../../packaging/man/rollboot.toml.5");
    for name in TABLES {
        let title = match name {
            "window" | "gate.pods" => format!(".Sh TABLES {name}\n"),
            "" | "gate" => continue,
            table => format!(".Sh TABLE {table}\n"),
        };
        assert!(manual.contains(&title), "{title}");
    }
    let tables = [
        "lock", "drain", "recovery", "gate", "pods", "nodes", "window",
    ];
    let keys = TABLES.iter().flat_map(|name| keys(name));
    for key in keys.filter(|key| !tables.contains(&&**key)) {
        assert!(manual.contains(&format!("\n.It Cm {key} No = ")), "{key}");
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
        volumes-timeout = "1m 30s"
        unmanaged = "skip"
        empty-dir = "refuse"
        single-replica = "block"
        unsafe-to-evict = "evict"
        foreign-cordon = "proceed"
        concurrency = 1
        [recovery]
        units = ["chronyd.service", "vpn@hq.service", "dev-disk-by\\x2duuid.mount"]
        pods = "all"
        soak = "24h"
        [[gate.pods]]
        selector = "app in (backup, restore),!done"
        namespace = "jobs"
        [[gate.pods]]
        selector = "busy"
        [gate.nodes]
        max-not-ready = 0
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
            volumes_timeout: Duration::from_secs(90),
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
            pods: super::super::RecoveryPods::All,
            soak: Duration::from_secs(24 * 60 * 60),
        },
        gates: Gates {
            pods: vec![
                PodGate {
                    namespace: Some("jobs".into()),
                    selector: Selector::parse("app in (backup, restore),!done").unwrap(),
                },
                PodGate {
                    namespace: None,
                    selector: Selector::parse("busy").unwrap(),
                },
            ],
            max_not_ready: Some(0),
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
fn a_window_goes_by_the_clocks_of_its_time_zone() {
    let text = "[[window]]\nstart = \"02:00\"\nend = \"05:00\"\ntimezone = \"Asia/Kolkata\"";
    let windows = read(&[text]).unwrap().windows;
    let is_open = |at: &str| windows.is_open(at.parse().unwrap());
    assert!(is_open("2026-11-18T02:30:00+05:30"));
    assert!(!is_open("2026-11-18T02:30:00Z"));
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
fn later_files_replace_gates_one_by_one() {
    let first = "[[gate.pods]]\nselector = \"a\"\n[gate.nodes]\nmax-not-ready = 3";
    let config = read(&[first, "gate.pods = []"]).unwrap();
    assert!(config.gates.pods.is_empty());
    assert_eq!(config.gates.max_not_ready, Some(3));
    let config = read(&[first, "[gate.nodes]\nmax-not-ready = 1"]).unwrap();
    assert_eq!(config.gates.pods.len(), 1);
    assert_eq!(config.gates.max_not_ready, Some(1));
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
