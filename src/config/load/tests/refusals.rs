//! What cannot be meant, and where the error points.

use super::read;

#[test]
fn what_cannot_be_meant_is_refused_at_its_place() {
    let long = format!("[lock]\ngroup = \"{}\"", "g".repeat(64));
    let node = format!("node-name = \"{}\"", "n.".repeat(120) + "nn");
    let cases = [
        // Names that do not exist, and those that do.
        (
            "mod = \"observe\"",
            (1, 1),
            "unknown key `mod`, expected one of `mode`",
        ),
        (
            "[drain]\nempty_dir = \"evict\"",
            (2, 1),
            "expected one of `mode`, `timeout`",
        ),
        (
            "[darin]\nmode = \"none\"",
            (1, 2),
            "unknown key `darin`, expected one of `mode`",
        ),
        (
            "mode = \"reboto\"",
            (1, 8),
            "unknown value `reboto`, expected `reboot` or `observe`",
        ),
        (
            "[lock]\nsettle = \"5s\"",
            (2, 1),
            "unknown key `settle`, expected one of `namespace`, `name`, `group`",
        ),
        (
            "\n\ntimeout = \"5m\"",
            (3, 1),
            "unknown key `timeout`, expected one of `mode`",
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
            "sentinels = [\"/var/tmp/reboot\"]",
            (1, 13),
            "/var/tmp is hidden from the service",
        ),
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
        // Gates.
        (
            "[[gate.pods]]\nselector = \"app in backup\"",
            (2, 12),
            "`app in backup` is not a label selector: expected `(` and values, found `backup`",
        ),
        (
            "[[gate.pods]]\nselector = \"app=a,app=b\"",
            (2, 12),
            "no pod can ever match `app=a,app=b`",
        ),
        (
            "[[gate.pods]]\nselector = \"\"",
            (2, 12),
            "would select every pod",
        ),
        ("[[gate.pods]]\nselector = 3", (2, 12), "expected a string"),
        (
            "[[gate.pods]]\nselector = \"a\"\nnamespace = \"A\"",
            (3, 13),
            "cannot be the name of a namespace",
        ),
        (
            "[[gate.pods]]\nnamespace = \"jobs\"",
            (1, 1),
            "missing field `selector`",
        ),
        ("[gate.pods]\nselector = \"a\"", (1, 1), "[[gate.pods]]"),
        (
            "[[gate.pods]]\nselektor = \"a\"",
            (2, 1),
            "unknown key `selektor`, expected `selector` or `namespace`",
        ),
        (
            "[gate.nodes]\nmax-not-ready = -1",
            (2, 17),
            "-1 is out of range: expected a whole number from 0 to 9999",
        ),
        (
            "[gate.nodes]\nmax-not-ready = \"1\"",
            (2, 17),
            "expected a whole number from 0 to 9999",
        ),
        (
            "[gate.nodes]\nmax-not-ready = 10000",
            (2, 17),
            "out of range",
        ),
        ("gate = 3", (1, 8), "expected the table [gate]"),
        (
            "[gate]\nnodes = 3",
            (2, 9),
            "expected the table [gate.nodes]",
        ),
        ("max-not-ready = 1", (1, 1), "unknown key `max-not-ready`"),
        (
            "[drain]\nselector = \"a\"",
            (2, 1),
            "unknown key `selector`, expected one of `mode`, `timeout`",
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
