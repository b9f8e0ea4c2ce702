//! The live view: looks at the cluster and draws what it sees.

use super::feed::{Feed, News};
use super::frame::{Frame, Row};
use super::lines::{told, waits};
use super::terminal::Terminal;
use super::title;
use crate::cluster::object::{controller, is_healthy, is_terminating, node_of};
use crate::roll::{Phase, Roll, Stage, Story, Tracker};

/// Lines of the story that are kept.
const KEPT: usize = 20;

/// Draws on a terminal.
#[derive(Debug)]
pub(super) struct Live {
    terminal: Terminal,
    feed: Feed,
    story: Story,
    tracker: Tracker,
    told: Vec<String>,
}

impl Live {
    pub(super) fn new(terminal: Terminal, roll: &Roll) -> Self {
        Self {
            terminal,
            feed: Feed::default(),
            story: Story::default(),
            tracker: Tracker::new(&roll.names()),
            told: Vec::new(),
        }
    }

    pub(super) fn look(&mut self, stage: &Stage) {
        for news in self.feed.news(stage) {
            let line = match &news {
                News::Change(change) => {
                    self.tracker.change(change);
                    self.story.change(change)
                }
                News::Occurrence(occurrence) => {
                    self.tracker.occurrence(occurrence);
                    self.story.occurrence(occurrence)
                }
            };
            self.told.extend(line.map(|line| told(stage, &line)));
        }
        let old = self.told.len().saturating_sub(KEPT);
        self.told.drain(..old);
        let (columns, rows) = Terminal::size();
        let lines = self.frame(stage).lines(columns, rows);
        self.terminal.draw(&lines, columns);
    }

    fn frame(&self, stage: &Stage) -> Frame {
        let roll = stage.roll();
        let seconds = stage.began().elapsed().as_secs_f64();
        let title = format!("{}   {seconds:.1} s", title(roll));
        let replay = self.story.replay();
        let apps = roll.apps.iter().map(|app| {
            let own = replay.pods.values().filter(|pod| app.owns(pod));
            let healthy = own.filter(|pod| is_healthy(pod)).count();
            let (name, wanted) = (app.name(), app.wanted(roll.nodes));
            match app.min_available() {
                Some(needs) => format!("{name} {healthy}/{wanted} (budget: {needs})"),
                None => format!("{name} {healthy}/{wanted}"),
            }
        });
        Frame {
            title,
            nodes: stage.hosts().iter().map(|host| self.row(host)).collect(),
            apps: apps.collect(),
            tracks: self.tracker.tracks(tokio::time::Instant::now()),
            story: self.told.clone(),
        }
    }

    fn row(&self, host: &crate::host::Host) -> Row {
        let name = host.name();
        let phase = self.tracker.phase(name);
        let here = self.story.replay().pods.values();
        let moving = |pod: &&serde_json::Value| {
            node_of(pod) == name && controller(pod).is_some_and(|(kind, _)| kind != "DaemonSet")
        };
        let mut pods: Vec<_> = here
            .filter(moving)
            .map(|pod| {
                let app = pod["metadata"]["labels"]["app"]
                    .as_str()
                    .unwrap_or_default();
                let sign = match () {
                    () if is_terminating(pod) => "-",
                    () if is_healthy(pod) => "",
                    () => "+",
                };
                (app, sign)
            })
            .collect();
        pods.sort_unstable();
        // While the host is down its daemon's last word is gone with /run.
        let why = phase.filter(|phase| *phase != Phase::Rebooting);
        Row {
            name: name.to_owned(),
            phase,
            reboots: self.story.reboots(name),
            pods: pods
                .into_iter()
                .map(|(app, sign)| format!("{sign}{app}"))
                .collect(),
            why: why.and_then(|_| waits(host)).unwrap_or_default(),
        }
    }
}
