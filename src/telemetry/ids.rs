//! One id per event that operators search for, as `MESSAGE_ID` in the system's journal and in `systemd/rollboot.catalog`.
//!
//! They are stable: `journalctl MESSAGE_ID=…`, alerts and the catalog depend on them. An id is never given to another event.

/// A slot of the lock was acquired: this node's turn begins.
pub const TURN_ACQUIRED: &str = "a282b4e771734681b7781a3ebf7a00fa";
/// The own Node was cordoned.
pub const CORDONED: &str = "cb7f240e1d7647509ed907fa5deb71d0";
/// Evictions begin.
pub const DRAIN_STARTED: &str = "dbc7fbd371f0468d80536dbd90ac11da";
/// Nothing is left to evict.
pub const DRAIN_FINISHED: &str = "8fe941ed6a2b49ca9735f04c1a4d157f";
/// A turn failed: a drain that was refused or not done in time, a slot that was taken away, a logind that would not.
pub const TURN_FAILED: &str = "350c6a675e344612bfbce64939834781";
/// A turn was undone before the reboot.
pub const UNDONE: &str = "43068f98db11485f8f660350cdd57300";
/// logind was asked to reboot.
pub const REBOOT_ASKED: &str = "b04656039d5a4cd9b71058c7a97acb46";
/// logind was asked to reboot and the host did not go down.
pub const REBOOT_DID_NOT_HAPPEN: &str = "acd462d62bdf47e2b97d808e278f3a97";
/// The node is back and healthy after its reboot.
pub const RECOVERED: &str = "3dd36157d06d40f78f0d49b5fce305b2";
/// The slot was released.
pub const RELEASED: &str = "deae0f678e064660b7a6ebefb4bed363";
/// A reboot is needed and cannot begin yet.
pub const WAITING: &str = "811e90989bdd47128eefb71ef9d1cc66";
/// The node needs an operator, or a new sentinel.
pub const LATCHED: &str = "64889401690342ecb6218c8c616bcdd8";
/// The node rebooted and is not healthy.
pub const NOT_HEALTHY_AFTER_BOOT: &str = "142ff0dd5a1b4e5899b3f461f7456b92";
/// The lock object is another one than before.
pub const LOCK_RECREATED: &str = "f9a9a72de7c04aa2b849cacb7e268707";
/// The lock object does not exist or may not be used.
pub const LOCK_NOT_ARMED: &str = "c2b13d10fa3e48c4b7aa906c503d56ae";
/// The configuration cannot be used.
pub const CONFIGURATION_ERROR: &str = "e308733cddec452aa856c0b18b1850be";

/// All of them, each with its name.
pub const ALL: [(&str, &str); 16] = [
    ("TURN_ACQUIRED", TURN_ACQUIRED),
    ("CORDONED", CORDONED),
    ("DRAIN_STARTED", DRAIN_STARTED),
    ("DRAIN_FINISHED", DRAIN_FINISHED),
    ("TURN_FAILED", TURN_FAILED),
    ("UNDONE", UNDONE),
    ("REBOOT_ASKED", REBOOT_ASKED),
    ("REBOOT_DID_NOT_HAPPEN", REBOOT_DID_NOT_HAPPEN),
    ("RECOVERED", RECOVERED),
    ("RELEASED", RELEASED),
    ("WAITING", WAITING),
    ("LATCHED", LATCHED),
    ("NOT_HEALTHY_AFTER_BOOT", NOT_HEALTHY_AFTER_BOOT),
    ("LOCK_RECREATED", LOCK_RECREATED),
    ("LOCK_NOT_ARMED", LOCK_NOT_ARMED),
    ("CONFIGURATION_ERROR", CONFIGURATION_ERROR),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const CATALOG: &str = include_str!("../../systemd/rollboot.catalog");

    #[test]
    fn every_id_is_explained_in_the_catalog_once() {
        let explained: Vec<&str> = CATALOG
            .lines()
            .filter_map(|line| line.strip_prefix("-- "))
            .collect();
        let known: Vec<&str> = ALL.iter().map(|(_, id)| *id).collect();
        assert_eq!(explained, known);
        let distinct: BTreeSet<_> = known.iter().collect();
        assert_eq!(distinct.len(), ALL.len());
    }

    #[test]
    fn ids_are_what_the_journal_takes_for_one() {
        for (name, id) in ALL {
            let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
            assert!(id.len() == 32 && id.bytes().all(hex), "{name}");
        }
    }

    #[test]
    fn every_entry_of_the_catalog_has_a_subject_and_a_text() {
        for entry in CATALOG.split("\n-- ").skip(1) {
            let (head, text) = entry.split_once("\n\n").unwrap();
            assert!(head.contains("\nSubject: "), "{entry}");
            assert!(head.contains("\nDefined-By: rollboot"), "{entry}");
            assert!(!text.trim().is_empty(), "{entry}");
        }
    }
}
