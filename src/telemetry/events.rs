//! What the machine reports, as journal entries with the MESSAGE_ID that operators and alerts go by.

use super::ids;
use crate::machine::Report;
use crate::plain;

/// Characters of a report. Others write into it, and the journal shows no text with a control character in it.
const LONGEST: usize = 4000;

/// Writes one report to the log.
pub fn report(report: Report, text: &str) {
    let text = plain::line(text, LONGEST);
    match report {
        Report::Acquired => tracing::info!(message_id = ids::TURN_ACQUIRED, "{text}"),
        Report::Cordoned => tracing::info!(message_id = ids::CORDONED, "{text}"),
        Report::DrainStarted => tracing::info!(message_id = ids::DRAIN_STARTED, "{text}"),
        Report::Drained => tracing::info!(message_id = ids::DRAIN_FINISHED, "{text}"),
        Report::TurnFailed => tracing::warn!(message_id = ids::TURN_FAILED, "{text}"),
        Report::Undoing
        | Report::Interrupted
        | Report::NotGuarded
        | Report::StillAttached
        | Report::PodStuck => {
            tracing::warn!("{text}");
        }
        Report::Undone => tracing::info!(message_id = ids::UNDONE, "{text}"),
        Report::RebootAsked => tracing::info!(message_id = ids::REBOOT_ASKED, "{text}"),
        Report::RebootDidNotHappen => {
            tracing::error!(message_id = ids::REBOOT_DID_NOT_HAPPEN, "{text}");
        }
        Report::DrainWaits | Report::Recovering | Report::GoingDown => tracing::info!("{text}"),
        Report::NotHealthy => tracing::error!(message_id = ids::NOT_HEALTHY_AFTER_BOOT, "{text}"),
        Report::Recovered => tracing::info!(message_id = ids::RECOVERED, "{text}"),
        Report::Released => tracing::info!(message_id = ids::RELEASED, "{text}"),
        Report::LockRecreated => tracing::error!(message_id = ids::LOCK_RECREATED, "{text}"),
        Report::NotArmed => tracing::warn!(message_id = ids::LOCK_NOT_ARMED, "{text}"),
        Report::Waiting => tracing::info!(message_id = ids::WAITING, "{text}"),
        Report::Latched => tracing::warn!(message_id = ids::LATCHED, "{text}"),
        Report::Reclaim | Report::Retrying => tracing::warn!("{text}"),
        Report::Defect => tracing::error!("a defect in this program, please report it: {text}"),
    }
}
