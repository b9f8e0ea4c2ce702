//! What else reboots this host by itself, as far as its files and units tell.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::bus::Bus;
use super::systemd;
use crate::rooted::Root;

mod syntax;

use syntax::{apt, ini, is_true, shell};

/// Something that may reboot the host without asking the lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebooter {
    /// What was found.
    pub found: String,
    /// How to keep it from rebooting.
    pub advice: String,
}

/// Everything of that kind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rebooters {
    /// What was found.
    pub found: Vec<Rebooter>,
    /// Why it cannot be told which units are active, if so.
    pub blind: Option<String>,
}

/// Services that reboot their host when they see fit, and how to keep each from it.
const UNITS: [(&str, &str); 4] = [
    (
        "rebootmgr.service",
        "rebootmgrctl set-strategy off, or: systemctl disable --now rebootmgr",
    ),
    ("zincati.service", "systemctl disable --now zincati"),
    ("locksmithd.service", "systemctl mask --now locksmithd"),
    (
        TRANSACTIONAL,
        "REBOOT_METHOD=none in /etc/transactional-update.conf",
    ),
];
const TRANSACTIONAL: &str = "transactional-update.timer";

/// Looks at everything that is known to reboot hosts.
pub(super) async fn find(root: &Root, bus: &Bus) -> Rebooters {
    let mut found: Vec<_> = [unattended_upgrades(root), dnf_automatic(root)]
        .into_iter()
        .flatten()
        .collect();
    let names: Vec<String> = UNITS.iter().map(|(unit, _)| (*unit).to_owned()).collect();
    let blind = match systemd::inactive_units(bus, &names).await {
        Ok(inactive) => {
            for (unit, advice) in UNITS {
                let prefix = format!("{unit}:");
                let active = !inactive.iter().any(|line| line.starts_with(&prefix));
                if active && (unit != TRANSACTIONAL || transactional_update_reboots(root)) {
                    found.push(Rebooter {
                        found: format!("{unit} is active"),
                        advice: advice.to_owned(),
                    });
                }
            }
            None
        }
        Err(failure) => Some(failure.message),
    };
    Rebooters { found, blind }
}

fn unattended_upgrades(root: &Root) -> Option<Rebooter> {
    const KEY: &str = "Unattended-Upgrade::Automatic-Reboot";
    if !root.join("/usr/bin/unattended-upgrade").exists() {
        return None;
    }
    // apt reads the parts first, then the main file; the last word counts.
    let mut files = parts(root, "/etc/apt/apt.conf.d");
    files.push("/etc/apt/apt.conf".into());
    let (file, _) = files
        .into_iter()
        .filter_map(|file| {
            let value = apt(&read(root, &file)?, KEY)?;
            Some((file, value))
        })
        .next_back()
        .filter(|(_, value)| is_true(value))?;
    Some(Rebooter {
        found: format!("unattended-upgrades reboots by itself ({file}: {KEY} is true)"),
        advice: format!(
            "set {KEY} to \"false\" in a later file of /etc/apt/apt.conf.d; what it asks for in /run/reboot-required is then rollboot's to do"
        ),
    })
}

/// The files of a folder that apt reads, in its order.
fn parts(root: &Root, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(root.join(folder)).into_iter().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| {
            let ending = Path::new(name).extension();
            let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
            ending.is_none_or(|ending| ending == "conf") && name.chars().all(plain)
        })
        .collect();
    names.sort();
    names
        .iter()
        .map(|name| format!("{folder}/{name}"))
        .collect()
}

/// dnf-automatic of dnf 4 and of dnf 5 read the same file; neither reboots by default.
fn dnf_automatic(root: &Root) -> Option<Rebooter> {
    const FILE: &str = "/etc/dnf/automatic.conf";
    let value = ini(&read(root, FILE)?, "commands", "reboot")?;
    matches!(value.as_str(), "when-needed" | "when-changed").then(|| Rebooter {
        found: format!("dnf-automatic reboots by itself ({FILE}: reboot = {value})"),
        advice: format!("reboot = never in {FILE}"),
    })
}

/// Unless it is told otherwise, it asks rebootmgr or systemd.
fn transactional_update_reboots(root: &Root) -> bool {
    let mut files = vec!["/usr/etc/transactional-update.conf".to_owned()];
    files.extend(parts(root, "/usr/etc/transactional-update.conf.d"));
    files.push("/etc/transactional-update.conf".to_owned());
    let mut values = BTreeMap::new();
    for text in files.iter().filter_map(|file| read(root, file)) {
        values.extend(shell(&text));
    }
    let method = values.get("REBOOT_METHOD").map(String::as_str);
    !matches!(method, Some("none" | "notify" | "kured"))
}

fn read(root: &Root, path: &str) -> Option<String> {
    fs::read_to_string(root.join(path)).ok()
}

#[cfg(test)]
mod tests;
