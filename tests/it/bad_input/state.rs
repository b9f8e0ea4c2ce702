//! The folder of the journal, the journal, the clock, a second process.

use std::fs;

use jiff::{SpanRelativeTo, Timestamp, ToSpan};
use serde_json::json;

use super::case::Case;
use super::host::{CONFIG, Host, SENTINEL, SETTINGS};

const JOURNAL: &str = "/var/lib/rollboot/journal.json";

/// No turn begins on a folder that takes no file.
async fn no_room(mounts: &'static str, words: &[&str], mend: &str) -> Option<String> {
    let mut host = Host::new().await;
    if !host.with_mounts(mounts) {
        return None;
    }
    host.ask();
    host.start();
    let message = host.tells(words).await;
    host.untouched();
    host.inside(mend);
    host.goes_on().await;
    Some(message)
}

/// A journal that makes no sense is kept aside, and says nothing of what asked for a reboot before.
async fn damaged(text: &str, words: &[&str]) -> String {
    let mut host = Host::new().await;
    host.write(JOURNAL, text);
    host.ask();
    host.start();
    let message = host.tells(words).await;
    host.tells(&["the journal was damaged, so this sentinel may have had its reboot"])
        .await;
    host.untouched();
    let aside = "/var/lib/rollboot/journal.json.bad-1";
    assert_eq!(fs::read_to_string(host.path(aside)).unwrap(), text);
    host.remove(aside);
    host.remove(SENTINEL);
    host.becomes_idle().await;
    host.ask();
    host.goes_on().await;
    message
}

const ASKS_ANEW: &str = "a new sentinel; the message goes with the `.bad-1`";

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::privileged("the state folder is read-only", "it is writable", || {
            no_room(
                "mount -t tmpfs tmpfs $R/var/lib/rollboot; mount -o remount,ro $R/var/lib/rollboot",
                &[
                    "journal.json cannot be written: Read-only file system",
                    "make room there",
                ],
                "mount -o remount,rw $R/var/lib/rollboot",
            )
        }),
        Case::privileged("the state folder is full", "there is room", || {
            no_room(
                "mount -t tmpfs -o size=16k tmpfs $R/var/lib/rollboot; cat /dev/zero >$R/var/lib/rollboot/fill 2>/dev/null || :",
                &[
                    "journal.json cannot be written: No space left on device",
                    "make room there",
                ],
                "rm $R/var/lib/rollboot/fill",
            )
        }),
        Case::privileged("/run is full", "there is room", async || {
            let mut host = Host::new().await;
            fs::create_dir(host.path("/run/rollboot")).unwrap();
            if !host.with_mounts("mount -t tmpfs -o size=8k tmpfs $R/run/rollboot; cat /dev/zero >$R/run/rollboot/fill 2>/dev/null || :") {
                return None;
            }
            host.start();
            let words = ["status.json cannot be written", "No space left on device"];
            let limit = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
            while !words.iter().all(|word| host.log().contains(word)) {
                assert!(tokio::time::Instant::now() < limit, "{}", host.log());
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            let message = host.logged(&words);
            host.inside("test ! -e $R/run/rollboot/status.json");
            host.ask();
            host.inside("rm $R/run/rollboot/fill");
            host.goes_on().await;
            Some(message)
        }),
        Case::new("a torn journal", ASKS_ANEW, || {
            damaged(
                "{\"v\":1,\"journal\":{\"turn\":{\"id\":\"00",
                &["journal.json is damaged", "it is kept as"],
            )
        }),
        Case::new(
            "a journal of a newer version",
            "the file is moved away; nothing is lost",
            async || {
                let mut host = Host::new().await;
                let text = "{\"v\":2,\"journal\":{}}";
                host.write(JOURNAL, text);
                host.ask();
                host.start();
                let message = host
                    .tells(&["is of version 2, and this rollboot knows 1"])
                    .await;
                host.untouched();
                assert_eq!(fs::read_to_string(host.path(JOURNAL)).unwrap(), text);
                host.remove(JOURNAL);
                host.goes_on().await;
                message
            },
        ),
        Case::new(
            "a torn journal in the middle of a drain",
            ASKS_ANEW,
            async || {
                let mut host = Host::new().await;
                host.add_pod();
                host.ask();
                host.start();
                // Nobody ends the evicted pod, so the drain waits.
                host.until("a drain", |status| status["phase"] == "cordoned")
                    .await;
                assert!(!host.is_clean());
                host.stop();
                host.write(JOURNAL, "{\"v\":1,\"jour");
                host.start();
                let message = host
                    .tells(&[
                        "journal.json is damaged",
                        "a turn that it told of is undone",
                    ])
                    .await;
                host.until("nothing is left behind", |_| host.is_clean())
                    .await;
                host.tells(&["this sentinel may have had its reboot"]).await;
                host.remove_pod();
                host.ask();
                host.goes_on().await;
                message
            },
        ),
        Case::new("a journal that cannot be read", "it can", async || {
            let mut host = Host::new().await;
            fs::create_dir(host.path(JOURNAL)).unwrap();
            host.ask();
            host.start();
            let message = host
                .tells(&["waiting for a readable journal", "Is a directory"])
                .await;
            host.untouched();
            fs::remove_dir(host.path(JOURNAL)).unwrap();
            host.goes_on().await;
            message
        }),
        Case::new(
            "a clock that was set back a year, during a back-off of a minute",
            "by itself, within that minute",
            async || {
                let mut host = Host::new().await;
                let year = 1.year().to_duration(SpanRelativeTo::days_are_24_hours());
                let later =
                    Timestamp::now() + year.unwrap_or(jiff::SignedDuration::from_hours(24 * 365));
                let failed = json!({"times": 1, "why": "a pod refused to go", "retry_at": later});
                host.write(
                    JOURNAL,
                    &json!({"v": 1, "journal": {"turn": null, "failed": failed}}).to_string(),
                );
                host.ask();
                host.start();
                let message = host.tells(&["a pod refused to go", "backing off"]).await;
                host.untouched();
                // Not waited for here: a simulated clock shows that it goes on then.
                let at: Timestamp = host.status()["retry_at"].as_str().unwrap().parse().unwrap();
                let wait = at.duration_since(Timestamp::now());
                assert!(wait <= jiff::SignedDuration::from_secs(61), "{at}");
                message
            },
        ),
        Case::new("two daemons", "exit 69; the first ends", async || {
            let mut host = Host::new().await;
            host.start();
            host.becomes_idle().await;
            let (code, said) = host.second();
            assert_eq!(code, 69, "{said}");
            assert!(
                said.contains("another rollboot runs on this host"),
                "{said}"
            );
            // The first is not disturbed, and when it has ended another can start.
            host.becomes_idle().await;
            host.stop();
            host.start();
            host.becomes_idle().await;
            host.write(CONFIG, SETTINGS);
            host.reload();
            host.becomes_idle().await;
            host.ask();
            host.goes_on().await;
            said
        }),
    ]
}
