//! The story for whoever reads no live view: a log, a pipe, a screen reader.

use std::collections::BTreeMap;

use rollboot::machine::Label;
use tokio::time::Instant;

use super::feed::{Feed, News};
use super::{ABOUT, say, title};
use crate::host::Host;
use crate::roll::{Line, Roll, Stage, Story};

/// Tells one line for each notable thing, with the seconds since the cluster began to exist.
#[derive(Debug, Default)]
pub(super) struct Lines {
    feed: Feed,
    story: Story,
    blocked: BTreeMap<String, String>,
}

impl Lines {
    pub(super) fn new(roll: &Roll) -> Self {
        say(format_args!("{}", title(roll)));
        say(format_args!("{ABOUT}"));
        Self::default()
    }

    pub(super) fn look(&mut self, stage: &Stage) {
        for news in self.feed.news(stage) {
            let line = match &news {
                News::Change(change) => self.story.change(change),
                News::Occurrence(occurrence) => self.story.occurrence(occurrence),
            };
            if let Some(line) = line {
                say(format_args!("{}", told(stage, &line)));
            }
        }
        for host in stage.hosts() {
            let blocked = blocked(host);
            let before = self.blocked.get(host.name());
            if let Some(why) = blocked.as_ref().filter(|why| before != Some(why)) {
                let line = Line {
                    at: Instant::now(),
                    node: host.name().to_owned(),
                    text: why.clone(),
                };
                say(format_args!("{}", told(stage, &line)));
            }
            match blocked {
                Some(why) => _ = self.blocked.insert(host.name().to_owned(), why),
                None => _ = self.blocked.remove(host.name()),
            }
        }
    }
}

/// A line with its seconds.
pub(super) fn told(stage: &Stage, line: &Line) -> String {
    let at = line.at.saturating_duration_since(stage.began());
    let Line { node, text, .. } = line;
    format!("{:6.1} s  {node:<8} {text}", at.as_secs_f64())
}

/// What a node waits for, by the daemon's word.
pub(super) fn waits(host: &Host) -> Option<String> {
    blocked(host).or_else(|| Some(host.status()?.machine.reason))
}

/// What keeps a drain from going on, by the daemon's word: the pods that their budgets do not let go.
pub(super) fn blocked(host: &Host) -> Option<String> {
    let status = host.status()?.machine;
    let (_, why) = status.reason.split_once("blocked: ")?;
    let pods: Vec<_> = why
        .split("; ")
        .filter_map(|one| Some(one.split_once(':')?.0.rsplit_once('/')?.1))
        .collect();
    let shown = || format!("waits for the budget of {}", pods.join(", "));
    (status.phase == Label::Cordoned).then(shown)
}
