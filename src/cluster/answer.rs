//! What an answer of the API server means.
//!
//! A definite no needs the server's own words, a `Status` object: only then did an API server look at the request and decide.
//! Whatever else comes back, from a proxy in between or from a server that broke, leaves open what became of a write.

use std::time::SystemTime;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Status, StatusCause};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::exchange::Lost;
use crate::drain::EvictAnswer;
use crate::failure::{Failure, FailureKind, WriteOutcome};

/// Seconds to wait after a 429 that names none.
const PAUSE: u16 = 1;
/// Characters shown of an answer that is not understood.
const SHOWN: usize = 120;

/// An answer as it came.
#[derive(Debug)]
pub(super) struct Answer {
    /// What was tried, as the beginning of a sentence.
    pub(super) what: String,
    /// HTTP status.
    pub(super) status: u16,
    /// `Content-Type`.
    pub(super) media: String,
    /// `Date`: the server's clock, to the second.
    pub(super) date: Option<SystemTime>,
    /// `Retry-After`, if it is a number of seconds.
    pub(super) retry_after: Option<u16>,
    pub(super) body: Vec<u8>,
}

/// An object of ours, and which one it must be.
pub(super) trait Object: DeserializeOwned {
    /// Its kind.
    const KIND: &'static str;

    /// What does not make sense, and why.
    fn senseless(_body: &[u8], why: &serde_json::Error) -> String {
        format!("the {}: {why}", Self::KIND)
    }
}

/// The kind alone, read without keeping the rest.
#[derive(Deserialize)]
struct Kind {
    kind: Option<String>,
}

impl Answer {
    /// The object asked for, or why it is not there.
    pub(super) fn object<T: Object>(&self) -> Result<T, Failure> {
        if !self.is_success() {
            return Err(self.failure());
        }
        if self.kind().as_deref() != Some(T::KIND) {
            return Err(self.strange());
        }
        serde_json::from_slice(&self.body).map_err(|error| {
            let why = format!("cannot make sense of {}", T::senseless(&self.body, &error));
            self.failed(FailureKind::Unavailable, &why)
        })
    }

    /// Whether an API server says that this very object does not exist. A 404 of anything else, or about anything else, does
    /// not say so, and much follows from an absence.
    pub(super) fn says_absent(&self, kind: &str, name: &str) -> bool {
        self.status == 404
            && self.status_object().is_some_and(|status| {
                status.reason.as_deref() == Some("NotFound")
                    && status.details.is_some_and(|details| {
                        details.kind.as_deref() == Some(kind)
                            && details.name.as_deref() == Some(name)
                    })
            })
    }

    /// What became of a conditional write.
    pub(super) fn written<T: Object, V: From<T>>(&self) -> WriteOutcome<V> {
        if self.is_success() {
            // Applied, in all likelihood, but not in the server's words.
            return self
                .object::<T>()
                .map_or_else(WriteOutcome::Unknown, |it| WriteOutcome::Applied(it.into()));
        }
        let failure = self.failure();
        match (self.status, self.status_object()) {
            (409, Some(_)) => WriteOutcome::Conflict,
            // Whoever throttles has not looked at the request; priority and fairness says so in plain text.
            (429, _) => WriteOutcome::Refused(failure),
            // The only client error that may come after the request went on its way.
            (408, _) => WriteOutcome::Unknown(failure),
            (400..=499, Some(_)) => WriteOutcome::Refused(failure),
            // 5xx: the write may have reached etcd all the same. Others: nobody who knows has spoken.
            _ => WriteOutcome::Unknown(failure),
        }
    }

    /// Whether an object of that name is there now: made by this request, or by an earlier one whose reply was lost.
    pub(super) fn made(&self) -> Result<(), Failure> {
        let exists = || {
            self.status_object()
                .is_some_and(|status| status.reason.as_deref() == Some("AlreadyExists"))
        };
        if self.is_success() || (self.status == 409 && exists()) {
            Ok(())
        } else {
            Err(self.failure())
        }
    }

    /// What became of an eviction.
    pub(super) fn evicted(&self) -> EvictAnswer {
        let status = self.status_object();
        let failed = || EvictAnswer::Failed(self.failure());
        let Some(status) = status else {
            return match self.status {
                429 => EvictAnswer::Throttled(self.retry_after.unwrap_or(PAUSE)),
                _ => failed(),
            };
        };
        let message = status.message.as_deref().unwrap_or_default();
        match self.status {
            200..=299 if status.status.as_deref() == Some("Success") => EvictAnswer::Accepted,
            404 if status.reason.as_deref() == Some("NotFound") => EvictAnswer::Gone,
            // Another conflict is about the version of the pod, which the server looks after by itself.
            409 if message.contains("UID") => EvictAnswer::Gone,
            403 if has_cause(&status, "NamespaceTerminating") => EvictAnswer::NamespaceTerminating,
            403 if message.contains("can only evict pods with spec.nodeName set to itself") => {
                EvictAnswer::Elsewhere
            }
            429 if has_cause(&status, "DisruptionBudget") => {
                EvictAnswer::Budget(with_causes(&status))
            }
            // Not the server's own word, and whoever wrote the webhook says why (KubeVirt: the virtual machine is being moved).
            429 if message.contains("admission webhook") => failed(),
            429 => EvictAnswer::Throttled(
                self.retry_after
                    .or(status
                        .details
                        .and_then(|details| details.retry_after_seconds)
                        .and_then(|seconds| u16::try_from(seconds).ok()))
                    .unwrap_or(PAUSE),
            ),
            // It has neither reason nor details.
            500 if message.contains("more than one PodDisruptionBudget") => {
                EvictAnswer::SeveralBudgets(message.to_owned())
            }
            _ => match self.failure() {
                failure if failure.kind == FailureKind::Invalid => EvictAnswer::Invalid(failure),
                failure => EvictAnswer::Failed(failure),
            },
        }
    }

    /// Why there is no object, in the server's words.
    pub(super) fn failure(&self) -> Failure {
        let Some(status) = self.status_object() else {
            return match self.status {
                429 => self.failed(FailureKind::Throttled, &self.shown()),
                408 | 504 => self.failed(FailureKind::Timeout, &self.shown()),
                _ => self.strange(),
            };
        };
        let code = self.status;
        let why = format!("the API server answered {code}: {}", with_causes(&status));
        self.failed(failure_kind(&status, code), &why)
    }

    /// When the server gave it, seconds since the epoch by its clock, if it says so.
    pub(super) fn answered(&self) -> Option<i64> {
        let since = self.date?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        i64::try_from(since.as_secs()).ok()
    }

    fn kind(&self) -> Option<String> {
        serde_json::from_slice::<Kind>(&self.body).ok()?.kind
    }

    fn is_success(&self) -> bool {
        (200..=299).contains(&self.status)
    }

    /// The server's words. The type is not kube's, which takes no null for a field that is not there.
    fn status_object(&self) -> Option<Status> {
        let kind = self.kind();
        let status = || serde_json::from_slice(&self.body).ok();
        kind.filter(|kind| kind == "Status").and_then(|_| status())
    }

    /// An answer that no API server gives.
    fn strange(&self) -> Failure {
        let why = format!(
            "the answer does not look like one of an API server (something in between?): {}",
            self.shown()
        );
        self.failed(FailureKind::Unavailable, &why)
    }

    fn shown(&self) -> String {
        let text: String = String::from_utf8_lossy(&self.body)
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .chars()
            .take(SHOWN)
            .collect();
        let media = if self.media.is_empty() {
            "no media type"
        } else {
            &self.media
        };
        format!("{} {media} {text:?}", self.status)
    }

    fn failed(&self, kind: FailureKind, why: &str) -> Failure {
        Failure::new(kind, format!("{}: {why}", self.what))
    }
}

/// An ERROR event of a watch.
pub(super) fn event_failure(status: &Status, what: &str) -> Failure {
    let code = status.code.and_then(|code| u16::try_from(code).ok());
    let code = code.unwrap_or_default();
    let why = with_causes(status);
    let why = format!("{what}: the API server ended the watch with {code}: {why}");
    Failure::new(failure_kind(status, code), why)
}

fn failure_kind(status: &Status, code: u16) -> FailureKind {
    match code {
        401 => FailureKind::Unauthorized,
        403 | 422 if is_policy(status, code) => FailureKind::Policy,
        403 if is_node_restriction(status) => FailureKind::Restricted,
        403 => FailureKind::Forbidden,
        404 => FailureKind::NotFound,
        408 | 504 => FailureKind::Timeout,
        429 => FailureKind::Throttled,
        // 409 and 410 are about a state that has passed, not about the request.
        409 | 410 => FailureKind::Unavailable,
        400..=499 => FailureKind::Invalid,
        _ => FailureKind::Unavailable,
    }
}

/// Whether admission said no. A policy gives its reason as a cause, which RBAC and NodeRestriction never do; a policy
/// without a reason code answers 422 instead; a webhook gives no cause. Both of these say "denied".
fn is_policy(status: &Status, code: u16) -> bool {
    let said = status.message.as_deref().unwrap_or_default();
    let reasoned =
        causes(status).any(|cause| cause.message.as_ref().is_some_and(|text| !text.is_empty()));
    (code == 403 && reasoned)
        || said.contains("denied request")
        || said.contains("denied the request")
}

/// Whether this is about what belongs to another node. Not so "no relationship found between node": the node authorizer says
/// that of everything that nobody has granted, the lock before it is armed included.
fn is_node_restriction(status: &Status) -> bool {
    let said = status.message.as_deref().unwrap_or_default();
    [
        "is not allowed to modify",
        "only its own Node object",
        "with spec.nodeName set to itself",
    ]
    .iter()
    .any(|words| said.contains(words))
}

fn has_cause(status: &Status, reason: &str) -> bool {
    causes(status).any(|cause| cause.reason.as_deref() == Some(reason))
}

fn causes(status: &Status) -> impl Iterator<Item = &StatusCause> {
    let details = status.details.iter();
    details.flat_map(|details| details.causes.iter().flatten())
}

/// The message, with the causes that it does not already contain: which budget it was stands only there.
fn with_causes(status: &Status) -> String {
    let mut text = status.message.clone().unwrap_or_default();
    for cause in causes(status).filter_map(|cause| cause.message.as_ref()) {
        if !text.contains(cause) {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(cause);
        }
    }
    text
}

impl Lost {
    /// What is known of a write without an answer.
    pub(super) fn written<T>(self) -> WriteOutcome<T> {
        match self {
            Self::NotSent(failure) => WriteOutcome::Refused(failure),
            Self::Open(failure) => WriteOutcome::Unknown(failure),
        }
    }
}

/// Present, whatever it is.
pub(super) type Present = Option<IgnoredAny>;
