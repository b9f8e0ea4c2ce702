//! The socket on which an operator asks the daemon to undo its turn. One line each way; only root may connect.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{Instant, timeout, timeout_at};

/// Where the socket is.
const SOCKET: &str = "/run/rollboot/control";
/// A client that connects and says nothing is not waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// The daemon's end.
#[derive(Debug)]
pub(super) struct Control {
    listener: UnixListener,
    talking: Option<Talk>,
    waiting: Vec<UnixStream>,
}

/// Somebody who has connected and has not finished a line.
#[derive(Debug)]
struct Talk {
    stream: BufReader<UnixStream>,
    said: Vec<u8>,
    until: Instant,
}

impl Talk {
    fn new(stream: UnixStream) -> Self {
        Self {
            stream: BufReader::new(stream),
            said: Vec::new(),
            until: Instant::now() + PATIENCE,
        }
    }
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
            talking: None,
            waiting: Vec::new(),
        })
    }

    /// Waits until an operator asks for an abort. Anything else that is said is answered and dropped. Cancelling loses nothing.
    pub(super) async fn abort_asked(&mut self) {
        loop {
            let Some(talk) = &mut self.talking else {
                match self.listener.accept().await {
                    Ok((stream, _)) => self.talking = Some(Talk::new(stream)),
                    // Out of file descriptors, at worst: there is no hurry.
                    Err(_) => tokio::time::sleep(PATIENCE).await,
                }
                continue;
            };
            // Not `read_line`, which forgets what it has read when it is cancelled.
            let read = talk.stream.read_until(b'\n', &mut talk.said);
            let read = timeout_at(talk.until, read).await;
            let Some(Talk { stream, said, .. }) = self.talking.take() else {
                continue;
            };
            let stream = stream.into_inner();
            if matches!(read, Ok(Ok(_))) && said == b"abort\n" {
                self.waiting.push(stream);
                return;
            }
            // A new socket takes a few bytes without waiting; whoever does not read them needs no answer.
            let answered = stream.try_write(b"no: only \"abort\" is understood\n");
            tracing::debug!(
                ?answered,
                "a request on the control socket was not understood"
            );
        }
    }

    /// Answers everybody who waits.
    pub(super) fn answer(&mut self, answer: &Result<String, String>) {
        let line = match answer {
            Ok(done) => format!("ok: {done}\n"),
            Err(why) => format!("no: {why}\n"),
        };
        for stream in self.waiting.drain(..) {
            let sent = stream.try_write(line.as_bytes());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_abort_is_heard_although_the_wait_was_cancelled_in_the_middle_of_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control");
        let mut control = Control::listen(&path).unwrap();
        let mut client = UnixStream::connect(&path).await.unwrap();
        client.write_all(b"abo").await.unwrap();
        let short = Duration::from_millis(50);
        assert!(timeout(short, control.abort_asked()).await.is_err());
        client.write_all(b"rt\n").await.unwrap();
        timeout(PATIENCE, control.abort_asked()).await.unwrap();
        control.answer(&Ok("done".into()));
        let mut answer = String::new();
        BufReader::new(client).read_line(&mut answer).await.unwrap();
        assert_eq!(answer, "ok: done\n");
    }

    #[tokio::test]
    async fn anything_else_is_answered_and_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control");
        let mut control = Control::listen(&path).unwrap();
        let root = |_: &str| path.clone();
        let client = async {
            let mut stream = UnixStream::connect(&path).await.unwrap();
            stream.write_all(b"reboot\n").await.unwrap();
            let mut answer = String::new();
            BufReader::new(stream).read_line(&mut answer).await.unwrap();
            assert!(answer.starts_with("no: "), "{answer}");
            ask_to_abort(root, PATIENCE).await
        };
        let daemon = async {
            control.abort_asked().await;
            control.answer(&Err("too late".into()));
        };
        let (asked, ()) = tokio::join!(client, daemon);
        assert_eq!(asked.unwrap(), Some(Err("too late".into())));
    }

    #[tokio::test]
    async fn without_a_daemon_nobody_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let root = |_: &str| folder.path().join("control");
        assert_eq!(ask_to_abort(root, PATIENCE).await.unwrap(), None);
    }
}
