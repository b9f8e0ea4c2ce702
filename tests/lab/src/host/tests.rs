//! The stand-ins, asked by the production adapters.

use std::path::Path;
use std::time::Duration;

use rollboot::host::{LocalHost, Root};
use rollboot::ports::{Host as _, RebootReply};
use rollboot::shutdown::{GoingDown, StopReason};
use tokio::task::LocalSet;
use tokio::time::timeout;

use super::systemd::SOCKET;
use super::*;
use crate::bus::{Bus, Speaker};

fn local(root: &Path) -> LocalHost {
    LocalHost::new(Root::new(root), vec!["/run/reboot-required".into()])
}

fn host(folder: &Path) -> Host {
    Host::new(folder, "n1", "", Rng::with_seed(1), Log::default()).unwrap()
}

fn served() -> (tempfile::TempDir, Bus, Systemd, LocalHost) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("run/dbus")).unwrap();
    let systemd = Systemd::new();
    systemd.boot();
    let bus = Bus::serve(&folder.path().join(SOCKET), systemd.clone()).unwrap();
    let local = local(folder.path());
    (folder, bus, systemd, local)
}

#[tokio::test]
async fn a_running_host_would_reboot_and_is_not_going_down() {
    let (_folder, _bus, _systemd, local) = served();
    let gates = local.gates().await.unwrap();
    assert_eq!(gates.can_reboot, "yes");
    assert!(gates.inhibitors.is_empty(), "the kubelet's only delays");
    assert_eq!(
        local.shutdown_facts().await.judge(jiff::Timestamp::now()),
        GoingDown::No
    );
    assert_eq!(local.stop_reason().await, StopReason::Unknown);
    let units = ["chronyd.service".to_owned()];
    assert!(local.inactive_units(&units).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_accepted_reboot_is_announced_and_a_second_one_is_already_under_way() {
    let (_folder, _bus, systemd, local) = served();
    let hints = local.shutdown_hints();
    hints.next().await;
    assert_eq!(local.reboot().await.reply, RebootReply::Accepted);
    let hint = timeout(Duration::from_secs(5), hints.next());
    hint.await.expect("PrepareForShutdown is sent");
    systemd.accepted().await;
    let facts = local.shutdown_facts().await;
    assert_eq!(
        (facts.preparing, facts.job, facts.stopping),
        (Some(true), Some(false), Some(false))
    );
    systemd.stop();
    let facts = local.shutdown_facts().await;
    assert_eq!((facts.job, facts.stopping), (Some(true), Some(true)));
    assert_eq!(local.stop_reason().await, StopReason::Shutdown);
    assert_eq!(
        local.reboot().await.reply,
        RebootReply::Busy,
        "OperationInProgress"
    );
    let again = timeout(Duration::from_millis(50), systemd.accepted());
    assert!(again.await.is_err(), "but is no second reboot");
}

#[tokio::test]
async fn a_block_lock_forbids_the_reboot_until_it_is_released() {
    let (_folder, _bus, systemd, local) = served();
    systemd.inhibit("sleep:shutdown", "apt", "block");
    assert_eq!(local.gates().await.unwrap().inhibitors[0].who, "apt");
    let reply = local.reboot().await.reply;
    assert!(matches!(reply, RebootReply::Refused(_)), "{reply:?}");
    assert_eq!(
        local.shutdown_facts().await.judge(jiff::Timestamp::now()),
        GoingDown::No
    );
    systemd.release_inhibitors();
    assert_eq!(local.reboot().await.reply, RebootReply::Accepted);
}

#[tokio::test]
async fn what_it_does_not_know_it_says() {
    let (_folder, _bus, systemd, _local) = served();
    let ask = |to, member| {
        let call = zbus::message::Message::method_call("/", member);
        let call = call.destination(to).build(&(7_u64,)).unwrap();
        let answer = systemd.answer(&call).unwrap();
        let name = answer.header().error_name().map(ToString::to_string);
        name.unwrap_or_default()
    };
    let error = "org.freedesktop.DBus.Error.";
    for (to, member, name) in [
        ("org.freedesktop.login1", "Suspend", "UnknownMethod"),
        ("org.example", "Reboot", "ServiceUnknown"),
        ("org.freedesktop.login1", "RebootWithFlags", "InvalidArgs"),
        ("org.freedesktop.login1", "Get", "InvalidArgs"),
    ] {
        assert_eq!(ask(to, member), format!("{error}{name}"));
    }
}

#[tokio::test]
async fn a_reboot_empties_run_kills_the_bus_and_changes_the_boot_id() {
    let folder = tempfile::tempdir().unwrap();
    let host = host(folder.path());
    let test = async {
        let mut life = tokio::task::JoinSet::new();
        life.spawn_local(host.clone().live(Pace::TEST));
        let until = async |power| {
            while host.power() != power {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        until(Power::On).await;
        let first = host.boot_id();
        host.ask_for_reboot().unwrap();
        let local = local(host.root());
        assert_eq!(local.sentinels().await.len(), 1);
        assert_eq!(local.reboot().await.reply, RebootReply::Accepted);
        until(Power::Off).await;
        assert!(!host.kubelet_runs());
        assert_eq!(
            local.shutdown_facts().await.judge(jiff::Timestamp::now()),
            GoingDown::Unanswered
        );
        until(Power::On).await;
        assert_ne!(host.boot_id(), first);
        assert_eq!(local.sentinels().await.len(), 0);
        assert_eq!(
            local.shutdown_facts().await.judge(jiff::Timestamp::now()),
            GoingDown::No
        );
        let happened = host.0.log.since(0);
        let happened: Vec<_> = happened.into_iter().map(|one| one.what).collect();
        let expected = [
            Happened::Up(first),
            Happened::Sentinel,
            Happened::Asked,
            Happened::Down,
            Happened::Up(host.boot_id()),
        ];
        assert_eq!(happened, expected);
    };
    let in_time = timeout(Duration::from_secs(20), test);
    LocalSet::new().run_until(in_time).await.unwrap();
}
