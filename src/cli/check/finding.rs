//! What one look found.

use std::fmt::Display;

use serde::Serialize;

use crate::failure::{Failure, FailureKind};
use crate::host::is_root;

/// What it means for a reboot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// Nothing is in the way.
    Ok,
    /// It works, or passes by itself, and is worth knowing.
    Warn,
    /// No sentinel leads to a reboot until somebody does something.
    Fail,
}

/// One line of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What was looked at.
    pub(super) check: &'static str,
    pub(super) result: Verdict,
    /// What was found.
    pub(super) found: String,
    /// What to do; may be empty.
    pub(super) advice: String,
    /// It failed only because the caller may not look.
    #[serde(skip)]
    pub(super) not_permitted: bool,
}

impl Finding {
    fn new(
        check: &'static str,
        result: Verdict,
        found: impl Display,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            check,
            result,
            found: found.to_string(),
            advice: advice.into(),
            not_permitted: false,
        }
    }
}

pub(super) fn ok(check: &'static str, found: impl Display) -> Finding {
    Finding::new(check, Verdict::Ok, found, "")
}

pub(super) fn warn(check: &'static str, found: impl Display, advice: impl Into<String>) -> Finding {
    Finding::new(check, Verdict::Warn, found, advice)
}

pub(super) fn fail(check: &'static str, found: impl Display, advice: impl Into<String>) -> Finding {
    Finding::new(check, Verdict::Fail, found, advice)
}

/// This user may not look.
pub(super) fn not_permitted(check: &'static str, found: impl Display) -> Finding {
    Finding {
        not_permitted: true,
        ..fail(check, found, "run this as root, as the daemon is")
    }
}

/// Something on this host failed: for whoever is not root, that says little.
pub(super) fn failed_here(
    check: &'static str,
    failure: &Failure,
    advice: impl Into<String>,
) -> Finding {
    if failure.kind == FailureKind::Local && !is_root() {
        not_permitted(check, failure)
    } else {
        fail(check, failure, advice)
    }
}
