//! What lies where the sentinel should be.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::json;

use super::case::Case;
use super::host::{CONFIG, Host, SENTINEL, SETTINGS};

const LIST: &str = "/run/reboot-required.pkgs";

/// What is there is no request and is said; a file in its place is one.
async fn no_request(make: fn(&Host), words: &[&str], remove: fn(&Host)) -> String {
    let mut host = Host::new().await;
    make(&host);
    host.start();
    let message = host.tells(words).await;
    host.until("idle", |status| status["phase"] == "idle").await;
    host.untouched();
    remove(&host);
    host.becomes_idle().await;
    host.ask();
    host.goes_on().await;
    message
}

fn remove_file(host: &Host) {
    host.remove(SENTINEL);
}

/// What is in the place of the list is not read, and that is said; the request is one all the same.
async fn no_list(make: fn(&Host) -> bool, words: &'static str) -> Option<String> {
    let mut host = Host::new().await;
    if !make(&host) {
        return None;
    }
    host.ask();
    host.start();
    let message = host
        .tells(&["/run/reboot-required.pkgs is not read", words])
        .await;
    assert_eq!(host.status()["sentinels"][0]["packages"], json!([]));
    host.goes_on().await;
    Some(message)
}

fn make_pipe(host: &Host) -> bool {
    let mode = Mode::RUSR | Mode::WUSR;
    mknodat(CWD, host.path(LIST), FileType::Fifo, mode, 0).is_ok()
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("a folder", "a file is in its place", || {
            no_request(
                |host| fs::create_dir(host.path(SENTINEL)).unwrap(),
                &[
                    "/run/reboot-required is not taken as a request",
                    "is a folder",
                ],
                |host| fs::remove_dir(host.path(SENTINEL)).unwrap(),
            )
        }),
        Case::new("a link, also to a file", "a file is in its place", || {
            no_request(
                |host| {
                    host.write("/run/file", "");
                    symlink("file", host.path(SENTINEL)).unwrap();
                },
                &["is not taken as a request", "links are not followed"],
                remove_file,
            )
        }),
        Case::new("a socket", "a file is in its place", || {
            no_request(
                |host| drop(std::os::unix::net::UnixListener::bind(host.path(SENTINEL)).unwrap()),
                &["is not taken as a request", "is not a regular file"],
                remove_file,
            )
        }),
        Case::privileged("a file that may not be read", "it may", async || {
            if !Host::new().await.is_confined() {
                return None;
            }
            let message = no_request(
                |host| {
                    host.ask();
                    host.permit(SENTINEL, 0o000);
                },
                &["is not taken as a request", "Permission denied"],
                remove_file,
            );
            Some(message.await)
        }),
        Case::new(
            "a file of a terabyte",
            "nothing is wrong: only its beginning is read",
            async || {
                let mut host = Host::new().await;
                File::create(host.path(SENTINEL))
                    .unwrap()
                    .set_len(1 << 40)
                    .unwrap();
                File::create(host.path("/run/reboot-required.pkgs"))
                    .unwrap()
                    .set_len(1 << 40)
                    .unwrap();
                host.start();
                host.goes_on().await;
                String::new()
            },
        ),
        Case::new(
            "a file that is written again and again",
            "it is left alone for `settle`",
            async || {
                let mut host = Host::new().await;
                host.write(CONFIG, &SETTINGS.replace("0s", "5s"));
                host.start();
                let path = host.path(SENTINEL);
                // A thread of its own: one that is kept waiting by other cases for five seconds would let it settle.
                let goes_on = Arc::new(AtomicBool::new(true));
                let writes = Arc::clone(&goes_on);
                let writer = std::thread::spawn(move || {
                    for count in 0.. {
                        if !writes.load(Relaxed) {
                            break;
                        }
                        fs::write(&path, format!("{count}")).unwrap();
                        std::thread::sleep(Duration::from_millis(500));
                    }
                });
                let message = host
                    .tells(&["is written again and again", "unchanged for 5s (`settle`)"])
                    .await;
                tokio::time::sleep(Duration::from_secs(12)).await;
                host.untouched();
                goes_on.store(false, Relaxed);
                writer.join().unwrap();
                host.goes_on().await;
                message
            },
        ),
        Case::privileged(
            "a list of packages that is a link",
            "a file is in its place",
            || {
                no_list(
                    |host| {
                        host.write("/etc/shadow", "root:secret\n");
                        symlink("../etc/shadow", host.path(LIST)).unwrap();
                        true
                    },
                    "links are not followed",
                )
            },
        ),
        Case::privileged(
            "a list of packages that is a pipe",
            "a file is in its place",
            || no_list(make_pipe, "is not a regular file"),
        ),
        Case::privileged(
            "a list of packages that is a folder",
            "a file is in its place",
            || {
                no_list(
                    |host| {
                        fs::create_dir(host.path(LIST)).unwrap();
                        true
                    },
                    "is a folder",
                )
            },
        ),
        Case::privileged(
            "a list of packages that another user owns",
            "root owns it",
            || {
                no_list(
                    |host| {
                        host.write(LIST, "linux-image\n");
                        std::os::unix::fs::chown(host.path(LIST), Some(12_345), None).is_ok()
                    },
                    "only root's is believed",
                )
            },
        ),
        Case::privileged(
            "on a mount that vanishes",
            "it is mounted again",
            async || {
                let mut host = Host::new().await;
                fs::create_dir(host.path("/mnt")).unwrap();
                host.write(
                    CONFIG,
                    &format!("sentinels = [\"/mnt/reboot-required\"]\n{SETTINGS}"),
                );
                host.edit_lock(|lock| {
                    lock["metadata"]["annotations"]["rollboot.io/pause"] = "later".into();
                });
                if !host.with_mounts("mount -t tmpfs tmpfs $R/mnt; touch $R/mnt/reboot-required") {
                    return None;
                }
                host.start();
                host.tells(&["paused: later"]).await;
                host.inside("umount $R/mnt");
                host.becomes_idle().await;
                let message = host.status()["reason"].as_str().unwrap().to_owned();
                host.untouched();
                host.inside("mount -t tmpfs tmpfs $R/mnt; touch $R/mnt/reboot-required");
                host.edit_lock(|lock| lock["metadata"]["annotations"] = serde_json::json!({}));
                host.goes_on().await;
                Some(message)
            },
        ),
    ]
}
