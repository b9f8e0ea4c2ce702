//! `rollboot unlock NODE`: an operator frees the slot of a node that will not do it itself.

use std::io::{BufRead, IsTerminal, Write};
use std::time::Duration;

use anyhow::{Context, anyhow};

use super::operator::{Access, failed, holders};
use super::{Exit, Failed, say};
use crate::failure::WriteOutcome;
use crate::lock::LockView;
use crate::names::is_node_name;
use crate::node::{NodePatch, NodeView};
use crate::{host, machine};

/// A holder that has read the lock may ask for its reboot until that read is too old, and then has to connect to the bus and to
/// call; one that has not asked for longer than all three, 35 s, after its slot was revoked will not ask any more.
const REVOKED: Duration = machine::FRESH
    .saturating_add(host::CONNECT)
    .saturating_add(host::CALL)
    .saturating_add(Duration::from_secs(5));

/// What the command line says.
#[derive(Debug)]
pub(super) struct Unlock {
    pub(super) node: String,
    pub(super) force: bool,
    pub(super) uncordon: bool,
}

impl Unlock {
    /// Refuses what cannot be the name of a node.
    pub(super) fn check(&self) -> Result<(), Failed> {
        if is_node_name(&self.node) {
            return Ok(());
        }
        let why = anyhow!(
            "{:?} cannot be the name of a node: expected lower-case letters, digits, `-` and `.`",
            self.node
        );
        Err(Failed::new(Exit::Usage, why))
    }
}

pub(super) async fn unlock(access: &Access, ask: &Unlock) -> Result<Exit, Failed> {
    let node = access.operator.read_node(&ask.node).await.map_err(failed)?;
    let view = access.read().await?;
    let mut exit = Exit::Ok;
    if view.own_keys(&ask.node).is_empty() {
        say(&format!("{} holds no slot; {}", ask.node, holders(&view)));
        exit = Exit::No;
    } else if node.is_some() && !ask.force {
        say(&format!(
            "{} holds a slot and its Node exists, so it may be rebooting right now.\n\
             Make sure that it is neither draining nor on its way down, then repeat with --force.",
            ask.node
        ));
        return Ok(Exit::No);
    } else if !free(access, ask).await? {
        return Ok(Exit::No);
    }
    match node {
        Some(node) => Ok(lift_cordon(access, &node, ask).await?.unwrap_or(exit)),
        None => Ok(exit),
    }
}

/// First the entry is revoked, so that a holder that is about to ask for its reboot sees it, then the slot is freed. No: the node
/// has a slot again, of its own.
async fn free(access: &Access, ask: &Unlock) -> Result<bool, Failed> {
    let name = &ask.node;
    let seconds = REVOKED.as_secs();
    access
        .write(async |view: &LockView| Ok(view.revoking(name)))
        .await?;
    if access.dry_run {
        let done = access.unless_dry();
        say(&format!(
            "would revoke the slot of {name}, and free it {seconds} s later{done}"
        ));
        return Ok(true);
    }
    say(&format!(
        "revoked; waiting {seconds} s for a holder that might be about to ask for its reboot (if this is interrupted, repeat it)"
    ));
    tokio::time::sleep(REVOKED).await;
    let view = access
        .write(async |view: &LockView| Ok(view.freeing(name)))
        .await?;
    if view.own_keys(name).is_empty() {
        say(&format!("the slot of {name} is free"));
        return Ok(true);
    }
    say(&format!(
        "{name} has taken its slot anew meanwhile, so it is alive: it keeps it"
    ));
    Ok(false)
}

/// Offers to take away what a turn has left on the Node: its cordon, and what it told autoscalers. `None`: there is nothing.
async fn lift_cordon(
    access: &Access,
    node: &NodeView,
    ask: &Unlock,
) -> Result<Option<Exit>, Failed> {
    // The version that was read: a daemon that has begun to clean up by itself is not disturbed.
    let turn = node.parsed_marker().map(|marker| marker.turn);
    let Some(patch) = NodePatch::clean(node, turn).filter(|_| turn.is_some()) else {
        return Ok(None);
    };
    let name = &ask.node;
    let (question, done) = if patch.unschedulable.is_some() {
        (
            format!("lift the cordon that rollboot set on {name}?"),
            format!("{name} is schedulable again"),
        )
    } else if patch.hands_off.is_empty() {
        return Ok(None);
    } else {
        (
            format!("let autoscalers have {name} again, from which rollboot keeps them off?"),
            format!("autoscalers may have {name} again"),
        )
    };
    if !(ask.uncordon || confirmed(&question)?) {
        return Ok(None);
    }
    match access
        .operator
        .patch_node(name, &patch, access.dry_run)
        .await
    {
        WriteOutcome::Applied(_) => {
            say(&format!("{done}{}", access.unless_dry()));
            Ok(Some(Exit::Ok))
        }
        WriteOutcome::Conflict => {
            say("the Node has changed meanwhile: look, and repeat if it is still cordoned");
            Ok(Some(Exit::No))
        }
        WriteOutcome::Refused(failure) | WriteOutcome::Unknown(failure) => Err(failed(failure)),
    }
}

/// Asks the person at the terminal. Nobody there: no.
fn confirmed(question: &str) -> Result<bool, Failed> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        say("its Node stays as it is; --uncordon says yes to that");
        return Ok(false);
    }
    let mut answer = String::new();
    write!(std::io::stdout(), "{question} [y/N] ")
        .and_then(|()| std::io::stdout().flush())
        .and_then(|()| stdin.lock().read_line(&mut answer))
        .context("cannot ask")
        .map_err(|error| Failed::new(Exit::Unavailable, error))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the manual says, and 35 s that a holder may need.
    #[test]
    fn a_revoked_slot_is_freed_when_its_holder_cannot_ask_any_more() {
        assert_eq!(REVOKED.as_secs(), 40);
        let manual = include_str!("../../packaging/man/rollboot.8");
        let said = format!("then freed after {} seconds", REVOKED.as_secs());
        assert!(manual.contains(&said), "{said}");
    }
}
