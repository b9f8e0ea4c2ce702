//! The system bus of one host, with a logind and a PID 1 that can be missing or unwilling. It speaks as the message bus itself, so
//! that the daemon connects to it exactly as to the real one.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use futures_util::StreamExt;
use tokio::net::UnixListener;
use tokio::task::JoinHandle;
use zbus::message::{Message, Type};
use zbus::{Connection, Guid, Variant};

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
    pub(super) logind: Rc<RefCell<Logind>>,
    task: Option<JoinHandle<()>>,
}

impl Bus {
    /// Not there yet.
    pub(super) fn below(root: &Path) -> Self {
        Self {
            path: root.join("run/dbus/system_bus_socket"),
            logind: Rc::new(RefCell::new(Logind {
                runs: true,
                can_reboot: "yes",
                asked: 0,
            })),
            task: None,
        }
    }

    /// Ends it, and every connection to it.
    pub(super) fn hang_up(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
        let _ = std::fs::remove_file(&self.path);
    }

    pub(super) fn serve(&mut self) {
        let listener = UnixListener::bind(&self.path).unwrap();
        let logind = Rc::clone(&self.logind);
        self.task = Some(tokio::task::spawn_local(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::task::spawn_local(talk(socket.into_std().unwrap(), Rc::clone(&logind)));
            }
        }));
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

async fn talk(socket: std::os::unix::net::UnixStream, logind: Rc<RefCell<Logind>>) {
    let built = zbus::connection::Builder::unix_stream(socket)
        .server(Guid::generate())
        .p2p()
        .build_message_stream()
        .await;
    let Ok(mut calls) = built else { return };
    let connection = Connection::from(&calls);
    while let Some(Ok(call)) = calls.next().await {
        if call.message_type() != Type::MethodCall {
            continue;
        }
        let Ok(reply) = answer(&call, &mut logind.borrow_mut()) else {
            return;
        };
        if connection.send(&reply).await.is_err() {
            return;
        }
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
                "SystemState" => yes.build(&Variant::from("running")),
                _ => yes.build(&Variant::from(false)),
            }
        }
        _ => yes.build(&()),
    }
}
