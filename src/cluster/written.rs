//! When the status of an object was written, as its metadata and the answer tell.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::SystemTime;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::answer::Answer;
use crate::drain::StatusRevision;

/// The metadata of an object, each field of it as it is.
#[derive(Deserialize)]
struct Dated {
    #[serde(default)]
    metadata: Map<String, Value>,
}

/// When the status was written of the object that is in an answer.
pub(super) fn written(answer: &Answer) -> StatusRevision {
    let dated = serde_json::from_slice(&answer.body).ok();
    let Some(Dated { mut metadata }) = dated else {
        return StatusRevision::default();
    };
    let version = metadata.remove("resourceVersion").unwrap_or_default();
    let generation = metadata.get("generation").and_then(Value::as_i64);
    let Value::Array(managed) = metadata.remove("managedFields").unwrap_or_default() else {
        return StatusRevision::default();
    };
    let (status, others): (Vec<_>, Vec<_>) = managed.into_iter().partition(is_of_status);
    let mut times: Vec<_> = status.iter().filter_map(|it| it["time"].as_str()).collect();
    times.sort_unstable();
    // Another release of Rust may compute another digest. Then two reads count as if something else was changed between them.
    let mut digest = DefaultHasher::new();
    (&metadata, others).hash(&mut digest);
    StatusRevision {
        times: times.join(" "),
        fresh: times.last().is_some_and(|last| is_fresh(last, answer.date)),
        version: version.as_str().unwrap_or_default().to_owned(),
        generation: generation.unwrap_or_default(),
        others: digest.finish(),
    }
}

/// Of an entry of `managedFields`: who wrote which part, and when a value of it last changed.
fn is_of_status(entry: &Value) -> bool {
    entry["subresource"].as_str() == Some("status")
}

/// Whether this time was, at the `Date` of an answer, so little ago that another write may yet bear it.
fn is_fresh(time: &str, date: Option<SystemTime>) -> bool {
    let end = time.parse::<Timestamp>().ok().map(SystemTime::from);
    let end = end.and_then(|time| time.checked_add(StatusRevision::MOMENT));
    end.zip(date).is_some_and(|(end, date)| date <= end)
}
