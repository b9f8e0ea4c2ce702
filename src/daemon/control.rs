//! The socket on which an operator asks the daemon to undo its turn. One line each way; only root may connect.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

/// Where the socket is.
const SOCKET: &str = "/run/rollboot/control";
/// A client that connects and says nothing is not waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// The daemon's end.
#[derive(Debug)]
pub(super) struct Control {
    listener: UnixListener,
    waiting: Vec<UnixStream>,
}

impl Control {
    /// Listens. The process lock is held, so a socket that is there already belongs to nobody.
    pub(super) fn listen(path: &Path) -> io::Result<Self> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        Ok(Self {
            listener,
            waiting: Vec::new(),
        })
    }

    /// Waits until an operator asks for an abort. Anything else that is said is answered and dropped.
    pub(super) async fn abort_asked(&mut self) {
        loop {
            let Ok((mut stream, _)) = self.listener.accept().await else {
                // Out of file descriptors, at worst: there is no hurry.
                tokio::time::sleep(PATIENCE).await;
                continue;
            };
            let mut line = String::new();
            let read = timeout(PATIENCE, BufReader::new(&mut stream).read_line(&mut line)).await;
            if matches!(read, Ok(Ok(_))) && line == "abort\n" {
                self.waiting.push(stream);
                return;
            }
            let said = timeout(
                PATIENCE,
                stream.write_all(b"no: only \"abort\" is understood\n"),
            );
            tracing::debug!(answered = ?said.await, "a request on the control socket was not understood");
        }
    }

    /// Answers everybody who waits.
    pub(super) async fn answer(&mut self, answer: &Result<String, String>) {
        let line = match answer {
            Ok(done) => format!("ok: {done}\n"),
            Err(why) => format!("no: {why}\n"),
        };
        for mut stream in self.waiting.drain(..) {
            let sent = timeout(PATIENCE, stream.write_all(line.as_bytes())).await;
            tracing::debug!(?sent, "an abort is answered");
        }
    }
}

/// The operator's end: asks the running daemon, waits for its answer. `None`: no daemon listens.
///
/// # Errors
/// The connection broke, or there was no answer within `limit`.
pub async fn ask_to_abort(
    socket_root: impl Fn(&str) -> std::path::PathBuf,
    limit: Duration,
) -> io::Result<Option<Result<String, String>>> {
    let path = socket_root(SOCKET);
    let mut stream = match UnixStream::connect(&path).await {
        Ok(stream) => stream,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    stream.write_all(b"abort\n").await?;
    let mut line = String::new();
    timeout(limit, BufReader::new(stream).read_line(&mut line)).await??;
    let line = line.trim_end();
    match (line.strip_prefix("ok: "), line.strip_prefix("no: ")) {
        (Some(done), _) => Ok(Some(Ok(done.to_owned()))),
        (None, Some(why)) => Ok(Some(Err(why.to_owned()))),
        (None, None) => Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the daemon ended without an answer",
        )),
    }
}

/// The path of the socket below a root.
pub(super) const fn socket() -> &'static str {
    SOCKET
}
