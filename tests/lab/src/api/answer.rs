//! From a request to its answer.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::Stream;
use serde_json::Value;

use super::authorize::authorize;
use super::kind::Kind;
use super::refusal::Refusal;
use super::request::Asked;
use super::server::Shared;
use super::{evict, read, watch, write};

/// An answer that is no refusal.
pub(super) enum Answer {
    /// Status of HTTP, and the body.
    Object(u16, Value),
    /// The events of a watch.
    Watch(Pin<Box<dyn Stream<Item = Value> + Send>>),
}

/// Answers, with nobody else in between: rights, preconditions and the write see one state of the store.
pub(super) fn answer(shared: &Arc<Shared>, asked: &Asked) -> Result<Answer, Refusal> {
    if asked.verb == "watch" {
        shared.store.with(|inner| authorize(inner, asked))?;
        return watch::watch(shared, asked).map(Answer::Watch);
    }
    shared.store.with(|inner| {
        authorize(inner, asked)?;
        match (asked.verb, asked.subresource.as_str()) {
            ("get", "" | "status") => read::get(inner, asked).map(|it| Answer::Object(200, it)),
            ("list", "") => read::list(inner, asked).map(|it| Answer::Object(200, it)),
            ("create", "eviction") if asked.kind == Kind::Pod => evict::evict(inner, asked),
            ("create", "binding") if asked.kind == Kind::Pod => write::bind(inner, asked),
            ("create", "") => write::create(inner, asked),
            ("patch", "" | "status") => write::patch(inner, asked),
            ("delete", "") => write::delete(inner, asked),
            _ => Err(not_allowed()),
        }
    })
}

fn not_allowed() -> Refusal {
    let message = "the server does not allow this method on the requested resource";
    Refusal::new(405, "MethodNotAllowed", message)
}
