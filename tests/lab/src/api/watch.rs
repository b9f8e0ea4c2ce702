//! A watch: what changed since a version, then what changes.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, stream};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::object::meta_mut;
use super::read::{check_selectors, is_chosen};
use super::refusal::Refusal;
use super::request::Asked;
use super::server::{Shared, awake};
use super::store::{Change, Inner, What};

/// The server is there still, says a bookmark, if it was asked to.
const BOOKMARKS: Duration = Duration::from_secs(60);
/// How long a watch goes on that did not say.
const LONG: u64 = 1800;

/// A watch that goes on.
struct Watch {
    shared: Arc<Shared>,
    asked: Asked,
    news: watch::Receiver<u64>,
    /// The last revision that was looked at.
    seen: u64,
    waiting: VecDeque<Value>,
    end: Instant,
    /// When the next bookmark is due.
    bookmark: Option<Instant>,
}

/// Begins a watch.
pub(super) fn watch(
    shared: &Arc<Shared>,
    asked: &Asked,
) -> Result<Pin<Box<dyn Stream<Item = Value> + Send>>, Refusal> {
    check_selectors(asked)?;
    let from = asked.query("resourceVersion");
    let from: u64 = match from {
        "" => 0,
        text => text.parse().map_err(|_| {
            let why = format!("resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax");
            Refusal::new(500, "", why)
        })?,
    };
    let time: u64 = asked.query("timeoutSeconds").parse().unwrap_or(LONG);
    let now = Instant::now();
    let asks = asked.query("allowWatchBookmarks") == "true";
    // Before the store is read: nothing may happen in between unseen.
    let news = shared.store.revisions();
    let begun = shared.store.with(|inner| begin(inner, asked, from));
    let (waiting, seen) = match begun {
        Ok(begun) => begun,
        // The answer was 200 already when it looks.
        Err(refusal) => {
            let event = json!({"type": "ERROR", "object": refusal.status()});
            return Ok(Box::pin(stream::iter([event])));
        }
    };
    let state = Watch {
        shared: shared.clone(),
        asked: asked.clone(),
        news,
        seen,
        waiting,
        end: now + Duration::from_secs(time),
        bookmark: asks.then(|| now + BOOKMARKS),
    };
    Ok(Box::pin(stream::unfold(state, |mut state| async {
        let event = state.next().await?;
        awake(&state.shared.fault).await;
        Some((event, state))
    })))
}

/// What a watch begins with, and the revision that it has seen then. From no version it begins with what there is.
fn begin(inner: &Inner, asked: &Asked, from: u64) -> Result<(VecDeque<Value>, u64), Refusal> {
    if from == 0 {
        let chosen = inner.list(asked.kind).filter(|it| is_chosen(asked, it));
        let events = chosen.map(|object| json!({"type": "ADDED", "object": object}));
        return Ok((events.collect(), inner.revision()));
    }
    let oldest = inner.oldest();
    if from < oldest {
        let message = format!("too old resource version: {from} ({oldest})");
        return Err(Refusal::new(410, "Expired", message));
    }
    Ok((VecDeque::new(), from))
}

impl Watch {
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            self.news.mark_unchanged();
            let events: Vec<Value> = self.shared.store.with(|inner| {
                let changes = inner.since(self.seen);
                let events =
                    changes.filter_map(|(change, before)| event(&self.asked, change, before));
                let events = events.collect();
                // A watch from a version that is not yet waits for what comes after it.
                self.seen = self.seen.max(inner.revision());
                events
            });
            if !events.is_empty() {
                self.waiting.extend(events);
                continue;
            }
            let bookmark = self.bookmark.unwrap_or(self.end);
            tokio::select! {
                changed = self.news.changed() => changed.ok()?,
                () = sleep_until(self.end.min(bookmark)) => {
                    if self.end <= bookmark {
                        return None;
                    }
                    self.bookmark = Some(bookmark + BOOKMARKS);
                    return Some(self.say_where());
                }
            }
        }
    }

    fn say_where(&self) -> Value {
        let kind = self.asked.kind;
        let metadata = json!({"resourceVersion": self.seen.to_string(), "creationTimestamp": null});
        json!({"type": "BOOKMARK", "object": {"kind": kind.name(), "apiVersion": kind.api_version(), "metadata": metadata}})
    }
}

/// What a change looks like to somebody who sees only the objects that they asked for.
fn event(asked: &Asked, change: &Change, before: Option<&Value>) -> Option<Value> {
    if change.kind != asked.kind {
        return None;
    }
    let was = before.is_some_and(|before| is_chosen(asked, before)) && change.what != What::Added;
    let is = is_chosen(asked, &change.object) && change.what != What::Deleted;
    let (what, mut object) = match (was, is) {
        (false, false) => return None,
        (false, true) => ("ADDED", change.object.clone()),
        (true, true) => ("MODIFIED", change.object.clone()),
        (true, false) if change.what == What::Deleted => ("DELETED", change.object.clone()),
        // It is there still, but no longer one of theirs: they see it as it was when it was.
        (true, false) => ("DELETED", before.cloned().unwrap_or_default()),
    };
    meta_mut(&mut object).insert(
        "resourceVersion".to_owned(),
        json!(change.revision.to_string()),
    );
    Some(json!({"type": what, "object": object}))
}
