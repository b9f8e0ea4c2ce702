//! `rollboot check`: would a sentinel lead to a reboot of this node, and if not, why. Asks what the daemon asks, the way it asks,
//! and changes nothing: what would write is asked as a dry run.

mod access;
mod finding;
mod gates;
mod guard;
mod host;
mod lock;
mod node;
mod others;
mod permissions;
mod pods;
mod render;
mod shutdown;

use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use self::finding::{Finding, Verdict, fail, failed_here};
use self::permissions::Permissions;
use self::pods::Answers;
use super::status::LastWord;
use super::{Exit, Failed, runtime, say, say_json};
use crate::cluster::KubeletCluster;
use crate::config::load::{files, load};
use crate::config::{Config, DrainMode};
use crate::drain::{Arrivals, ControllerRef, PodView, plan};
use crate::failure::{Failure, FailureKind};
use crate::host::{LocalHost, Root, boot};
use crate::journal::Journal;
use crate::lock::{CONTROL_PLANE, LockView};
use crate::machine::{group_of, static_pods_gate};
use crate::node::{NodeView, NodesView};
use crate::ports::{Cluster, Host};

#[derive(Debug, Serialize)]
struct Report {
    ready: bool,
    findings: Vec<Finding>,
}

pub(super) fn check(root: &Path, file: Option<&Path>, json: bool) -> Result<Exit, Failed> {
    let config = match load(root, file) {
        Ok(config) => config,
        Err(error) => {
            let advice = "rollboot.toml(5)";
            answer(vec![fail("configuration", error, advice)], json);
            return Ok(Exit::Configuration);
        }
    };
    let runtime = runtime()?;
    let findings = runtime.block_on(look(root, file, &config));
    // A name that does not resolve, or a credential plugin that hangs, must not hold up the end.
    runtime.shutdown_background();
    let exit = exit(&findings);
    answer(findings, json);
    Ok(exit)
}

fn answer(findings: Vec<Finding>, json: bool) {
    if json {
        let ready = exit(&findings) == Exit::Ok;
        let report = Report { ready, findings };
        say_json(&serde_json::to_string(&report).unwrap_or_default());
    } else {
        say(&render::render(&findings));
    }
}

fn exit(findings: &[Finding]) -> Exit {
    let mut failed = findings
        .iter()
        .filter(|finding| finding.result == Verdict::Fail)
        .peekable();
    if failed.peek().is_none() {
        Exit::Ok
    } else if failed.all(|finding| finding.not_permitted) {
        Exit::Permission
    } else {
        Exit::No
    }
}

/// What was seen of this host before the cluster is asked.
struct Here<'a> {
    root: &'a Path,
    config: &'a Config,
    host: LocalHost,
    /// `None`: it cannot be read.
    journal: Option<Journal>,
}

/// Looks at everything, host and cluster at the same time: each question has a deadline of its own.
async fn look(root: &Path, file: Option<&Path>, config: &Config) -> Vec<Finding> {
    let host = LocalHost::new(Root::new(root), config.sentinels.clone());
    let journal = host.journal().read();
    let folder = host.state_folder();
    let here = Here {
        root,
        config,
        host,
        journal: journal.as_ref().ok().cloned(),
    };
    let last = LastWord::read(root);
    let mut findings = vec![host::configuration(&files(root, file).unwrap_or_default())];
    findings.extend(host::mode(config, &last));
    findings.push(host::daemon(root, &last));
    findings.extend(host::run_folder(root));
    findings.push(host::state_folder(&folder, &journal));
    let (rebooters, on_host, (in_cluster, pods)) =
        tokio::join!(here.host.rebooters(), here.on_host(), here.in_cluster(),);
    findings.extend(on_host);
    findings.extend(in_cluster);
    findings.extend(others::others(&rebooters, pods.as_deref()));
    findings
}

impl Here<'_> {
    async fn on_host(&self) -> Vec<Finding> {
        let now = Timestamp::now();
        let reading = self.host.read_sentinels();
        let journal = self.journal.as_ref();
        let mut findings = host::sentinels(&self.host, self.config, &reading, journal, now);
        findings.extend(journal.map(|journal| host::daily_limit(self.config, journal, now)));
        findings.extend(host::windows(self.config, now));
        let (gates, delay) = tokio::join!(self.host.gates(), self.host.shutdown_delay());
        findings.extend(shutdown::logind(&gates));
        if let Ok(delay) = delay {
            let wanted = self.host.grace_period();
            let mode = self.config.drain.mode;
            findings.push(shutdown::graceful(&delay, &wanted, mode));
        }
        findings
    }

    /// What the API server says, and the pods, if they can be listed.
    async fn in_cluster(&self) -> (Vec<Finding>, Option<Vec<PodView>>) {
        let running = self.host.running_kubeconfig();
        let found = KubeletCluster::find(self.config, self.root, running.as_deref());
        let cluster = match found.await {
            Ok(cluster) => cluster,
            Err(failure) => {
                let advice = "has this host joined a cluster? set `kubeconfig` if it is elsewhere";
                return (vec![failed_here("kubeconfig", &failure, advice)], None);
            }
        };
        let mut findings = Vec::new();
        match cluster.access() {
            Ok(access) => {
                findings.push(access::kubeconfig(&cluster, &access));
                findings.extend(access::credentials(&access, Timestamp::now()));
            }
            Err(failure) => findings.push(failed_here("credential", &failure, "")),
        }
        if self.config.node_name.is_some() {
            findings.extend(access::named(cluster.node(), cluster.user().await));
        }
        let node = match cluster.read_node().await {
            Ok(node) => node,
            Err(failure) => {
                let advice = match failure.kind {
                    FailureKind::Unauthorized
                    | FailureKind::Forbidden
                    | FailureKind::Restricted => {
                        "is this the kubelet's own kubeconfig, of this very host?"
                    }
                    _ if self.host.kubelet_has_proxy() => {
                        "nothing more was asked; the kubelet has HTTPS_PROXY set, and rollboot uses no proxy: is the API server there without it?"
                    }
                    _ => {
                        "nothing more was asked; is the API server there? the log of the kubelet says the same"
                    }
                };
                findings.push(failed_here("own Node", &failure, advice));
                if !matches!(
                    failure.kind,
                    FailureKind::Forbidden | FailureKind::Restricted | FailureKind::NotFound
                ) {
                    return (findings, None);
                }
                None
            }
        };
        let boot_id = boot::boot_id(self.host.root()).unwrap_or_default();
        if !findings.iter().any(|finding| finding.check == "own Node") {
            findings.push(node::own(
                self.config,
                cluster.node(),
                &boot_id,
                node.as_ref(),
            ));
        }
        let pods = self.ask_more(&cluster, node.as_ref(), &mut findings).await;
        (findings, pods)
    }

    async fn ask_more(
        &self,
        cluster: &KubeletCluster,
        node: Option<&NodeView>,
        findings: &mut Vec<Finding>,
    ) -> Option<Vec<PodView>> {
        let (pods, lock, others) = tokio::join!(
            self::pods::listed(cluster),
            cluster.read_lock(),
            cluster.schedulable_nodes(),
        );
        findings.push(node::others(cluster.node(), &others));
        let evictions = self.drain(cluster, &pods, findings).await;
        let known = self.journal.as_ref().and_then(|it| it.lock.as_ref());
        let group = match (node, &pods) {
            (Some(node), Ok(pods)) => group_of(self.config, node, pods),
            _ => self.config.lock.group.clone(),
        };
        if let Some(health) = self.health(cluster, &group).await {
            let lock = lock.as_ref().ok().and_then(Option::as_ref);
            let name = cluster.node();
            findings.extend(gates::nodes(self.config, name, lock, &health));
            if group == CONTROL_PLANE {
                findings.push(gates::control_plane(name, &health));
            }
        }
        let view: Option<LockView> = match lock {
            Ok(view) => {
                let name = cluster.node();
                findings.extend(lock::lock(self.config, known, view.as_ref(), name, &group));
                view
            }
            Err(failure) => {
                findings.push(lock::unreadable(self.config, &failure));
                None
            }
        };
        let permissions = Permissions::ask(cluster, node, view.as_ref()).await;
        findings.extend(permissions.findings(self.config, &evictions));
        findings.extend(permissions.policy());
        pods.ok()
    }

    /// How all Nodes are, if that is a gate of this group.
    async fn health(
        &self,
        cluster: &KubeletCluster,
        group: &str,
    ) -> Option<Result<NodesView, Failure>> {
        if group != CONTROL_PLANE {
            self.config.gates.max_not_ready?;
        }
        Some(cluster.list_nodes().await)
    }

    /// What a drain would do, and what the server would answer.
    async fn drain(
        &self,
        cluster: &KubeletCluster,
        pods: &Result<Vec<PodView>, Failure>,
        findings: &mut Vec<Finding>,
    ) -> Answers {
        let drain = &self.config.drain;
        findings.push(pods::policy(drain));
        let pods = match pods {
            Ok(pods) => pods,
            Err(failure) => {
                let advice = "the kubelet's credential may list the pods of its node";
                findings.push(fail("own pods", failure, advice));
                return Answers::default();
            }
        };
        if let Some(blocked) = static_pods_gate(pods) {
            findings.push(fail("own pods", blocked.what, blocked.detail));
        }
        findings.extend(gates::pods(self.config, pods));
        if drain.mode == DrainMode::None {
            return Answers::default();
        }
        let controller = async |of: &ControllerRef| cluster.read_controller(of).await;
        let plan = plan(pods, drain, &Arrivals::default());
        findings.push(pods::plan(&plan));
        findings.extend(pods::slow(drain, pods, &plan.evict));
        findings.extend(guard::guard(controller, drain, pods, &plan.evict).await);
        let answers = Answers::ask(cluster, &plan.evict).await;
        findings.extend(answers.findings());
        answers
    }
}

#[cfg(test)]
mod tests {
    use super::finding::{not_permitted, ok, warn};
    use super::*;

    #[test]
    fn the_exit_code_tells_no_from_not_allowed_to_look() {
        let (ok, warn) = (ok("a", ""), warn("b", "", ""));
        let (fail, not_permitted) = (fail("c", "", ""), not_permitted("d", ""));
        for (findings, expected) in [
            (vec![ok.clone(), warn.clone()], Exit::Ok),
            (vec![ok, fail.clone()], Exit::No),
            (vec![warn, not_permitted.clone()], Exit::Permission),
            (vec![not_permitted, fail], Exit::No),
        ] {
            assert_eq!(exit(&findings), expected, "{findings:?}");
        }
    }
}
