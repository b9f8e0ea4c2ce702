//! A system bus of one's own: a socket on which somebody answers for the services of a host.
//!
//! It speaks as the message bus itself, so that the daemon connects to it exactly as to the real one.

use std::os::unix::net::UnixStream;
use std::path::Path;

use futures_util::StreamExt;
use tokio::net::UnixListener;
use tokio::sync::broadcast;
use tokio::task::JoinSet;
use zbus::message::{Message, Type};
use zbus::{Connection, Guid};

/// Whoever answers.
pub trait Speaker: Clone + Send + 'static {
    /// The reply to a call.
    ///
    /// # Errors
    /// The call cannot be understood: its connection is closed.
    fn answer(&self, call: &Message) -> zbus::Result<Message>;

    /// Signals for a new connection. A client drops what it has no match for, as it would if the bus had dropped it.
    fn signals(&self) -> Option<broadcast::Receiver<Message>> {
        None
    }
}

/// The bus, running as long as it lives: then all its connections break.
#[derive(Debug)]
pub struct Bus {
    _tasks: JoinSet<()>,
}

impl Bus {
    /// Serves at `path`, at once. Needs a runtime.
    ///
    /// # Errors
    /// There is no such folder, or something is at this path already.
    pub fn serve(path: &Path, speaker: impl Speaker) -> std::io::Result<Self> {
        let listener = UnixListener::bind(path)?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            // Dropped with the listener.
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                if let Ok(socket) = socket.into_std() {
                    connections.spawn(talk(socket, speaker.clone()));
                }
            }
        });
        Ok(Self { _tasks: tasks })
    }
}

async fn talk(socket: UnixStream, speaker: impl Speaker) {
    let mut signals = speaker.signals();
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
                speaker.answer(&call)
            }
            signal = next(&mut signals) => signal,
        };
        let Ok(message) = message else { return };
        if connection.send(&message).await.is_err() {
            return;
        }
    }
}

async fn next(signals: &mut Option<broadcast::Receiver<Message>>) -> zbus::Result<Message> {
    match signals {
        Some(signals) => signals.recv().await.map_err(|_| zbus::Error::InvalidReply),
        None => std::future::pending().await,
    }
}
