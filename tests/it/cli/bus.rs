//! A system bus below a root folder, with as much of logind and PID 1 as `check` asks.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rollboot_lab::bus::{Bus, Speaker};
use zbus::message::{Header, Message};
use zbus::{OwnedObjectPath, Structure, Variant};

/// What, who, why, mode, user ID, process ID.
type Row = (String, String, String, String, u32, u32);

/// Number, unit, type, state, the job's path, the unit's path.
type Job = (
    u32,
    String,
    String,
    String,
    OwnedObjectPath,
    OwnedObjectPath,
);

/// What the host says.
#[derive(Debug, Clone)]
pub(super) struct Says {
    pub(super) can_reboot: &'static str,
    pub(super) inhibitors: Vec<Row>,
    pub(super) delay_max: u64,
    /// Units that are active.
    pub(super) active: Vec<&'static str>,
}

/// A host that is fine, with a kubelet that delays a shutdown.
pub(super) fn fine() -> Says {
    Says {
        can_reboot: "yes",
        inhibitors: vec![inhibitor("kubelet", "delay")],
        delay_max: 30_000_000,
        active: Vec::new(),
    }
}

pub(super) fn inhibitor(who: &str, mode: &str) -> Row {
    let text = |text: &str| text.to_owned();
    (
        text("shutdown"),
        text(who),
        text("a reason"),
        text(mode),
        0,
        4711,
    )
}

/// Serves as long as the answer lives.
pub(super) fn serve(root: &Path, says: Says) -> Bus {
    let socket = root.join("run/dbus/system_bus_socket");
    std::fs::create_dir_all(socket.parent().unwrap()).unwrap();
    let units = Arc::new(Mutex::new(BTreeMap::new()));
    Bus::serve(&socket, Answers { says, units }).unwrap()
}

#[derive(Clone)]
struct Answers {
    says: Says,
    units: Arc<Units>,
}

impl Speaker for Answers {
    fn answer(&self, call: &Message) -> zbus::Result<Message> {
        answer(call, &self.says, &self.units)
    }
}

type Units = Mutex<BTreeMap<String, String>>;

fn answer(call: &Message, says: &Says, units: &Units) -> zbus::Result<Message> {
    let header = call.header();
    let member = header.member().map(|it| it.to_string()).unwrap_or_default();
    let body = call.body();
    match member.as_str() {
        "Hello" => done(&header, &":1.7"),
        "AddMatch" | "RemoveMatch" => done(&header, &()),
        "ListJobs" => done(&header, &Vec::<Job>::new()),
        "CanReboot" => done(&header, &says.can_reboot),
        "ListInhibitors" => done(&header, &says.inhibitors),
        "LoadUnit" => {
            let name: &str = body.deserialize()?;
            let mut units = units.lock().unwrap();
            let path = format!("/unit/u{}", units.len());
            units.insert(path.clone(), name.to_owned());
            done(&header, &OwnedObjectPath::try_from(path)?)
        }
        "Get" => {
            let (_, property): (&str, &str) = body.deserialize()?;
            let path = header.path().map(|it| it.to_string()).unwrap_or_default();
            let unit = units
                .lock()
                .unwrap()
                .get(&path)
                .cloned()
                .unwrap_or_default();
            let value: Variant<'static> = match property {
                "PreparingForShutdown" => false.into(),
                "ScheduledShutdown" => nothing_scheduled(),
                "SystemState" => "running".into(),
                "InhibitDelayMaxUSec" => says.delay_max.into(),
                "ActiveState" if says.active.contains(&unit.as_str()) => "active".into(),
                "ActiveState" => "inactive".into(),
                "LoadState" => "not-found".into(),
                _ => return unknown(&header),
            };
            done(&header, &value)
        }
        _ => unknown(&header),
    }
}

/// As logind says that no shutdown is set for a certain time.
pub(crate) fn nothing_scheduled() -> Variant<'static> {
    Variant::from(Structure::from(("", 0_u64)))
}

fn done<B: serde::Serialize + zbus::DynamicType>(
    call: &Header<'_>,
    body: &B,
) -> zbus::Result<Message> {
    Message::method_return(call).build(body)
}

fn unknown(call: &Header<'_>) -> zbus::Result<Message> {
    Message::error(call, "org.freedesktop.DBus.Error.UnknownMethod").build(&"no such thing")
}
