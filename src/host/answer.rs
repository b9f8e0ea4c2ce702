//! What came of a call over the bus: an answer of the other side, or none.

use std::future::Future;
use std::io;
use std::time::Duration;

use zbus::DBusError;

use crate::failure::{Failure, FailureKind};

/// An error that the other side, or the bus for it, replied with. That there was a reply is the point: the call is done with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ErrorReply {
    /// The D-Bus name of the error.
    pub(super) name: String,
    /// What it says, for a person.
    pub(super) text: String,
}

impl ErrorReply {
    /// The reply in a failed call; `None`: there was none.
    pub(super) fn of(error: &zbus::Error) -> Option<Self> {
        if let zbus::Error::MethodError(name, text, _) = error {
            return Some(Self {
                name: name.to_string(),
                text: text.clone().unwrap_or_default(),
            });
        }
        let zbus::Error::FDO(known) = error else {
            return None;
        };
        if let zbus::fdo::Error::ZBus(inner) = known.as_ref() {
            return Self::of(inner);
        }
        Some(Self {
            name: known.name().to_string(),
            text: known.description().unwrap_or_default().to_string(),
        })
    }

    /// The part of the name after `org.freedesktop.DBus.Error.`.
    pub(super) fn standard(&self) -> Option<&str> {
        self.name.strip_prefix("org.freedesktop.DBus.Error.")
    }
}

/// Waits for an answer no longer than `limit`. zbus bounds the wait for a reply, but not the writing of the call.
pub(super) async fn within<T>(
    limit: Duration,
    call: impl Future<Output = zbus::Result<T>>,
) -> zbus::Result<T> {
    tokio::time::timeout(limit, call)
        .await
        .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no reply in time").into()))
}

/// A failed call as the failure that is reported: `what` was asked of whom.
pub(super) fn failure(what: &str, error: &zbus::Error) -> Failure {
    let kind = match ErrorReply::of(error) {
        Some(reply) => match reply.standard() {
            Some("AccessDenied" | "AuthFailed" | "InteractiveAuthorizationRequired") => {
                FailureKind::Forbidden
            }
            Some("NoReply" | "Timeout" | "TimedOut") => FailureKind::Timeout,
            Some("ServiceUnknown" | "NameHasNoOwner" | "Disconnected") => FailureKind::Unavailable,
            _ => FailureKind::Local,
        },
        None if matches!(error, zbus::Error::InputOutput(io) if io.kind() == io::ErrorKind::TimedOut) => {
            FailureKind::Timeout
        }
        None if matches!(
            error,
            zbus::Error::InputOutput(_) | zbus::Error::Connection(..) | zbus::Error::Handshake(_)
        ) =>
        {
            FailureKind::Unavailable
        }
        None => FailureKind::Local,
    };
    Failure::new(kind, format!("{what}: {error}"))
}
