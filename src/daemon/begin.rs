//! What must be there before there is a machine: a journal that can be read, a kubeconfig, a name. It is waited for, and told.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::control::Control;
use super::run::{Options, StartError};
use super::service::{Signals, reload, sentinels, watchdog};
use super::settings::Settings;
use super::status::{FILE, Report, StatusFile};
use crate::cluster::KubeletCluster;
use crate::config::Config;
use crate::failure::Failure;
use crate::host::{JournalError, LocalHost, SentinelReading, Stored, boot, notify};
use crate::journal::{Journal, Record};
use crate::machine::{Gate, HostId, Status};
use crate::telemetry::ids;

/// How often is looked for what is not there yet.
const LOOK_AGAIN: Duration = Duration::from_secs(15);

/// What is wrong around the machine and stays so until somebody mends it.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// The configuration on disk, which is not the one in force.
    pub(super) config: Option<String>,
    /// What the configuration says and a turn that runs does not follow.
    place: Option<String>,
    damage: Option<Damage>,
}

/// A journal that made no sense, and where it is kept. It is told of as long as it lies there.
#[derive(Debug)]
struct Damage {
    why: String,
    aside: PathBuf,
}

/// What a machine begins with.
pub(super) struct Begun {
    pub(super) cluster: KubeletCluster,
    pub(super) settings: Settings,
    /// A turn runs at the place that its record names, and the configuration may lead to another.
    pub(super) elsewhere: bool,
    pub(super) id: HostId,
    pub(super) journal: Journal,
    pub(super) reading: SentinelReading,
}

/// Something that is not there.
struct Obstacle {
    gate: Gate,
    what: &'static str,
    error: StartError,
}

/// Waits for all of it.
pub(super) struct Waiting<'a> {
    pub(super) options: &'a Options,
    pub(super) host: &'a LocalHost,
    pub(super) signals: &'a mut Signals,
    pub(super) control: &'a mut Control,
    pub(super) notes: &'a mut Notes,
}

impl Notes {
    /// The configuration on disk is not the one in force.
    pub(super) fn note_broken(&mut self, text: String) {
        tracing::error!(message_id = ids::CONFIGURATION_ERROR, "{text}");
        self.config = Some(text);
    }

    pub(super) fn problems(&self) -> impl Iterator<Item = String> {
        let damage = self.damage.as_ref().filter(|damage| damage.aside.exists());
        self.config
            .iter()
            .chain(&self.place)
            .cloned()
            .chain(damage.map(|damage| damage.why.clone()))
    }
}

impl Waiting<'_> {
    /// `None`: asked to end meanwhile.
    ///
    /// # Errors
    /// Only for an `abort`, which does not wait.
    pub(super) async fn begin(
        mut self,
        mut settings: Settings,
    ) -> Result<Option<Begun>, StartError> {
        let since = Timestamp::now();
        let mut said = String::new();
        // One for all rounds: made anew in each, it would never be due.
        let mut watchdog = watchdog();
        loop {
            match self.attempt(&settings).await {
                Ok(begun) => return Ok(Some(begun)),
                Err(obstacle) if self.options.abort => return Err(obstacle.error),
                Err(obstacle) => {
                    let text = format!("waiting for a {}: {}", obstacle.what, obstacle.error);
                    if text != said {
                        tracing::warn!("{text}");
                        notify::status(&text);
                        said = text;
                    }
                    self.show(&settings.config, since, &obstacle);
                }
            }
            let deadline = Instant::now() + LOOK_AGAIN;
            loop {
                tokio::select! {
                    _ = self.signals.term.recv() => return Ok(None),
                    _ = self.signals.int.recv() => return Ok(None),
                    _ = self.signals.hup.recv() => {
                        settings = reload(self.options, self.notes).unwrap_or(settings);
                        break;
                    }
                    () = self.control.abort_asked() => self.control.answer(&abort_too_early(self.host)),
                    _ = watchdog.tick() => notify::watchdog(),
                    () = tokio::time::sleep_until(deadline) => break,
                }
            }
        }
    }

    async fn attempt(&mut self, settings: &Settings) -> Result<Begun, Obstacle> {
        let reading = self
            .host
            .with_sentinels(settings.config.sentinels.clone())
            .read_sentinels();
        let Stored { journal, record } =
            self.journal(&reading).await.map_err(|error| Obstacle {
                gate: Gate::Journal,
                what: "readable journal",
                error,
            })?;
        let obstacle = |what| {
            move |failure| Obstacle {
                gate: Gate::Api,
                what,
                error: StartError::NoCluster(failure),
            }
        };
        let record = record.filter(|_| journal.turn.is_some());
        let (cluster, elsewhere) = self
            .cluster(&settings.config, record.as_ref())
            .await
            .map_err(obstacle("usable kubeconfig"))?;
        let boot_id = boot::boot_id(self.host.root()).map_err(obstacle("boot ID"))?;
        tracing::info!(
            node = cluster.node(),
            kubeconfig = %cluster.kubeconfig().display(),
            "this node's name comes from {:?}",
            cluster.name_source()
        );
        Ok(Begun {
            id: HostId {
                node: cluster.node().to_owned(),
                boot_id,
            },
            cluster,
            settings: settings.clone(),
            elsewhere,
            journal,
            reading,
        })
    }

    /// A turn ends where it has begun, whatever the configuration says by now; the second is whether that is another place.
    async fn cluster(
        &mut self,
        config: &Config,
        record: Option<&Record>,
    ) -> Result<(KubeletCluster, bool), Failure> {
        self.notes.place = None;
        let running = self.host.running_kubeconfig();
        let root = &self.options.root;
        let Some(Record { place, .. }) = record else {
            let found = KubeletCluster::find(config, root, running.as_deref()).await;
            return found.map(|cluster| (cluster, false));
        };
        // Only what files tell: the server that would tell the rest may be the wrong one.
        let config = Config {
            kubeconfig: config.kubeconfig.clone().or(running),
            ..config.clone()
        };
        let found = KubeletCluster::discover(&config, root).ok();
        let elsewhere = found.is_none_or(|found| found.place() != place);
        if elsewhere {
            let text = format!(
                "a turn of node {}, with {} and the lock {}/{}, ends there; whatever else the configuration says of these takes \
                 effect after it",
                place.node,
                place.kubeconfig.display(),
                place.namespace,
                place.lock
            );
            tracing::warn!("{text}");
            self.notes.place = Some(text);
        }
        let cluster = KubeletCluster::recorded(place, &self.options.root)?;
        Ok((cluster, elsewhere))
    }

    /// A damaged journal is kept aside, and a turn that it told of is given up as one whose history is lost. Which requests had
    /// their reboot is lost too: those that are there now are latched, for the same one must never reboot this host twice.
    async fn journal(&mut self, reading: &SentinelReading) -> Result<Stored, StartError> {
        let file = self.host.journal();
        let error = match file.read_all() {
            Ok(stored) => return Ok(stored),
            Err(error @ (JournalError::Unreadable { .. } | JournalError::Newer { .. })) => {
                return Err(error.into());
            }
            Err(error @ JournalError::Damaged { .. }) => error,
        };
        let mut journal = Journal::default();
        if !reading.requests.is_empty() {
            journal.latch(
                "the journal was damaged, so this sentinel may have had its reboot",
                &reading.requests,
            );
        }
        let aside = file.put_beside().map_err(StartError::Host)?;
        file.write(&journal).await.map_err(StartError::Host)?;
        let why = format!(
            "{error}; it is kept as {}, a turn that it told of is undone, and what asked for a reboot by then must ask anew",
            aside.display()
        );
        tracing::error!("{why}");
        self.notes.damage = Some(Damage { why, aside });
        Ok(Stored {
            journal,
            record: None,
        })
    }

    /// `status` must say something before there is a machine.
    fn show(&self, config: &Config, since: Timestamp, obstacle: &Obstacle) {
        let Obstacle { gate, what, error } = obstacle;
        let why = error.to_string();
        let node = boot::host_name(self.host.root()).unwrap_or_default();
        let host = self.host.with_sentinels(config.sentinels.clone());
        let reading = host.read_sentinels();
        let report = Report {
            pid: std::process::id(),
            machine: Status::before(node, config.mode, since, *gate, what, &why),
            sentinels: sentinels(&reading),
            problems: std::iter::once(why)
                .chain(reading.problems)
                .chain(self.notes.problems())
                .collect(),
        };
        let written = StatusFile::default().write(&self.host.root().join(FILE), &report);
        if let Err(error) = written {
            tracing::warn!(%error, "the status file cannot be written");
        }
    }
}

/// What an operator's abort is answered before there is a cluster to undo anything in.
fn abort_too_early(host: &LocalHost) -> Result<String, String> {
    match host.journal().read() {
        Ok(journal) if journal.turn.is_none() => Ok("no turn is running".into()),
        Ok(_) => Err("a turn is recorded, and without a kubeconfig it cannot be undone".into()),
        Err(error) => Err(error.to_string()),
    }
}
