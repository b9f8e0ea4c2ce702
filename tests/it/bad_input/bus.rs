//! The system bus of one host, with a logind and a PID 1 that can be missing or unwilling.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rollboot_lab::bus;
use zbus::Variant;
use zbus::message::Message;

use crate::cli::bus::nothing_scheduled;

/// What logind is like.
#[derive(Debug, Clone)]
pub(super) struct Logind {
    pub(super) runs: bool,
    pub(super) can_reboot: &'static str,
    /// Times it was asked to reboot.
    pub(super) asked: usize,
}

pub(super) struct Bus {
    path: PathBuf,
    pub(super) logind: Arc<Mutex<Logind>>,
    served: Option<bus::Bus>,
}

impl Bus {
    /// Not there yet.
    pub(super) fn below(root: &Path) -> Self {
        Self {
            path: root.join("run/dbus/system_bus_socket"),
            logind: Arc::new(Mutex::new(Logind {
                runs: true,
                can_reboot: "yes",
                asked: 0,
            })),
            served: None,
        }
    }

    /// Ends it, and every connection to it.
    pub(super) fn hang_up(&mut self) {
        self.served = None;
        let _ = std::fs::remove_file(&self.path);
    }

    pub(super) fn serve(&mut self) {
        let speaker = Answers(Arc::clone(&self.logind));
        self.served = Some(bus::Bus::serve(&self.path, speaker).unwrap());
    }
}

#[derive(Clone)]
struct Answers(Arc<Mutex<Logind>>);

impl bus::Speaker for Answers {
    fn answer(&self, call: &Message) -> zbus::Result<Message> {
        answer(call, &mut self.0.lock().unwrap())
    }
}

fn answer(call: &Message, logind: &mut Logind) -> zbus::Result<Message> {
    let header = call.header();
    let body = call.body();
    let member = header.member().map(ToString::to_string).unwrap_or_default();
    let to_logind = header
        .destination()
        .is_some_and(|to| to == "org.freedesktop.login1");
    if to_logind && !logind.runs {
        let name = "org.freedesktop.DBus.Error.ServiceUnknown";
        return Message::error(&header, name).build(&"The name is not activatable");
    }
    let yes = Message::method_return(&header);
    match member.as_str() {
        "Hello" => yes.build(&":1.7"),
        "CanReboot" => yes.build(&logind.can_reboot),
        "ListInhibitors" => yes.build(&Vec::<(String, String, String, String, u32, u32)>::new()),
        "ListJobs" => yes.build(&Vec::<(
            u32,
            &str,
            &str,
            &str,
            zbus::OwnedObjectPath,
            zbus::OwnedObjectPath,
        )>::new()),
        "RebootWithFlags" => {
            logind.asked += 1;
            yes.build(&())
        }
        "Get" => {
            let (_, property): (&str, &str) = body.deserialize()?;
            match property {
                "ScheduledShutdown" => yes.build(&nothing_scheduled()),
                "SystemState" => yes.build(&Variant::from("running")),
                _ => yes.build(&Variant::from(false)),
            }
        }
        _ => yes.build(&()),
    }
}
