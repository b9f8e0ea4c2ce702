//! How many turns may run at once: `data` of the lock object, read on every attempt.

use std::collections::BTreeMap;

/// Group of nodes that name no other.
pub const DEFAULT_GROUP: &str = "default";
/// Group of nodes that run the control plane; its limit is capped at one.
pub const CONTROL_PLANE: &str = "control-plane";

/// The limits that hold for one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Slots of the group.
    pub group: u16,
    /// Slots of all groups together.
    pub total: u16,
}

impl Limits {
    /// Reads the limits of `group`. A missing one is 1 for the two groups that exist by themselves and 0 for any other name;
    /// anything but `0|[1-9][0-9]{0,3}` counts as 0, as in the admission policy: what cannot be read allows nothing.
    pub fn read(data: &BTreeMap<String, String>, group: &str) -> Self {
        let missing = u16::from(group == DEFAULT_GROUP || group == CONTROL_PLANE);
        let of_group = data
            .get(&format!("max.{group}"))
            .map_or(missing, |text| number(text));
        let cap = if group == CONTROL_PLANE { 1 } else { u16::MAX };
        Self {
            group: of_group.min(cap),
            total: data.get("max.total").map_or(1, |text| number(text)),
        }
    }
}

/// Limits of `group`, and of all groups, that cannot be read and so allow nothing: each with its text.
pub fn unreadable<'a>(data: &'a BTreeMap<String, String>, group: &str) -> Vec<(String, &'a str)> {
    [format!("max.{group}"), "max.total".to_owned()]
        .into_iter()
        .filter_map(|key| {
            let text = data.get(&key).filter(|text| parse(text).is_none())?;
            Some((key, text.as_str()))
        })
        .collect()
}

fn number(text: &str) -> u16 {
    parse(text).unwrap_or(0)
}

/// Exactly `0|[1-9][0-9]{0,3}`.
fn parse(text: &str) -> Option<u16> {
    let canonical = text == "0" || (!text.starts_with('0') && (1..=4).contains(&text.len()));
    if canonical && text.bytes().all(|b| b.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(pairs: &[(&str, &str)], group: &str) -> (u16, u16) {
        let data = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let limits = Limits::read(&data, group);
        (limits.group, limits.total)
    }

    #[test]
    fn missing_limits_are_one_for_the_groups_that_exist_by_themselves() {
        assert_eq!(limits(&[], "default"), (1, 1));
        assert_eq!(limits(&[], "control-plane"), (1, 1));
        assert_eq!(limits(&[], "gpu"), (0, 1));
    }

    #[test]
    fn what_cannot_be_read_allows_nothing() {
        for wrong in [
            "", "-1", "+1", "01", "1.0", " 1", "1 ", "10000", "one", "\u{664}",
        ] {
            assert_eq!(
                limits(&[("max.default", wrong), ("max.total", wrong)], "default"),
                (0, 0),
                "{wrong:?}"
            );
        }
        assert_eq!(
            limits(&[("max.default", "9999"), ("max.total", "10")], "default"),
            (9999, 10)
        );
        assert_eq!(limits(&[("max.default", "0")], "default"), (0, 1));
    }

    #[test]
    fn control_plane_nodes_go_one_at_a_time_whatever_the_limit_says() {
        assert_eq!(
            limits(
                &[("max.control-plane", "5"), ("max.total", "9")],
                "control-plane"
            ),
            (1, 9)
        );
        assert_eq!(
            limits(&[("max.control-plane", "0")], "control-plane"),
            (0, 1)
        );
    }
}
