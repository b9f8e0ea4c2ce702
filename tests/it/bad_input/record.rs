//! A turn ends where it has begun, whatever the configuration says by then.

use rollboot_lab::api::Kind;
use serde_json::{Value, json};
use tokio::task::LocalSet;

use super::host::{CONFIG, Host, NODE, SENTINEL, SETTINGS};

const JOURNAL: &str = "/var/lib/rollboot/journal.json";
const BROKEN: &str = "settle = \"0s\"\nsetle = \"5s\"\n";
const ELSEWHERE: &str = "node-name = \"other\"\nlock.name = \"other\"\nsettle = \"0s\"\n";

/// A turn that waits for a pod that nobody ends.
async fn in_a_drain() -> Host {
    let mut host = Host::new().await;
    host.add_pod();
    host.ask();
    host.start();
    host.until("a drain", |status| status["phase"] == "cordoned")
        .await;
    host
}

/// The host goes down, and comes back with its old journal and without its sentinel.
fn boots(host: &mut Host) {
    const BOOT: &str = "6b1c8e0e-0000-4000-8000-000000000002";
    host.stop();
    host.write("/proc/sys/kernel/random/boot_id", BOOT);
    host.remove(SENTINEL);
    host.bus.logind.lock().unwrap().asked = 0;
    let store = host.api.store();
    store.update("kubelet", Kind::Node, "", NODE, |node| {
        node["status"]["nodeInfo"]["bootID"] = json!(BOOT);
    });
}

async fn clean(host: &Host) {
    host.until("nothing is left behind", |_| host.is_clean())
        .await;
}

#[tokio::test]
async fn a_turn_goes_on_and_ends_with_the_last_configuration_that_could_be_loaded() {
    let local = LocalSet::new();
    let story = async {
        let mut host = in_a_drain().await;
        host.write(CONFIG, BROKEN);
        host.reload();
        host.tells(&["the configuration stays as it was", "config.toml:2:1"])
            .await;
        host.stop();
        host.start();
        let goes_on = "the turn that runs goes on with the last configuration that could be loaded";
        host.tells(&[goes_on, "config.toml:2:1"]).await;
        host.remove_pod();
        host.goes_on().await;
        boots(&mut host);
        host.start();
        host.tells(&[goes_on]).await;
        clean(&host).await;

        // It has ended, and no other begins.
        let before = host.api.store().history().len();
        host.ask();
        host.shows(&[
            "the configuration on disk cannot be loaded",
            "config.toml:2:1",
            "systemctl reload rollboot",
        ])
        .await;
        assert_eq!(host.api.store().history().len(), before, "{}", host.log());
        host.write(CONFIG, SETTINGS);
        host.reload();
        host.goes_on().await;
    };
    local.run_until(story).await;
}

#[tokio::test]
async fn a_turn_ends_under_its_own_name_and_on_its_own_lock() {
    let local = LocalSet::new();
    let story = async {
        let mut host = in_a_drain().await;
        host.write(CONFIG, ELSEWHERE);
        host.remove_pod();
        host.goes_on().await;
        boots(&mut host);
        host.start();
        host.tells(&["a turn of node n1", "kube-system/rollboot, ends there"])
            .await;
        clean(&host).await;
        // What the configuration says takes effect without a restart.
        host.until("the new name", |status| status["node"] == "other")
            .await;
    };
    local.run_until(story).await;
}

#[tokio::test]
async fn without_a_usable_record_a_broken_configuration_does_not_end_the_unit_for_good() {
    let local = LocalSet::new();
    let story = async {
        let mut host = in_a_drain().await;
        host.stop();
        let text = std::fs::read_to_string(host.path(JOURNAL)).unwrap();
        let mut stored: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(stored["record"]["place"]["node"], NODE);
        // As an earlier version wrote it.
        stored.as_object_mut().unwrap().remove("record");
        host.write(JOURNAL, &stored.to_string());
        host.write(CONFIG, BROKEN);
        host.start();
        assert_eq!(host.ended().await, 69, "{}", host.log());
        host.logged(&["config.toml:2:1", "mend the configuration"]);
        host.write(CONFIG, SETTINGS);
        host.start();
        host.remove_pod();
        host.goes_on().await;
    };
    local.run_until(story).await;
}
