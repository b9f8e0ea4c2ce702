//! Windows that cannot be meant, and zones that do not exist.

use super::case::Case;
use super::config::{AT_START, refused};
use super::host::{CONFIG, Host, SETTINGS};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("`start` and `end` are the same", AT_START, || {
            refused(
                "[[window]]\nstart = \"02:00\"\nend = \"02:00\"\n",
                &["config.toml:1:1:", "for whole days expected"],
            )
        }),
        Case::new("`end = \"25:00\"`", AT_START, || {
            refused(
                "[[window]]\nstart = \"02:00\"\nend = \"25:00\"\n",
                &["config.toml:3:7:", "`25:00` is not a time of day"],
            )
        }),
        Case::new(
            "`timezone = \"Europe/Berlim\"`: no zone of this host",
            AT_START,
            || {
                refused(
                    "[[window]]\nstart = \"02:00\"\nend = \"05:00\"\ntimezone = \"Europe/Berlim\"\n",
                    &[
                        "config.toml:4:12:",
                        "no time zone `Europe/Berlim`",
                        "is tzdata installed?",
                    ],
                )
            },
        ),
        Case::new(
            "`must-fit = \"1h\"` in a window of half an hour",
            AT_START,
            || {
                refused(
                    "[[window]]\nstart = \"23:45\"\nend = \"00:15\"\nmust-fit = \"1h\"\n",
                    &["config.toml:1:1:", "no turn would ever begin in it"],
                )
            },
        ),
        Case::new("`days = []`", AT_START, || {
            refused(
                "[[window]]\ndays = []\nstart = \"02:00\"\nend = \"05:00\"\n",
                &["config.toml:2:8:", "the window would never open"],
            )
        }),
        Case::new(
            "`timezone = \"Mars/Olympus\"` on a reload",
            "the old one stays in force; corrected and reloaded",
            async || {
                let mut host = Host::new().await;
                host.start();
                host.becomes_idle().await;
                host.write(
                    CONFIG,
                    "[[window]]\nstart = \"00:00\"\nend = \"24:00\"\ntimezone = \"Mars/Olympus\"\n",
                );
                host.reload();
                let message = host
                    .tells(&[
                        "the configuration stays as it was",
                        "config.toml:4:12:",
                        "no time zone `Mars/Olympus`",
                    ])
                    .await;
                host.untouched();
                host.write(
                    CONFIG,
                    &format!("{SETTINGS}[[window]]\nstart = \"00:00\"\nend = \"24:00\"\nmust-fit = \"0s\"\n"),
                );
                host.reload();
                host.ask();
                host.goes_on().await;
                message
            },
        ),
    ]
}
