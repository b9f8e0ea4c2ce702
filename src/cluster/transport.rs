//! How the API server is reached: every address of its name is tried, and a connection whose other end is gone is noticed.
//!
//! kube's own connector waits for one address as long as for all of them, so a name whose first address is dead never connects.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http::Uri;
use hyper_rustls::{FixedServerNameResolver, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioIo};
use jiff::Timestamp;
use kube::client::{Body, ClientBuilder, ConfigExt};
use kube::{Client, Config};
use rustix::net::sockopt;
use rustls::ClientConfig;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};

use super::certificate;

/// An address that has not answered by then has the next one tried beside it. In a data centre they answer within a millisecond.
const STAGGER: Duration = Duration::from_millis(300);
/// A connection that was silent for so long is asked whether its other end is still there, and again after [`PROBE_AGAIN`].
const PROBE: Duration = Duration::from_secs(10);
const PROBE_AGAIN: Duration = Duration::from_secs(5);
/// What the other end has not acknowledged by then never will be: the connection is broken. Long enough for a switch that
/// restarts, and much shorter than a write may take.
const UNACKNOWLEDGED_MS: u32 = 15_000;

/// The client for a configuration: as kube makes it, but for how it connects, and without retries: those are the caller's, kube
/// would hide the answer of a disruption budget and repeat writes. A connection, TLS included, has `connect`; each answer is read
/// under a deadline of its own, and a watch is silent for longer than any request may be.
///
/// # Errors
/// The credential cannot be used.
pub(super) fn client(config: &Config, connect: Duration) -> Result<Client, BoxError> {
    let tls = config.rustls_client_config()?;
    // Files are looked after by whoever read them.
    let until = config.auth_info.exec.as_ref().and_then(|_| ends(&tls));
    let mut builder = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http();
    if let Some(name) = config.tls_server_name.clone() {
        builder = builder.with_server_name_resolver(FixedServerNameResolver::new(name.try_into()?));
    }
    let https = builder.enable_http1().wrap_connector(service_fn(dial));
    let connector = service_fn(move |uri: Uri| -> Connecting<_> {
        let connecting = https.clone().oneshot(uri);
        Box::pin(async move { timeout(connect, connecting).await? })
    });
    let http = legacy::Client::builder(TokioExecutor::new()).build::<_, Body>(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(http);
    let client = ClientBuilder::new(service, config.default_namespace.clone());
    Ok(client.with_valid_until(until).build())
}

/// Until when the certificate holds that is presented to the server.
fn ends(tls: &ClientConfig) -> Option<Timestamp> {
    let presented = tls.client_auth_cert_resolver.resolve(&[], &[])?;
    let (_from, until) = certificate::period(presented.cert.first()?)?;
    Some(until)
}

type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// Connects to the host of a URI.
async fn dial(uri: Uri) -> io::Result<TokioIo<TcpStream>> {
    let host = uri.host().unwrap_or_default();
    // An IPv6 address stands in brackets.
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = uri.port_u16().unwrap_or(match uri.scheme_str() {
        Some("http") => 80,
        _ => 443,
    });
    let addresses = lookup_host((host, port))
        .await
        .map_err(|error| io::Error::new(error.kind(), format!("cannot look up {host}: {error}")))?;
    let stream = first(addresses.collect()).await?;
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(&stream, true)?;
    sockopt::set_tcp_keepidle(&stream, PROBE)?;
    sockopt::set_tcp_keepintvl(&stream, PROBE_AGAIN)?;
    sockopt::set_tcp_user_timeout(&stream, UNACKNOWLEDGED_MS)?;
    Ok(TokioIo::new(stream))
}

/// The first of the addresses that can be connected to. The next one is tried when one fails, and beside one that is silent.
///
/// # Errors
/// None could be connected to; each is named.
async fn first(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut waiting = addresses.into_iter();
    let mut trying = FuturesUnordered::new();
    let mut failed: Vec<(SocketAddr, io::Error)> = Vec::new();
    loop {
        if let Some(address) = waiting.next() {
            trying.push(async move { (address, TcpStream::connect(address).await) });
        } else if trying.is_empty() {
            return Err(none(&failed));
        }
        match timeout(STAGGER, trying.next()).await {
            Ok(Some((_, Ok(stream)))) => return Ok(stream),
            Ok(Some((address, Err(error)))) => failed.push((address, error)),
            Ok(None) | Err(_) => {}
        }
    }
}

/// Says of each address what was wrong with it.
fn none(failed: &[(SocketAddr, io::Error)]) -> io::Error {
    let kind = failed
        .last()
        .map_or(io::ErrorKind::NotFound, |(_, error)| error.kind());
    let each: Vec<_> = failed
        .iter()
        .map(|(address, error)| format!("{address}: {error}"))
        .collect();
    let text = match each.is_empty() {
        true => "the name has no address".to_owned(),
        false => each.join(", "),
    };
    io::Error::new(kind, text)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use tokio::time::Instant;

    use super::*;

    /// A listener whose queue is full: the kernel drops what comes, as a router does before a host that is gone.
    fn silent() -> (TcpListener, SocketAddr, Vec<std::net::TcpStream>) {
        let socket = rustix::net::socket(
            rustix::net::AddressFamily::INET,
            rustix::net::SocketType::STREAM,
            None,
        )
        .unwrap();
        rustix::net::bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        rustix::net::listen(&socket, 0).unwrap();
        let listener = TcpListener::from(socket);
        let address = listener.local_addr().unwrap();
        let mut fill = Vec::new();
        while let Ok(stream) =
            std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200))
        {
            fill.push(stream);
        }
        (listener, address, fill)
    }

    fn refusing() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.local_addr().unwrap()
    }

    #[tokio::test]
    async fn an_address_that_is_dead_does_not_hide_the_others() {
        let (_listener, dead, _fill) = silent();
        let alive = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let good = alive.local_addr().unwrap();
        let refused = refusing();
        for addresses in [
            vec![good],
            vec![dead, good],
            vec![dead, dead, good],
            vec![refused, dead, good, dead],
            vec![good, dead],
        ] {
            let begun = Instant::now();
            let stream = first(addresses.clone()).await.unwrap();
            assert_eq!(stream.peer_addr().unwrap(), good, "{addresses:?}");
            let took = begun.elapsed();
            assert!(took < Duration::from_secs(3), "{addresses:?}: {took:?}");
        }
    }

    #[tokio::test]
    async fn every_address_that_failed_is_named() {
        let (one, two) = (refusing(), refusing());
        let error = first(vec![one, two]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        for address in [one, two] {
            assert!(error.to_string().contains(&address.to_string()), "{error}");
        }
        let error = first(Vec::new()).await.unwrap_err();
        assert!(error.to_string().contains("no address"), "{error}");
    }

    #[tokio::test]
    async fn a_dead_connection_is_noticed_by_the_kernel() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let uri: Uri = format!("https://{}", listener.local_addr().unwrap())
            .parse()
            .unwrap();
        let stream = dial(uri).await.unwrap().into_inner();
        assert!(sockopt::socket_keepalive(&stream).unwrap());
        assert_eq!(sockopt::tcp_keepidle(&stream).unwrap(), PROBE);
        assert_eq!(
            sockopt::tcp_user_timeout(&stream).unwrap(),
            UNACKNOWLEDGED_MS
        );
        let write = super::super::Deadlines::DEFAULT.write;
        assert!(Duration::from_millis(UNACKNOWLEDGED_MS.into()) < write);
    }

    #[tokio::test]
    async fn a_host_is_a_name_or_an_address_of_either_family() {
        for host in ["127.0.0.1", "[::1]", "localhost"] {
            let uri: Uri = format!("http://{host}:1").parse().unwrap();
            let error = dial(uri).await.unwrap_err();
            assert!(!error.to_string().contains("look up"), "{host}: {error}");
        }
        let uri: Uri = "https://rollboot.invalid".parse().unwrap();
        let error = dial(uri).await.unwrap_err();
        assert!(
            error
                .to_string()
                .contains("cannot look up rollboot.invalid"),
            "{error}"
        );
    }
}
