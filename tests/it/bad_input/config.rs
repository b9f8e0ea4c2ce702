//! Configuration: at the start it ends the program, on a reload the old one stays.

use std::os::unix::fs::symlink;

use super::case::Case;
use super::host::{CONFIG, Host, SETTINGS};

/// Exit 78, and the same place and words on standard error. A start after the correction works.
pub(super) async fn refused(text: &str, words: &[&str]) -> String {
    let mut host = Host::new().await;
    host.ask();
    host.write(CONFIG, text);
    host.start();
    assert_eq!(host.ended().await, 78, "{}", host.log());
    let message = host.logged(words);
    host.untouched();
    host.write(CONFIG, SETTINGS);
    host.start();
    host.goes_on().await;
    message
}

pub(super) const AT_START: &str = "exit 78; corrected and started";

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "`setle = \"5s\"`: a key that does not exist",
            AT_START,
            || {
                refused(
                    "mode = \"reboot\"\nsetle = \"5s\"\n",
                    &[
                        "config.toml:2:1: unknown key `setle`",
                        "expected one of `mode`",
                    ],
                )
            },
        ),
        Case::new("`settle = 30`: a value of a wrong type", AT_START, || {
            refused(
                "settle = 30\n",
                &["config.toml:1:10:", "expected a duration in quotes"],
            )
        }),
        Case::new(
            "`max-reboots-per-day = 100`: a value that cannot be meant",
            AT_START,
            || {
                refused(
                    "\nmax-reboots-per-day = 100\n",
                    &["config.toml:2:23: 100 is out of range", "from 1 to 24"],
                )
            },
        ),
        Case::new(
            "`selector = \"app in backup\"` in `[[gate.pods]]`: not a label selector",
            AT_START,
            || {
                refused(
                    "[[gate.pods]]\nselector = \"app in backup\"\n",
                    &["config.toml:2:12:", "is not a label selector: expected `(`"],
                )
            },
        ),
        Case::new(
            "`selector = \"app=a,app=b\"` in `[[gate.pods]]`: nothing can match",
            AT_START,
            || {
                refused(
                    "[[gate.pods]]\nselector = \"app=a,app=b\"\n",
                    &["config.toml:2:12:", "no pod can ever match"],
                )
            },
        ),
        Case::new("`max-not-ready = -1` in `[gate.nodes]`", AT_START, || {
            refused(
                "[gate.nodes]\nmax-not-ready = -1\n",
                &["config.toml:2:17: -1 is out of range", "from 0 to 9999"],
            )
        }),
        Case::new(
            "`max-not-ready = \"1\"` in `[gate.nodes]`",
            AT_START,
            || {
                refused(
                    "[gate.nodes]\nmax-not-ready = \"1\"\n",
                    &[
                        "config.toml:2:17:",
                        "expected a whole number from 0 to 9999",
                    ],
                )
            },
        ),
        Case::new("`mode = \"reboot`: not TOML", AT_START, || {
            refused("mode = \"reboot\n", &["config.toml:1:"])
        }),
        Case::new(
            "a link that leads nowhere in place of the file",
            AT_START,
            async || {
                let mut host = Host::new().await;
                host.remove(CONFIG);
                symlink("/nowhere", host.path(CONFIG)).unwrap();
                host.start();
                assert_eq!(host.ended().await, 78);
                host.untouched();
                host.logged(&["config.toml: cannot be read"])
            },
        ),
        Case::new(
            "`selector = \"app=x y\"` on a reload: not a label selector",
            "the old one stays in force; corrected and reloaded",
            async || {
                let mut host = Host::new().await;
                host.start();
                host.becomes_idle().await;
                host.write(CONFIG, "[[gate.pods]]\nselector = \"app=x y\"\n");
                host.reload();
                let message = host
                    .tells(&[
                        "the configuration stays as it was",
                        "config.toml:2:12:",
                        "is not a label selector",
                    ])
                    .await;
                host.write(CONFIG, SETTINGS);
                host.reload();
                host.ask();
                host.goes_on().await;
                message
            },
        ),
        Case::new(
            "`setle = \"5s\"` on a reload",
            "the old one stays in force; corrected and reloaded",
            async || {
                let mut host = Host::new().await;
                host.start();
                host.becomes_idle().await;
                host.write(CONFIG, "setle = \"5s\"\n");
                host.reload();
                let message = host
                    .tells(&[
                        "the configuration stays as it was",
                        "config.toml:1:1: unknown key `setle`",
                    ])
                    .await;
                host.untouched();
                host.write(CONFIG, SETTINGS);
                host.reload();
                host.becomes_idle().await;
                // Nothing of a wrong one is in force, not even what is right in it.
                host.write(CONFIG, "mode = \"observe\"\nsetle = \"5s\"\n");
                host.reload();
                host.tells(&["config.toml:2:1"]).await;
                assert_eq!(host.status()["mode"], "reboot");
                host.write(CONFIG, SETTINGS);
                host.ask();
                host.goes_on().await;
                message
            },
        ),
        Case::new(
            "`sette = \"5s\"` without a reload",
            "no turn begins, for a daemon without one would not start; corrected",
            async || {
                let mut host = Host::new().await;
                host.start();
                host.becomes_idle().await;
                host.write(CONFIG, "sette = \"5s\"\n");
                host.ask();
                let message = host
                    .tells(&[
                        "the configuration on disk cannot be loaded",
                        "config.toml:1:1: unknown key `sette`",
                    ])
                    .await;
                host.untouched();
                host.write(CONFIG, SETTINGS);
                host.goes_on().await;
                message
            },
        ),
    ]
}
