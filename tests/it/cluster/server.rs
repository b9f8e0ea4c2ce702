//! A server that answers as it is told and remembers what it was asked. It reads and writes bytes itself, so that it can also
//! break off, fall silent and talk nonsense.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What a request was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
    /// The client's certificate, over TLS.
    pub(super) certificate: Option<Vec<u8>>,
}

impl Asked {
    /// Method and target.
    pub(super) fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// What a request is answered.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    Json(u16, Value),
    /// Status, media type, further headers, text.
    Text(u16, &'static str, &'static str, &'static str),
    /// A head of 200 and then this, piece by piece.
    Stream(Vec<Piece>),
    /// The request is read, and the connection closed.
    HangUp,
    /// Half of an answer, then the connection is closed.
    Half,
    /// Nothing at all, with the connection open.
    Silence,
}

#[derive(Debug, Clone)]
pub(super) enum Piece {
    Line(Value),
    Raw(&'static str),
    Pause(Duration),
    /// The connection is closed without the last chunk.
    Break,
    /// Nothing more comes, with the connection open.
    Hang,
}

/// The server. It answers from the script in order, and with 500 when that is used up.
pub(super) struct Server {
    pub(super) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(super) async fn plain(script: impl IntoIterator<Item = Reply>) -> Self {
        Self::start("http", None, script).await
    }

    pub(super) async fn tls(
        acceptor: TlsAcceptor,
        script: impl IntoIterator<Item = Reply>,
    ) -> Self {
        Self::start("https", Some(acceptor), script).await
    }

    /// Everything that was asked so far.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The only thing that was asked.
    pub(super) fn only(&self) -> Asked {
        let asked = self.asked();
        assert_eq!(asked.len(), 1, "{asked:#?}");
        asked[0].clone()
    }

    async fn start(
        scheme: &str,
        acceptor: Option<TlsAcceptor>,
        script: impl IntoIterator<Item = Reply>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let script = Arc::new(Mutex::new(script.into_iter().collect::<VecDeque<_>>()));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = asked.clone();
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    return;
                };
                stream.set_nodelay(true).unwrap();
                let (replies, log, acceptor) = (script.clone(), log.clone(), acceptor.clone());
                tokio::spawn(async move {
                    let Some(acceptor) = acceptor else {
                        return serve(stream, None, &replies, &log).await;
                    };
                    if let Ok(stream) = acceptor.accept(stream).await {
                        let certificate = stream
                            .get_ref()
                            .1
                            .peer_certificates()
                            .and_then(|chain| chain.first())
                            .map(|certificate| certificate.to_vec());
                        serve(stream, certificate, &replies, &log).await;
                    }
                });
            }
        });
        Self { url, asked, task }
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    certificate: Option<Vec<u8>>,
    replies: &Mutex<VecDeque<Reply>>,
    log: &Mutex<Vec<Asked>>,
) {
    while let Some(mut asked) = read(&mut stream).await {
        asked.certificate.clone_from(&certificate);
        log.lock().unwrap().push(asked);
        let reply = replies.lock().unwrap().pop_front().unwrap_or(Reply::Text(
            500,
            "text/plain",
            "",
            "the script is used up",
        ));
        if answer(&mut stream, reply).await.is_none() {
            return;
        }
    }
}

async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Asked> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: BTreeMap<_, _> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers
        .get("content-length")
        .map_or(0, |text| text.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Asked {
        method,
        target,
        headers,
        body: String::from_utf8(body).unwrap(),
        certificate: None,
    })
}

/// `None`: the connection is to be closed.
async fn answer<S: AsyncWrite + Unpin>(stream: &mut S, reply: Reply) -> Option<()> {
    match reply {
        Reply::Json(status, value) => {
            let text = value.to_string();
            whole(stream, status, "application/json", "", &text).await
        }
        Reply::Text(status, media, headers, text) => {
            whole(stream, status, media, headers, text).await
        }
        Reply::Stream(pieces) => {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
            stream.write_all(head.as_bytes()).await.ok()?;
            for piece in pieces {
                let text = match piece {
                    Piece::Line(value) => format!("{value}\n"),
                    Piece::Raw(text) => text.to_owned(),
                    Piece::Pause(time) => {
                        tokio::time::sleep(time).await;
                        continue;
                    }
                    Piece::Break => return None,
                    Piece::Hang => std::future::pending().await,
                };
                let chunk = format!("{:x}\r\n{text}\r\n", text.len());
                stream.write_all(chunk.as_bytes()).await.ok()?;
                stream.flush().await.ok()?;
            }
            stream.write_all(b"0\r\n\r\n").await.ok()?;
            stream.flush().await.ok()
        }
        Reply::HangUp => None,
        Reply::Half => {
            let half = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"kind\":";
            stream.write_all(half.as_bytes()).await.ok()?;
            stream.flush().await.ok()?;
            None
        }
        Reply::Silence => std::future::pending().await,
    }
}

async fn whole<S: AsyncWrite + Unpin>(
    stream: &mut S,
    status: u16,
    media: &str,
    headers: &str,
    text: &str,
) -> Option<()> {
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: {media}\r\nContent-Length: {}\r\n{headers}\r\n",
        text.len()
    );
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(text.as_bytes()).await.ok()?;
    stream.flush().await.ok()
}
