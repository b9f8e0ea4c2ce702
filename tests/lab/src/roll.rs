//! A whole roll: a cluster of real daemons whose hosts all ask for a reboot at once, run to its end and judged.

mod record;
pub(crate) mod replay;
mod story;
mod svg;
mod tracks;
mod verdict;

use std::io;
use std::path::Path;
use std::time::Duration;

use fastrand::Rng;
use serde_json::json;
use tempfile::TempDir;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, sleep};

pub use record::Record;
pub use story::{Line, Story};
pub use svg::svg;
pub use tracks::{Phase, Span, Track, Tracker, tracks};
pub use verdict::{Verdict, judge};

use crate::api::{Api, Kind, Store};
use crate::cluster::object::{is_cordoned, is_ready};
use crate::cluster::{App, Cluster, PodPace};
use crate::host::{Happened, Host, Log, Pace};
use replay::slots;

/// How often is looked whether the roll is over, and the audience may look.
const LOOK: Duration = Duration::from_millis(100);
/// For a machine that is busy, before anything begins.
const SETTLE: Duration = Duration::from_secs(30);
/// The path of a bus socket may have no more than 107 bytes; what comes below the folder has fewer than 60.
const MAX_FOLDER: usize = 45;

/// What is to be run.
#[derive(Debug, Clone)]
pub struct Roll {
    /// How many nodes.
    pub nodes: usize,
    /// How many may be in a turn at once.
    pub max: usize,
    /// Repeats layout and times.
    pub seed: u64,
    /// How long hosts take.
    pub pace: Pace,
    /// How long pods take.
    pub pods: PodPace,
    /// What runs in the cluster.
    pub apps: Vec<App>,
    /// How long the roll may take.
    pub limit: Duration,
}

impl Roll {
    /// A roll for an audience.
    pub fn demo(nodes: usize, max: usize, seed: u64) -> Self {
        Self {
            nodes,
            max,
            seed,
            pace: Pace::DEMO,
            pods: PodPace::DEMO,
            apps: apps(nodes),
            limit: Duration::from_secs(30 + 15 * nodes as u64),
        }
    }

    /// The names of the nodes.
    pub fn names(&self) -> Vec<String> {
        (1..=self.nodes)
            .map(|number| format!("node-{number}"))
            .collect()
    }

    /// The same for a test, with hosts and pods that are quick, and few of them: a drain that a budget stops waits for five
    /// seconds each time.
    pub fn test(nodes: usize, max: usize) -> Self {
        Self {
            pace: Pace::TEST,
            pods: PodPace::TEST,
            apps: vec![
                App::replicas("web", 2).with_budget(1),
                App::replicas("batch", 1),
                App::each_node("log-agent"),
            ],
            ..Self::demo(nodes, max, 1)
        }
    }
}

/// Enough to do for each drain. The budget of `web` is tight: a node that has come to hold two of its pods must wait for the first
/// to be back elsewhere before it evicts the second.
fn apps(nodes: usize) -> Vec<App> {
    vec![
        App::replicas("web", nodes).with_budget(nodes - 1),
        App::replicas("api", nodes + 2).with_budget(nodes - 1),
        App::replicas("db", 3).with_budget(2),
        App::replicas("batch", 1),
        App::each_node("log-agent"),
    ]
}

/// The cluster while the roll runs.
#[derive(Debug)]
pub struct Stage {
    roll: Roll,
    api: Api,
    hosts: Vec<Host>,
    log: Log,
    began: Instant,
    /// Hosts and controllers; dropped with everything that they run.
    tasks: JoinSet<()>,
    /// Dropped last.
    _folder: TempDir,
}

impl Stage {
    async fn start(roll: &Roll) -> io::Result<Self> {
        let began = Instant::now();
        let api = Api::start().await?;
        let folder = folder()?;
        let mut rng = Rng::with_seed(roll.seed);
        let log = Log::default();
        let mut hosts = Vec::new();
        for name in roll.names() {
            let kubeconfig = api.node_kubeconfig(&name);
            let host = Host::new(folder.path(), &name, &kubeconfig, rng.fork(), log.clone())?;
            hosts.push(host);
        }
        let mut tasks = JoinSet::new();
        for host in &hosts {
            tasks.spawn_local(host.clone().live(roll.pace.clone()));
        }
        let cluster = Cluster::new(api.store(), &hosts, &roll.apps, &roll.pods, &mut rng);
        tasks.spawn_local(cluster.run());
        Ok(Self {
            roll: roll.clone(),
            api,
            hosts,
            log,
            began,
            tasks,
            _folder: folder,
        })
    }

    /// What is being run.
    pub fn roll(&self) -> &Roll {
        &self.roll
    }

    /// All objects of the cluster.
    pub fn store(&self) -> &Store {
        self.api.store()
    }

    /// Its hosts.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// What happened to the hosts.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// When the cluster began to exist.
    pub fn began(&self) -> Instant {
        self.began
    }

    /// Everything that happened so far, to be judged.
    pub fn record(&self) -> Record {
        Record {
            began: self.began,
            ended: Instant::now(),
            nodes: self.roll.names(),
            max: self.roll.max,
            apps: self.roll.apps.clone(),
            changes: self.store().history(),
            occurrences: self.log.since(0),
        }
    }

    fn apps_are_ready(&self) -> bool {
        let pods = self.store().list(Kind::Pod);
        self.roll.apps.iter().all(|app| {
            let ready = |pod: &&serde_json::Value| app.owns(pod) && is_ready(pod);
            pods.iter().filter(ready).count() == app.wanted(self.roll.nodes)
        })
    }

    /// Everything runs, and every daemon has looked around and found nothing to do.
    fn is_settled(&self) -> bool {
        let idle = |host: &Host| {
            let label = host.status().map(|status| status.machine.phase);
            label == Some(rollboot::machine::Label::Idle)
        };
        self.apps_are_ready() && self.hosts.iter().all(idle)
    }

    /// Nobody is in a turn, everything runs, and every host has been down.
    fn is_over(&self) -> bool {
        let occurrences = self.log.since(0);
        let rebooted = |host: &Host| {
            let ups = occurrences.iter().filter(|it| it.node == host.name());
            ups.filter(|it| matches!(it.what, Happened::Up(_))).count() > 1
        };
        let store = self.store();
        let lock = store.get(Kind::ConfigMap, "kube-system", "rollboot");
        self.hosts.iter().all(rebooted)
            && lock.is_some_and(|lock| slots(&lock).is_empty())
            && !store.list(Kind::Node).iter().any(is_cordoned)
            && self.apps_are_ready()
    }

    /// What an operator does once: applies the manifest, and raises the limits if more than one node may go.
    fn arm(&self) {
        self.api.arm();
        if self.roll.max > 1 {
            let max = self.roll.max.to_string();
            let (kind, namespace, name) = (Kind::ConfigMap, "kube-system", "rollboot");
            self.store()
                .update("operator", kind, namespace, name, |lock| {
                    lock["data"] = json!({"max.default": max, "max.total": max});
                });
        }
    }

    /// Waits until `done`; `false`: not in time. A task that panicked panics here.
    async fn until(
        &mut self,
        limit: Duration,
        done: impl Fn(&Self) -> bool,
        audience: &mut dyn FnMut(&Self),
    ) -> bool {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(Err(ended)) = self.tasks.try_join_next()
                && let Ok(panic) = ended.try_into_panic()
            {
                std::panic::resume_unwind(panic);
            }
            audience(self);
            if done(self) {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            sleep(LOOK).await;
        }
    }
}

/// What came of a roll.
#[derive(Debug)]
pub struct Outcome {
    /// Everything that happened.
    pub record: Record,
    /// Whether the promises were kept.
    pub verdict: Verdict,
}

/// Runs a roll to its end or its time limit. The audience is called many times a second.
///
/// # Errors
/// The cluster cannot be set up on this machine.
pub async fn run(roll: &Roll, audience: &mut dyn FnMut(&Stage)) -> io::Result<Outcome> {
    LocalSet::new().run_until(play(roll, audience)).await
}

async fn play(roll: &Roll, audience: &mut dyn FnMut(&Stage)) -> io::Result<Outcome> {
    let mut stage = Stage::start(roll).await?;
    let mut in_time = stage.until(SETTLE, Stage::is_settled, audience).await;
    if in_time {
        stage.arm();
        for host in stage.hosts() {
            host.ask_for_reboot()?;
        }
        in_time = stage.until(roll.limit, Stage::is_over, audience).await;
    }
    let record = stage.record();
    let mut verdict = judge(&record);
    if !in_time {
        verdict
            .broken
            .push("it did not come to its end in time".to_owned());
        verdict.broken.extend(stage.hosts().iter().map(where_it_is));
    }
    Ok(Outcome { record, verdict })
}

/// Where a host stands, by its own word: when nothing goes on, that is what helps.
fn where_it_is(host: &Host) -> String {
    let (name, power) = (host.name(), host.power());
    match host.status() {
        Some(status) => {
            let status = status.machine;
            format!("{name} ({power:?}): {:?}: {}", status.phase, status.reason)
        }
        None => format!("{name} ({power:?}): its daemon has said nothing since the boot"),
    }
}

/// A folder for the hosts whose sockets have short enough paths, wherever temporary files are kept.
fn folder() -> io::Result<TempDir> {
    let folder = TempDir::with_prefix("rollboot-")?;
    if folder.path().as_os_str().len() <= MAX_FOLDER {
        return Ok(folder);
    }
    TempDir::with_prefix_in("rollboot-", Path::new("/tmp"))
}
