//! The cluster adapters: what they put on the wire, what they make of each answer, and that they follow the credential.

mod answers;
mod authority;
mod contract;
mod controllers;
mod credential;
mod embedded;
mod evictions;
mod forms;
mod identity;
mod kubeconfig;
mod node;
mod server;
mod watches;
mod wire;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rollboot::cluster::{Deadlines, KubeletCluster};
use rollboot::config::Config;

/// Deadlines that a loaded machine keeps, for tests that do not wait for one.
const PATIENT: Deadlines = Deadlines {
    connect: Duration::from_secs(20),
    request: Duration::from_secs(20),
    write: Duration::from_secs(20),
    watch: Duration::from_secs(290),
    idle: Duration::from_secs(20),
};

/// Deadlines that a test waits for; a loaded machine must still keep them where an answer is expected.
const HASTY: Deadlines = Deadlines {
    request: Duration::from_secs(2),
    write: Duration::from_secs(2),
    idle: Duration::from_secs(1),
    ..PATIENT
};

/// The cluster at `url` without any credential, as node `node-a`.
fn cluster_at(folder: &Path, url: &str) -> KubeletCluster {
    cluster_with(folder, url, PATIENT)
}

fn cluster_with(folder: &Path, url: &str, deadlines: Deadlines) -> KubeletCluster {
    open(&write_kubeconfig(folder, url, "{}"), deadlines)
}

fn open(kubeconfig: &Path, deadlines: Deadlines) -> KubeletCluster {
    let config = Config {
        node_name: Some("node-a".to_owned()),
        kubeconfig: Some(kubeconfig.to_owned()),
        ..Config::default()
    };
    KubeletCluster::with_deadlines(&config, Path::new("/"), deadlines).unwrap()
}

/// Writes a kubeconfig for `url` with this user; both may be flow-style YAML.
fn write_kubeconfig(folder: &Path, url: &str, user: &str) -> PathBuf {
    let path = folder.join("kubeconfig");
    std::fs::write(&path, kubeconfig(&format!("{{server: \"{url}\"}}"), user)).unwrap();
    path
}

fn kubeconfig(cluster: &str, user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
         contexts: [{{name: c, context: {{cluster: k, user: u}}}}, {{name: other, context: {{cluster: o, user: o}}}}]\n\
         clusters: [{{name: o, cluster: {{server: 'https://other.invalid', proxy-url: 'http://p'}}}}, {{name: k, cluster: {cluster}}}]\n\
         users: [{{name: o, user: {{client-certificate: /nowhere}}}}, {{name: u, user: {user}}}]\n"
    )
}
