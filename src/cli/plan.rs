//! `rollboot plan`: what a drain of this node would do to each pod, asked the way the daemon asks and without doing it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde::Serialize;
use tokio::time::{Instant, timeout_at};

use super::survey::Survey;
use super::text::{page, wrap};
use super::{Exit, Failed, runtime, say, say_json};
use crate::cluster::KubeletCluster;
use crate::config::load::load;
use crate::config::{Config, DrainMode};
use crate::drain::{Arrival, Choice, ControllerRef, EvictAnswer, Order, PodRef, PodView, choose};
use crate::failure::{Failure, FailureKind};
use crate::host::{LocalHost, Root};
use crate::machine::is_waited_for;
use crate::ports::Cluster;

/// Dry runs on their way at once.
const AT_ONCE: usize = 8;
/// For all of them together.
const LIMIT: Duration = Duration::from_secs(60);
/// Why nobody knows whether a pod may go.
const NOT_ASKED: &str = "the server was not asked whether it may go: that takes too long";

/// Whether a drain would get to its end now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    /// Every pod that has to go may go.
    Ready,
    /// The server would refuse some evictions for now, or a gate waits for a pod.
    Blocked,
    /// Some pod forbids the drain: nothing would be evicted.
    Refused,
}

#[derive(Debug, Serialize)]
struct Report {
    node: String,
    verdict: Verdict,
    pods: Vec<Line>,
}

/// What becomes of one pod.
#[derive(Debug, Serialize)]
struct Line {
    namespace: String,
    name: String,
    uid: String,
    /// `Kind/name`.
    controller: Option<String>,
    action: &'static str,
    reason: String,
    /// No turn begins while it is here.
    #[serde(skip)]
    gated: bool,
    /// The server would refuse its eviction for now.
    #[serde(skip)]
    blocked: bool,
    order: i64,
    #[serde(skip)]
    when: String,
}

pub(super) fn plan(root: &Path, config: Option<&Path>, json: bool) -> Result<Exit, Failed> {
    let config = load(root, config).map_err(|error| Failed::new(Exit::Configuration, error))?;
    let host = LocalHost::new(Root::new(root), Vec::new());
    let report = runtime()?.block_on(async {
        let running = host.running_kubeconfig();
        let cluster = KubeletCluster::find(&config, root, running.as_deref())
            .await
            .map_err(failed)?;
        look(&cluster, &config).await.map_err(failed)
    })?;
    if json {
        say_json(&serde_json::to_string(&report).unwrap_or_default());
    } else {
        say(&render(&report));
    }
    Ok(if report.verdict == Verdict::Ready {
        Exit::Ok
    } else {
        Exit::No
    })
}

fn failed(failure: Failure) -> Failed {
    let exit = match failure.kind {
        FailureKind::Forbidden | FailureKind::Unauthorized => Exit::Permission,
        _ => Exit::Unavailable,
    };
    Failed::new(exit, failure)
}

async fn look(cluster: &KubeletCluster, config: &Config) -> Result<Report, Failure> {
    let pods = cluster.list_pods().await?;
    let choices: Vec<_> = pods
        .into_iter()
        .map(|pod| {
            let choice = match config.drain.mode {
                DrainMode::Evict => choose(&pod, &config.drain, Arrival::Before),
                DrainMode::None => Choice::Skip("drain.mode = \"none\""),
            };
            (pod, choice)
        })
        .collect();
    let refused = choices
        .iter()
        .any(|(_, choice)| matches!(choice, Choice::Refuse(_)));
    let waits = if refused {
        BTreeMap::new()
    } else {
        waits(cluster, &choices).await
    };
    let waits = &waits;
    let until = Instant::now() + LIMIT;
    // In order, and within one by name: as they would go.
    let mut lines: Vec<(Option<Order>, Line, bool)> = stream::iter(choices)
        .map(|(pod, choice)| async move {
            // While a pod refuses, nothing is asked about the others: nothing would be evicted.
            let blocked = match choice {
                // The time may be over before it is asked.
                Choice::Evict(_) if !refused && Instant::now() >= until => {
                    Some(NOT_ASKED.to_owned())
                }
                Choice::Evict(_) if !refused => timeout_at(until, ask(cluster, &pod.pod))
                    .await
                    .unwrap_or_else(|_| Some(NOT_ASKED.to_owned())),
                _ => None,
            };
            let note = waits.get(&pod.pod).cloned();
            let note = note.or_else(|| slow(config, &pod, &choice));
            let gate = waited_for(config, &pod);
            line(pod, choice, note, blocked, gate)
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    lines.sort_by(|(a, left, _), (b, right, _)| {
        (a.is_none(), a, &left.namespace, &left.name).cmp(&(
            b.is_none(),
            b,
            &right.namespace,
            &right.name,
        ))
    });
    let verdict = if refused {
        Verdict::Refused
    } else if lines.iter().any(|(_, _, blocked)| *blocked) {
        Verdict::Blocked
    } else {
        Verdict::Ready
    };
    Ok(Report {
        node: cluster.node().to_owned(),
        verdict,
        pods: lines.into_iter().map(|(_, line, _)| line).collect(),
    })
}

/// What the guard would hold back of those that go until a replacement is ready elsewhere. Where controllers cannot be read nobody
/// knows, and nothing is held.
async fn waits(
    cluster: &KubeletCluster,
    choices: &[(PodView, Choice)],
) -> BTreeMap<PodRef, String> {
    let pods: Vec<_> = choices.iter().map(|(pod, _)| pod.clone()).collect();
    let goes = |(pod, choice): &(PodView, Choice)| {
        matches!(choice, Choice::Evict(_)).then(|| pod.pod.clone())
    };
    let going: Vec<_> = choices.iter().filter_map(goes).collect();
    let controller = async |of: &ControllerRef| cluster.read_controller(of).await;
    let survey = Survey::of(controller, &pods, &going).await;
    let Some(guard) = survey.filter(|it| matches!(it.singles, Some(Ok(_)))) else {
        return BTreeMap::new();
    };
    let held = going.into_iter().filter(|pod| guard.guard.holds(pod));
    held.map(|pod| (pod.clone(), guard.guard.reason(&pod)))
        .collect()
}

/// Whether it may take longer to end than the drain waits.
fn slow(config: &Config, pod: &PodView, choice: &Choice) -> Option<String> {
    let grace = pod.grace.filter(|_| matches!(choice, Choice::Evict(_)))?;
    (grace >= config.drain.timeout.as_secs())
        .then(|| format!("it may take {grace} s to end, longer than drain.timeout"))
}

/// The gate that keeps any turn from beginning while the pod is here, if there is one.
fn waited_for(config: &Config, pod: &PodView) -> Option<String> {
    let gate = config
        .gates
        .pods
        .iter()
        .find(|gate| is_waited_for(gate, pod))?;
    let selector = &gate.selector;
    Some(format!(
        "no turn while it is here: it matches {selector} of [[gate.pods]]"
    ))
}

/// Why the server would not evict the pod now, if so.
async fn ask(cluster: &KubeletCluster, pod: &PodRef) -> Option<String> {
    match cluster.try_eviction(pod).await {
        EvictAnswer::Accepted | EvictAnswer::Gone | EvictAnswer::Elsewhere => None,
        EvictAnswer::Budget(why) | EvictAnswer::SeveralBudgets(why) => Some(why),
        EvictAnswer::Throttled(_) => Some("the API server is overloaded".to_owned()),
        EvictAnswer::NamespaceTerminating => Some("its namespace is being deleted".to_owned()),
        EvictAnswer::Invalid(failure) | EvictAnswer::Failed(failure) => Some(failure.message),
    }
}

fn line(
    pod: PodView,
    choice: Choice,
    note: Option<String>,
    blocked: Option<String>,
    gate: Option<String>,
) -> (Option<Order>, Line, bool) {
    let gated = gate.is_some();
    let refused = blocked.is_some();
    let (action, reason, order) = match choice {
        Choice::Evict(order) => ("evict", String::new(), Some(order)),
        Choice::Wait if pod.terminating => ("wait", "it is ending".to_owned(), None),
        Choice::Wait => (
            "wait",
            "its annotation rollboot.io/drain says \"wait\"".to_owned(),
            None,
        ),
        Choice::Skip(why) => ("skip", why.to_owned(), None),
        Choice::Refuse(why) => ("refuse", why.to_owned(), None),
    };
    let reason = gate.or(blocked).or(note).unwrap_or(reason);
    let line = Line {
        controller: pod
            .controller
            .map(|owner| format!("{}/{}", owner.kind, owner.name)),
        namespace: pod.pod.namespace,
        name: pod.pod.name,
        uid: pod.pod.uid,
        action,
        reason,
        gated,
        blocked: refused,
        order: order.unwrap_or_default().number(),
        when: order
            .filter(|order| !order.is_default())
            .map_or_else(String::new, |order| format!(" (order {order})")),
    };
    (order, line, gated || refused)
}

/// For a person: what happens to each pod, then what that comes to.
fn render(report: &Report) -> String {
    let mut lines = Vec::new();
    for pod in &report.pods {
        let mut line = format!("{:<6}  {}/{}", pod.action, pod.namespace, pod.name);
        if let Some(controller) = &pod.controller {
            line += &format!("  of {controller}");
        }
        line += &pod.when;
        lines.push(line);
        if !pod.reason.is_empty() {
            lines.extend(wrap("        ", &pod.reason));
        }
    }
    let count = |action| {
        report
            .pods
            .iter()
            .filter(|pod| pod.action == action)
            .count()
    };
    let total = match report.verdict {
        Verdict::Ready => format!(
            "ready: {} would be evicted, {} waited for, {} would stay",
            count("evict"),
            count("wait"),
            count("skip")
        ),
        Verdict::Blocked => {
            let blocked = |pod: &&Line| pod.action == "evict" && !pod.gated && pod.blocked;
            let blocked = report.pods.iter().filter(blocked);
            let (late, refused): (Vec<_>, Vec<_>) =
                blocked.partition(|pod| pod.reason == NOT_ASKED);
            let (late, refused) = (late.len(), refused.len());
            let gated = report.pods.iter().filter(|pod| pod.gated).count();
            let mut why = Vec::new();
            if gated > 0 {
                why.push(format!("a gate waits for {}", pods(gated)));
            }
            if refused > 0 {
                let all = count("evict");
                why.push(format!(
                    "{refused} of {all} evictions would be refused for now"
                ));
            }
            if late > 0 {
                let seconds = LIMIT.as_secs();
                why.push(format!(
                    "of {} nobody knows whether they may go: the server was asked for {seconds} s",
                    pods(late)
                ));
            }
            format!("blocked: {}", why.join(", and "))
        }
        Verdict::Refused => format!(
            "refused: because of {} nothing would be evicted, and {} does not reboot",
            pods(count("refuse")),
            report.node
        ),
    };
    lines.push(total);
    page(lines)
}

fn pods(count: usize) -> String {
    match count {
        1 => "1 pod".to_owned(),
        count => format!("{count} pods"),
    }
}
