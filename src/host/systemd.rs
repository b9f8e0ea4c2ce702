//! PID 1: whether it shuts the host down, why it stops us, and whether units are active.

use sd_notify::NotifyState;
use zbus::OwnedObjectPath;
use zbus::proxy::CacheProperties;

use super::answer::{ErrorReply, failure, within};
use super::bus::{Bus, Line};
use super::logind;
use crate::failure::Failure;
use crate::reboot::Start;
use crate::shutdown::{ShutdownFacts, StopReason};

/// Our unit, where PID 1 does not know which unit this process is in.
const OWN_UNIT: &str = "rollboot.service";

/// Active before anything that is no part of the early boot is started, the kubelet included.
const EARLY: &str = "basic.target";

/// Id, unit, type, state, path of the job, path of the unit.
type JobRow = (
    u32,
    String,
    String,
    String,
    OwnedObjectPath,
    OwnedObjectPath,
);

#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1"
)]
trait Manager {
    /// All jobs that are queued or run.
    fn list_jobs(&self) -> zbus::Result<Vec<JobRow>>;
    /// The unit that a process belongs to.
    #[zbus(name = "GetUnitByPID")]
    fn get_unit_by_pid(&self, pid: u32) -> zbus::Result<OwnedObjectPath>;
    /// A unit by its name, loaded if it is not.
    fn load_unit(&self, name: &str) -> zbus::Result<OwnedObjectPath>;
    /// `running`, `degraded`, `stopping` and others.
    #[zbus(property)]
    fn system_state(&self) -> zbus::Result<String>;
    /// When PID 1 began, in microseconds of the monotonic clock. In a container that is another time than the kernel's boot.
    #[zbus(property)]
    fn userspace_timestamp_monotonic(&self) -> zbus::Result<u64>;
}

#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Unit",
    default_service = "org.freedesktop.systemd1"
)]
trait Unit {
    /// `active`, `inactive`, `failed` and others.
    #[zbus(property)]
    fn active_state(&self) -> zbus::Result<String>;
    /// `loaded`, `not-found`, `masked` and others.
    #[zbus(property)]
    fn load_state(&self) -> zbus::Result<String>;
    /// When it became active, in microseconds by the clock as it was set then. 0: never.
    #[zbus(property)]
    fn active_enter_timestamp(&self) -> zbus::Result<u64>;
    /// The same in microseconds since the boot.
    #[zbus(property)]
    fn active_enter_timestamp_monotonic(&self) -> zbus::Result<u64>;
}

async fn manager(line: &Line) -> zbus::Result<ManagerProxy<'static>> {
    ManagerProxy::builder(&line.connection)
        .cache_properties(CacheProperties::No)
        .build()
        .await
}

async fn jobs(line: &Line) -> zbus::Result<Vec<JobRow>> {
    manager(line).await?.list_jobs().await
}

async fn is_stopping(line: &Line) -> zbus::Result<bool> {
    Ok(manager(line).await?.system_state().await? == "stopping")
}

/// Whether a job takes the host down, soft reboots included: they end every process here.
fn takes_the_host_down(job: &JobRow) -> bool {
    const WAYS: [&str; 5] = ["reboot", "poweroff", "halt", "kexec", "soft-reboot"];
    let (_, unit, kind, ..) = job;
    let way = unit
        .strip_suffix(".target")
        .or_else(|| unit.strip_suffix(".service")?.strip_prefix("systemd-"));
    kind == "start" && way.is_some_and(|way| way == "shutdown" || WAYS.contains(&way))
}

/// The four facts, all asked at once and of one connection.
pub(super) async fn shutdown_facts(bus: &Bus) -> ShutdownFacts {
    let Ok(line) = bus.line().await else {
        return ShutdownFacts {
            connection: bus.number().await,
            ..ShutdownFacts::default()
        };
    };
    let limit = bus.deadlines.fact;
    let (preparing, scheduled, jobs, stopping) = tokio::join!(
        within(limit, logind::preparing(&line)),
        within(limit, logind::scheduled(&line)),
        within(limit, jobs(&line)),
        within(limit, is_stopping(&line)),
    );
    ShutdownFacts {
        preparing: preparing.ok(),
        job: jobs.ok().map(|jobs| jobs.iter().any(takes_the_host_down)),
        stopping: stopping.ok(),
        scheduled: scheduled.ok(),
        connection: line.number,
    }
}

/// How far the start of this host is: the jobs are asked for only while it goes on.
pub(super) async fn start(bus: &Bus) -> Start {
    let line = match bus.line().await {
        Ok(line) => line,
        Err(failure) => return Start::Unknown(failure.message),
    };
    let asked = async {
        let manager = manager(&line).await?;
        let state = manager.system_state().await?;
        if !matches!(state.as_str(), "initializing" | "starting") {
            return Ok(None);
        }
        let jobs = async { manager.list_jobs().await };
        tokio::try_join!(manager.userspace_timestamp_monotonic(), jobs).map(Some)
    };
    match within(bus.deadlines.fact, asked).await {
        Ok(None) => Start::Finished,
        Ok(Some((began, jobs))) => Start::UnderWay {
            seconds: monotonic().saturating_sub(began) / 1_000_000,
            jobs: at_work(jobs),
        },
        Err(error) => {
            let what = "cannot ask systemd whether this host has finished starting";
            Start::Unknown(failure(what, &error).message)
        }
    }
}

/// The units whose jobs are at work, not those that wait for them.
fn at_work(jobs: Vec<JobRow>) -> Vec<String> {
    let running = jobs
        .into_iter()
        .filter(|(_, _, _, state, ..)| state == "running");
    running.map(|(_, unit, ..)| unit).collect()
}

/// Microseconds of the clock that PID 1 counts by. 0: the kernel does not say.
fn monotonic() -> u64 {
    match NotifyState::monotonic_usec_now() {
        Ok(NotifyState::MonotonicUsec(now)) => u64::try_from(now).unwrap_or(0),
        _ => 0,
    }
}

/// Why our unit is being stopped.
pub(super) async fn stop_reason(bus: &Bus) -> StopReason {
    let Ok(line) = bus.line().await else {
        return StopReason::Unknown;
    };
    let limit = bus.deadlines.fact;
    let own = async {
        manager(&line)
            .await?
            .get_unit_by_pid(std::process::id())
            .await
    };
    let (preparing, jobs, stopping, own) = tokio::join!(
        within(limit, logind::preparing(&line)),
        within(limit, jobs(&line)),
        within(limit, is_stopping(&line)),
        within(limit, own),
    );
    let going_down = jobs
        .as_ref()
        .is_ok_and(|jobs| jobs.iter().any(takes_the_host_down));
    if going_down || matches!(stopping, Ok(true)) || matches!(preparing, Ok(true)) {
        return StopReason::Shutdown;
    }
    let (Ok(jobs), Ok(false)) = (jobs, stopping) else {
        return StopReason::Unknown;
    };
    let ours = jobs.iter().find(|(_, unit, _, _, _, path)| match &own {
        Ok(own) => own == path,
        Err(_) => unit == OWN_UNIT,
    });
    match ours.map(|(_, _, kind, ..)| kind.as_str()) {
        Some("stop") => StopReason::Stop,
        // A restart keeps its type while it stops the unit, and becomes a start then.
        Some("restart" | "try-restart") => StopReason::Restart,
        _ => StopReason::Unknown,
    }
}

/// Which of these units are not active, each with its state.
pub(super) async fn inactive_units(bus: &Bus, units: &[String]) -> Result<Vec<String>, Failure> {
    if units.is_empty() {
        return Ok(Vec::new());
    }
    let line = bus.line().await?;
    let mut inactive = Vec::new();
    for unit in units {
        match within(bus.deadlines.call, state(&line, unit)).await {
            Ok(None) => {}
            Ok(Some(state)) => inactive.push(format!("{unit}: {state}")),
            Err(error) => match ErrorReply::of(&error) {
                // PID 1 spoke about this unit: a name that is none, for example.
                Some(reply)
                    if reply.name.starts_with("org.freedesktop.systemd1.")
                        || reply.standard() == Some("InvalidArgs") =>
                {
                    inactive.push(format!("{unit}: {}", reply.text));
                }
                _ => {
                    return Err(failure(
                        &format!("cannot ask systemd whether {unit} is active"),
                        &error,
                    ));
                }
            },
        }
    }
    Ok(inactive)
}

/// When this boot began, in seconds by the clock as it was set before the kubelet started. `None`: PID 1 does not say.
pub(super) async fn booted_by_early_clock(bus: &Bus) -> Option<i64> {
    let line = bus.line().await.ok()?;
    let asked = async {
        let path = manager(&line).await?.load_unit(EARLY).await?;
        let unit = UnitProxy::builder(&line.connection)
            .path(path)
            .cache_properties(CacheProperties::No)
            .build()
            .await?;
        let at = unit.active_enter_timestamp().await?;
        Ok((at, unit.active_enter_timestamp_monotonic().await?))
    };
    let (at, up) = within(bus.deadlines.fact, asked).await.ok()?;
    let booted = at.checked_sub(up).filter(|_| up > 0)?;
    i64::try_from(booted / 1_000_000).ok()
}

/// The state of a unit that is not active.
async fn state(line: &Line, name: &str) -> zbus::Result<Option<String>> {
    let path = manager(line).await?.load_unit(name).await?;
    let unit = UnitProxy::builder(&line.connection)
        .path(path)
        .cache_properties(CacheProperties::No)
        .build()
        .await?;
    let active = unit.active_state().await?;
    // As `systemctl is-active` counts.
    if matches!(active.as_str(), "active" | "reloading" | "refreshing") {
        return Ok(None);
    }
    let load = unit.load_state().await?;
    Ok(Some(if load == "loaded" {
        active
    } else {
        format!("{active}, {load}")
    }))
}

#[cfg(test)]
mod tests;
