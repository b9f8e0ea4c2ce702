//! What the service manager is told. Without one, nothing is sent.

use std::time::Duration;

use sd_notify::NotifyState;

use crate::plain;

/// Characters of a status line: the manager takes no endless message.
const LONGEST: usize = 1000;

/// Start-up is done; with the status line.
pub fn ready(status: &str) {
    send(&[NotifyState::Ready, NotifyState::Status(&one_line(status))]);
}

/// The status line.
pub fn status(status: &str) {
    send(&[NotifyState::Status(&one_line(status))]);
}

/// The configuration is being read again; [`ready`] ends it. systemd 253 and newer wants to know since when.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => send(&[NotifyState::Reloading, now]),
        Err(_) => send(&[NotifyState::Reloading]),
    }
}

/// The process ends by its own will.
pub fn stopping(status: &str) {
    send(&[
        NotifyState::Stopping,
        NotifyState::Status(&one_line(status)),
    ]);
}

/// The loop still makes progress.
pub fn watchdog() {
    send(&[NotifyState::Watchdog]);
}

/// How often [`watchdog`] must be called: half of what the manager waits. `None`: it does not wait for us.
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled()
        .map(|limit| limit / 2)
        .filter(|half| !half.is_zero())
}

/// A line break would begin another assignment.
fn one_line(text: &str) -> String {
    let text = plain::cut(text, LONGEST);
    let words: Vec<_> = text.split_whitespace().map(plain::plain).collect();
    words.join(" ")
}

/// A manager that does not listen changes nothing for us: its own timeouts judge.
fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager could not be told");
    }
}

#[cfg(test)]
mod tests {
    use super::super::scratch::Scratch;
    use super::*;
    use std::os::unix::net::UnixDatagram;
    use std::process::Command;

    #[test]
    fn a_status_is_one_line() {
        assert_eq!(one_line("a\nREADY=1\n  b\u{1b}"), r"a READY=1 b\u{1b}");
        assert!(one_line(&"x".repeat(256 * 1024)).len() < 1100);
    }

    /// Run in a process of its own by the test below: its environment is not ours to change.
    #[test]
    #[ignore = "run by another test, as a service"]
    fn as_a_service() {
        ready("one\ntwo");
        reloading();
        watchdog();
        status("three");
        stopping("four");
        let half = watchdog_interval();
        status(&format!("{half:?}"));
    }

    fn as_a_service_with(environment: &[(&str, &str)]) {
        let done = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--ignored", "host::notify::tests::as_a_service"])
            .env_remove("NOTIFY_SOCKET")
            .envs(environment.iter().copied())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success() && said.contains("1 passed"), "{said}");
    }

    #[test]
    fn a_service_manager_hears_all_of_it() {
        let scratch = Scratch::new();
        let path = scratch.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let path = path.to_str().unwrap();
        as_a_service_with(&[("NOTIFY_SOCKET", path), ("WATCHDOG_USEC", "3000000")]);
        let next = || {
            let mut buffer = [0; 512];
            let length = socket.recv(&mut buffer).unwrap();
            String::from_utf8(buffer[..length].to_vec()).unwrap()
        };
        assert_eq!(next(), "READY=1\nSTATUS=one two\n");
        assert!(next().starts_with("RELOADING=1\nMONOTONIC_USEC="));
        assert_eq!(next(), "WATCHDOG=1\n");
        assert_eq!(next(), "STATUS=three\n");
        assert_eq!(next(), "STOPPING=1\nSTATUS=four\n");
        assert_eq!(next(), "STATUS=Some(1.5s)\n");
    }

    #[test]
    fn without_one_nothing_is_sent_and_nothing_fails() {
        as_a_service_with(&[]);
        as_a_service_with(&[("NOTIFY_SOCKET", "/nonexistent/socket")]);
        as_a_service_with(&[("WATCHDOG_USEC", "1"), ("WATCHDOG_PID", "1")]);
    }
}
