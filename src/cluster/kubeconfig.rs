//! The kubelet's kubeconfig: where it is, what it names, and whose it is.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::config::{AuthInfo, Cluster, ExecInteractiveMode, Kubeconfig};

use super::files::Files;
use super::{certificate, lenient};
use crate::failure::Failure;
use crate::names::{NODE_NAME_MAX, is_node_name};
use crate::rooted::Root;

/// Where distributions keep the kubelet's kubeconfig; the first that exists is taken, unless the running kubelet names its own.
pub const PLACES: [&str; 5] = [
    "/etc/kubernetes/kubelet.conf",
    "/var/lib/rancher/k3s/agent/kubelet.kubeconfig",
    "/var/lib/rancher/rke2/agent/kubelet.kubeconfig",
    "/var/snap/microk8s/current/credentials/kubelet.config",
    "/var/lib/kubelet/kubeconfig",
];

/// A kubeconfig on this host. It is read anew for each client, because the kubelet may rewrite it at any time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    root: Root,
    path: PathBuf,
}

/// What one reading of a kubeconfig found.
#[derive(Debug)]
pub(super) struct Loaded {
    /// Just the current context, its paths as this process sees them.
    pub(super) config: Kubeconfig,
    /// Every file that the credential is made of.
    pub(super) files: Files,
}

/// Where a node's name was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameSource {
    /// The record of the turn that runs.
    Record,
    /// `node-name` of the configuration.
    Configured,
    /// The common name `system:node:NAME` of the kubeconfig's client certificate.
    Certificate,
    /// The user that the API server takes the credential for.
    Review,
}

impl Source {
    /// The configured kubeconfig, else the first of [`PLACES`] that exists below `root`.
    pub fn find(configured: Option<&Path>, root: &Path) -> Result<Self, Failure> {
        let root = Root::new(root);
        let candidates: Vec<PathBuf> = match configured {
            Some(path) => vec![path.to_owned()],
            None => PLACES.iter().map(PathBuf::from).collect(),
        };
        if let Some(path) = candidates.iter().find(|path| root.follow(path).exists()) {
            let path = path.clone();
            return Ok(Self { root, path });
        }
        let tried: Vec<_> = candidates
            .iter()
            .map(|path| root.follow(path).display().to_string())
            .collect();
        let key = match configured {
            Some(_) => " (as configured)",
            None => "; the key `kubeconfig` names another place",
        };
        Err(Failure::local(format!(
            "no kubeconfig of the kubelet: there is no {}{key}",
            tried.join(", no ")
        )))
    }

    /// The kubeconfig in which a turn began.
    pub(super) fn recorded(path: &Path, root: &Path) -> Result<Self, Failure> {
        let root = Root::new(root);
        if root.follow(path).exists() {
            let path = path.to_owned();
            return Ok(Self { root, path });
        }
        Err(Failure::local(format!(
            "there is no {}, with which the turn that runs has begun: it ends only in that cluster and under that name; put the file \
             back, or free the slot with `rollboot unlock` and remove the journal",
            path.display()
        )))
    }

    /// The kubeconfig's path on the host.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the kubeconfig and reduces it to its current context. Blocks, though only on local files.
    pub(super) fn load(&self) -> Result<Loaded, Failure> {
        let mut files = Files::below(&self.root);
        let place = files.note(&self.path);
        let fault = |why: String| Failure::local(format!("cannot use {}: {why}", place.display()));
        let text = fs::read_to_string(&place).map_err(|error| fault(error.to_string()))?;
        let mut config = lenient::read(&text).map_err(fault)?;

        let mut paths = Paths {
            folder: self.path.parent().unwrap_or(Path::new("/")),
            files,
        };
        let cluster = config
            .clusters
            .first_mut()
            .and_then(|named| named.cluster.as_mut())
            .ok_or_else(|| fault("it has no cluster".to_owned()))?;
        if let Some(proxy) = cluster.proxy_url.take().filter(|url| !url.is_empty()) {
            return Err(fault(format!(
                "it asks for the proxy {proxy:?}, and proxies are not supported: the API server has to be reached directly"
            )));
        }
        paths.of_cluster(cluster);
        // Without its user the credential is nobody's, and so the node's name could not be told: whoever writes the file in place
        // leaves such halves for a moment.
        let user = config
            .auth_infos
            .first_mut()
            .and_then(|named| named.auth_info.as_mut())
            .ok_or_else(|| {
                let named = config.contexts.first();
                let name = named.and_then(|it| it.context.as_ref()?.user.as_deref());
                let name = name.unwrap_or_default();
                fault(format!("it has no user {name:?}; is it being written?"))
            })?;
        paths.of_user(user);
        Ok(Loaded {
            files: paths.files,
            config,
        })
    }

    /// The node's name and where it was found: the configured one, else that of the client certificate. `None`: neither tells it.
    pub fn node_name(
        &self,
        configured: Option<&str>,
    ) -> Result<Option<(String, NameSource)>, Failure> {
        let found = match configured {
            Some(name) => Some((name.to_owned(), NameSource::Configured)),
            None => self
                .certified_name()?
                .map(|name| (name, NameSource::Certificate)),
        };
        if let Some((name, source)) = &found {
            check_node_name(name, *source)?;
        }
        Ok(found)
    }

    /// NAME of the client certificate's `system:node:NAME`. `None` for a credential without a certificate, or of somebody else.
    fn certified_name(&self) -> Result<Option<String>, Failure> {
        let loaded = self.load()?;
        let Some(user) = loaded
            .config
            .auth_infos
            .first()
            .and_then(|named| named.auth_info.as_ref())
        else {
            return Ok(None);
        };
        let Some((pem, place)) = self.client_certificate(user)? else {
            return Ok(None);
        };
        let name = certificate::common_name(&pem).map_err(|error| {
            Failure::local(format!(
                "cannot tell the node's name from {place}: {error}; the key `node-name` sets it"
            ))
        })?;
        Ok(name.strip_prefix(NODE_USER).map(str::to_owned))
    }

    /// The client certificate of a user and where it stands, if it has one.
    pub(super) fn client_certificate(
        &self,
        user: &AuthInfo,
    ) -> Result<Option<(Vec<u8>, String)>, Failure> {
        if let Some(data) = &user.client_certificate_data {
            let place = format!("client-certificate-data of {}", self.path.display());
            let pem = STANDARD
                .decode(data.trim())
                .map_err(|error| Failure::local(format!("cannot read {place}: {error}")))?;
            return Ok(Some((pem, place)));
        }
        let Some(path) = &user.client_certificate else {
            return Ok(None);
        };
        let pem = fs::read(path).map_err(|error| {
            Failure::local(format!(
                "cannot read the client certificate {path}: {error}"
            ))
        })?;
        Ok(Some((pem, path.clone())))
    }
}

/// Rewrites the paths of a kubeconfig, which may be relative to its folder, and notes the files that they name.
pub(super) struct Paths<'a> {
    pub(super) folder: &'a Path,
    pub(super) files: Files,
}

impl Paths<'_> {
    pub(super) fn of_cluster(&mut self, cluster: &mut Cluster) {
        if cluster.certificate_authority_data.is_none() {
            self.note(&mut cluster.certificate_authority);
        }
    }

    pub(super) fn of_user(&mut self, user: &mut AuthInfo) {
        if user.client_certificate_data.is_none() {
            self.note(&mut user.client_certificate);
        }
        if user.client_key_data.is_none() {
            self.note(&mut user.client_key);
        }
        self.note(&mut user.token_file);
        if let Some(exec) = &mut user.exec {
            // A plugin must not wait for a terminal that a daemon has not, nor write to one that an operator looks at.
            exec.interactive_mode = Some(ExecInteractiveMode::Never);
            // A bare name is looked up in PATH.
            if exec.command.as_ref().is_some_and(|it| it.contains('/')) {
                self.note(&mut exec.command);
            }
        }
    }

    fn note(&mut self, field: &mut Option<String>) {
        // An empty path is none, as for every Kubernetes client.
        *field = field.take().filter(|path| !path.is_empty());
        if let Some(path) = field {
            let place = self.files.note(&self.folder.join(&path));
            *path = place.to_string_lossy().into_owned();
        }
    }
}

/// Of a name that is none so much is shown.
const SHOWN: usize = 80;

/// What the user name of every node begins with.
pub(super) const NODE_USER: &str = "system:node:";

/// Whether there could be a Node of this name, and a key of it in the lock.
pub(super) fn check_node_name(name: &str, source: NameSource) -> Result<(), Failure> {
    if is_node_name(name) {
        return Ok(());
    }
    let origin = match source {
        NameSource::Record => "the record of the turn",
        NameSource::Configured => "the key `node-name`",
        NameSource::Certificate => "the kubeconfig's certificate",
        NameSource::Review => "the API server",
    };
    let shown: String = name.chars().take(SHOWN).collect();
    Err(Failure::local(format!(
        "{shown:?} ({} characters, from {origin}) cannot be the name of a node: expected lower-case letters, digits, `-` \
         and `.`, at most {NODE_NAME_MAX}, for the lock's key is made of it; the key `node-name` sets it",
        name.chars().count()
    )))
}
