//! logind: whether it would reboot, the request for a reboot, and its signals.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::sleep;
use zbus::message::Type;
use zbus::proxy::CacheProperties;
use zbus::{MatchRule, MessageStream};

use super::answer::{ErrorReply, failure, within};
use super::bus::{Bus, Line};
use super::hints::{Hints, Teller};
use crate::failure::Failure;
use crate::ports::{Inhibitor, RebootAnswer, RebootReply};
use crate::shutdown::Scheduled;

const SERVICE: &str = "org.freedesktop.login1";
const PATH: &str = "/org/freedesktop/login1";
const INTERFACE: &str = "org.freedesktop.login1.Manager";

/// `SD_LOGIND_ROOT_CHECK_INHIBITORS`: before systemd 257 a block inhibitor does not bind root without it.
const ROOT_CHECK_INHIBITORS: u64 = 1 << 0;

/// How long to wait before a connection is tried again that could not be made, at first and at last.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// What, who, why, mode, user ID, process ID.
type InhibitorRow = (String, String, String, String, u32, u32);

#[zbus::proxy(
    interface = "org.freedesktop.login1.Manager",
    default_service = "org.freedesktop.login1",
    default_path = "/org/freedesktop/login1"
)]
trait Manager {
    /// Whether a reboot is possible and allowed.
    fn can_reboot(&self) -> zbus::Result<String>;
    /// All inhibitor locks.
    fn list_inhibitors(&self) -> zbus::Result<Vec<InhibitorRow>>;
    /// Reboots; since systemd 248.
    fn reboot_with_flags(&self, flags: u64) -> zbus::Result<()>;
    /// Reboots; `interactive`: polkit may ask a person.
    fn reboot(&self, interactive: bool) -> zbus::Result<()>;
    /// Whether a shutdown is under way, its delay included.
    #[zbus(property)]
    fn preparing_for_shutdown(&self) -> zbus::Result<bool>;
    /// What kind of shutdown is set for a certain time, and for when: microseconds since the epoch.
    #[zbus(property)]
    fn scheduled_shutdown(&self) -> zbus::Result<(String, u64)>;
    /// How long delay inhibitors are waited for, in microseconds.
    #[zbus(property, name = "InhibitDelayMaxUSec")]
    fn inhibit_delay_max(&self) -> zbus::Result<u64>;
}

async fn manager(line: &Line) -> zbus::Result<ManagerProxy<'static>> {
    // Without a cache nothing is sent here, and every property is as it is when it is asked.
    ManagerProxy::builder(&line.connection)
        .cache_properties(CacheProperties::No)
        .build()
        .await
}

/// Whether logind says that it prepares for a shutdown.
pub(super) async fn preparing(line: &Line) -> zbus::Result<bool> {
    manager(line).await?.preparing_for_shutdown().await
}

/// The shutdown that is set for a certain time. Where there is no such property, none can be.
pub(super) async fn scheduled(line: &Line) -> zbus::Result<Scheduled> {
    let asked = manager(line).await?.scheduled_shutdown().await;
    let unknown = asked.as_ref().is_err_and(|error| {
        ErrorReply::of(error).is_some_and(|reply| reply.standard() == Some("UnknownProperty"))
    });
    if unknown {
        return Ok(Scheduled::default());
    }
    let (kind, at) = asked?;
    let at = i64::try_from(at / 1_000_000).unwrap_or(i64::MAX);
    Ok(Scheduled { kind, at })
}

/// What logind would say to a request: its `CanReboot`, and who inhibits a shutdown.
pub(super) async fn gates(bus: &Bus) -> Result<(String, Vec<Inhibitor>), Failure> {
    let line = bus.line().await?;
    let asked = async {
        let manager = manager(&line).await?;
        tokio::try_join!(manager.can_reboot(), manager.list_inhibitors())
    };
    let (can_reboot, inhibitors) = within(bus.deadlines.call, asked)
        .await
        .map_err(|error| failure("cannot ask logind whether it would reboot", &error))?;
    let inhibitors = inhibitors.into_iter().filter_map(blocking).collect();
    Ok((can_reboot, inhibitors))
}

/// For how long logind lets a shutdown wait, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShutdownDelay {
    /// `InhibitDelayMaxSec`: after so long it goes on whoever still holds a lock.
    pub max: Duration,
    /// Inhibitors of mode `delay` that cover `shutdown`.
    pub inhibitors: Vec<Inhibitor>,
}

/// Who may delay a shutdown, and for how long.
pub(super) async fn shutdown_delay(bus: &Bus) -> Result<ShutdownDelay, Failure> {
    let line = bus.line().await?;
    let asked = async {
        let manager = manager(&line).await?;
        tokio::try_join!(manager.inhibit_delay_max(), manager.list_inhibitors())
    };
    let (max, inhibitors) = within(bus.deadlines.call, asked)
        .await
        .map_err(|error| failure("cannot ask logind for how long a shutdown waits", &error))?;
    let delays = |row| covering(row, &["delay"]);
    Ok(ShutdownDelay {
        max: Duration::from_micros(max),
        inhibitors: inhibitors.into_iter().filter_map(delays).collect(),
    })
}

/// The inhibitor, if it blocks a shutdown.
fn blocking(row: InhibitorRow) -> Option<Inhibitor> {
    covering(row, &["block", "block-weak"])
}

/// The inhibitor, if it covers a shutdown in one of these modes.
fn covering(row: InhibitorRow, modes: &[&str]) -> Option<Inhibitor> {
    let (what, who, why, mode, _user, pid) = row;
    let shutdown = what.split(':').any(|part| part == "shutdown");
    (shutdown && modes.contains(&mode.as_str())).then_some(Inhibitor { who, why, pid })
}

/// Asks for the reboot, once.
pub(super) async fn reboot(bus: &Bus) -> RebootAnswer {
    let refused = |reason: String, connection| RebootAnswer {
        reply: RebootReply::Refused(format!("logind was not asked: {reason}")),
        connection,
    };
    // Nothing was sent where there is no connection: that is a plain no, not a lost reply.
    let line = match bus.line().await {
        Ok(line) => line,
        Err(failure) => return refused(failure.message, bus.number().await),
    };
    let manager = match manager(&line).await {
        Ok(manager) => manager,
        Err(error) => return refused(error.to_string(), line.number),
    };
    let limit = bus.deadlines.call;
    let mut answer = within(limit, manager.reboot_with_flags(ROOT_CHECK_INHIBITORS)).await;
    if answer.as_ref().is_err_and(flags_are_unknown) {
        answer = within(limit, manager.reboot(false)).await;
    }
    RebootAnswer {
        reply: judge(answer),
        connection: line.number,
    }
}

/// Whether this logind has no such method, or not this flag. Any other refusal is one, and is not asked around.
fn flags_are_unknown(error: &zbus::Error) -> bool {
    ErrorReply::of(error).is_some_and(|reply| match reply.standard() {
        Some("UnknownMethod") => true,
        Some("InvalidArgs") => reply.text.contains("flags"),
        _ => false,
    })
}

/// What logind's answer means.
fn judge(answer: zbus::Result<()>) -> RebootReply {
    let Err(error) = answer else {
        return RebootReply::Accepted;
    };
    let Some(reply) = ErrorReply::of(&error) else {
        return RebootReply::Lost(format!("logind did not reply: {error}"));
    };
    let ErrorReply { name, text } = &reply;
    match name.as_str() {
        // "There's already a shutdown or sleep operation in progress"; newer: "Action reboot already in progress, refusing …".
        "org.freedesktop.login1.OperationInProgress" => RebootReply::Busy,
        _ if may_have_been_handled(&reply) => {
            RebootReply::Lost(format!("logind's reply was lost: {text} ({name})"))
        }
        _ => RebootReply::Refused(format!(
            "logind refuses: {text} ({name}); {}",
            advice(&reply)
        )),
    }
}

/// Whether an error says only that an answer did not arrive: ours, or the one that logind waits for when it asks PID 1 to start
/// reboot.target. Either may have been handled, or may be yet.
fn may_have_been_handled(reply: &ErrorReply) -> bool {
    let transport = matches!(
        reply.standard(),
        Some(
            "NoReply"
                | "Timeout"
                | "TimedOut"
                | "Disconnected"
                | "IOError"
                | "NoServer"
                | "NoNetwork"
                // logind's own lack of memory can come after the job was queued.
                | "NoMemory"
                | "InconsistentMessage"
        )
    );
    let errno = matches!(
        reply.name.strip_prefix("System.Error."),
        Some(
            "ETIMEDOUT"
                | "ETIME"
                | "ECONNRESET"
                | "ECONNABORTED"
                | "ENETRESET"
                | "ENOTCONN"
                | "ESHUTDOWN"
                | "EPIPE"
                | "EIO"
                | "ENOMEM"
        )
    );
    transport || errno
}

/// What an operator can do about a refusal.
fn advice(reply: &ErrorReply) -> &'static str {
    let inhibited = reply.name == "org.freedesktop.login1.BlockedByInhibitorLock"
        || reply.text.contains("inhibitor");
    if inhibited {
        return "see who holds a lock with: systemd-inhibit --list";
    }
    match reply.standard() {
        Some("AccessDenied" | "AuthFailed" | "InteractiveAuthorizationRequired") => {
            "rollboot must run as root, and reboot.target must not be masked"
        }
        Some("NotSupported" | "UnknownMethod" | "UnknownInterface" | "UnknownObject") => {
            "this host cannot reboot through logind"
        }
        Some(standard)
            if standard.starts_with("Spawn.")
                || matches!(standard, "ServiceUnknown" | "NameHasNoOwner") =>
        {
            "see: systemctl status systemd-logind"
        }
        // The second is what PID 1 says when it will not start logind any more; it did not get the request.
        _ if matches!(
            reply.name.as_str(),
            "org.freedesktop.systemd1.TransactionIsDestructive"
                | "org.freedesktop.systemd1.ShuttingDown"
        ) =>
        {
            "another shutdown or sleep is queued, see: systemctl list-jobs"
        }
        _ => "see: journalctl -u systemd-logind",
    }
}

/// Hints that the facts about a shutdown may have changed: `PrepareForShutdown` either way, a logind that came or went, a connection
/// that broke or was made again.
pub(super) fn shutdown_hints(bus: Arc<Bus>) -> Hints {
    Hints::spawn(|teller| async move {
        let mut wait = RETRY.0;
        loop {
            match listen(&bus, &teller).await {
                Ok(()) => wait = RETRY.0,
                Err(failure) => {
                    teller.problem(Some(failure.message));
                    sleep(wait).await;
                    wait = RETRY.1.min(wait * 2);
                }
            }
        }
    })
}

/// Listens until the connection breaks.
async fn listen(bus: &Bus, teller: &Teller) -> Result<(), Failure> {
    let line = bus.line().await?;
    let subscribed = async {
        let prepare = MatchRule::builder()
            .msg_type(Type::Signal)
            .sender(SERVICE)
            .path(PATH)
            .interface(INTERFACE)
            .member("PrepareForShutdown")
            .build()?;
        let owner = MatchRule::builder()
            .msg_type(Type::Signal)
            .sender("org.freedesktop.DBus")
            .path("/org/freedesktop/DBus")
            .interface("org.freedesktop.DBus")
            .member("NameOwnerChanged")
            .arg(0, SERVICE)
            .build()?;
        Ok((
            MessageStream::for_match_rule(prepare, &line.connection, None).await?,
            MessageStream::for_match_rule(owner, &line.connection, None).await?,
        ))
    };
    let (mut prepare, mut owner) = within(bus.deadlines.call, subscribed)
        .await
        .map_err(|error| failure("cannot listen to logind", &error))?;
    teller.problem(None);
    // What happened before has made no signal.
    teller.tell();
    loop {
        let signal = tokio::select! {
            signal = prepare.next() => signal,
            signal = owner.next() => signal,
        };
        teller.tell();
        if !matches!(signal, Some(Ok(_))) {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests;
