//! The server: connections, who is at the other end of each, and the faults.

use std::convert::Infallible;
use std::sync::Arc;

use futures_util::Stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{CONTENT_TYPE, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::answer::{Answer, answer};
use super::fault::Fault;
use super::refusal::Refusal;
use super::request::Asked;
use super::store::Store;
use super::tls::{Authority, User};

/// Where everybody who is authenticated may ask who they are.
const REVIEWS: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
/// The largest body that the real server takes.
const MAX_BODY: usize = 3 << 20;

pub(super) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// What all connections share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) store: Store,
    pub(super) authority: Authority,
    pub(super) fault: watch::Sender<Fault>,
}

/// Serves until it is dropped, and all connections with it.
pub(super) async fn serve(listener: TcpListener, tls: Arc<ServerConfig>, shared: Arc<Shared>) {
    let acceptor = TlsAcceptor::from(tls);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(connection(stream, acceptor.clone(), shared.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    awake(&shared.fault).await;
    // Answers are small and waited for.
    let _ = stream.set_nodelay(true);
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    let certificate = stream.get_ref().1.peer_certificates();
    let user = match certificate.and_then(|chain| chain.first()) {
        Some(certificate) => shared.authority.user(certificate),
        None => Some(User::anonymous()),
    };
    let service = service_fn(move |request| {
        let (shared, user) = (shared.clone(), user.clone());
        async move { Ok::<_, Infallible>(respond(&shared, user, request).await) }
    });
    // Whoever hangs up has what it wanted.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// Returns when the server does anything at all.
pub(super) async fn awake(fault: &watch::Sender<Fault>) {
    let mut fault = fault.subscribe();
    // The sender is ours: it is not gone.
    let _ = fault.wait_for(|fault| *fault != Fault::Silent).await;
}

async fn respond(
    shared: &Arc<Shared>,
    user: Option<User>,
    request: Request<Incoming>,
) -> Response<Body> {
    awake(&shared.fault).await;
    let fault = shared.fault.borrow().clone();
    match fault {
        Fault::None | Fault::Silent => {}
        Fault::Slow(time) => tokio::time::sleep(time).await,
        Fault::Answer { code, media, body } => return text(code, media, body),
    }
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => {
            let why = format!("Request entity too large: limit is {MAX_BODY}");
            return refuse(&Refusal::new(413, "RequestEntityTooLarge", why));
        }
    };
    // It may have fallen silent meanwhile.
    awake(&shared.fault).await;
    let Some(user) = user else {
        return refuse(&Refusal::new(401, "Unauthorized", "Unauthorized"));
    };
    if head.method == Method::POST
        && head.uri.path() == REVIEWS
        && user.is_in("system:authenticated")
    {
        let user = json!({"username": user.name, "groups": user.groups});
        let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview",
            "metadata": {}, "status": {"userInfo": user}});
        return object_response(201, &review, None);
    }
    let answered = match Asked::read(user, &head, &body) {
        Ok(asked) => answer(shared, &asked),
        Err(refusal) => Err(refusal),
    };
    match answered {
        Ok(Answer::Object(code, object)) => object_response(code, &object, None),
        Ok(Answer::Watch(events)) => streamed(events),
        Err(refusal) => refuse(&refusal),
    }
}

fn refuse(refusal: &Refusal) -> Response<Body> {
    let after = refusal.details["retryAfterSeconds"].as_u64();
    object_response(refusal.code, &refusal.status(), after)
}

fn object_response(code: u16, object: &Value, retry_after: Option<u64>) -> Response<Body> {
    let mut response = text(code, "application/json", format!("{object}\n"));
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

fn text(code: u16, media: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(text)).boxed_unsync());
    *response.status_mut() = StatusCode::from_u16(code).expect("a status of HTTP");
    let media = media.parse().expect("a media type is ASCII");
    response.headers_mut().insert(CONTENT_TYPE, media);
    response
}

fn streamed(events: impl Stream<Item = Value> + Send + 'static) -> Response<Body> {
    use futures_util::StreamExt;
    let frames = events.map(|event| {
        let line = format!("{event}\n");
        Ok::<_, Infallible>(Frame::data(Bytes::from(line)))
    });
    let mut response = Response::new(BodyExt::boxed_unsync(StreamBody::new(frames)));
    let media = "application/json".parse().expect("it is ASCII");
    response.headers_mut().insert(CONTENT_TYPE, media);
    response
}
