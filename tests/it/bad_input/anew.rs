//! What a daemon begins with changes under it: it begins anew with what is there now, and loses nothing that it was told.

use std::time::Duration;

use tokio::task::LocalSet;

use super::host::{CONFIG, Host, KUBECONFIG, SENTINEL, SETTINGS};

const OTHER: &str = "/run/other-sentinel";

fn other_sentinel() -> String {
    format!("sentinels = [\"{OTHER}\"]\n{SETTINGS}")
}

#[tokio::test]
async fn a_stop_that_comes_with_a_reason_to_begin_anew_is_a_stop() {
    let local = LocalSet::new();
    let story = async {
        let mut host = Host::new().await;
        host.start();
        host.becomes_idle().await;
        host.write(CONFIG, &other_sentinel());
        // Both arrive before either is looked at.
        host.signal(&["STOP", "TERM", "HUP", "CONT"]);
        assert_eq!(host.ended().await, 0, "{}", host.log());
    };
    local.run_until(story).await;
}

#[tokio::test]
async fn sentinels_that_change_while_a_kubeconfig_is_waited_for_are_the_ones_that_count() {
    let local = LocalSet::new();
    let story = async {
        let mut host = Host::new().await;
        let credential = std::fs::read_to_string(host.path(KUBECONFIG)).unwrap();
        host.remove(KUBECONFIG);
        host.start();
        host.tells(&["waiting for a usable kubeconfig"]).await;
        host.write(CONFIG, &other_sentinel());
        host.reload();
        // Read by the time that the next look for a kubeconfig has failed.
        host.until("the new sentinels are looked at", |status| {
            status["sentinels"][0]["path"] == OTHER
        })
        .await;
        host.write(KUBECONFIG, &credential);
        host.becomes_idle().await;
        host.ask();
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(host.status()["phase"], "idle", "{SENTINEL} counts no more");
        host.write(OTHER, "");
        host.goes_on().await;
    };
    local.run_until(story).await;
}
