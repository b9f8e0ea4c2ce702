//! The configuration in force, and what a turn notes of it.

use std::path::PathBuf;
use std::sync::Arc;

use super::run::{Options, StartError};
use crate::config::Config;
use crate::config::load::{ConfigError, merge, texts};
use crate::host::JournalFile;
use crate::journal::{Place, Record};

/// A configuration that could be loaded, and what it was made of.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) config: Arc<Config>,
    files: Vec<(PathBuf, String)>,
}

impl Settings {
    /// What is on disk.
    pub(super) fn load(options: &Options) -> Result<Self, ConfigError> {
        Self::of(texts(&options.root, options.config.as_deref())?)
    }

    /// What the turn that runs has noted, where what is on disk is `broken`: nobody mends it before the node is back, perhaps,
    /// and slot and cordon must not wait for that.
    ///
    /// # Errors
    /// Without a turn: the configuration is broken. With one: nothing usable is noted.
    pub(super) fn of_turn(journal: &JournalFile, broken: ConfigError) -> Result<Self, StartError> {
        let stuck = |broken, why: String| StartError::Stuck { broken, why };
        let stored = match journal.read_all() {
            Ok(stored) => stored,
            Err(error) => return Err(stuck(broken, error.to_string())),
        };
        match (stored.journal.turn, stored.record) {
            (None, _) => Err(broken.into()),
            (Some(_), None) => {
                let why = "a turn runs, and its record holds no configuration to end it with";
                Err(stuck(broken, why.to_owned()))
            }
            (Some(_), Some(record)) => Self::of(record.configuration)
                .map_err(|error| stuck(broken, format!("a turn runs, and of its record: {error}"))),
        }
    }

    fn of(files: Vec<(PathBuf, String)>) -> Result<Self, ConfigError> {
        let config = Arc::new(merge(&files)?);
        Ok(Self { config, files })
    }

    /// What a turn notes that begins, or goes on, at this place.
    pub(super) fn record(&self, place: &Place) -> Record {
        Record {
            place: place.clone(),
            configuration: self.files.clone(),
        }
    }
}
