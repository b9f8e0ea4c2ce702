//! The connection to the API server: built when first needed, and anew whenever the credential changes on disk.
//!
//! kube reads a client certificate once and keeps it; the kubelet replaces its own every few months, or every few hours.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use kube::{Client, Config};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, oneshot};

use super::Deadlines;
use super::files::Files;
use super::kubeconfig::{NameSource, Source};
use super::lenient;
use super::text::chain;
use super::transport;
use crate::failure::Failure;
use crate::rooted::Root;

/// A certificate that a plugin gave is replaced so long before it expires.
const EARLY: Duration = Duration::from_secs(60);

/// Hands out the client.
#[derive(Debug)]
pub(super) struct Connector {
    /// `None`: the client is a person's, and lasts as long as the command.
    maker: Option<Maker>,
    state: Mutex<State>,
    /// How long is waited for what.
    pub(super) deadlines: Deadlines,
}

/// What a client is made of.
#[derive(Debug, Clone)]
pub(super) struct Maker {
    pub(super) source: Source,
    /// A connection that is not up by then is given up.
    pub(super) connect: Duration,
    /// `node-name` of the configuration.
    pub(super) configured: Option<String>,
    /// The node whose client it must be.
    pub(super) node: String,
    /// The credential is another node's by now.
    pub(super) renamed: Arc<AtomicBool>,
}

/// A client, and which one it is.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) client: Client,
    number: u64,
}

#[derive(Debug, Default)]
struct State {
    stage: Stage,
    built: u64,
}

#[derive(Default)]
enum Stage {
    #[default]
    Empty,
    /// Survives the request that began it: a plugin that hangs is run once, not once for each request that gives up on it.
    Building(oneshot::Receiver<Result<Built, Failure>>),
    Ready(Built),
}

struct Built {
    client: Client,
    files: Files,
}

impl Connector {
    pub(super) fn new(maker: Maker, deadlines: Deadlines) -> Self {
        Self {
            maker: Some(maker),
            state: Mutex::default(),
            deadlines,
        }
    }

    /// Hands out this client and no other.
    pub(super) fn of(client: Client, deadlines: Deadlines) -> Self {
        let files = Files::below(&Root::default());
        let stage = Stage::Ready(Built { client, files });
        Self {
            maker: None,
            state: Mutex::new(State { stage, built: 0 }),
            deadlines,
        }
    }

    /// Whether the last client could not be made because the credential names another node.
    pub(super) fn is_renamed(&self) -> bool {
        let maker = self.maker.as_ref();
        maker.is_some_and(|maker| maker.renamed.load(Ordering::Relaxed))
    }

    /// The client for one request, made of the credential as it is now. May be dropped at any time.
    pub(super) async fn session(&self) -> Result<Session, Failure> {
        let mut state = self.state.lock().await;
        if let Some(maker) = &self.maker {
            if let Stage::Ready(built) = &state.stage
                && !built.is_current()
            {
                state.stage = Stage::Empty;
            }
            if let Stage::Empty = state.stage {
                state.stage = Stage::Building(build_aside(maker.clone())?);
                state.built += 1;
            }
        }
        if let Stage::Building(answer) = &mut state.stage {
            let built = answer
                .await
                .unwrap_or_else(|_| Err(Failure::local("building the client ended early")));
            state.stage = Stage::Empty;
            state.stage = Stage::Ready(built?);
        }
        match &state.stage {
            Stage::Ready(built) => Ok(Session {
                client: built.client.clone(),
                number: state.built,
            }),
            Stage::Empty | Stage::Building(_) => Err(Failure::local("there is no client")),
        }
    }

    /// Forgets a client that the server does not know, or that broke. The next request builds a new one.
    pub(super) async fn forget(&self, session: &Session) {
        let mut state = self.state.lock().await;
        if state.built == session.number && self.maker.is_some() {
            state.stage = Stage::Empty;
        }
    }
}

impl Built {
    fn is_current(&self) -> bool {
        let expired = self.client.valid_until().is_some_and(|end| {
            Timestamp::now().duration_until(end).as_secs_f64() < EARLY.as_secs_f64()
        });
        !expired && self.files.unchanged()
    }
}

/// Builds the client on a thread of its own: a credential plugin is run meanwhile, and waited for by blocking. Not on one of the
/// runtime's threads for that, because the runtime does not end before they do, and a plugin may hang.
fn build_aside(maker: Maker) -> Result<oneshot::Receiver<Result<Built, Failure>>, Failure> {
    let runtime = Handle::current();
    let (tell, answer) = oneshot::channel();
    std::thread::Builder::new()
        .name("credential".to_owned())
        .spawn(move || {
            // kube spawns a task as it makes a client; that belongs to the runtime.
            let _entered = runtime.enter();
            // Nobody listens any more: the daemon is ending.
            let _ = tell.send(maker.build());
        })
        .map_err(|error| {
            Failure::local(format!(
                "cannot start a thread to build the client: {error}"
            ))
        })?;
    Ok(answer)
}

impl Maker {
    /// Reads the kubeconfig and builds the client. Blocks.
    fn build(&self) -> Result<Built, Failure> {
        // Two providers in one program would make rustls panic; naming ours first makes the choice ours. It may be set already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let fault = |error: &(dyn std::error::Error + 'static)| {
            Failure::local(format!(
                "cannot use {}: {}",
                self.source.path().display(),
                chain(error)
            ))
        };
        let mut loaded = self.source.load()?;
        self.check_name()?;
        let unusable = |why: String| {
            Failure::local(format!(
                "cannot use {}: {why}",
                self.source.path().display()
            ))
        };
        for user in &mut loaded.config.auth_infos {
            if let Some(user) = &mut user.auth_info {
                lenient::embed_token(user).map_err(unusable)?;
            }
        }
        for cluster in &mut loaded.config.clusters {
            if let Some(cluster) = &mut cluster.cluster {
                let skipped = lenient::embed_authorities(cluster).map_err(unusable)?;
                if skipped > 0 {
                    tracing::warn!(
                        "{}: of its authorities {skipped} cannot be used and are left out",
                        self.source.path().display()
                    );
                }
                // kube falls back to HTTPS_PROXY and fails on it. A kubeconfig's own proxy was refused when it was loaded.
                cluster.proxy_url = Some("http://unused.invalid".to_owned());
            }
        }
        let mut config = Config::try_from(loaded.config).map_err(|error| fault(&error))?;
        config.proxy_url = None;
        let client = transport::client(&config, self.connect).map_err(|error| fault(&*error))?;
        Ok(Built {
            client,
            files: loaded.files,
        })
    }

    /// Everything this process does is in one node's name. A credential of another node makes no requests in it.
    fn check_name(&self) -> Result<(), Failure> {
        let found = self.source.node_name(self.configured.as_deref())?;
        let certified = found.filter(|(_, source)| *source == NameSource::Certificate);
        let other = certified
            .map(|(name, _)| name)
            .filter(|name| *name != self.node);
        let renamed = other.is_some();
        self.renamed.store(renamed, Ordering::Relaxed);
        if let Some(name) = other {
            return Err(Failure::local(format!(
                "{} is of node {name} now, and this process has begun as node {node}: it begins anew when no turn runs; a turn of \
                 {node} ends only with a credential of {node}, else free its slot with `rollboot unlock {node}` and remove the journal",
                self.source.path().display(),
                node = self.node
            )));
        }
        Ok(())
    }
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Empty => "Empty",
            Self::Building(_) => "Building",
            Self::Ready(_) => "Ready",
        })
    }
}
