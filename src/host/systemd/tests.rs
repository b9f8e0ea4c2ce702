use super::super::stand_in::StandIn;
use super::*;
use crate::failure::FailureKind;
use crate::shutdown::{GoingDown, Scheduled};
use jiff::Timestamp;
use zbus::{Structure, Variant};

const OTHER: &str = "/org/freedesktop/systemd1/unit/other_2eservice";
const OURS: &str = "/org/freedesktop/systemd1/unit/ours_2eservice";

fn object(path: &str) -> OwnedObjectPath {
    OwnedObjectPath::try_from(path).unwrap()
}

fn job(unit: &str, kind: &str, path: &str) -> JobRow {
    let number = object("/org/freedesktop/systemd1/job/7");
    let text = str::to_string;
    (
        7,
        text(unit),
        text(kind),
        text("waiting"),
        number,
        object(path),
    )
}

fn set_for(kind: &'static str, at: u64) -> Variant<'static> {
    Variant::from(Structure::from((kind, at)))
}

fn nothing() -> Variant<'static> {
    set_for("", 0)
}

#[tokio::test]
async fn a_shutdown_that_is_set_is_told_with_its_time() {
    let stand_in = running();
    stand_in.property("ScheduledShutdown", set_for("reboot", 7_500_000));
    let facts = shutdown_facts(&stand_in.bus()).await;
    let scheduled = Scheduled {
        kind: "reboot".into(),
        at: 7,
    };
    assert_eq!(facts.scheduled, Some(scheduled));
    // None, as newer ones say it.
    stand_in.property("ScheduledShutdown", set_for("", u64::MAX));
    let facts = shutdown_facts(&stand_in.bus()).await;
    assert_eq!(facts.judge(Timestamp::UNIX_EPOCH), GoingDown::No);
    // An old logind, and one that does not answer.
    let unknown = "org.freedesktop.DBus.Error.UnknownProperty";
    stand_in.error("ScheduledShutdown", unknown, "no such thing");
    let facts = shutdown_facts(&stand_in.bus()).await;
    assert_eq!(facts.scheduled, Some(Scheduled::default()));
    stand_in.silence("ScheduledShutdown");
    let facts = shutdown_facts(&stand_in.bus()).await;
    assert_eq!(facts.judge(Timestamp::UNIX_EPOCH), GoingDown::Unanswered);
}

/// A host that runs, where PID 1 knows our unit.
fn running() -> StandIn {
    let stand_in = StandIn::new();
    stand_in.property("PreparingForShutdown", false);
    stand_in.property("ScheduledShutdown", nothing());
    stand_in.property("SystemState", "running");
    stand_in.reply("ListJobs", &Vec::<JobRow>::new());
    stand_in.reply("GetUnitByPID", &object(OURS));
    stand_in
}

#[tokio::test]
async fn a_running_host_says_no_four_times() {
    let stand_in = running();
    let facts = shutdown_facts(&stand_in.bus()).await;
    let no = ShutdownFacts {
        preparing: Some(false),
        job: Some(false),
        stopping: Some(false),
        scheduled: Some(Scheduled::default()),
        connection: 1,
    };
    assert_eq!(facts, no);
    let mut calls = stand_in.calls();
    calls.sort();
    let asked = [
        "ListJobs",
        "PreparingForShutdown",
        "ScheduledShutdown",
        "SystemState",
    ];
    assert_eq!(calls, asked);
}

#[tokio::test]
async fn each_fact_says_yes_by_itself() {
    let stand_in = running();
    stand_in.property("PreparingForShutdown", true);
    let facts = shutdown_facts(&stand_in.bus()).await;
    assert_eq!(
        (facts.preparing, facts.judge(Timestamp::UNIX_EPOCH)),
        (Some(true), GoingDown::Yes)
    );
    let stand_in = running();
    stand_in.property("SystemState", "stopping");
    let facts = shutdown_facts(&stand_in.bus()).await;
    assert_eq!(
        (facts.stopping, facts.judge(Timestamp::UNIX_EPOCH)),
        (Some(true), GoingDown::Yes)
    );
    let stand_in = running();
    stand_in.reply("ListJobs", &vec![job("reboot.target", "start", OTHER)]);
    let facts = shutdown_facts(&stand_in.bus()).await;
    assert_eq!(
        (facts.job, facts.judge(Timestamp::UNIX_EPOCH)),
        (Some(true), GoingDown::Yes)
    );
}

#[tokio::test]
async fn each_fact_is_unanswered_by_itself() {
    let silent = |what: &'static str| async move {
        let stand_in = running();
        stand_in.silence(what);
        shutdown_facts(&stand_in.bus()).await
    };
    let facts = silent("PreparingForShutdown").await;
    assert_eq!(
        (facts.preparing, facts.job, facts.stopping),
        (None, Some(false), Some(false))
    );
    let facts = silent("ListJobs").await;
    assert_eq!(
        (facts.preparing, facts.job, facts.stopping),
        (Some(false), None, Some(false))
    );
    let facts = silent("SystemState").await;
    assert_eq!(
        (facts.preparing, facts.job, facts.stopping),
        (Some(false), Some(false), None)
    );
    let stand_in = running();
    let gone = "org.freedesktop.DBus.Error.ServiceUnknown";
    stand_in.error("PreparingForShutdown", gone, "x");
    let facts = shutdown_facts(&stand_in.bus()).await;
    assert_eq!(
        (facts.preparing, facts.judge(Timestamp::UNIX_EPOCH)),
        (None, GoingDown::Unanswered)
    );
}

#[tokio::test]
async fn a_host_without_a_bus_answers_nothing() {
    let bus = Bus::at("unix:path=/nonexistent/bus");
    assert_eq!(shutdown_facts(&bus).await, ShutdownFacts::default());
    assert_eq!(stop_reason(&bus).await, StopReason::Unknown);
    assert!(inactive_units(&bus, &["a.service".into()]).await.is_err());
}

#[tokio::test]
async fn facts_after_a_break_have_another_number() {
    let stand_in = running();
    let bus = stand_in.bus();
    let first = bus.line().await.unwrap();
    stand_in.hang_up();
    first.connection.closed().await;
    assert_eq!(shutdown_facts(&bus).await.connection, 2);
}

#[test]
fn jobs_that_take_the_host_down() {
    for unit in [
        "reboot.target",
        "poweroff.target",
        "halt.target",
        "kexec.target",
        "soft-reboot.target",
        "shutdown.target",
        "systemd-reboot.service",
        "systemd-poweroff.service",
        "systemd-halt.service",
        "systemd-kexec.service",
        "systemd-soft-reboot.service",
    ] {
        assert!(takes_the_host_down(&job(unit, "start", OTHER)), "{unit}");
        assert!(!takes_the_host_down(&job(unit, "stop", OTHER)), "{unit}");
    }
    for unit in [
        "rescue.target",
        "sleep.target",
        "reboot.service",
        "systemd-reboot.target",
        "rollboot-pre-reboot.target",
        "systemd-logind.service",
        "kubelet.service",
    ] {
        assert!(!takes_the_host_down(&job(unit, "start", OTHER)), "{unit}");
    }
}

async fn reason(jobs: &[JobRow], change: impl FnOnce(&StandIn)) -> StopReason {
    let stand_in = running();
    stand_in.reply("ListJobs", &jobs.to_vec());
    change(&stand_in);
    stop_reason(&stand_in.bus()).await
}

#[tokio::test]
async fn the_type_of_our_job_is_the_reason() {
    for (kind, expected) in [
        ("stop", StopReason::Stop),
        ("restart", StopReason::Restart),
        ("try-restart", StopReason::Restart),
        ("start", StopReason::Unknown),
        ("reload", StopReason::Unknown),
    ] {
        // Our unit may be called otherwise, and another may be called as ours by default.
        let jobs = [
            job(OWN_UNIT, "stop", OTHER),
            job("ours.service", kind, OURS),
        ];
        assert_eq!(reason(&jobs, |_| {}).await, expected, "{kind}");
    }
    let other = [job("other.service", "stop", OTHER)];
    assert_eq!(reason(&other, |_| {}).await, StopReason::Unknown);
}

#[tokio::test]
async fn a_shutdown_is_the_reason_by_whatever_way_it_is_seen() {
    let stop = [job("ours.service", "stop", OURS)];
    let state = reason(&stop, |host| host.property("SystemState", "stopping"));
    assert_eq!(state.await, StopReason::Shutdown);
    let logind = reason(&stop, |host| host.property("PreparingForShutdown", true));
    assert_eq!(logind.await, StopReason::Shutdown);
    let restart = [
        job("ours.service", "restart", OURS),
        job("kexec.target", "start", OTHER),
    ];
    assert_eq!(reason(&restart, |_| {}).await, StopReason::Shutdown);
}

#[tokio::test]
async fn a_stop_without_a_clear_no_to_a_shutdown_is_unknown() {
    let stop = [job("ours.service", "stop", OURS)];
    let silent = reason(&stop, |host| host.silence("SystemState"));
    assert_eq!(silent.await, StopReason::Unknown);
    let silent = reason(&stop, |host| host.silence("ListJobs"));
    assert_eq!(silent.await, StopReason::Unknown);
    // logind is not PID 1: that it does not answer does not make PID 1's word less clear.
    let silent = reason(&stop, |host| host.silence("PreparingForShutdown"));
    assert_eq!(silent.await, StopReason::Stop);
}

#[tokio::test]
async fn our_unit_goes_by_its_name_where_the_process_belongs_to_none() {
    let stop = [job(OWN_UNIT, "stop", OTHER)];
    let named = reason(&stop, |host| {
        let none = "org.freedesktop.systemd1.NoUnitForPID";
        host.error(
            "GetUnitByPID",
            none,
            "PID 1 does not belong to any loaded unit.",
        );
    });
    assert_eq!(named.await, StopReason::Stop);
}

fn unit(stand_in: &StandIn, name: &str, active: &'static str, load: &'static str) {
    let path = format!(
        "/org/freedesktop/systemd1/unit/{}",
        name.replace('.', "_2e")
    );
    stand_in.reply(&format!("LoadUnit({name})"), &object(&path));
    stand_in.property(&format!("{path}.ActiveState"), active);
    stand_in.property(&format!("{path}.LoadState"), load);
}

#[tokio::test]
async fn units_that_are_not_active_are_named_with_their_state() {
    let stand_in = StandIn::new();
    let all = [
        ("active", "loaded"),
        ("reloading", "loaded"),
        ("refreshing", "loaded"),
        ("activating", "loaded"),
        ("deactivating", "loaded"),
        ("inactive", "not-found"),
        ("failed", "loaded"),
        ("inactive", "masked"),
    ];
    let mut names = Vec::new();
    for (number, (active, load)) in all.into_iter().enumerate() {
        let name = format!("u{number}.service");
        unit(&stand_in, &name, active, load);
        names.push(name);
    }
    let invalid = "org.freedesktop.DBus.Error.InvalidArgs";
    stand_in.error(
        "LoadUnit(nonsense)",
        invalid,
        "Unit name nonsense is not valid.",
    );
    names.push("nonsense".into());
    let bus = stand_in.bus();
    assert_eq!(
        inactive_units(&bus, &names).await.unwrap(),
        [
            "u3.service: activating",
            "u4.service: deactivating",
            "u5.service: inactive, not-found",
            "u6.service: failed",
            "u7.service: inactive, masked",
            "nonsense: Unit name nonsense is not valid.",
        ]
    );
    assert!(inactive_units(&bus, &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn units_that_nobody_answers_for_are_a_failure_and_not_active() {
    let stand_in = StandIn::new();
    let bus = stand_in.bus();
    let units = ["a.service".to_string()];
    let failure = inactive_units(&bus, &units).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Timeout, "{failure}");
    let gone = "org.freedesktop.DBus.Error.ServiceUnknown";
    stand_in.error("LoadUnit", gone, "x");
    let failure = inactive_units(&bus, &units).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unavailable, "{failure}");
}

#[tokio::test]
async fn the_boot_by_the_early_clock_is_what_pid_1_noted_then() {
    const SECOND: u64 = 1_000_000;
    let told = |at: u64, up: u64| {
        let stand_in = StandIn::new();
        unit(&stand_in, "basic.target", "active", "loaded");
        stand_in.property("ActiveEnterTimestamp", at);
        stand_in.property("ActiveEnterTimestampMonotonic", up);
        async move { booted_by_early_clock(&stand_in.bus()).await }
    };
    let booted = told(1_700_000_009 * SECOND, 9 * SECOND).await;
    assert_eq!(booted, Some(1_700_000_000));
    assert_eq!(told(0, 0).await, None, "never active");
    assert_eq!(told(SECOND, 9 * SECOND).await, None, "nonsense");
    assert_eq!(booted_by_early_clock(&StandIn::new().bus()).await, None);
}

#[tokio::test]
async fn a_host_that_starts_says_for_how_long_and_which_jobs_run() {
    let stand_in = StandIn::new();
    stand_in.property("SystemState", "degraded");
    assert_eq!(start(&stand_in.bus()).await, Start::Finished);
    for state in ["starting", "initializing"] {
        let stand_in = StandIn::new();
        stand_in.property("SystemState", state);
        let began = monotonic() - 90_000_000;
        stand_in.property("UserspaceTimestampMonotonic", began);
        let row = |id: u32, unit: &str, state: &str| -> JobRow {
            let path = OwnedObjectPath::try_from("/x").unwrap();
            (
                id,
                unit.into(),
                "start".into(),
                state.into(),
                path.clone(),
                path,
            )
        };
        let jobs = vec![
            row(1, "multi-user.target", "waiting"),
            row(2, "cloud-final.service", "running"),
        ];
        stand_in.reply("ListJobs", &jobs);
        let Start::UnderWay { seconds, jobs } = start(&stand_in.bus()).await else {
            panic!("{state}");
        };
        assert!((90..150).contains(&seconds), "{seconds}");
        assert_eq!(jobs, ["cloud-final.service"]);
    }
}

#[tokio::test]
async fn a_start_that_nobody_tells_of_is_unknown() {
    let stand_in = StandIn::new();
    stand_in.silence("SystemState");
    let said = start(&stand_in.bus()).await;
    assert!(matches!(said, Start::Unknown(_)), "{said:?}");
}
