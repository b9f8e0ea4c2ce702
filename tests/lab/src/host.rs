//! Hosts that a daemon can live on: each a root folder with what rollboot reads of a Linux system, and a system bus of its own
//! with a logind and a PID 1. They boot, and when logind is asked to reboot they really go down: the daemon is killed, `/run` is
//! emptied, the boot ID is another one.

pub mod alone;
mod files;
mod life;
mod log;
mod systemd;
#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use fastrand::Rng;

pub use life::Pace;
pub use log::{Happened, Log, Occurrence};
pub use systemd::{Inhibitor, Systemd};

/// Whether a host runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Power {
    /// It is off, or its firmware runs.
    Off,
    /// It runs.
    On,
    /// It runs, and logind has announced the shutdown.
    ShuttingDown,
}

/// A host. A clone is the same one.
#[derive(Debug, Clone)]
pub struct Host(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    name: String,
    root: PathBuf,
    systemd: Systemd,
    power: Cell<Power>,
    /// The kubelet is up.
    kubelet: Cell<bool>,
    boot_id: RefCell<String>,
    rng: RefCell<Rng>,
    log: Log,
}

impl Host {
    /// A host that is off, with its root folder below `folder` and the node's kubeconfig in it.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn new(
        folder: &Path,
        name: &str,
        kubeconfig: &str,
        rng: Rng,
        log: Log,
    ) -> std::io::Result<Self> {
        let root = folder.join(name);
        files::install(&root, name, kubeconfig)?;
        Ok(Self(Rc::new(Inner {
            name: name.to_owned(),
            root,
            systemd: Systemd::new(),
            power: Cell::new(Power::Off),
            kubelet: Cell::new(false),
            boot_id: RefCell::default(),
            rng: RefCell::new(rng),
            log,
        })))
    }

    /// The name of the host and of its Node.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Its root folder.
    pub fn root(&self) -> &Path {
        &self.0.root
    }

    /// Its logind and PID 1.
    pub fn systemd(&self) -> &Systemd {
        &self.0.systemd
    }

    /// Whether it runs.
    pub fn power(&self) -> Power {
        self.0.power.get()
    }

    /// The kernel's name for the present boot, or for the last one.
    pub fn boot_id(&self) -> String {
        self.0.boot_id.borrow().clone()
    }

    /// Whether the kubelet is up.
    pub fn kubelet_runs(&self) -> bool {
        self.0.kubelet.get()
    }

    /// What package managers do when a reboot is needed.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn ask_for_reboot(&self) -> std::io::Result<()> {
        files::write_sentinel(self.root())?;
        self.note(Happened::Sentinel);
        Ok(())
    }

    /// What the daemon says of itself, if it runs and has said anything.
    pub fn status(&self) -> Option<rollboot::daemon::StatusReport> {
        let path = self.root().join("run/rollboot/status.json");
        serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()
    }

    fn note(&self, what: Happened) {
        self.0.log.note(self.name(), what);
    }
}
