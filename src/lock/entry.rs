//! The value of the own slot.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Largest value that is written or read, in bytes (the admission policy has the same number).
const MAX_LEN: usize = 1024;

/// Sixteen hexadecimal digits, drawn at random: names one turn, or one start of the daemon (a *stamp*).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TurnId(pub u64);

impl fmt::Display for TurnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for TurnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for TurnId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = text.len() == 16
            && text
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !wanted {
            return Err(format!("{text:?} is not 16 lower-case hexadecimal digits"));
        }
        u64::from_str_radix(text, 16)
            .map(Self)
            .map_err(|error| error.to_string())
    }
}

impl Serialize for TurnId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TurnId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What a holder writes into its slot. The turn, the node's UID, the boot ID and the time are those of the acquisition and
/// never change; the stamp is that of the process that wrote last.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Entry {
    /// Version of this format.
    pub v: u8,
    /// The turn, the same from acquisition to release.
    pub turn: TurnId,
    /// The start of the daemon that wrote this: a late write of an earlier process is thereby void.
    pub stamp: TurnId,
    /// UID of the own Node at acquisition.
    pub node_uid: String,
    /// Boot ID of the host at acquisition.
    pub boot_id: String,
    /// When the slot was acquired, RFC 3339.
    pub since: String,
    /// Whether its node drains. Absent where only one turn may run: then nobody else is there to ask, and whoever asks later takes
    /// it for yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draining: Option<bool>,
}

impl Entry {
    /// The version of the format that this program writes.
    pub const VERSION: u8 = 1;

    /// Reads the own value; nothing else is an entry of ours, and the caller treats it as a slot with unknown contents.
    pub fn parse(value: &str) -> Option<Self> {
        if value.len() > MAX_LEN {
            return None;
        }
        serde_json::from_str::<Self>(value)
            .ok()
            .filter(|entry| entry.v == Self::VERSION)
    }

    /// The text of the annotation.
    pub fn encode(&self) -> String {
        // A struct of strings and numbers cannot fail to serialise; the empty text would be read as "unknown contents".
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_survives_the_way_through_the_annotation() {
        let entry = Entry {
            v: 1,
            turn: TurnId(0xabc),
            stamp: TurnId(7),
            node_uid: "u".into(),
            boot_id: "b".into(),
            since: "2026-01-01T00:00:00Z".into(),
            draining: None,
        };
        assert_eq!(Entry::parse(&entry.encode()), Some(entry.clone()));
        assert!(!entry.encode().contains("draining"));
        let drains = Entry {
            draining: Some(true),
            ..entry.clone()
        };
        assert!(drains.encode().ends_with(r#","draining":true}"#));
        assert_eq!(Entry::parse(&drains.encode()), Some(drains));
        assert!(entry.encode().contains(r#""turn":"0000000000000abc""#));
    }

    #[test]
    fn anything_else_is_no_entry() {
        for garbage in ["", "{}", "null", "\u{0}", r#"{"v":2}"#, &"x".repeat(5000)] {
            assert_eq!(Entry::parse(garbage), None, "{garbage:?}");
        }
    }

    #[test]
    fn an_id_is_sixteen_lower_case_digits() {
        for wrong in [
            "",
            "1",
            "00000000000000AB",
            "+0000000000000ab",
            "000000000000000g",
        ] {
            assert!(wrong.parse::<TurnId>().is_err(), "{wrong:?}");
        }
    }
}
