//! What happens, told in lines: one for each notable thing.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::replay::{Replay, is_eviction};
use crate::api::{Change, Kind, What};
use crate::cluster::object::{controller, is_cordoned, is_ready, name, node_of};
use crate::host::{Happened, Occurrence};

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When it happened.
    pub at: Instant,
    /// The node that it is about.
    pub node: String,
    /// What happened.
    pub text: String,
}

/// Tells what happens.
#[derive(Debug, Default)]
pub struct Story {
    replay: Replay,
    /// How often each host came up.
    boots: BTreeMap<String, usize>,
    /// A reboot was asked for, so that what happens now is worth telling.
    begun: bool,
}

impl Story {
    /// The cluster as far as it was told.
    pub(crate) fn replay(&self) -> &Replay {
        &self.replay
    }

    /// How often a host came up after its first boot.
    pub fn reboots(&self, node: &str) -> usize {
        self.boots
            .get(node)
            .map_or(0, |boots| boots.saturating_sub(1))
    }

    /// An object changed.
    pub fn change(&mut self, change: &Change) -> Option<Line> {
        let holders = self.replay.holders.clone();
        let before = self.replay.apply(change);
        if !self.begun {
            return None;
        }
        let line = |node: &str, text: String| {
            Some(Line {
                at: change.at,
                node: node.to_owned(),
                text,
            })
        };
        let object = &change.object;
        match change.kind {
            Kind::ConfigMap => {
                if let Some(node) = self.replay.holders.difference(&holders).next() {
                    return line(node, "has the lock".to_owned());
                }
                let node = holders.difference(&self.replay.holders).next()?;
                line(node, "gives the lock on".to_owned())
            }
            Kind::Node => {
                let before = before?;
                let node = name(object);
                match (is_cordoned(&before), is_cordoned(object)) {
                    (false, true) => return line(node, "is cordoned".to_owned()),
                    (true, false) => return line(node, "is uncordoned".to_owned()),
                    _ => {}
                }
                let back = !is_ready(&before) && is_ready(object);
                back.then(|| line(node, "is Ready again, with the new boot ID".to_owned()))?
            }
            Kind::Pod => {
                let node = node_of(object);
                if is_eviction(change, before.as_ref()) {
                    return line(node, format!("evicts {}", name(object)));
                }
                let moved = controller(object).is_some_and(|(kind, _)| kind != "DaemonSet");
                let came_up = before.is_some_and(|before| !is_ready(&before)) && is_ready(object);
                let told = moved && came_up && change.what == What::Modified;
                told.then(|| line(node, format!("runs {}", name(object))))?
            }
            _ => None,
        }
    }

    /// Something happened to a host.
    pub fn occurrence(&mut self, occurrence: &Occurrence) -> Option<Line> {
        let node = &occurrence.node;
        let text = match &occurrence.what {
            Happened::Sentinel => {
                self.begun = true;
                "needs a reboot: /run/reboot-required is there".to_owned()
            }
            Happened::Asked => match self.replay.undrained(node).as_slice() {
                [] => "is drained; logind accepts the reboot".to_owned(),
                left => format!("reboots undrained, with {}", left.join(", ")),
            },
            Happened::Down => "is down".to_owned(),
            Happened::Up(id) => {
                let boots = self.boots.entry(node.clone()).or_default();
                *boots += 1;
                if *boots == 1 {
                    return None;
                }
                let short = id.get(..8).unwrap_or_default();
                format!("is up, boot ID {short}…; /run is empty")
            }
            Happened::DaemonEnded(how) => format!("its daemon ended: {how}"),
        };
        Some(Line {
            at: occurrence.at,
            node: node.clone(),
            text,
        })
    }
}
