//! This host: its files, logind and PID 1. Adapters report facts and decide nothing.

pub mod boot;
pub mod notify;

mod answer;
mod bus;
mod busy;
mod hints;
mod journal_file;
mod kubelet;
mod logind;
mod mounts;
mod process_lock;
mod rebooters;
#[cfg(test)]
mod scratch;
mod sentinel;
#[cfg(test)]
mod stand_in;
mod state;
mod systemd;
mod untrusted;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use crate::rooted::Root;
pub use bus::{Bus, CALL, CONNECT};
pub use hints::Hints;
pub use journal_file::{JournalError, JournalFile, Stored, Unusable};
pub use kubelet::GracePeriod;
pub use logind::ShutdownDelay;
pub use process_lock::{ProcessLock, ProcessLockError};
pub use rebooters::{Rebooter, Rebooters};
pub use sentinel::{Sentinel, SentinelReading, listed};
pub use state::{Folder, is_root};

use crate::failure::Failure;
use crate::journal::Journal;
use crate::ports::{Host, HostGates, RebootAnswer};
use crate::request::Requests;
use crate::shutdown::{ShutdownFacts, StopReason};

/// The host that this process runs on.
#[derive(Debug)]
pub struct LocalHost {
    root: Root,
    sentinels: Vec<PathBuf>,
    bus: Arc<Bus>,
    journal: JournalFile,
    /// What looks at the configuration on disk: it belongs to whoever loads it.
    configuration: Option<LookAtConfiguration>,
}

/// Says why the configuration cannot be loaded, if it cannot: below this root, with this file in the place of the main one.
#[derive(Debug, Clone)]
struct LookAtConfiguration {
    look: fn(&Path, Option<&Path>) -> Option<String>,
    file: Option<PathBuf>,
}

impl LocalHost {
    /// The host under `root`, with these sentinels. Nothing is opened yet.
    pub fn new(root: Root, sentinels: Vec<PathBuf>) -> Self {
        let bus = Bus::of(&root);
        Self::with_bus(root, sentinels, bus)
    }

    /// The same with another bus.
    pub fn with_bus(root: Root, sentinels: Vec<PathBuf>, bus: Bus) -> Self {
        let journal = JournalFile::of(&root);
        Self {
            root,
            sentinels,
            bus: Arc::new(bus),
            journal,
            configuration: None,
        }
    }

    /// The same host, where `look` says why the configuration on disk cannot be loaded, if it cannot: below a root, with `file` in
    /// the place of the main file.
    #[must_use]
    pub fn with_configuration(
        self,
        look: fn(&Path, Option<&Path>) -> Option<String>,
        file: Option<PathBuf>,
    ) -> Self {
        Self {
            configuration: Some(LookAtConfiguration { look, file }),
            ..self
        }
    }

    /// The prefix of its paths.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// Its journal file.
    pub fn journal(&self) -> &JournalFile {
        &self.journal
    }

    /// The same host with other sentinels: the same connection to its bus, the same journal.
    #[must_use]
    pub fn with_sentinels(&self, sentinels: Vec<PathBuf>) -> Self {
        Self {
            root: self.root.clone(),
            sentinels,
            bus: Arc::clone(&self.bus),
            journal: self.journal.clone(),
            configuration: self.configuration.clone(),
        }
    }

    /// Reads all sentinels, with what is wrong with them and what the status shows.
    pub fn read_sentinels(&self) -> SentinelReading {
        sentinel::read(&self.root, &self.sentinels)
    }

    /// Hints that a sentinel, or its list of packages, may have changed. The first comes at once. Needs a runtime.
    pub fn sentinel_hints(&self) -> Hints {
        let packages = self
            .sentinels
            .iter()
            .map(|path| sentinel::packages_path(path));
        let paths = self.sentinels.iter().cloned().chain(packages).collect();
        watch::watch(self.root.clone(), paths)
    }

    /// For how long logind lets a shutdown wait, and for whom.
    ///
    /// # Errors
    /// logind did not answer.
    pub async fn shutdown_delay(&self) -> Result<ShutdownDelay, Failure> {
        logind::shutdown_delay(&self.bus).await
    }

    /// For how long the kubelet wants a shutdown to wait, as its configuration file says.
    pub fn grace_period(&self) -> GracePeriod {
        kubelet::grace_period(&self.root)
    }

    /// Whether the kubelet that runs may reach the API server through a proxy.
    pub fn kubelet_has_proxy(&self) -> bool {
        kubelet::has_proxy(&self.root)
    }

    /// The kubeconfig of the kubelet that runs, as its command line names it, if that can be seen and the file is there.
    pub fn running_kubeconfig(&self) -> Option<PathBuf> {
        kubelet::kubeconfig(&self.root)
    }

    /// Everything else that may reboot this host by itself, as far as files and units tell.
    pub async fn rebooters(&self) -> Rebooters {
        rebooters::find(&self.root, &self.bus).await
    }

    /// The folder of the journal as it is now. Nothing is written to find out.
    pub fn state_folder(&self) -> Folder {
        let path = self.journal.path();
        state::look(path.parent().unwrap_or(path))
    }

    /// Whether the sentinel's folder is there: without it nothing can ask.
    pub fn has_folder_of(&self, sentinel: &Path) -> bool {
        let folder = sentinel.parent().unwrap_or(sentinel);
        self.root.has(folder)
    }

    /// Hints that the facts about a shutdown may have changed. The first comes with the connection. Needs a runtime.
    pub fn shutdown_hints(&self) -> Hints {
        logind::shutdown_hints(Arc::clone(&self.bus))
    }
}

impl Host for LocalHost {
    async fn shutdown_facts(&self) -> ShutdownFacts {
        systemd::shutdown_facts(&self.bus).await
    }

    async fn stop_reason(&self) -> StopReason {
        systemd::stop_reason(&self.bus).await
    }

    async fn boot_time(&self) -> Result<i64, Failure> {
        let by_clock = boot::booted_at(&self.root)?.as_second();
        // The clock may have been set forward since, as it is without a battery. What started before bears the earlier time, and
        // would seem to be from before this boot for ever.
        let early = systemd::booted_by_early_clock(&self.bus).await;
        Ok(early.map_or(by_clock, |early| early.min(by_clock)))
    }

    async fn gates(&self) -> Result<HostGates, Failure> {
        let (gates, start) = tokio::join!(logind::gates(&self.bus), systemd::start(&self.bus));
        let (can_reboot, inhibitors) = gates?;
        Ok(HostGates {
            can_reboot,
            inhibitors,
            package_manager: busy::package_manager(&self.root),
            hold: busy::hold(&self.root),
            configuration: self
                .configuration
                .as_ref()
                .and_then(|it| (it.look)(self.root.path(), it.file.as_deref())),
            start,
        })
    }

    async fn reboot(&self) -> RebootAnswer {
        logind::reboot(&self.bus).await
    }

    async fn sentinels(&self) -> Requests {
        self.read_sentinels().requests
    }

    async fn inactive_units(&self, units: &[String]) -> Result<Vec<String>, Failure> {
        systemd::inactive_units(&self.bus, units).await
    }

    async fn write_journal(&self, journal: &Journal) -> Result<(), Failure> {
        self.journal.write(journal).await
    }
}

#[cfg(test)]
mod tests {
    use super::scratch::Scratch;
    use super::stand_in::StandIn;
    use super::*;
    use std::fs;
    use std::time::Duration;

    #[tokio::test]
    async fn a_clock_that_is_set_forward_after_the_boot_does_not_make_the_boot_later() {
        let scratch = Scratch::new();
        let root = Root::new(scratch.path());
        fs::create_dir(root.join("/proc")).unwrap();
        let stand_in = StandIn::new();
        let host = LocalHost::with_bus(root.clone(), Vec::new(), stand_in.bus());
        let unit = zbus::OwnedObjectPath::try_from("/org/freedesktop/systemd1/unit/x").unwrap();
        stand_in.reply("LoadUnit(basic.target)", &unit);
        stand_in.property("ActiveEnterTimestamp", 1_700_000_009_000_000_u64);
        stand_in.property("ActiveEnterTimestampMonotonic", 9_000_000_u64);
        for (by_clock, boot_time) in [
            (1_700_000_000, 1_700_000_000),
            (1_700_007_200, 1_700_000_000),
            (1_699_990_000, 1_699_990_000),
        ] {
            fs::write(root.join("/proc/stat"), format!("btime {by_clock}\n")).unwrap();
            assert_eq!(host.boot_time().await, Ok(boot_time));
        }
        stand_in.silence("LoadUnit(basic.target)");
        fs::write(root.join("/proc/stat"), "btime 1700007200\n").unwrap();
        assert_eq!(host.boot_time().await, Ok(1_700_007_200));
    }

    #[tokio::test]
    async fn the_local_host_asks_each_of_its_parts() {
        let scratch = Scratch::new();
        let root = Root::new(scratch.path());
        fs::create_dir(root.join("/run")).unwrap();
        let stand_in = StandIn::new();
        stand_in.reply("RebootWithFlags", &());
        stand_in.reply("CanReboot", &"yes");
        let none: Vec<(String, String, String, String, u32, u32)> = Vec::new();
        stand_in.reply("ListInhibitors", &none);
        let host = LocalHost::with_bus(root.clone(), Vec::new(), stand_in.bus());
        let host = host.with_sentinels(vec!["/run/reboot-required".into()]);
        let hints = host.sentinel_hints();
        hints.next().await;
        assert_eq!(host.sentinels().await.len(), 0);
        fs::write(root.join("/run/reboot-required"), "").unwrap();
        let hint = tokio::time::timeout(Duration::from_secs(5), hints.next());
        hint.await.unwrap();
        assert_eq!(host.sentinels().await.len(), 1);

        assert_eq!(host.gates().await.unwrap().can_reboot, "yes");
        assert_eq!(host.reboot().await.connection, 1);
        assert_eq!(host.shutdown_facts().await.connection, 1);
        assert_eq!(host.stop_reason().await, StopReason::Unknown);
        assert!(host.inactive_units(&[]).await.unwrap().is_empty());

        host.write_journal(&Journal::default()).await.unwrap();
        assert_eq!(host.journal().read(), Ok(Journal::default()));
        assert!(host.journal().path().starts_with(host.root().path()));
    }
}
