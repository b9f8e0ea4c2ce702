//! A watch: an answer without an end, one event a line. The lines are taken apart here, for those of kube's `request_events` have no
//! maximum: a server that sends one without an end would take all memory.

use std::time::Duration;

use http_body_util::BodyExt;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::task::yield_now;
use tokio::time::{Instant, timeout_at};

use super::answer::event_failure;
use super::client::Connector;
use super::exchange::{Lost, collect};
use super::questions::Question;
use super::text::chain;
use crate::failure::{Failure, FailureKind};

/// Longest line that is read; etcd stores no object of that size.
const MAX_LINE: usize = 8 << 20;
/// A watch that ends before has failed, however politely: whoever begins it again at once would do nothing else.
const SHORTEST: Duration = Duration::from_secs(1);

/// What happened to an object.
#[derive(Debug)]
pub(super) enum Change<T> {
    /// It is like this now.
    Is(T),
    /// It was like this, and is no more.
    Gone(T),
}

#[derive(Deserialize)]
struct Kind {
    r#type: String,
}

#[derive(Deserialize)]
struct Event<T> {
    object: T,
}

impl Connector {
    /// Watches until it is over, which is `Ok`, or breaks or reports an error. What came together is told together, and is taken
    /// before more is read: however much a server sends at once, it does not pile up. `changed` may refuse to go on.
    ///
    /// Silence ends a watch, too, and is no failure: the server sends a bookmark every minute only if anything of that kind changed
    /// in the whole cluster. A server that is stuck is as silent as one that has nothing to say; the next read tells which it was.
    pub(super) async fn watch<T: DeserializeOwned>(
        &self,
        question: &Question,
        mut changed: impl FnMut(Vec<Change<T>>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let broken = |why: &str| {
            Failure::new(
                FailureKind::Unavailable,
                format!("{}: {why}", question.what),
            )
        };
        let deadlines = &self.deadlines;
        let begun = Instant::now();
        // A server that keeps the watch beyond the agreed time is left.
        let last = begun + deadlines.watch + deadlines.request;
        let end = begun + deadlines.request;
        let response = self
            .send(question, end, deadlines.request)
            .await
            .map_err(Lost::failure)?;
        if !response.status().is_success() {
            let answer = collect(question, response, end, deadlines.request).await;
            return Err(answer.map_or_else(Lost::failure, |answer| answer.failure()));
        }
        let mut body = response.into_body();
        let mut line = Vec::new();
        loop {
            let idle = Instant::now() + deadlines.idle;
            let frame = match timeout_at(idle.min(last), body.frame()).await {
                Err(_) => return Ok(()),
                Ok(None) if !line.is_empty() => return Err(broken("it broke off within an event")),
                Ok(None) if begun.elapsed() < SHORTEST => {
                    return Err(broken("it was ended as soon as it began"));
                }
                Ok(None) => return Ok(()),
                Ok(Some(Err(error))) => return Err(broken(&chain(&error))),
                Ok(Some(Ok(frame))) => frame,
            };
            let mut data = frame.data_ref().map(|it| it.as_ref()).unwrap_or_default();
            let mut changes = Vec::new();
            let mut failed = None;
            while let Some(end) = data.iter().position(|&byte| byte == b'\n') {
                let (head, tail) = data.split_at(end);
                line.extend_from_slice(head);
                data = tail.strip_prefix(b"\n").unwrap_or_default();
                match read(&question.what, &line) {
                    Ok(change) => changes.extend(change),
                    Err(failure) => {
                        failed = Some(failure);
                        break;
                    }
                }
                line.clear();
            }
            if !changes.is_empty() {
                changed(changes)?;
                yield_now().await;
            }
            if let Some(failure) = failed {
                return Err(failure);
            }
            line.extend_from_slice(data);
            if line.len() > MAX_LINE {
                return Err(broken("an event is too long"));
            }
        }
    }
}

/// One event. `None`: a bookmark, which only says that the server is there.
fn read<T: DeserializeOwned>(what: &str, line: &[u8]) -> Result<Option<Change<T>>, Failure> {
    let strange = |error: serde_json::Error| {
        let shown: String = String::from_utf8_lossy(line).chars().take(120).collect();
        Failure::new(
            FailureKind::Unavailable,
            format!("{what}: cannot make sense of the event {shown:?}: {error}"),
        )
    };
    let object = |line| serde_json::from_slice::<Event<T>>(line).map(|event| event.object);
    let kind: Kind = serde_json::from_slice(line).map_err(strange)?;
    match kind.r#type.as_str() {
        "ADDED" | "MODIFIED" => object(line).map(|it| Some(Change::Is(it))).map_err(strange),
        "DELETED" => object(line)
            .map(|it| Some(Change::Gone(it)))
            .map_err(strange),
        "BOOKMARK" => Ok(None),
        // ERROR, and what a newer server may say: the watch is of no use any more.
        _ => {
            let status: Event<Status> = serde_json::from_slice(line).map_err(strange)?;
            Err(event_failure(&status.object, what))
        }
    }
}
