//! What lies on the host itself: configuration, daemon, state folder, sentinels.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::finding::{Finding, fail, not_permitted, ok, warn};
use crate::cli::status::{self, LastWord};
use crate::cli::text::{list, moment};
use crate::config::{Config, Mode};
use crate::host::{Folder, JournalError, LocalHost, SentinelReading, is_root};
use crate::journal::Journal;
use crate::machine::Label;

/// A journal takes a few thousand bytes, and is replaced by a new one beside it.
const ENOUGH: u64 = 1 << 20;

/// Which files were read.
pub(super) fn configuration(files: &[PathBuf]) -> Finding {
    let names: Vec<_> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    if names.is_empty() {
        return ok(
            "configuration",
            "no file is there: every key has its default",
        );
    }
    ok("configuration", list(names.iter().map(String::as_str), 8))
}

/// Whether the daemon would act, by the files and by what the running one said last.
pub(super) fn mode(config: &Config, last: &LastWord) -> Vec<Finding> {
    let of_daemon = match last {
        LastWord::Of(report) => Some(report.machine.mode),
        LastWord::None(_) => None,
    };
    let mut findings = vec![match config.mode {
        Mode::Reboot => ok("mode", "reboot: it takes turns"),
        Mode::Observe => fail(
            "mode",
            "observe: it looks and reports, and never begins a turn",
            "set mode = \"reboot\", then: systemctl reload rollboot",
        ),
    }];
    if of_daemon.is_some_and(|mode| mode != config.mode) {
        findings.push(warn(
            "mode",
            "the running daemon still has the other mode",
            "systemctl reload rollboot",
        ));
    }
    findings
}

/// Whether a turn may begin at this hour; nothing where there are no windows.
pub(super) fn windows(config: &Config, now: Timestamp) -> Option<Finding> {
    let windows = &config.windows;
    if windows.is_empty() {
        return None;
    }
    Some(if windows.admits(now) {
        ok("windows", "a maintenance window is open for long enough")
    } else {
        match windows.next(now) {
            Some(next) => ok(
                "windows",
                format!("no turn may begin now; the next at {}", moment(next, now)),
            ),
            None => warn(
                "windows",
                "no maintenance window opens for three weeks",
                "look at the tables [[window]]",
            ),
        }
    })
}

/// Whether the daemon runs, and where it stands.
pub(super) fn daemon(root: &Path, last: &LastWord) -> Finding {
    let report = match last {
        LastWord::Of(report) => report,
        LastWord::None(error) => return no_word(root, error),
    };
    if !status::runs(root, report.pid) {
        return fail(
            "daemon",
            format!(
                "it does not run; its last word was: {}",
                report.machine.reason
            ),
            "systemctl status rollboot",
        );
    }
    let found = format!("runs as process {}: {}", report.pid, report.machine.reason);
    match report.machine.phase {
        Label::Latched | Label::Failed => warn("daemon", found, "rollboot status"),
        Label::Idle
        | Label::Waiting
        | Label::Acquired
        | Label::Cordoned
        | Label::Drained
        | Label::Rebooting
        | Label::Recovering => ok("daemon", found),
    }
}

/// Whether the daemon can keep its lock and write its status; nothing where it can.
pub(super) fn run_folder(root: &Path) -> Option<Finding> {
    status::is_run_full(root).then(|| {
        fail(
            "run folder",
            "the file system of /run is full: the daemon cannot start, or cannot say where it stands",
            "make room there: df -hi /run",
        )
    })
}

fn no_word(root: &Path, error: &status::Silence) -> Finding {
    match error {
        status::Silence::Unreadable(error)
            if error.kind() == ErrorKind::NotFound && status::is_run_full(root) =>
        {
            fail(
                "daemon",
                "it has no status: /run is full",
                "systemctl status rollboot",
            )
        }
        status::Silence::Unreadable(error) if error.kind() == ErrorKind::NotFound => fail(
            "daemon",
            "it has not run since this host booted",
            "systemctl enable --now rollboot; systemctl status rollboot",
        ),
        status::Silence::Unreadable(error) if error.kind() == ErrorKind::PermissionDenied => {
            not_permitted("daemon", format!("its status cannot be read: {error}"))
        }
        status::Silence::Unreadable(error) => fail(
            "daemon",
            format!("its status cannot be read: {error}"),
            "systemctl status rollboot",
        ),
        status::Silence::Strange(error) => warn(
            "daemon",
            format!("what it wrote is not what this version writes: {error}"),
            "systemctl restart rollboot",
        ),
    }
}

/// Whether a turn could be recorded. `journal` is what is recorded now.
pub(super) fn state_folder(folder: &Folder, journal: &Result<Journal, JournalError>) -> Finding {
    const CHECK: &str = "state folder";
    let path = folder.path.display();
    match &folder.exists {
        Err(error) if is_root() => {
            return fail(
                CHECK,
                format!("{path}: {error}"),
                "no turn begins without it",
            );
        }
        Err(error) => return not_permitted(CHECK, format!("{path}: {error}")),
        Ok(_) => {}
    }
    if folder.read_only {
        return fail(
            CHECK,
            format!("{path} is on a file system that is mounted read-only"),
            "no turn begins without it: dmesg, mount",
        );
    }
    if folder.is_full(ENOUGH) {
        return fail(
            CHECK,
            format!("the file system of {path} is full"),
            "no turn begins without a journal on the disk: df -hi",
        );
    }
    match journal {
        Err(JournalError::Unreadable { why, .. }) if !is_root() => {
            not_permitted(CHECK, format!("{path}: {why}"))
        }
        Err(error) => fail(
            CHECK,
            error,
            "it may tell of a turn, so nothing begins without it",
        ),
        Ok(journal) if journal.turn.is_some() => warn(
            CHECK,
            format!("{path}: a turn of this node is recorded"),
            "rollboot status tells how far it is",
        ),
        Ok(_) if folder.exists == Ok(false) => ok(
            CHECK,
            format!("{path} is not there yet: the service makes it"),
        ),
        Ok(_) => {
            let free = folder
                .free
                .map_or_else(String::new, |free| format!(", {} free", bytes(free)));
            ok(CHECK, format!("{path} is there{free}"))
        }
    }
}

/// As `df -h` says it.
fn bytes(count: u64) -> String {
    match count >> 20 {
        mebi if mebi < 1024 => format!("{mebi} MiB"),
        mebi => format!("{} GiB", mebi >> 10),
    }
}

/// Reboots of the last day against the limit.
pub(super) fn daily_limit(config: &Config, journal: &Journal, now: Timestamp) -> Finding {
    let today = journal.reboots_in_a_day(now);
    let most = config.max_reboots_per_day;
    let found = format!("{today} of at most {most} in 24 hours");
    if today < usize::from(most) {
        ok("reboots", found)
    } else {
        warn(
            "reboots",
            found,
            "it waits; max-reboots-per-day sets the limit",
        )
    }
}

/// Who asks for a reboot, and who could.
pub(super) fn sentinels(
    host: &LocalHost,
    config: &Config,
    reading: &SentinelReading,
    journal: Option<&Journal>,
    now: Timestamp,
) -> Vec<Finding> {
    const CHECK: &str = "sentinels";
    let problem = |problem: &String| warn(CHECK, problem, "it asks for nothing; remove it");
    let mut findings: Vec<_> = reading.problems.iter().map(problem).collect();
    let spent = journal.map(Journal::spent).unwrap_or_default();
    for request in &reading.requests {
        let sentinel = reading.sentinels.iter().find(|it| it.path == request.path);
        let since = sentinel.and_then(|it| it.since);
        let since = since.map(|since| format!(" since {}", moment(since, now)));
        let packages = sentinel
            .map(|it| it.packages.as_slice())
            .unwrap_or_default();
        let mut found = format!(
            "{} asks for a reboot{}",
            request.path,
            since.unwrap_or_default()
        );
        if !packages.is_empty() {
            found += &format!(", for {}", list(packages.iter().map(String::as_str), 5));
        }
        findings.push(if spent.contains(request) {
            warn(
                CHECK,
                found + ", and has had its reboot or was called off",
                format!("touch {0} asks again, rm {0} ends it", request.path),
            )
        } else {
            ok(CHECK, found)
        });
    }
    let (there, nowhere): (Vec<_>, Vec<_>) = config
        .sentinels
        .iter()
        .partition(|path| host.has_folder_of(path));
    let names = |paths: &[&PathBuf]| {
        let names: Vec<_> = paths
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        list(names.iter().map(String::as_str), 8)
    };
    if there.is_empty() {
        findings.push(warn(
            CHECK,
            format!("nothing can ask: no folder of {} exists", names(&nowhere)),
            "set `sentinels` to files that this system writes",
        ));
    } else if findings.is_empty() {
        findings.push(ok(
            CHECK,
            format!("no reboot is asked for; watched: {}", names(&there)),
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    type Change = fn(&mut Folder);

    fn folder() -> Folder {
        Folder {
            path: "/var/lib/rollboot".into(),
            exists: Ok(true),
            read_only: false,
            free: Some(1 << 30),
            free_files: None,
        }
    }

    #[test]
    fn a_folder_that_cannot_be_written_to_fails_before_the_first_turn() {
        let cases: [(Change, Verdict, &str); 6] = [
            (|_| (), Verdict::Ok, "is there, 1 GiB free"),
            (
                |it| it.exists = Ok(false),
                Verdict::Ok,
                "the service makes it",
            ),
            (|it| it.read_only = true, Verdict::Fail, "read-only"),
            (|it| it.free = Some(4096), Verdict::Fail, "full"),
            (|it| it.free_files = Some(0), Verdict::Fail, "full"),
            (|it| it.exists = Err("no".into()), Verdict::Fail, "no"),
        ];
        for (change, verdict, said) in cases {
            let mut folder = folder();
            change(&mut folder);
            let found = state_folder(&folder, &Ok(Journal::default()));
            assert_eq!(found.result, verdict, "{found:?}");
            assert!(found.found.contains(said), "{found:?}");
        }
        let damaged = JournalError::Damaged {
            path: "/j".into(),
            why: "torn".into(),
            text: "{".into(),
        };
        assert_eq!(state_folder(&folder(), &Err(damaged)).result, Verdict::Fail);
    }

    #[test]
    fn a_mode_that_is_not_in_force_yet_is_said() {
        let mut config = Config::default();
        let none = LastWord::None(status::Silence::Strange("x".into()));
        assert_eq!(mode(&config, &none)[0].result, Verdict::Ok);
        config.mode = Mode::Observe;
        let found = mode(&config, &none);
        assert_eq!((found.len(), found[0].result), (1, Verdict::Fail));
        assert!(found[0].found.contains("observe"));
    }

    #[test]
    fn the_files_are_named() {
        assert!(configuration(&[]).found.contains("default"));
        let two = configuration(&["/a/config.toml".into(), "/b/10-x.toml".into()]);
        assert_eq!(two.found, "/a/config.toml, /b/10-x.toml");
    }
}
