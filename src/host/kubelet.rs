//! What the running kubelet's command line tells: which kubeconfig is its own, and for how long it wants a shutdown to wait, as far
//! as its configuration file says. Only what stands there plainly is taken for an answer.
//!
//! Where processes of others cannot be seen, or the kubelet is part of another program (k3s, RKE2), there is no answer.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::SignedDuration;
use serde::Deserialize;

use crate::rooted::Root;

/// Where kubeadm, and most others, keep it: looked at where no kubelet runs that says otherwise.
const PATH: &str = "/var/lib/kubelet/config.yaml";

/// What the file says about a graceful shutdown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GracePeriod {
    /// The kubelet wants so long.
    Wants(Duration),
    /// None is set, so the kubelet does not delay a shutdown.
    Unset,
    /// Nobody can tell, for this reason.
    Unknown(String),
}

/// Reads the file.
pub(super) fn grace_period(root: &Root) -> GracePeriod {
    let flags = flags(root);
    if let Some(folder) = flag(&flags, "--config-dir") {
        return GracePeriod::Unknown(format!("its drop-ins in {folder} are not read here"));
    }
    let path = flag(&flags, "--config").unwrap_or(PATH);
    match fs::read_to_string(root.join(path)) {
        Ok(text) => parse(&text)
            .unwrap_or_else(|| GracePeriod::Unknown(format!("{path} is not plain about it"))),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            GracePeriod::Unknown(format!("there is no {path}"))
        }
        Err(error) => GracePeriod::Unknown(format!("{path} cannot be read: {error}")),
    }
}

/// The running kubelet's own kubeconfig, if it is on this host.
pub(super) fn kubeconfig(root: &Root) -> Option<PathBuf> {
    let flags = flags(root);
    let path = Path::new(flag(&flags, "--kubeconfig")?);
    // A relative one is the kubelet's own affair: its working directory is not ours.
    (path.is_absolute() && root.join(path).exists()).then(|| path.to_owned())
}

/// Whether the running kubelet was told to use a proxy, as far as its environment can be seen. Which one is not looked at: there may be
/// a password in it.
pub(super) fn has_proxy(root: &Root) -> bool {
    let environment = oldest(root).and_then(|(number, _)| {
        let path = root.join(format!("/proc/{number}/environ"));
        fs::read(path).ok()
    });
    let set = |word: &[u8]| {
        ["HTTPS_PROXY=", "https_proxy="]
            .iter()
            .any(|name| word.len() > name.len() && word.starts_with(name.as_bytes()))
    };
    environment.is_some_and(|text| text.split(|byte| *byte == 0).any(set))
}

/// The command line of the kubelet that runs; empty if none can be seen.
fn flags(root: &Root) -> Vec<String> {
    oldest(root).map(|(_, words)| words).unwrap_or_default()
}

/// The kubelet that runs, its process number and command line. The oldest, if there are several.
fn oldest(root: &Root) -> Option<(u32, Vec<String>)> {
    let processes = fs::read_dir(root.join("/proc")).into_iter().flatten();
    let kubelets = processes.filter_map(|process| {
        let process = process.ok()?;
        let number: u32 = process.file_name().to_str()?.parse().ok()?;
        let line = fs::read(process.path().join("cmdline")).ok()?;
        let words: Vec<String> = line
            .split(|byte| *byte == 0)
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect();
        let program = Path::new(words.first()?).file_name()?;
        let runs_here = program == "kubelet" && !is_contained(&process.path());
        runs_here.then_some((number, words))
    });
    kubelets.min_by_key(|(number, _)| *number)
}

/// Whether a process has a number of its own in a container: its paths are not this host's, as with clusters in containers.
fn is_contained(process: &Path) -> bool {
    let status = fs::read_to_string(process.join("status")).unwrap_or_default();
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    numbers.is_some_and(|numbers| numbers.split_whitespace().count() > 1)
}

/// The value of a flag, written `--name=value` or `--name value`; of several the last, as the kubelet takes it. An empty one is none.
fn flag<'a>(words: &'a [String], name: &str) -> Option<&'a str> {
    let mut words = words.iter();
    let mut found = None;
    while let Some(word) = words.next() {
        let value = match word.strip_prefix(name) {
            Some("") => words.next().map(String::as_str),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        };
        found = value.or(found);
    }
    found.filter(|value| !value.is_empty())
}

/// As much of the kubelet's configuration as is looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Configuration {
    shutdown_grace_period: Option<String>,
    shutdown_grace_period_by_pod_priority: Option<Vec<Class>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Class {
    #[serde(default)]
    shutdown_grace_period_seconds: u32,
}

/// `None`: no kubelet starts with it, or it is in a form that is not known here.
fn parse(text: &str) -> Option<GracePeriod> {
    let configuration: Option<Configuration> = serde_saphyr::from_str(text).ok()?;
    let configuration = configuration.unwrap_or_default();
    let total = duration(configuration.shutdown_grace_period.as_deref())?;
    let classes = configuration.shutdown_grace_period_by_pod_priority;
    let seconds = classes.into_iter().flatten();
    let sum = seconds
        .map(|class| u64::from(class.shutdown_grace_period_seconds))
        .sum();
    let wanted = total.max(Duration::from_secs(sum));
    Some(if wanted.is_zero() {
        GracePeriod::Unset
    } else {
        GracePeriod::Wants(wanted)
    })
}

/// As Go writes durations: `30s`, `1m30s`, `0`.
fn duration(text: Option<&str>) -> Option<Duration> {
    match text {
        None | Some("0" | "") => Some(Duration::ZERO),
        Some(text) => text.parse::<SignedDuration>().ok()?.try_into().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::scratch::Scratch;
    use super::*;

    fn wants(seconds: u64) -> Option<GracePeriod> {
        Some(GracePeriod::Wants(Duration::from_secs(seconds)))
    }

    #[test]
    fn what_stands_there_plainly_is_read() {
        let by_priority = "shutdownGracePeriodByPodPriority:\n- priority: 100000\n  shutdownGracePeriodSeconds: 10\n\
             - priority: 0\n  shutdownGracePeriodSeconds: 60\nsyncFrequency: 1m\n";
        for (text, expected) in [
            ("", Some(GracePeriod::Unset)),
            ("kind: KubeletConfiguration\n", Some(GracePeriod::Unset)),
            ("shutdownGracePeriod: 0s\n", Some(GracePeriod::Unset)),
            ("a: b\nshutdownGracePeriod: 30s\n", wants(30)),
            ("shutdownGracePeriod: \"1m30s\" # both\n", wants(90)),
            ("#shutdownGracePeriod: 30s\n", Some(GracePeriod::Unset)),
            (
                "other:\n  shutdownGracePeriod: 30s\n",
                Some(GracePeriod::Unset),
            ),
            (by_priority, wants(70)),
            (
                "shutdownGracePeriodByPodPriority: null\n",
                Some(GracePeriod::Unset),
            ),
            (
                "shutdownGracePeriodByPodPriority: [{priority: 0, shutdownGracePeriodSeconds: 5}]\n",
                wants(5),
            ),
            ("---\nshutdownGracePeriod: >-\n  40s\n", wants(40)),
            ("a: &d 10s\nshutdownGracePeriod: *d\n", wants(10)),
            (
                "shutdownGracePeriodByPodPriority:\n- shutdownGracePeriodSeconds: -1\n",
                None,
            ),
            ("shutdownGracePeriod: soon\n", None),
            ("{\"shutdownGracePeriod\": \"20s\"}", wants(20)),
            (
                "{\"shutdownGracePeriodByPodPriority\": [{\"shutdownGracePeriodSeconds\": 7}]}",
                wants(7),
            ),
            ("{\"shutdownGracePeriod\": 20}", None),
            ("{ not json", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_said() {
        let scratch = Scratch::new();
        let root = Root::new(scratch.path());
        let GracePeriod::Unknown(why) = grace_period(&root) else {
            panic!("there is no file");
        };
        assert!(why.contains("there is no"), "{why}");
        fs::create_dir_all(root.join("/var/lib/kubelet")).unwrap();
        fs::write(root.join(PATH), "shutdownGracePeriod: 45s\n").unwrap();
        assert_eq!(Some(grace_period(&root)), wants(45));
    }

    #[test]
    fn the_kubelet_that_runs_says_which_file_it_is() {
        let scratch = Scratch::new();
        let root = Root::new(scratch.path());
        for folder in ["/proc/7", "/proc/8", "/proc/self", "/etc"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        let runs = |words: &[&str]| {
            fs::write(root.join("/proc/8/cmdline"), words.join("\0") + "\0").unwrap();
        };
        fs::write(
            root.join("/proc/7/cmdline"),
            "/bin/kubelet-wrapper\0--config=/no\0",
        )
        .unwrap();
        fs::write(root.join("/etc/k.yaml"), "shutdownGracePeriod: 20s\n").unwrap();
        for words in [
            &["/usr/bin/kubelet", "--config=/etc/k.yaml"][..],
            &["kubelet", "--v", "2", "--config", "/etc/k.yaml", "--x=y"],
        ] {
            runs(words);
            assert_eq!(Some(grace_period(&root)), wants(20), "{words:?}");
        }
        for words in [
            &["kubelet", "--config=/etc/k.yaml", "--config-dir=/etc/d"][..],
            &["kubelet"],
            &["kubelet", "--config="],
        ] {
            runs(words);
            let found = grace_period(&root);
            assert!(
                matches!(found, GracePeriod::Unknown(_)),
                "{words:?}: {found:?}"
            );
        }
    }

    #[test]
    fn the_kubelet_that_runs_says_which_kubeconfig_is_its_own() {
        let scratch = Scratch::new();
        let root = Root::new(scratch.path());
        let (own, other) = ("/var/lib/k0s/kubelet.conf", "/etc/other.conf");
        for path in [own, other, "/proc/8/x", "/proc/9/x"] {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        assert_eq!(kubeconfig(&root), None);
        let run = |number: u8, flags: &[&str]| {
            let line = [&["/var/lib/k0s/bin/kubelet"], flags, &[""]].concat();
            let path = root.join(format!("/proc/{number}/cmdline"));
            fs::write(path, line.join("\0")).unwrap();
        };
        let bootstrap = "--bootstrap-kubeconfig=/etc/other.conf";
        for (flags, expected) in [
            (
                &[bootstrap, "--kubeconfig=/var/lib/k0s/kubelet.conf"][..],
                Some(own),
            ),
            (&["--v", "2", "--kubeconfig", own, bootstrap], Some(own)),
            (
                &["--kubeconfig=/etc/other.conf", "--kubeconfig", own],
                Some(own),
            ),
            (&[bootstrap], None),
            (&["--kubeconfig="], None),
            (&["--kubeconfig"], None),
            (&["--kubeconfig=etc/other.conf"], None),
            (&["--kubeconfig=/gone.conf"], None),
            (&["--kubeconfig-dir=/etc/other.conf"], None),
            (&[], None),
        ] {
            run(9, flags);
            assert_eq!(kubeconfig(&root), expected.map(PathBuf::from), "{flags:?}");
        }
        for (environment, proxy) in [
            ("", false),
            ("NO_PROXY=x\0HTTPS_PROXY=http://u:p@proxy:3128\0", true),
            ("https_proxy=http://proxy\0", true),
            ("HTTPS_PROXY=\0", false),
            ("MY_HTTPS_PROXY=x\0", false),
        ] {
            fs::write(root.join("/proc/9/environ"), environment).unwrap();
            assert_eq!(has_proxy(&root), proxy, "{environment:?}");
        }
        // A kubelet in a container of this host, which may have started before.
        run(9, &["--kubeconfig", own]);
        run(8, &["--kubeconfig", other]);
        let status = root.join("/proc/8/status");
        fs::write(&status, "Name:\tkubelet\nNSpid:\t8\t3\n").unwrap();
        assert_eq!(kubeconfig(&root), Some(own.into()));
        fs::write(&status, "Name:\tkubelet\nNSpid:\t8\n").unwrap();
        assert_eq!(kubeconfig(&root), Some(other.into()));
    }
}
