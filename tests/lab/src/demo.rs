//! `cargo demo`: a cluster in this process whose nodes all need a reboot, with the production daemon on each of them.
//!
//! Exit codes: 0 all was as promised, 1 something was not, 64 usage, 130 interrupted.

mod args;
mod feed;
mod frame;
mod lines;
mod live;
mod terminal;
mod text;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use crate::roll::{Outcome, Roll, Stage, run, svg, tracks};
use args::Args;
use lines::Lines;
use live::Live;
use terminal::Terminal;

const ABOUT: &str =
    "Each node runs the production daemon; API server, kubelets, apps and hosts are simulated.";

const USAGE: u8 = 64;
const INTERRUPTED: u8 = 130;

/// Runs the demo.
pub fn main() -> ExitCode {
    let args = match Args::read() {
        Ok(args) => args,
        Err(error) => {
            // A closed pipe is no reason to fail.
            let _ = error.print();
            return if error.use_stderr() {
                USAGE.into()
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let ended = runtime.and_then(|runtime| {
        let ended = runtime.block_on(show(&args));
        // The hosts are gone; what a daemon may still have asked of the disk is not waited for.
        runtime.shutdown_background();
        ended
    });
    match ended {
        Ok(Some(outcome)) => finish(&args, &outcome),
        Ok(None) => {
            say(format_args!("interrupted"));
            INTERRUPTED.into()
        }
        Err(error) => {
            say(format_args!("the demo cannot run here: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Plays before whoever watches. `None`: they have seen enough.
async fn show(args: &Args) -> io::Result<Option<Outcome>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // The daemons listen to it too, as they do under systemd, so it no longer ends this process by itself.
    let mut hangup = signal(SignalKind::hangup())?;
    let roll = Roll::demo(args.nodes, args.max, args.seed);
    let mut audience: Box<dyn FnMut(&Stage)> = match Terminal::on_stdout() {
        Some(terminal) => {
            let mut live = Live::new(terminal, &roll);
            Box::new(move |stage| live.look(stage))
        }
        None => {
            let mut lines = Lines::new(&roll);
            Box::new(move |stage| lines.look(stage))
        }
    };
    tokio::select! {
        outcome = run(&roll, &mut *audience) => outcome.map(Some),
        _ = interrupt.recv() => Ok(None),
        _ = terminate.recv() => Ok(None),
        _ = hangup.recv() => Ok(None),
    }
}

fn title(roll: &Roll) -> String {
    let Roll {
        nodes, max, seed, ..
    } = roll;
    format!("rollboot demo: {nodes} nodes, at most {max} in a turn, seed {seed}")
}

/// The picture, what was broken, and the last line.
fn finish(args: &Args, outcome: &Outcome) -> ExitCode {
    let Outcome { record, verdict } = outcome;
    let mut broken = verdict.broken.clone();
    let title = format!(
        "{} nodes, at most {} in a turn",
        record.nodes.len(),
        record.max
    );
    match write(&args.svg, &svg(&title, &tracks(record))) {
        Ok(()) => say(format_args!("time line: {}", args.svg.display())),
        Err(error) => broken.push(format!("cannot write {}: {error}", args.svg.display())),
    }
    for what in &broken {
        say(format_args!("not as promised: {what}"));
    }
    say(format_args!("{verdict}"));
    if broken.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, text)
}

/// A closed pipe is no reason to fail.
fn say(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout(), "{line}");
}
