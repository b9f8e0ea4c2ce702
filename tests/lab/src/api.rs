//! The embedded API server: what rollboot asks of one, over HTTPS, with the real one's rights, versions and answers.

mod answer;
mod authorize;
mod decode;
mod delete;
mod evict;
mod fault;
mod fields;
mod kind;
mod managed;
mod object;
mod patch;
mod read;
mod refusal;
mod request;
mod restrict;
mod server;
mod store;
mod tidy;
mod tls;
mod validate;
mod watch;
mod write;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpListener;
use tokio::sync;
use tokio::task::JoinHandle;
use tokio_rustls::rustls::ServerConfig;

pub use fault::Fault;
pub use refusal::Refusal;
pub use store::{Change, Kind, Store, What};

use self::server::{Shared, serve};
use self::tls::{Authority, User, Validity};

/// What arms an installation, as it is shipped.
const LOCK: &str = include_str!("../../../packaging/kubernetes/lock.yaml");

/// A running API server; dropping it stops it.
#[derive(Debug)]
pub struct Api {
    shared: Arc<Shared>,
    tls: Arc<ServerConfig>,
    address: SocketAddr,
    url: String,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Api {
    /// Starts one on a free port of 127.0.0.1, with nothing in it but the namespaces that every cluster has.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let authority = Authority::new();
        let tls = authority.server();
        let shared = Arc::new(Shared {
            store: Store::new(),
            authority,
            fault: sync::watch::Sender::new(Fault::None),
        });
        let task = tokio::spawn(serve(listener, tls.clone(), shared.clone()));
        Ok(Self {
            shared,
            tls,
            address,
            url: format!("https://{address}"),
            task: Mutex::new(Some(task)),
        })
    }

    /// Where it is: `https://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its objects.
    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    /// A kubeconfig like the kubelet's on this node, with everything in it.
    pub fn node_kubeconfig(&self, node: &str) -> String {
        self.kubeconfig(&User::node(node))
    }

    /// The kubeconfig of somebody who may do everything.
    pub fn admin_kubeconfig(&self) -> String {
        self.kubeconfig(&User::admin())
    }

    /// Applies `packaging/kubernetes/lock.yaml`, as an administrator would. What is there already stays.
    pub fn arm(&self) {
        for manifest in LOCK.split("\n---\n") {
            let object = patch::parse_yaml(manifest.as_bytes()).expect("the manifest is YAML");
            let kind = Kind::ALL
                .into_iter()
                .find(|kind| object["kind"] == kind.name());
            // Of what is there already the manifest sets nothing that it would not have set before.
            let _ = self.store().create(
                "kubectl",
                kind.expect("the lab knows all kinds in it"),
                object,
            );
        }
    }

    /// Ends the server as a kill does: connections break, new ones are refused. The objects stay.
    pub fn stop(&self) {
        if let Some(task) = &*self.slot() {
            task.abort();
        }
    }

    /// Starts it again on the same port after [`Api::stop`]. As after a real restart no watch can begin at an earlier version.
    pub async fn resume(&self) -> io::Result<()> {
        let old = self.slot().take();
        if let Some(old) = old {
            old.abort();
            // It has ended as it was asked to.
            let _ = old.await;
        }
        let listener = TcpListener::bind(self.address).await?;
        self.store().forget();
        let task = tokio::spawn(serve(listener, self.tls.clone(), self.shared.clone()));
        *self.slot() = Some(task);
        Ok(())
    }

    fn slot(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kubeconfig(&self, user: &User) -> String {
        let authority = &self.shared.authority;
        let credential = authority.credential(user, Validity::Now);
        authority.kubeconfig(&self.url, &credential)
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.stop();
    }
}
