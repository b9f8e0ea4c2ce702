//! What the daemon tells people and machines about itself. It reports and decides nothing.

pub mod events;
pub mod ids;

use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Sends the log to the journal where there is one, else to standard error. `verbose` adds every event and action of the machine.
///
/// Returns whether it is the journal.
pub fn init(verbose: bool) -> bool {
    let level = if verbose {
        LevelFilter::DEBUG
    } else {
        LevelFilter::INFO
    };
    // The client library calls every answer of 500 and more an error of ours; we say ourselves what an answer means.
    let filter = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("rollboot", level)
        .with_target("kube_client", LevelFilter::OFF)
        .with_target("zbus", LevelFilter::ERROR);
    let registry = tracing_subscriber::registry().with(filter);
    // Set by systemd when standard error is the journal: a person at a terminal reads standard error.
    let under_systemd = std::env::var_os("JOURNAL_STREAM").is_some();
    let journal = under_systemd
        .then(tracing_journald::layer)
        .and_then(Result::ok);
    match journal {
        Some(layer) => {
            let layer = layer
                // Otherwise a field becomes F_MESSAGE_ID, which no catalog knows.
                .with_field_prefix(None)
                .with_syslog_identifier("rollboot".to_owned())
                .with_priority_mappings(PriorityMappings {
                    info: Priority::Informational,
                    debug: Priority::Debug,
                    ..PriorityMappings::new()
                });
            registry.with(layer).init();
            true
        }
        None => {
            let layer = tracing_subscriber::fmt::layer()
                .with_writer(std::io::stderr)
                .with_target(false);
            registry.with(layer).init();
            false
        }
    }
}
