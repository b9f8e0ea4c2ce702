//! `rollboot pause` and `rollboot resume`: an operator stops the roll, and lets it go on.

use std::time::{SystemTime, UNIX_EPOCH};

use super::operator::{Access, failed, holders};
use super::text::list;
use super::{Exit, Failed, say};
use crate::lock::LockView;

/// Longest reason that is written, in characters: every node shows it.
const MAX_REASON: usize = 1000;
/// Of many names so many are shown.
const SHOWN: usize = 10;

/// Stops new turns.
pub(super) async fn pause(access: &Access, words: &[String]) -> Result<Exit, Failed> {
    let words: String = words
        .join(" ")
        .chars()
        .map(|it| if it.is_control() { ' ' } else { it })
        .take(MAX_REASON)
        .collect();
    // Who it was is good to know, and not worth a refusal: servers before 1.28 do not say.
    let user = access.operator.user().await.ok().flatten();
    let reason = match (words.trim(), user) {
        ("", Some(user)) => format!("by {user}"),
        ("", None) => "by an operator".to_owned(),
        (words, Some(user)) => format!("{words} ({user})"),
        (words, None) => words.to_owned(),
    };
    let view = access
        .write(async |view: &LockView| {
            if let Some(before) = view.pause().filter(|it| *it != reason) {
                say(&format!("it was paused already: {before}"));
            }
            Ok(view.paused(&reason))
        })
        .await?;
    let done = access.unless_dry();
    say(&format!("paused: {reason}{done}"));
    if !view.slots().is_empty() {
        say(&format!(
            "{}; a turn that has asked for its reboot goes on, any other is undone",
            holders(&view)
        ));
    }
    Ok(Exit::Ok)
}

/// Lets turns begin again, on the lock as it stands: it is accepted even if it was made anew or restored from a backup, once it is
/// sure that no turn is under way that it does not know of.
pub(super) async fn resume(access: &Access, force: bool) -> Result<Exit, Failed> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |it| it.as_secs());
    let view = access
        .write(async |view: &LockView| {
            if !force {
                look_for_turns(access, view).await?;
            }
            Ok(view.resuming(now))
        })
        .await?;
    let (lock, done) = (access.operator.lock_label(), access.unless_dry());
    say(&format!(
        "turns may begin, and ConfigMap {lock} counts as it is now (UID {}); {}{done}",
        view.uid,
        holders(&view)
    ));
    Ok(Exit::Ok)
}

/// Refuses where a Node bears the mark of a turn that has no slot in this lock.
async fn look_for_turns(access: &Access, view: &LockView) -> Result<(), Failed> {
    let marked = access.operator.marked_nodes().await;
    let marked = marked.map_err(|failure| {
        let mut failed = failed(failure);
        failed.error = failed.error.context(
            "nothing was changed, for it cannot be seen whether a node is in a turn that the lock has lost; \
             --force does not look",
        );
        failed
    })?;
    let lost = view.unaccounted(&marked);
    if lost.is_empty() {
        return Ok(());
    }
    Err(Failed::new(
        Exit::No,
        anyhow::anyhow!(
            "nothing was changed: in a turn without a slot in the lock, by the annotation rollboot.io/turn of the Node: {}. \
             Wait until they are done, or see to them (rollboot unlock NODE --uncordon); --force does not look",
            list(lost, SHOWN)
        ),
    ))
}
