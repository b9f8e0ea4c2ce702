//! How a remote call can fail, told apart as far as somebody decides on it. Adapters classify, the core decides.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a call to the API server, the bus or the disk brought no answer that the turn can go on with.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Failure {
    /// What kind of failure it was.
    pub kind: FailureKind,
    /// What an operator reads: what failed, on what, why.
    pub message: String,
}

/// The kinds of [`Failure`]. No kind is final: a server that starts answers 403 for a moment, so each is retried slowly and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// 401: the certificate is expired, foreign or missing.
    Unauthorized,
    /// 403 by RBAC: nobody has granted it.
    Forbidden,
    /// 403 by NodeRestriction or the node authorizer, because it is another node's.
    Restricted,
    /// 403 with a cause: an admission policy refused.
    Policy,
    /// 404, where the caller did not expect it.
    NotFound,
    /// 429 by priority and fairness.
    Throttled,
    /// 400 or 422: the server understood the request and will not have it.
    Invalid,
    /// No connection, a connection that broke, a 5xx.
    Unavailable,
    /// The deadline passed without an answer.
    Timeout,
    /// The local disk, bus or credential failed.
    Local,
}

impl Failure {
    /// A failure of a kind, with the sentence that an operator reads.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// A failure of this host: its disk, its bus, its credential.
    pub fn local(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Local, message)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// What became of a conditional write.
///
/// The difference between `Refused` and `Unknown` is the point of this type: a write whose reply is lost has no outcome
/// yet, it may still land, and nobody may decide as if it had failed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum WriteOutcome<T> {
    /// The server answered 200; this is the object as it stands now.
    Applied(T),
    /// The server answered 409: the object has moved on since the version that the write was decided on.
    Conflict,
    /// The server answered, and did not apply it.
    Refused(Failure),
    /// No answer: it was applied, or was not, or will be.
    Unknown(Failure),
}
