//! The command line: what a person, a unit or a package script calls.
//!
//! Exit codes are those of sysexits.h: 0 yes, 1 no, 64 usage, 69 something needed is unavailable, 77 permission, 78 configuration.

mod abort;
mod check;
mod operator;
mod pause;
mod plan;
mod run;
mod status;
mod survey;
mod text;
mod unlock;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::text::page;
use crate::plain;

/// Reboots this Kubernetes node when its operating system asks for it and it is its turn.
#[derive(Debug, Parser)]
#[command(name = "rollboot", version, about, arg_required_else_help = true)]
struct Cli {
    /// Read FILE instead of /etc/rollboot/config.toml; drop-ins still apply.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Prefix of every host path.
    #[arg(long, global = true, value_name = "DIR", default_value = "/")]
    root: PathBuf,
    /// Answer in JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon (the service does that).
    Run {
        /// Log every event and every action.
        #[arg(long)]
        verbose: bool,
    },
    /// Show where this node stands and what it waits for.
    Status,
    /// Look at everything that a reboot of this node depends on, and change nothing.
    ///
    /// Exit 0: a sentinel would lead to a reboot when it is this node's turn. 1: not before somebody does something. 77: this user
    /// may not see enough to say.
    Check,
    /// Show what a drain of this node would do to each pod, without doing it. Exit 0: ready; 1: blocked or refused.
    Plan,
    /// Undo the turn of this node; refused once the reboot was asked for.
    Abort,
    /// Stop the roll, with an operator's kubeconfig: no new turns, and those that have not asked for their reboot are undone.
    Pause {
        /// Why, for whoever looks.
        reason: Vec<String>,
        #[command(flatten)]
        flags: operator::Flags,
    },
    /// Let the roll go on after `pause`, also on a lock that was lost and made anew, with an operator's kubeconfig.
    ///
    /// Exit 1: a Node bears the mark of a turn that has no slot in the lock; nothing was changed.
    Resume {
        /// Do not look for turns on the Nodes.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        flags: operator::Flags,
    },
    /// Free the slot of NODE, with an operator's kubeconfig. Exit 1: it has none, or keeps it.
    Unlock {
        /// Whose slot.
        node: String,
        /// Also where the Node object exists, so that the node may be alive and in its turn.
        #[arg(long)]
        force: bool,
        /// Lift the cordon that rollboot set on it, without asking.
        #[arg(long)]
        uncordon: bool,
        #[command(flatten)]
        flags: operator::Flags,
    },
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    /// Done, or yes.
    Ok,
    /// No.
    No,
    /// The command line is wrong: `EX_USAGE`.
    Usage,
    /// Something that is needed is not there: `EX_UNAVAILABLE`.
    Unavailable,
    /// Not allowed: `EX_NOPERM`.
    Permission,
    /// The configuration is wrong: `EX_CONFIG`.
    Configuration,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Ok => 0,
            Exit::No => 1,
            Exit::Usage => 64,
            Exit::Unavailable => 69,
            Exit::Permission => 77,
            Exit::Configuration => 78,
        })
    }
}

/// A command that failed: what to say, and how to exit.
#[derive(Debug)]
struct Failed {
    exit: Exit,
    /// It was said already.
    told: bool,
    error: anyhow::Error,
}

impl Failed {
    fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self {
            exit,
            told: false,
            error: error.into(),
        }
    }
}

/// Parses the command line and runs the command.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let exit = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Ok
            };
            // A closed pipe is no reason to fail.
            let _ = error.print();
            return exit.into();
        }
    };
    match dispatch(cli) {
        Ok(exit) => exit.into(),
        Err(failed) => {
            if !failed.told {
                say_error(&failed.error);
            }
            failed.exit.into()
        }
    }
}

fn dispatch(cli: Cli) -> Result<Exit, Failed> {
    let Cli {
        config,
        root,
        json,
        command,
    } = cli;
    match command {
        Command::Run { verbose } => run::run(root, config, verbose),
        Command::Status => status::status(&root, json),
        Command::Check => check::check(&root, config.as_deref(), json),
        Command::Plan => plan::plan(&root, config.as_deref(), json),
        Command::Abort => abort::abort(root, config),
        Command::Pause { reason, flags } => runtime()?.block_on(async {
            let access = operator::connect(&root, config.as_deref(), flags)?;
            pause::pause(&access, &reason).await
        }),
        Command::Resume { force, flags } => runtime()?.block_on(async {
            let access = operator::connect(&root, config.as_deref(), flags)?;
            pause::resume(&access, force).await
        }),
        Command::Unlock {
            node,
            force,
            uncordon,
            flags,
        } => {
            let ask = unlock::Unlock {
                node,
                force,
                uncordon,
            };
            ask.check()?;
            runtime()?.block_on(async {
                let access = operator::connect(&root, config.as_deref(), flags)?;
                unlock::unlock(&access, &ask).await
            })
        }
    }
}

/// One line for each cause.
#[expect(
    clippy::print_stderr,
    reason = "a command answers the person who called it"
)]
fn say_error(error: &anyhow::Error) {
    let causes: Vec<_> = error.chain().map(ToString::to_string).collect();
    eprintln!("rollboot: {}", page(causes.join(": ").lines()));
}

/// Prints an answer to a person. Whatever others wrote in it commands no terminal.
fn say(text: &str) {
    print(&page(text.lines()));
}

/// Prints an answer in JSON, on a terminal perhaps.
fn say_json(text: &str) {
    print(&plain::json(text));
}

/// A closed pipe is no reason to fail.
fn print(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// A runtime of one thread, for the commands that wait for something.
fn runtime() -> Result<tokio::runtime::Runtime, Failed> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failed::new(Exit::Unavailable, error))
}
