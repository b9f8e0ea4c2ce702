//! logind and PID 1 of one host, with the part of their D-Bus interfaces that rollboot uses, and what these mean: after an
//! accepted reboot the shutdown is prepared, a second request is refused as systemd refuses it, and a `block` lock forbids it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, broadcast};
use zbus::message::{Header, Message};
use zbus::{DynamicType, ObjectPath, Variant};

use crate::bus::Speaker;

/// Bit 0 of `RebootWithFlags`; any other is unknown here.
const ROOT_CHECK_INHIBITORS: u64 = 1;
const UNIT: &str = "/org/freedesktop/systemd1/unit/rollboot_2eservice";

/// A row of `ListInhibitors`: what, who, why, mode, user ID, process ID.
pub type Inhibitor = (String, String, String, String, u32, u32);
/// A row of `ListJobs`: ID, unit, type, state, path of the job, path of the unit.
type Job = (
    u32,
    String,
    String,
    String,
    ObjectPath<'static>,
    ObjectPath<'static>,
);

/// logind and PID 1. A clone is the same pair.
#[derive(Debug, Clone)]
pub struct Systemd(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    signals: broadcast::Sender<Message>,
    accepted: Notify,
}

#[derive(Debug, Default)]
struct State {
    preparing: bool,
    stopping: bool,
    inhibitors: Vec<Inhibitor>,
}

/// An error as it goes over the bus: its name and its text.
struct Refused(&'static str, String);

type Reply = Result<zbus::Result<Message>, Refused>;

/// Where the bus is, below the root folder.
pub(super) const SOCKET: &str = "run/dbus/system_bus_socket";

impl Speaker for Systemd {
    fn answer(&self, call: &Message) -> zbus::Result<Message> {
        let header = call.header();
        match self.reply(call, &header) {
            Ok(reply) => reply,
            Err(Refused(name, text)) => Message::error(&header, name).build(&text),
        }
    }

    fn signals(&self) -> Option<broadcast::Receiver<Message>> {
        Some(self.0.signals.subscribe())
    }
}

impl Systemd {
    pub(super) fn new() -> Self {
        let (signals, _) = broadcast::channel(16);
        Self(Arc::new(Shared {
            state: Mutex::default(),
            signals,
            accepted: Notify::new(),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an inhibitor lock.
    pub fn inhibit(&self, what: &str, who: &str, mode: &str) {
        let text = str::to_owned;
        let why = "it says so".to_owned();
        let row = (text(what), text(who), why, text(mode), 0, 4711);
        self.state().inhibitors.push(row);
    }

    /// Drops all inhibitor locks.
    pub fn release_inhibitors(&self) {
        self.state().inhibitors.clear();
    }

    /// A new boot: nothing is under way, and the kubelet holds its delay lock.
    pub(super) fn boot(&self) {
        *self.state() = State::default();
        self.inhibit("shutdown", "kubelet", "delay");
    }

    /// Waits until logind has accepted a request for a reboot.
    pub(super) async fn accepted(&self) {
        self.0.accepted.notified().await;
    }

    /// The delay is over: PID 1 starts reboot.target.
    pub(super) fn stop(&self) {
        self.state().stopping = true;
    }

    fn reply(&self, call: &Message, header: &Header<'_>) -> Reply {
        let to = header.destination().map(ToString::to_string);
        let member = header.member().map(ToString::to_string).unwrap_or_default();
        let (to, member) = (to.unwrap_or_default(), member.as_str());
        let body = call.body();
        match (to.as_str(), member) {
            ("org.freedesktop.DBus", "Hello") => done(header, &":1.42"),
            ("org.freedesktop.DBus", "AddMatch" | "RemoveMatch") => done(header, &()),
            ("org.freedesktop.login1" | "org.freedesktop.systemd1", "Get") => {
                let (_, name): (String, String) = arguments(body.deserialize())?;
                done(header, &self.property(&name)?)
            }
            ("org.freedesktop.login1", "CanReboot") => done(header, &"yes"),
            ("org.freedesktop.login1", "ListInhibitors") => {
                done(header, &self.state().inhibitors.clone())
            }
            ("org.freedesktop.login1", "RebootWithFlags") => {
                let flags: u64 = arguments(body.deserialize())?;
                self.reboot(flags)?;
                done(header, &())
            }
            ("org.freedesktop.login1", "Reboot") => {
                let _interactive: bool = arguments(body.deserialize())?;
                self.reboot(0)?;
                done(header, &())
            }
            ("org.freedesktop.systemd1", "ListJobs") => done(header, &self.jobs()),
            ("org.freedesktop.systemd1", "GetUnitByPID" | "LoadUnit") => {
                done(header, &ObjectPath::from_static_str_unchecked(UNIT))
            }
            ("org.freedesktop.DBus" | "org.freedesktop.login1" | "org.freedesktop.systemd1", _) => {
                Err(Refused(
                    "org.freedesktop.DBus.Error.UnknownMethod",
                    format!("Unknown method {member}"),
                ))
            }
            (to, _) => Err(Refused(
                "org.freedesktop.DBus.Error.ServiceUnknown",
                format!("The name {to} was not provided by any .service files"),
            )),
        }
    }

    fn property(&self, name: &str) -> Result<Variant<'static>, Refused> {
        let state = self.state();
        match name {
            "PreparingForShutdown" => Ok(Variant::from(state.preparing)),
            "SystemState" if state.stopping => Ok(Variant::from("stopping")),
            "SystemState" => Ok(Variant::from("running")),
            // Every unit that a configuration could name.
            "ActiveState" => Ok(Variant::from("active")),
            "LoadState" => Ok(Variant::from("loaded")),
            _ => Err(Refused(
                "org.freedesktop.DBus.Error.UnknownProperty",
                format!("Unknown property {name}"),
            )),
        }
    }

    fn jobs(&self) -> Vec<Job> {
        let path = |path| ObjectPath::from_static_str_unchecked(path);
        let row = |unit: &str| {
            (
                1,
                unit.to_owned(),
                "start".to_owned(),
                "waiting".to_owned(),
                path("/org/freedesktop/systemd1/job/1"),
                path("/org/freedesktop/systemd1/unit/reboot_2etarget"),
            )
        };
        self.state()
            .stopping
            .then(|| row("reboot.target"))
            .into_iter()
            .collect()
    }

    fn reboot(&self, flags: u64) -> Result<(), Refused> {
        let mut state = self.state();
        if flags & !ROOT_CHECK_INHIBITORS != 0 {
            let text = "Invalid flags parameter".to_owned();
            return Err(Refused("org.freedesktop.DBus.Error.InvalidArgs", text));
        }
        if state.preparing {
            let text = "There's already a shutdown or sleep operation in progress".to_owned();
            return Err(Refused("org.freedesktop.login1.OperationInProgress", text));
        }
        // As systemd 257 and later: a lock binds root too, whatever the flags say.
        if state.inhibitors.iter().any(blocks_shutdown) {
            let text = "Access denied due to active block inhibitor".to_owned();
            return Err(Refused("org.freedesktop.DBus.Error.AccessDenied", text));
        }
        state.preparing = true;
        drop(state);
        // Nobody listens: nobody needs to know.
        let _ = self.0.signals.send(prepare_for_shutdown());
        self.0.accepted.notify_one();
        Ok(())
    }
}

fn blocks_shutdown((what, _, _, mode, ..): &Inhibitor) -> bool {
    what.split(':').any(|what| what == "shutdown") && mode == "block"
}

fn prepare_for_shutdown() -> Message {
    Message::signal(
        "/org/freedesktop/login1",
        "org.freedesktop.login1.Manager",
        "PrepareForShutdown",
    )
    .build(&true)
    .expect("a signal of constants can be built")
}

fn done<B: serde::Serialize + DynamicType>(call: &Header<'_>, body: &B) -> Reply {
    Ok(Message::method_return(call).build(body))
}

fn arguments<T>(read: zbus::Result<T>) -> Result<T, Refused> {
    read.map_err(|error| Refused("org.freedesktop.DBus.Error.InvalidArgs", error.to_string()))
}
