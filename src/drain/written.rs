//! When the status of a controller was written, as far as one read of it tells.
//!
//! `managedFields` have the times, in whole seconds. A pod that is replaced within the second of the write before leaves the same
//! time, and the same numbers. The server gives an object another version with each write of any part of it; where nothing but
//! the status can have been that part, the version tells of such a write too.

use serde::{Deserialize, Serialize};

/// Compared with that of another read, and never with a clock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Noted")]
pub struct Written {
    /// When the status was last changed, by each who did, as `managedFields` have it; empty if nobody did, or they do not say.
    pub times: String,
    /// `metadata.resourceVersion` of the whole object; empty if it is not known.
    pub version: String,
    /// A digest of all the metadata but these two: of everything that another write than one of the status leaves a trace in.
    pub others: u64,
}

impl Written {
    /// Whether the status was written between an earlier read and this one. The closer the two, the less can be missed: somebody
    /// who changes something else, and changes it back without a trace, must have come between them.
    pub fn since(&self, earlier: &Self) -> bool {
        let known = !self.version.is_empty() && !earlier.version.is_empty();
        let again = known && self.version != earlier.version && self.others == earlier.others;
        self.times != earlier.times || again
    }

    /// Nobody says when: no two reads can be told apart.
    pub fn is_untold(&self) -> bool {
        self.times.is_empty() && self.version.is_empty()
    }
}

impl From<&str> for Written {
    /// At these times; the rest is not known.
    fn from(times: &str) -> Self {
        times.to_owned().into()
    }
}

impl From<String> for Written {
    /// At these times; the rest is not known.
    fn from(times: String) -> Self {
        Self {
            times,
            ..Self::default()
        }
    }
}

/// As a journal has it: one of an older version has the times only.
#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Noted {
    Times(String),
    Full {
        times: String,
        version: String,
        others: u64,
    },
}

impl From<Noted> for Written {
    fn from(noted: Noted) -> Self {
        match noted {
            Noted::Times(times) => times.into(),
            Noted::Full {
                times,
                version,
                others,
            } => Self {
                times,
                version,
                others,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(times: &str, version: &str, others: u64) -> Written {
        Written {
            times: times.into(),
            version: version.into(),
            others,
        }
    }

    #[test]
    fn another_version_of_which_nothing_else_has_changed_is_a_write_of_the_status() {
        let then = written("52", "100", 7);
        assert!(!then.since(&then));
        assert!(written("53", "101", 7).since(&then));
        assert!(written("52", "101", 7).since(&then), "in the same second");
        // Somebody has annotated it; whether the status was written besides, nobody knows.
        assert!(!written("52", "101", 8).since(&then));
        assert!(written("53", "101", 8).since(&then));
        // A journal of an older version has no version of the object.
        assert!(!then.since(&"52".into()));
        assert!(then.since(&"51".into()));
        assert!(!Written::from("52").since(&then));
    }

    #[test]
    fn a_journal_has_it_as_it_is_and_an_older_one_has_the_times() {
        let full = written("52", "100", u64::MAX);
        let text = serde_json::to_string(&full).unwrap();
        assert_eq!(serde_json::from_str::<Written>(&text).unwrap(), full);
        let older: Written = serde_json::from_str(r#""52 53""#).unwrap();
        assert_eq!(older, "52 53".into());
        for damaged in ["{}", "7", r#"{"times":"52"}"#] {
            assert!(serde_json::from_str::<Written>(damaged).is_err());
        }
    }
}
