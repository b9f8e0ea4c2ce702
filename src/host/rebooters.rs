//! What else reboots this host by itself, as far as its files and units tell.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::fs::{MemfdFlags, memfd_create};
use tokio::process::Command;
use tokio::time::timeout;

use super::bus::Bus;
use super::systemd;
use crate::rooted::Root;

mod syntax;

use syntax::{ini, shell};

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
    /// What cannot be looked at.
    pub blind: Vec<&'static str>,
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
const AUTOMATIC_REBOOT: &str = "Unattended-Upgrade::Automatic-Reboot";
/// For an answer of apt-config, which reads a few files.
const APT: Duration = Duration::from_secs(5);

/// Looks at everything that is known to reboot hosts.
pub(super) async fn find(root: &Root, bus: &Bus) -> Rebooters {
    let mut blind = Vec::new();
    let unattended_upgrades = unattended_upgrades(root).await.unwrap_or_else(|| {
        blind.push("settings of apt");
        Vec::new()
    });
    let mut found: Vec<_> = unattended_upgrades
        .into_iter()
        .chain(dnf_automatic(root))
        .collect();
    let names: Vec<String> = UNITS.iter().map(|(unit, _)| (*unit).to_owned()).collect();
    if let Ok(inactive) = systemd::inactive_units(bus, &names).await {
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
    } else {
        blind.push("units");
    }
    Rebooters { found, blind }
}

/// Whether unattended-upgrades reboots by itself; `None`: apt does not say what it is told.
async fn unattended_upgrades(root: &Root) -> Option<Vec<Rebooter>> {
    if !root.join("/usr/bin/unattended-upgrade").exists() {
        return Some(Vec::new());
    }
    let rebooter = Rebooter {
        found: format!("unattended-upgrades reboots by itself ({AUTOMATIC_REBOOT} is true)"),
        advice: format!(
            "set {AUTOMATIC_REBOOT} to \"false\" in a later file of /etc/apt/apt.conf.d; what it asks for in /run/reboot-required is then rollboot's to do"
        ),
    };
    let reboots = apt_says(root, AUTOMATIC_REBOOT).await.ok()?;
    Some(reboots.then_some(rebooter).into_iter().collect())
}

/// What apt takes the value of a key for: it has a grammar and an order of files of its own.
async fn apt_says(root: &Root, key: &str) -> io::Result<bool> {
    let mut command = Command::new("apt-config");
    command.args(["shell", "VALUE", &format!("{key}/b")]);
    command.stdin(Stdio::null()).kill_on_drop(true);
    // An option on the command line would come after apt has read its files. It takes no pipe for this file, so it is one in memory.
    let mut elsewhere = File::from(memfd_create("apt.conf", MemfdFlags::empty())?);
    if !root.is_real() {
        writeln!(elsewhere, "Dir {:?};", root.path())?;
        command.env(
            "APT_CONFIG",
            format!("/proc/self/fd/{}", elsewhere.as_raw_fd()),
        );
    }
    let output = timeout(APT, command.output()).await??;
    if output.status.success() {
        Ok(output.stdout.starts_with(b"VALUE='true'"))
    } else {
        Err(io::Error::other("apt-config has failed"))
    }
}

/// The files of a folder that are read, in the order of their names.
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
