//! The system bus of one host: a socket below its root folder on which logind and PID 1 answer.
//!
//! It speaks as the message bus itself, so that the daemon connects to it exactly as to the real one.

use std::os::unix::net::UnixStream;
use std::path::Path;

use futures_util::StreamExt;
use tokio::net::UnixListener;
use tokio::task::JoinSet;
use zbus::message::Type;
use zbus::{Connection, Guid};

use super::systemd::Systemd;

/// The bus, running as long as it lives.
#[derive(Debug)]
pub(super) struct Bus {
    _tasks: JoinSet<()>,
}

impl Bus {
    /// Serves below `root`.
    pub(super) fn serve(root: &Path, systemd: &Systemd) -> std::io::Result<Self> {
        let listener = UnixListener::bind(root.join("run/dbus/system_bus_socket"))?;
        let systemd = systemd.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            // Dropped with the listener: all connections break when the host goes down.
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                if let Ok(socket) = socket.into_std() {
                    connections.spawn(talk(socket, systemd.clone()));
                }
            }
        });
        Ok(Self { _tasks: tasks })
    }
}

async fn talk(socket: UnixStream, systemd: Systemd) {
    let mut signals = systemd.signals();
    let built = zbus::connection::Builder::unix_stream(socket)
        .server(Guid::generate())
        .p2p()
        .build_message_stream()
        .await;
    let Ok(mut calls) = built else { return };
    let connection = Connection::from(&calls);
    loop {
        let message = tokio::select! {
            call = calls.next() => {
                let Some(Ok(call)) = call else { return };
                if call.message_type() != Type::MethodCall {
                    continue;
                }
                systemd.answer(&call)
            }
            // A client drops what it has no match for, as it would if the bus had dropped it.
            signal = signals.recv() => match signal {
                Ok(signal) => Ok(signal),
                Err(_) => return,
            },
        };
        let Ok(message) = message else { return };
        if connection.send(&message).await.is_err() {
            return;
        }
    }
}
