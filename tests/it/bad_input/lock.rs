//! The lock object: gone, another one, and full of what nobody of us wrote.

use rollboot_lab::api::Kind;
use serde_json::{Value, json};

use super::case::Case;
use super::host::Host;

/// A lock like this holds the node up until it is like that.
async fn held_up(wrong: fn(&mut Value), words: &[&str], right: fn(&mut Value)) -> String {
    let mut host = Host::new().await;
    host.edit_lock(wrong);
    host.ask();
    host.start();
    let message = host.tells(words).await;
    host.clean();
    host.edit_lock(right);
    host.goes_on().await;
    message
}

fn annotate(lock: &mut Value, key: &str, value: &str) {
    lock["metadata"]["annotations"][key] = json!(value);
}

fn strip(lock: &mut Value) {
    lock["metadata"]["annotations"] = json!({});
}

fn limit(lock: &mut Value, key: &str, value: &str) {
    lock["data"] = json!({ key: value });
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("missing", "lock.yaml is applied", async || {
            let mut host = Host::new().await;
            host.api
                .store()
                .remove("operator", Kind::ConfigMap, "kube-system", "rollboot");
            host.ask();
            host.start();
            let message = host
                .tells(&[
                    "there is no ConfigMap kube-system/rollboot",
                    "apply lock.yaml",
                ])
                .await;
            host.untouched();
            host.api.arm();
            host.goes_on().await;
            message
        }),
        Case::new(
            "deleted and created again",
            "an operator says that nobody is in a turn",
            async || {
                let mut host = Host::new().await;
                host.start();
                host.becomes_idle().await;
                host.api
                    .store()
                    .remove("operator", Kind::ConfigMap, "kube-system", "rollboot");
                host.api.arm();
                host.ask();
                let message = host
                    .tells(&[
                        "the lock object was deleted and created again",
                        "then: rollboot resume; or, if this machine comes from another cluster",
                    ])
                    .await;
                host.untouched();
                host.edit_lock(|lock| {
                    let uid = lock["metadata"]["uid"].as_str().unwrap().to_owned();
                    annotate(lock, "rollboot.io/resumed", &uid);
                });
                host.goes_on().await;
                let (before, after) = message.split_once("noted is UID ").unwrap();
                let (_, after) = after.split_once("; make sure").unwrap();
                format!("{before}noted is …; make sure{after}")
            },
        ),
        Case::new(
            "`max.default: two` in `data`",
            "a number is written",
            || {
                held_up(
                    |lock| limit(lock, "max.default", "two"),
                    &[
                        "group default has no slots",
                        "max.default of the lock is \"two\", which counts as 0",
                    ],
                    |lock| limit(lock, "max.default", "1"),
                )
            },
        ),
        Case::new("`max.total: 010` in `data`", "a number is written", || {
            held_up(
                |lock| limit(lock, "max.total", "010"),
                &["max.total of the lock is \"010\", which counts as 0"],
                |lock| limit(lock, "max.total", "1"),
            )
        }),
        Case::new(
            "garbage as the value of another node's slot",
            "that slot is released",
            || {
                held_up(
                    |lock| annotate(lock, "z.rollboot.io/default", "\u{1}garbage{"),
                    &["the turn of z"],
                    strip,
                )
            },
        ),
        Case::new(
            "garbage as the value of the own slot",
            "by itself, after a proof of health",
            async || {
                let mut host = Host::new().await;
                host.edit_lock(|lock| annotate(lock, "n1.rollboot.io/default", "\u{1}garbage{"));
                host.start();
                host.becomes_idle().await;
                host.clean();
                host.logged(&["rebooted in its turn"])
            },
        ),
        Case::new("annotations of others", "nothing is wrong", async || {
            let mut host = Host::new().await;
            host.edit_lock(|lock| {
                annotate(
                    lock,
                    "kubectl.kubernetes.io/last-applied-configuration",
                    "{}",
                );
                annotate(lock, "n1.rollboot.io.example/default", "{}");
                annotate(lock, "rollboot.io/something-new", "{}");
                annotate(lock, "n1.rollboot.io", "{}");
            });
            host.ask();
            host.start();
            host.goes_on().await;
            String::new()
        }),
        Case::new(
            "the own name in upper case as a key",
            "that slot is released",
            || {
                held_up(
                    |lock| annotate(lock, "N1.rollboot.io/default", "{}"),
                    &["the turn of N1"],
                    strip,
                )
            },
        ),
        Case::new(
            "annotations just below the size limit",
            "there is room again",
            || {
                held_up(
                    |lock| annotate(lock, "big.example/x", &"x".repeat((256 << 10) - 100)),
                    &[
                        "Too long: may not be more than 262144 bytes",
                        "will not have it as it is",
                    ],
                    strip,
                )
            },
        ),
        Case::new(
            "a pause with an empty reason",
            "the pause is lifted",
            || {
                held_up(
                    |lock| annotate(lock, "rollboot.io/pause", ""),
                    &["paused"],
                    strip,
                )
            },
        ),
    ]
}
