//! What one value of the configuration may be. Each type refuses by itself what cannot be meant, so that the place of the
//! error is the place of the value.

use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use jiff::civil::Time;
use jiff::fmt::friendly::SpanParser;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

use crate::names;
use crate::selector::Selector;

/// `node-name`: the name of a Node, and short enough to be the prefix of an annotation key.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct NodeName(pub(super) Option<String>);

/// `kubeconfig`: an absolute path, or nothing.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Kubeconfig(pub(super) Option<PathBuf>);

/// One of `sentinels`.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Sentinel(pub(super) PathBuf);

/// `sentinels`: at least one, none twice.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Vec<Sentinel>")]
pub(super) struct Sentinels(pub(super) Vec<PathBuf>);

/// `lock.namespace`.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Namespace(pub(super) String);

/// `lock.name`.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct ObjectName(pub(super) String);

/// `lock.group`.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Group(pub(super) String);

/// One of `recovery.units`.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Unit(pub(super) String);

/// `namespace` of a gate: one, or all of them.
#[derive(Debug, Default, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct AnyNamespace(pub(super) Option<String>);

/// `selector` of a gate.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct PodSelector(pub(super) Selector);

/// A whole number from `MIN` to `MAX`.
#[derive(Debug)]
pub(super) struct Number<const MIN: u16, const MAX: u16>(pub(super) u16);

/// A duration from `MIN` to `MAX` seconds.
#[derive(Debug)]
pub(super) struct Lasting<const MIN: u64, const MAX: u64>(pub(super) Duration);

/// One of the `days` of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// `days` of a window: at least one, none twice.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Vec<Day>")]
pub(super) struct Days(pub(super) [bool; 7]);

/// `start` or `end` of a window; `None` is 24:00.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Clock(pub(super) Option<Time>);

const UNIT_NAME_MAX: usize = 255;
const UNIT_TYPES: [&str; 10] = [
    "service",
    "target",
    "socket",
    "mount",
    "path",
    "timer",
    "device",
    "swap",
    "automount",
    "slice",
];

impl TryFrom<String> for NodeName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() {
            Ok(Self(None))
        } else if names::is_node_name(&text) {
            Ok(Self(Some(text)))
        } else {
            Err(format!(
                "`{text}` cannot be the name of a Node: expected labels of a-z, 0-9 and `-`, joined by dots, \
                 at most {} characters",
                names::NODE_NAME_MAX
            ))
        }
    }
}

impl TryFrom<String> for Namespace {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        label(text, "a namespace").map(Self)
    }
}

impl TryFrom<String> for AnyNamespace {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() {
            Ok(Self(None))
        } else {
            label(text, "a namespace").map(|text| Self(Some(text)))
        }
    }
}

impl TryFrom<String> for PodSelector {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Selector::parse(&text).map(Self)
    }
}

impl TryFrom<String> for Group {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "total" {
            return Err(
                "a group cannot be called `total`: `max.total` is the limit of all groups together"
                    .into(),
            );
        }
        label(text, "a group").map(Self)
    }
}

impl TryFrom<String> for ObjectName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if names::is_subdomain(&text) {
            Ok(Self(text))
        } else {
            Err(format!(
                "`{text}` cannot be the name of a ConfigMap: expected labels of a-z, 0-9 and `-`, joined by dots, \
                 at most {} characters",
                names::SUBDOMAIN_MAX
            ))
        }
    }
}

fn label(text: String, what: &str) -> Result<String, String> {
    if names::is_label(&text) {
        Ok(text)
    } else {
        Err(format!(
            "`{text}` cannot be the name of {what}: expected 1 to 63 of a-z, 0-9 and `-`, neither first nor last a `-`"
        ))
    }
}

impl TryFrom<String> for Kubeconfig {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() {
            Ok(Self(None))
        } else {
            file(&text).map(|path| Self(Some(path)))
        }
    }
}

/// What the unit hides by `ProtectHome=` and `PrivateTmp=`.
const HIDDEN: [&str; 5] = ["/home", "/root", "/run/user", "/tmp", "/var/tmp"];

impl TryFrom<String> for Sentinel {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let path = file(&text)?;
        if ["/proc", "/sys"].iter().any(|dir| path.starts_with(dir)) {
            return Err(format!(
                "`{text}` cannot be watched: the kernel reports no changes of files below /proc and /sys"
            ));
        }
        if let Some(folder) = HIDDEN.iter().find(|folder| path.starts_with(folder)) {
            return Err(format!(
                "`{text}` cannot be seen: {folder} is hidden from the service, for every user could ask for a reboot there"
            ));
        }
        Ok(Self(path))
    }
}

/// An absolute path that names a file. A `..` is refused because it would lead out of a `--root`.
fn file(text: &str) -> Result<PathBuf, String> {
    let path = Path::new(text);
    let plain = path
        .components()
        .all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    if path.is_absolute() && plain && path.file_name().is_some() && !text.ends_with('/') {
        // Collected from its parts, so that `//run/./x` and `/run/x` are the same sentinel.
        Ok(path.components().collect())
    } else {
        Err(format!(
            "`{text}` is not the path of a file: expected an absolute path without `..`"
        ))
    }
}

impl TryFrom<Vec<Sentinel>> for Sentinels {
    type Error = String;

    fn try_from(list: Vec<Sentinel>) -> Result<Self, String> {
        let mut paths: Vec<PathBuf> = Vec::new();
        for Sentinel(path) in list {
            if paths.contains(&path) {
                return Err(format!("`{}` is listed twice", path.display()));
            }
            paths.push(path);
        }
        if paths.is_empty() {
            return Err(
                "no sentinels, so nothing would ever ask for a reboot: expected at least one path \
                        (to look without rebooting set `mode = \"observe\"`)"
                    .into(),
            );
        }
        Ok(Self(paths))
    }
}

impl TryFrom<String> for Unit {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b":_.\\-@".contains(&b);
        let complete = text.rsplit_once('.').is_some_and(|(name, kind)| {
            // `x@.service` is a template: it is never active, so the node would never be recovered.
            !name.is_empty() && !name.ends_with('@') && UNIT_TYPES.contains(&kind)
        });
        if complete && text.len() <= UNIT_NAME_MAX && text.bytes().all(allowed) {
            Ok(Self(text))
        } else {
            Err(format!(
                "`{text}` cannot be a unit that is active: expected a full name such as `chronyd.service` or `vpn@hq.service`"
            ))
        }
    }
}

impl<'de, const MIN: u16, const MAX: u16> Deserialize<'de> for Number<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Range<const MIN: u16, const MAX: u16>;
        impl<const MIN: u16, const MAX: u16> Visitor<'_> for Range<MIN, MAX> {
            type Value = u16;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a whole number from {MIN} to {MAX}")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<u16, E> {
                u16::try_from(number)
                    .ok()
                    .filter(|number| (MIN..=MAX).contains(number))
                    .ok_or_else(|| {
                        E::custom(format_args!(
                            "{number} is out of range: expected a whole number from {MIN} to {MAX}"
                        ))
                    })
            }
        }
        from.deserialize_i64(Range::<MIN, MAX>).map(Self)
    }
}

impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for Lasting<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Range<const MIN: u64, const MAX: u64>;
        impl<const MIN: u64, const MAX: u64> Visitor<'_> for Range<MIN, MAX> {
            type Value = Duration;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration in quotes, like \"30s\" or \"1h30m\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
                let duration = SpanParser::new()
                    .parse_unsigned_duration(text)
                    .map_err(|_| {
                        E::custom(format_args!(
                            "`{text}` is not a duration: expected one like \"30s\" or \"1h30m\""
                        ))
                    })?;
                if (Duration::from_secs(MIN)..=Duration::from_secs(MAX)).contains(&duration) {
                    Ok(duration)
                } else {
                    Err(E::custom(format_args!(
                        "\"{text}\" is out of range: expected a duration from {} to {}",
                        brief(MIN),
                        brief(MAX)
                    )))
                }
            }
        }
        from.deserialize_str(Range::<MIN, MAX>).map(Self)
    }
}

/// Seconds as an operator would write them.
fn brief(seconds: u64) -> String {
    match seconds {
        0 => "0s".into(),
        s if s % 3600 == 0 => format!("{}h", s / 3600),
        s if s % 60 == 0 => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}

impl TryFrom<Vec<Day>> for Days {
    type Error = String;

    fn try_from(list: Vec<Day>) -> Result<Self, String> {
        let mut days = [false; 7];
        for day in list {
            for (chosen, _) in days.iter_mut().zip(0..).filter(|(_, i)| *i == day as u8) {
                if std::mem::replace(chosen, true) {
                    return Err("a day is listed twice".into());
                }
            }
        }
        if days.contains(&true) {
            Ok(Self(days))
        } else {
            Err(
                "no days, so the window would never open: expected some of `mon` to `sun`, or no `days` for all"
                    .into(),
            )
        }
    }
}

impl TryFrom<String> for Clock {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "24:00" {
            return Ok(Self(None));
        }
        let digits = |text: &str| {
            let two = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
            two.then(|| text.parse().ok()).flatten()
        };
        text.split_once(':')
            .and_then(|(hour, minute)| Time::new(digits(hour)?, digits(minute)?, 0, 0).ok())
            .map(|time| Self(Some(time)))
            .ok_or_else(|| {
                format!("`{text}` is not a time of day: expected one from \"00:00\" to \"24:00\"")
            })
    }
}
