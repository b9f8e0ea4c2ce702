//! The kubeconfig of a person, found, merged and chosen from as kubectl does it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::config::{AuthInfo, Context, Kubeconfig, NamedAuthInfo, NamedContext};
use kube::{Client, Config};

use super::ConfigFlags;
use crate::cluster::files::Files;
use crate::cluster::kubeconfig::Paths;
use crate::cluster::text::chain;
use crate::failure::Failure;
use crate::rooted::Root;

/// Where kubeadm leaves the administrator's: for a person who works on a control-plane node.
const KUBEADM: &str = "/etc/kubernetes/admin.conf";

/// Makes the client of what the flags and the environment choose.
pub(super) fn client(flags: &ConfigFlags, connect: Duration) -> Result<Client, Failure> {
    let mut config = load(flags)?;
    config.connect_timeout = Some(connect);
    // An answer that asks to come again is for the caller to see.
    config.default_retry = false;
    // Two providers in one program would make rustls panic; naming ours first makes the choice ours. It may be set already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::try_from(config).map_err(|error| local(&chain(&error)))
}

fn load(flags: &ConfigFlags) -> Result<Config, Failure> {
    let mut file = chosen(merged(&sources(flags)?)?, flags)?;
    for cluster in &mut file.clusters {
        if let Some(cluster) = &mut cluster.cluster {
            if let Some(proxy) = cluster.proxy_url.take().filter(|url| !url.is_empty()) {
                let why = format!("it asks for the proxy {proxy:?}, and proxies are not supported");
                return Err(local(&why));
            }
            // kube falls back to HTTPS_PROXY and fails on it.
            cluster.proxy_url = Some("http://unused.invalid".to_owned());
            let name = cluster.tls_server_name.take();
            cluster.tls_server_name = name.filter(|it| !it.is_empty());
        }
    }
    let mut config = Config::try_from(file).map_err(|error| local(&chain(&error)))?;
    config.proxy_url = None;
    Ok(config)
}

/// The files to read. One that is named by `--kubeconfig` must exist, of those in KUBECONFIG any may be missing.
fn sources(flags: &ConfigFlags) -> Result<Vec<PathBuf>, Failure> {
    if let Some(path) = &flags.kubeconfig {
        return Ok(vec![path.clone()]);
    }
    let listed: Vec<_> = std::env::var_os("KUBECONFIG")
        .iter()
        .flat_map(|list| std::env::split_paths(list).collect::<Vec<_>>())
        .filter(|path| !path.as_os_str().is_empty())
        .collect();
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".kube/config"));
    let candidates = if listed.is_empty() {
        let usual: Vec<_> = home.into_iter().chain([KUBEADM.into()]).collect();
        usual
            .into_iter()
            .filter(|path| path.exists())
            .take(1)
            .collect()
    } else {
        listed.into_iter().filter(|path| path.exists()).collect()
    };
    let found: Vec<PathBuf> = candidates;
    if found.is_empty() {
        return Err(Failure::local(
            "no kubeconfig of an operator: neither what KUBECONFIG names nor ~/.kube/config is there; name one with --kubeconfig FILE",
        ));
    }
    Ok(found)
}

/// What the files say together: of each name, and of the current context, the first that says anything.
fn merged(paths: &[PathBuf]) -> Result<Kubeconfig, Failure> {
    let mut all = Kubeconfig::default();
    for path in paths {
        let fault = |why: String| local(&format!("cannot read {}: {why}", path.display()));
        let text = fs::read_to_string(path).map_err(|error| fault(error.to_string()))?;
        let text = text.trim_start_matches('\u{feff}');
        let mut one = Kubeconfig::from_yaml(text).map_err(|error| fault(chain(&error)))?;
        one.current_context = one.current_context.filter(|name| !name.is_empty());
        // The order of files decides, not what kind they say they are.
        one.kind = None;
        one.api_version = None;
        // Relative paths are relative to the file that they stand in.
        let mut paths = Paths {
            folder: path.parent().unwrap_or(Path::new("")),
            files: Files::below(&Root::default()),
        };
        for named in &mut one.clusters {
            if let Some(cluster) = &mut named.cluster {
                // Empty is unset, so that a file beside it counts.
                let data = cluster.certificate_authority_data.take();
                cluster.certificate_authority_data = data.filter(|it| !it.is_empty());
                paths.of_cluster(cluster);
            }
        }
        for user in one
            .auth_infos
            .iter_mut()
            .filter_map(|it| it.auth_info.as_mut())
        {
            // A person may be asked, which a daemon must not try.
            let mode = user
                .exec
                .as_ref()
                .and_then(|it| it.interactive_mode.clone());
            let data = user.client_certificate_data.take();
            user.client_certificate_data = data.filter(|it| !it.is_empty());
            paths.of_user(user);
            if let Some(exec) = &mut user.exec {
                exec.interactive_mode = mode;
            }
        }
        all = all.merge(one).map_err(|error| fault(chain(&error)))?;
    }
    Ok(all)
}

/// Reduces a kubeconfig to the one cluster and the one user that are meant.
fn chosen(mut file: Kubeconfig, flags: &ConfigFlags) -> Result<Kubeconfig, Failure> {
    let current = file.current_context.take();
    let mut context = match flags.context.clone().or(current) {
        Some(name) => file
            .contexts
            .iter()
            .find(|named| named.name == name)
            .map(|named| named.context.clone().unwrap_or_default())
            .ok_or_else(|| local(&format!("there is no context {name:?}")))?,
        None => Context::default(),
    };
    if let Some(cluster) = &flags.cluster {
        context.cluster.clone_from(cluster);
    }
    if let Some(user) = &flags.user {
        context.user = Some(user.clone());
    }
    let name = &context.cluster;
    if name.is_empty() {
        let why = "no cluster is chosen: there is no current-context; name one with --context or --cluster";
        return Err(local(why));
    }
    file.clusters.retain(|named| named.name == *name);
    if file.clusters.is_empty() {
        return Err(local(&format!("there is no cluster {name:?}")));
    }
    let mut user = match context.user.as_deref().filter(|name| !name.is_empty()) {
        Some(name) => {
            let found = file.auth_infos.iter().find(|named| named.name == name);
            // One that the context names may be missing, as for kubectl: the server then says whom it does not know.
            match (found, &flags.user) {
                (None, Some(_)) => return Err(local(&format!("there is no user {name:?}"))),
                (found, _) => found
                    .and_then(|it| it.auth_info.clone())
                    .unwrap_or_default(),
            }
        }
        None => AuthInfo::default(),
    };
    if let Some(name) = &flags.impersonate {
        user.impersonate = Some(name.clone());
    }
    if !flags.impersonate_groups.is_empty() {
        user.impersonate_groups = Some(flags.impersonate_groups.clone());
    }
    user.impersonate = user.impersonate.filter(|it| !it.is_empty());
    let named = "chosen".to_owned();
    context.user = Some(named.clone());
    file.auth_infos = vec![NamedAuthInfo {
        name: named.clone(),
        auth_info: Some(user),
        ..NamedAuthInfo::default()
    }];
    file.contexts = vec![NamedContext {
        name: named.clone(),
        context: Some(context),
        ..NamedContext::default()
    }];
    file.current_context = Some(named);
    Ok(file)
}

fn local(why: &str) -> Failure {
    Failure::local(format!("cannot use the kubeconfig: {why}"))
}
