//! Metadata, and what of it tells when the status was written.

use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Error, Map, Value};

use crate::drain::Written;

/// Clocks of API servers may differ by so much, and an answer may say when it was sent and not when the object was read.
const MOMENT: SignedDuration = SignedDuration::from_secs(2);

/// Whether the last of these times was, at the `Date` of an answer, so little ago that another write may yet bear it.
pub(super) fn is_fresh(written: &Written, date: Option<Timestamp>) -> bool {
    let last = written.times.split(' ').next_back();
    let last = last.and_then(|time| time.parse::<Timestamp>().ok());
    last.zip(date)
        .is_some_and(|(last, date)| date.duration_since(last) <= MOMENT)
}

/// The metadata of an object, and when its status was written.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Map<String, Value>", bound = "M: DeserializeOwned")]
pub(super) struct Dated<M>(pub(super) M, pub(super) Written);

/// Who wrote which part, and when a value of it last changed. Which fields, and by whom, is kept as it is.
#[derive(Debug, Deserialize, Hash)]
struct Managed {
    subresource: Option<String>,
    time: Option<String>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

impl Managed {
    fn is_of_status(&self) -> bool {
        self.subresource.as_deref() == Some("status")
    }
}

impl<M: DeserializeOwned> TryFrom<Map<String, Value>> for Dated<M> {
    type Error = Error;

    fn try_from(mut metadata: Map<String, Value>) -> Result<Self, Error> {
        let version = metadata.remove("resourceVersion").unwrap_or_default();
        let generation = metadata.get("generation").and_then(Value::as_i64);
        let managed: Option<Vec<Managed>> =
            serde_json::from_value(metadata.remove("managedFields").unwrap_or_default())?;
        let (status, others): (Vec<_>, Vec<_>) = managed
            .into_iter()
            .flatten()
            .partition(Managed::is_of_status);
        let mut times: Vec<_> = status.into_iter().filter_map(|entry| entry.time).collect();
        times.sort_unstable();
        // Another release of Rust may compute another digest. Then two reads count as if something else was changed between them.
        let mut digest = DefaultHasher::new();
        (&metadata, others).hash(&mut digest);
        let written = Written {
            times: times.join(" "),
            fresh: false,
            version: version.as_str().unwrap_or_default().to_owned(),
            generation: generation.unwrap_or_default(),
            others: digest.finish(),
        };
        serde_json::from_value(Value::Object(metadata)).map(|metadata| Self(metadata, written))
    }
}
