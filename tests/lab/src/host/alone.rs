//! The stand-in logind and PID 1 as a program of its own, for a daemon that runs as a process.

use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;

use super::systemd::{SOCKET, Systemd};
use crate::bus::Bus;

/// Serves the bus of the root folder that is its only argument until standard input ends. Says `ready`, then `reboot` for each
/// request that it accepts; nothing goes down.
pub fn main() -> ExitCode {
    let Some(root) = std::env::args_os().nth(1) else {
        complain("usage: logind ROOT");
        return ExitCode::from(64);
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be built");
    // Whoever started it has ended, however that was.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    match runtime.block_on(serve(Path::new(&root))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!(
                "cannot serve a bus below {}: {error}",
                root.to_string_lossy()
            ));
            ExitCode::FAILURE
        }
    }
}

async fn serve(root: &Path) -> std::io::Result<()> {
    let systemd = Systemd::new();
    systemd.boot();
    let _bus = Bus::serve(&root.join(SOCKET), systemd.clone())?;
    say("ready")?;
    loop {
        systemd.accepted().await;
        say("reboot")?;
    }
}

fn complain(text: &str) {
    // A closed standard error changes nothing about it.
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn say(word: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{word}")?;
    out.flush()
}
