use tokio::time::timeout;
use zbus::message::Message;

use super::super::stand_in::StandIn;
use super::*;
use crate::failure::FailureKind;

const WITH_FLAGS: &str = "RebootWithFlags";

/// The reply to a reboot that logind answers with this error.
async fn reply_to(name: &str, text: &str) -> RebootReply {
    let stand_in = StandIn::new();
    stand_in.error(WITH_FLAGS, name, text);
    let answer = reboot(&stand_in.bus()).await;
    assert_eq!(answer.connection, 1);
    assert_eq!(stand_in.calls(), ["RebootWithFlags(1)"], "{name}");
    answer.reply
}

#[tokio::test]
async fn a_yes_is_accepted_and_asked_with_inhibitors_checked() {
    let stand_in = StandIn::new();
    stand_in.reply(WITH_FLAGS, &());
    let answer = reboot(&stand_in.bus()).await;
    assert_eq!(answer.reply, RebootReply::Accepted);
    assert_eq!(stand_in.calls(), ["RebootWithFlags(1)"]);
}

#[tokio::test]
async fn a_shutdown_or_sleep_under_way_is_told() {
    for text in [
        "There's already a shutdown or sleep operation in progress",
        "Action reboot already in progress, refusing requested reboot operation.",
    ] {
        let reply = reply_to("org.freedesktop.login1.OperationInProgress", text).await;
        assert_eq!(reply, RebootReply::Busy);
    }
}

#[tokio::test]
async fn a_no_is_refused_with_what_to_do() {
    let standard = |name: &str| format!("org.freedesktop.DBus.Error.{name}");
    for (name, text, advice) in [
        (
            "org.freedesktop.login1.BlockedByInhibitorLock".into(),
            "Operation denied due to active block inhibitor",
            "systemd-inhibit --list",
        ),
        (
            standard("AccessDenied"),
            "Access denied due to active block inhibitor",
            "systemd-inhibit --list",
        ),
        (standard("AccessDenied"), "Permission denied", "run as root"),
        (standard("AuthFailed"), "no", "run as root"),
        (
            standard("InteractiveAuthorizationRequired"),
            "Interactive authentication required.",
            "run as root",
        ),
        (
            standard("NotSupported"),
            "no",
            "cannot reboot through logind",
        ),
        (
            standard("UnknownObject"),
            "no",
            "cannot reboot through logind",
        ),
        (
            standard("ServiceUnknown"),
            "The name is not activatable",
            "systemctl status systemd-logind",
        ),
        (
            standard("NameHasNoOwner"),
            "Could not get owner",
            "systemctl status systemd-logind",
        ),
        (
            standard("Spawn.ChildExited"),
            "exited",
            "systemctl status systemd-logind",
        ),
        (
            "org.freedesktop.systemd1.TransactionIsDestructive".into(),
            "Transaction is destructive",
            "systemctl list-jobs",
        ),
        (
            "org.freedesktop.systemd1.ShuttingDown".into(),
            "Refusing activation, D-Bus is shutting down.",
            "systemctl list-jobs",
        ),
        (standard("InvalidArgs"), "Invalid argument", "journalctl"),
        (standard("LimitsExceeded"), "too many", "journalctl"),
        ("System.Error.EBUSY".into(), "busy", "journalctl"),
        ("org.example.New".into(), "something new", "journalctl"),
    ] {
        let RebootReply::Refused(said) = reply_to(&name, text).await else {
            panic!("{name} is a refusal");
        };
        assert!(said.contains(text) && said.contains(&name), "{said}");
        assert!(said.contains(advice), "{name}: {said}");
    }
}

#[tokio::test]
async fn an_answer_that_was_lost_on_its_way_is_lost_whoever_says_so() {
    for name in [
        "org.freedesktop.DBus.Error.NoReply",
        "org.freedesktop.DBus.Error.Timeout",
        "org.freedesktop.DBus.Error.TimedOut",
        "org.freedesktop.DBus.Error.Disconnected",
        "org.freedesktop.DBus.Error.IOError",
        "org.freedesktop.DBus.Error.NoServer",
        "org.freedesktop.DBus.Error.NoNetwork",
        "org.freedesktop.DBus.Error.NoMemory",
        "org.freedesktop.DBus.Error.InconsistentMessage",
        "System.Error.ETIMEDOUT",
        "System.Error.ETIME",
        "System.Error.ECONNRESET",
        "System.Error.ECONNABORTED",
        "System.Error.ENETRESET",
        "System.Error.ENOTCONN",
        "System.Error.ESHUTDOWN",
        "System.Error.EPIPE",
        "System.Error.EIO",
        "System.Error.ENOMEM",
    ] {
        let reply = reply_to(name, "x").await;
        assert!(matches!(reply, RebootReply::Lost(_)), "{name}: {reply:?}");
    }
}

#[tokio::test]
async fn no_reply_in_time_is_lost_and_the_connection_stays() {
    let stand_in = StandIn::new();
    let bus = stand_in.bus();
    let answer = reboot(&bus).await;
    assert!(matches!(answer.reply, RebootReply::Lost(_)), "{answer:?}");
    assert_eq!(answer.connection, 1);
    assert_eq!(bus.line().await.unwrap().number, 1);
    assert_eq!(stand_in.calls(), ["RebootWithFlags(1)"]);
}

#[tokio::test]
async fn a_connection_that_breaks_during_the_call_is_lost_and_another_number_follows() {
    let stand_in = StandIn::new();
    stand_in.hang_up_on(WITH_FLAGS);
    let bus = stand_in.bus();
    let answer = reboot(&bus).await;
    assert!(matches!(answer.reply, RebootReply::Lost(_)), "{answer:?}");
    assert_eq!(answer.connection, 1);
    assert_eq!(stand_in.calls(), ["RebootWithFlags(1)"], "and not again");
    stand_in.silence(WITH_FLAGS);
    assert_eq!(bus.line().await.unwrap().number, 2);
}

#[tokio::test]
async fn without_a_connection_nothing_was_asked() {
    let answer = reboot(&Bus::at("unix:path=/nonexistent/bus")).await;
    let RebootReply::Refused(said) = answer.reply else {
        panic!("{answer:?}");
    };
    assert!(said.starts_with("logind was not asked: "), "{said}");
    assert_eq!(answer.connection, 0);
}

#[tokio::test]
async fn only_an_unknown_method_or_flag_falls_back_to_the_old_call() {
    for (name, text) in [
        (
            "org.freedesktop.DBus.Error.UnknownMethod",
            "Unknown method RebootWithFlags or interface org.freedesktop.login1.Manager.",
        ),
        (
            "org.freedesktop.DBus.Error.InvalidArgs",
            "Invalid flags parameter",
        ),
    ] {
        let stand_in = StandIn::new();
        stand_in.error(WITH_FLAGS, name, text);
        stand_in.reply("Reboot", &());
        let answer = reboot(&stand_in.bus()).await;
        assert_eq!(answer.reply, RebootReply::Accepted);
        assert_eq!(stand_in.calls(), ["RebootWithFlags(1)", "Reboot(false)"]);
    }
}

#[tokio::test]
async fn the_old_call_is_judged_by_the_same_rules() {
    let old = |name: &'static str| async move {
        let stand_in = StandIn::new();
        let unknown = "org.freedesktop.DBus.Error.UnknownMethod";
        stand_in.error(WITH_FLAGS, unknown, "Unknown method");
        if !name.is_empty() {
            stand_in.error("Reboot", name, "x");
        }
        reboot(&stand_in.bus()).await.reply
    };
    let lost = old("").await;
    assert!(matches!(lost, RebootReply::Lost(_)), "{lost:?}");
    let refused = old("org.freedesktop.DBus.Error.UnknownMethod").await;
    assert!(matches!(refused, RebootReply::Refused(_)), "{refused:?}");
    let busy = old("org.freedesktop.login1.OperationInProgress").await;
    assert_eq!(busy, RebootReply::Busy);
}

fn row(what: &str, who: &str, mode: &str) -> (String, String, String, String, u32, u32) {
    let text = |text: &str| text.to_string();
    (text(what), text(who), text("because"), text(mode), 0, 42)
}

#[tokio::test]
async fn gates_list_what_blocks_a_shutdown_and_nothing_else() {
    let stand_in = StandIn::new();
    stand_in.reply("CanReboot", &"challenge");
    stand_in.reply(
        "ListInhibitors",
        &vec![
            row("shutdown", "apt", "block"),
            row("sleep:shutdown:idle", "weak", "block-weak"),
            row("shutdown", "kubelet", "delay"),
            row("sleep", "upower", "block"),
            row("handle-power-key", "gnome", "block"),
            row("not-shutdown", "odd", "block"),
        ],
    );
    let (can_reboot, inhibitors) = gates(&stand_in.bus()).await.unwrap();
    assert_eq!(can_reboot, "challenge");
    let who: Vec<_> = inhibitors.iter().map(|one| one.who.as_str()).collect();
    assert_eq!(who, ["apt", "weak"]);
    assert_eq!(inhibitors[0].why, "because");
    assert_eq!(inhibitors[0].pid, 42);
}

#[tokio::test]
async fn gates_that_are_half_answered_are_a_failure() {
    let stand_in = StandIn::new();
    stand_in.reply("CanReboot", &"yes");
    let bus = stand_in.bus();
    let failure = gates(&bus).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Timeout, "{failure}");
    for (name, kind) in [
        ("AccessDenied", FailureKind::Forbidden),
        ("NoReply", FailureKind::Timeout),
        ("ServiceUnknown", FailureKind::Unavailable),
        ("Failed", FailureKind::Local),
    ] {
        let name = format!("org.freedesktop.DBus.Error.{name}");
        stand_in.error("ListInhibitors", &name, "x");
        assert_eq!(gates(&bus).await.unwrap_err().kind, kind, "{name}");
    }
}

fn signal(path: &str, interface: &str, member: &str) -> Message {
    Message::signal(path, interface, member)
        .build(&true)
        .unwrap()
}

async fn hears(hints: &Hints, what: &str) {
    timeout(Duration::from_secs(3), hints.next())
        .await
        .unwrap_or_else(|_| panic!("no hint of {what}"));
}

async fn hears_nothing(hints: &Hints) {
    let hint = timeout(Duration::from_millis(200), hints.next()).await;
    assert!(hint.is_err());
}

#[tokio::test]
async fn hints_come_with_the_signal_and_with_nothing_else() {
    let stand_in = StandIn::new();
    let hints = shutdown_hints(Arc::new(stand_in.bus()));
    hears(&hints, "the start").await;
    hears_nothing(&hints).await;
    stand_in.signal(signal(PATH, INTERFACE, "PrepareForShutdown"));
    hears(&hints, "the signal").await;
    stand_in.signal(signal(PATH, INTERFACE, "SessionNew"));
    hears_nothing(&hints).await;
    let changed = Message::signal(
        "/org/freedesktop/DBus",
        "org.freedesktop.DBus",
        "NameOwnerChanged",
    )
    .sender("org.freedesktop.DBus")
    .build(&(SERVICE, ":1.2", ""))
    .unwrap();
    stand_in.signal(changed);
    hears(&hints, "logind's end").await;
}

#[tokio::test]
async fn hints_come_when_the_connection_breaks_and_go_on_after_it() {
    let stand_in = StandIn::new();
    let bus = Arc::new(stand_in.bus());
    let hints = shutdown_hints(Arc::clone(&bus));
    hears(&hints, "the start").await;
    stand_in.hang_up();
    hears(&hints, "the break").await;
    while timeout(Duration::from_millis(300), hints.next())
        .await
        .is_ok()
    {}
    assert_eq!(bus.number().await, 2);
    stand_in.signal(signal(PATH, INTERFACE, "PrepareForShutdown"));
    hears(&hints, "a signal on the new connection").await;
    assert_eq!(hints.problem(), None);
}

#[tokio::test]
async fn signals_that_nobody_takes_do_not_hold_up_replies() {
    let stand_in = StandIn::new();
    stand_in.property("PreparingForShutdown", true);
    let bus = Arc::new(stand_in.bus());
    let hints = shutdown_hints(Arc::clone(&bus));
    hears(&hints, "the start").await;
    for _ in 0..100 {
        for _ in 0..10 {
            stand_in.signal(signal(PATH, INTERFACE, "PrepareForShutdown"));
        }
        tokio::task::yield_now().await;
    }
    let line = bus.line().await.unwrap();
    let prepared = within(bus.deadlines.fact, preparing(&line)).await;
    assert!(matches!(prepared, Ok(true)), "{prepared:?}");
}

#[tokio::test]
async fn a_bus_that_is_not_there_is_a_problem_that_is_said() {
    let hints = shutdown_hints(Arc::new(Bus::at("unix:path=/nonexistent/bus")));
    hears_nothing(&hints).await;
    assert!(hints.problem().unwrap().contains("/nonexistent/bus"));
}

#[tokio::test]
async fn a_shutdown_is_delayed_by_whom_and_for_how_long() {
    let stand_in = StandIn::new();
    let row = |what: &str, who: &str, mode: &str| {
        let text = |text: &str| text.to_string();
        (text(what), text(who), text("why"), text(mode), 0_u32, 9_u32)
    };
    stand_in.property("InhibitDelayMaxUSec", 30_000_000_u64);
    stand_in.reply(
        "ListInhibitors",
        &vec![
            row("shutdown", "kubelet", "delay"),
            row("sleep", "a", "delay"),
            row("shutdown:sleep", "b", "delay"),
            row("shutdown", "c", "block"),
        ],
    );
    let delay = shutdown_delay(&stand_in.bus()).await.unwrap();
    assert_eq!(delay.max, Duration::from_secs(30));
    let who: Vec<_> = delay.inhibitors.iter().map(|it| it.who.as_str()).collect();
    assert_eq!(who, ["kubelet", "b"]);
    stand_in.silence("InhibitDelayMaxUSec");
    assert!(shutdown_delay(&stand_in.bus()).await.is_err());
}
