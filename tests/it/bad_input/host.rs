//! One host with the real program on it: a root folder, a bus, an API server of its own, and a Node in it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rollboot_lab::api::Api;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::bus::Bus;

/// The own Node's name.
pub(super) const NODE: &str = "n1";
pub(super) const KUBECONFIG: &str = "/etc/kubernetes/kubelet.conf";
pub(super) const SENTINEL: &str = "/run/reboot-required";
pub(super) const CONFIG: &str = "/etc/rollboot/config.toml";
/// Short, so that a test need not wait; everything else is the default.
pub(super) const SETTINGS: &str = "settle = \"0s\"\n[drain]\nquiet = \"1s\"\n";
pub(super) const BOOT: &str = "6b1c8e0e-0000-4000-8000-000000000001";
/// A loaded machine and the slowest of the daemon's periods.
const PATIENCE: Duration = Duration::from_secs(150);

pub(super) struct Host {
    pub(super) api: Api,
    pub(super) bus: Bus,
    root: tempfile::TempDir,
    child: Option<Child>,
    log: Arc<Mutex<String>>,
    /// Run before the program, in a mount namespace of its own; `$R` is the root folder.
    mounts: Option<&'static str>,
}

impl Host {
    /// A host where everything is well, armed, without a sentinel. The program does not run yet.
    pub(super) async fn new() -> Self {
        let host = Self::bare().await;
        host.api.arm();
        host.add_node(NODE);
        host.write(KUBECONFIG, &host.api.node_kubeconfig(NODE));
        host
    }

    /// The same without a lock, a Node and a kubeconfig.
    pub(super) async fn bare() -> Self {
        let root = tempfile::tempdir().unwrap();
        for folder in [
            "run/dbus",
            "proc/sys/kernel/random",
            "etc/kubernetes",
            "etc/rollboot",
            "var/lib/rollboot",
        ] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        let mut bus = Bus::below(root.path());
        bus.serve();
        let host = Self {
            api: Api::start().await.unwrap(),
            bus,
            root,
            child: None,
            log: Arc::default(),
            mounts: None,
        };
        host.write("/proc/sys/kernel/random/boot_id", BOOT);
        host.write("/proc/sys/kernel/hostname", "the-host\n");
        host.write("/proc/stat", "btime 1700000000\n");
        host.write(CONFIG, SETTINGS);
        host
    }

    /// Prepares mounts that only the program sees. `false`: that is not possible here.
    pub(super) fn with_mounts(&mut self, script: &'static str) -> bool {
        let possible = Command::new("unshare")
            .args(["-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        self.mounts = Some(script);
        possible
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path.trim_start_matches('/'))
    }

    pub(super) fn write(&self, path: &str, text: &str) {
        // As careful writers do: never half a file.
        let new = self.path(&format!("{path}.fresh"));
        fs::write(&new, text).unwrap();
        fs::rename(new, self.path(path)).unwrap();
    }

    pub(super) fn remove(&self, path: &str) {
        fs::remove_file(self.path(path)).unwrap();
    }

    pub(super) fn permit(&self, path: &str, mode: u32) {
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(super) fn ask(&self) {
        self.write(SENTINEL, "*** System restart required ***\n");
    }

    /// Whether a file of mode 000 cannot be read by the program, as in its unit.
    pub(super) fn is_confined(&self) -> bool {
        !is_root() || has_setpriv()
    }

    /// Exit code and words of a second daemon on this host.
    pub(super) fn second(&self) -> (i32, String) {
        let done = Command::new(env!("CARGO_BIN_EXE_rollboot"))
            .arg("--root")
            .arg(self.root.path())
            .arg("run")
            .env_remove("JOURNAL_STREAM")
            .env_remove("NOTIFY_SOCKET")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stderr).replace(&self.pid().to_string(), "…");
        let line = said.trim().trim_start_matches("rollboot: ").to_owned();
        (done.status.code().unwrap(), self.plain(&line))
    }

    /// Starts the program, with the privileges that its unit leaves it.
    pub(super) fn start(&mut self) {
        self.log.lock().unwrap().clear();
        let program = env!("CARGO_BIN_EXE_rollboot");
        let confined = is_root() && has_setpriv();
        let mut words: Vec<&str> = Vec::new();
        if self.mounts.is_some() {
            words.extend(["unshare", "-m", "--propagation", "private", "sh", "-c"]);
            words.extend([r#"set -e; eval "$MOUNTS"; exec "$@""#, "sh"]);
        }
        if confined {
            words.extend([
                "setpriv",
                "--bounding-set",
                "-all",
                "--inh-caps",
                "-all",
                "--no-new-privs",
            ]);
        }
        words.extend([program, "--root"]);
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .arg(self.root.path())
            .arg("run")
            .env("R", self.root.path())
            .env("MOUNTS", self.mounts.unwrap_or_default())
            .env_remove("JOURNAL_STREAM")
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0);
        let mut child = command.spawn().unwrap();
        let (lines, log) = (
            BufReader::new(child.stderr.take().unwrap()),
            Arc::clone(&self.log),
        );
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let mut log = log.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        self.child = Some(child);
    }

    fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    pub(super) fn reload(&self) {
        self.signal(&["HUP"]);
    }

    /// Sends these signals, one after the other.
    pub(super) fn signal(&self, signals: &[&str]) {
        let pid = self.pid().to_string();
        let each = "for signal; do kill -$signal $0 || exit; done";
        let sent = Command::new("sh")
            .args(["-c", each, &pid])
            .args(signals)
            .status();
        assert!(sent.unwrap().success());
    }

    /// Runs a command where the program's mounts are.
    pub(super) fn inside(&self, script: &str) {
        let done = Command::new("nsenter")
            .args(["-t", &self.pid().to_string(), "-m", "sh", "-c", script])
            .env("R", self.root.path())
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "{script}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    }

    /// Ends the program at once, as a crash does.
    pub(super) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// The exit code, once the program has ended by itself.
    pub(super) async fn ended(&mut self) -> i32 {
        let limit = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.as_mut().unwrap().try_wait().unwrap() {
                self.child = None;
                // What it said last may still be on its way.
                tokio::time::sleep(Duration::from_millis(300)).await;
                return status.code().unwrap();
            }
            assert!(Instant::now() < limit, "it goes on:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(super) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub(super) fn status(&self) -> Value {
        let text = fs::read(self.path("/run/rollboot/status.json")).unwrap_or_default();
        let status: Value = serde_json::from_slice(&text).unwrap_or_default();
        // The last word of an earlier process is not this one's.
        let current = self
            .child
            .as_ref()
            .is_none_or(|child| status["pid"] == child.id());
        if current { status } else { Value::Null }
    }

    /// Waits until this is so.
    pub(super) async fn until(&self, what: &str, is: impl Fn(&Value) -> bool) {
        let limit = Instant::now() + PATIENCE;
        while !is(&self.status()) {
            assert!(
                Instant::now() < limit,
                "never came: {what}\nstatus: {:#}\nlog:\n{}",
                self.status(),
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The message with these words, once it is both in the status and in the log, as it stands in the status.
    pub(super) async fn tells(&self, words: &[&str]) -> String {
        let all = |text: &str| words.iter().all(|word| text.contains(word));
        let found = |status: &Value| said(status).into_iter().find(|text| all(text));
        let what = format!("{words:?} in the status and on one line of the log");
        self.until(&what, |status| {
            found(status).is_some() && self.log().lines().any(all)
        })
        .await;
        self.plain(&found(&self.status()).unwrap())
    }

    /// Waits for a message with these words in the status.
    pub(super) async fn shows(&self, words: &[&str]) -> String {
        let all = |text: &String| words.iter().all(|word| text.contains(word));
        let found = |status: &Value| said(status).into_iter().find(all);
        let what = format!("{words:?} in the status");
        self.until(&what, |status| found(status).is_some()).await;
        self.plain(&found(&self.status()).unwrap())
    }

    /// The message with these words in the log alone.
    pub(super) fn logged(&self, words: &[&str]) -> String {
        let log = self.log();
        let all = |text: &&str| words.iter().all(|word| text.contains(word));
        let line = log
            .lines()
            .find(all)
            .unwrap_or_else(|| panic!("{words:?} is not in:\n{log}"));
        // Behind the time.
        let levels = ["ERROR ", "WARN ", "INFO "];
        let said = levels.iter().find_map(|level| line.split_once(level));
        let line = said.map_or(line, |(_, said)| said);
        self.plain(line.trim_start_matches("rollboot: "))
    }

    /// Without what differs from run to run.
    fn plain(&self, text: &str) -> String {
        let port = self.api.url().rsplit(':').next().unwrap();
        let root = self.root.path().to_str().unwrap();
        let text = text.replace(root, "").replace(&format!(":{port}"), ":…");
        // Where in an answer something stands depends on the length of what is before it.
        match text.split_once(" at line 1 column ") {
            Some((before, rest)) => {
                let rest = rest.trim_start_matches(|it: char| it.is_ascii_digit());
                format!("{before}{rest}")
            }
            None => text,
        }
    }

    /// The same process has nothing to complain of, and nobody asks for a reboot.
    pub(super) async fn becomes_idle(&mut self) {
        self.until("idle, without a complaint", |status| {
            status["phase"] == "idle"
                && status["blocked_by"] == json!([])
                && status["problems"].is_null()
                && status["reason"] == "no reboot is asked for"
        })
        .await;
        self.still_runs();
    }

    /// The same process takes its turn, as far as to ask logind for the reboot.
    pub(super) async fn goes_on(&mut self) {
        let asked = |_: &Value| self.bus.logind.lock().unwrap().asked > 0;
        self.until("logind is asked to reboot", asked).await;
        self.still_runs();
    }

    fn still_runs(&mut self) {
        let ended = self.child.as_mut().unwrap().try_wait().unwrap();
        assert!(ended.is_none(), "{ended:?}\n{}", self.log());
    }
}

/// Everything that a status says in sentences.
fn said(status: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let blocked = status["blocked_by"].as_array().cloned().unwrap_or_default();
    let problems = status["problems"].as_array().cloned().unwrap_or_default();
    let gates = blocked
        .iter()
        .map(|gate| format!("{}: {}", text(&gate["what"]), text(&gate["detail"])));
    let mut all: Vec<String> = gates.collect();
    all.push(text(&status["reason"]));
    all.extend(problems.iter().map(text));
    all
}

impl Drop for Host {
    fn drop(&mut self) {
        self.stop();
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

fn has_setpriv() -> bool {
    Command::new("setpriv").arg("--version").output().is_ok()
}
