//! Label selectors, as kubectl takes them: `app=backup`, `tier in (a, b), !done`.
//!
//! Grammar and meaning are those of `k8s.io/apimachinery/pkg/labels`. What is no selector is refused with the words that do not
//! fit. Refused as well, for a gate could not mean it: one that selects everything, and one that nothing can match.

use std::collections::BTreeSet;
use std::fmt;

mod parse;

/// What labels must be like; all requirements at once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Selector {
    /// As it was written.
    text: String,
    requirements: Vec<Requirement>,
}

/// What one label must be like.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Requirement {
    key: String,
    rule: Rule,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Rule {
    /// It is there and has one of these values: `=`, `==`, `in`.
    In(BTreeSet<String>),
    /// It is not there, or has another value: `!=`, `notin`.
    NotIn(BTreeSet<String>),
    Exists,
    Absent,
    /// It is a number greater than this: `>`.
    Above(i64),
    /// It is a number less than this: `<`.
    Below(i64),
}

impl Rule {
    fn allows(&self, value: Option<&str>) -> bool {
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match self {
            Self::In(values) => value.is_some_and(|value| values.contains(value)),
            Self::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
            Self::Exists => value.is_some(),
            Self::Absent => value.is_none(),
            Self::Above(limit) => number().is_some_and(|number| number > *limit),
            Self::Below(limit) => number().is_some_and(|number| number < *limit),
        }
    }
}

impl Selector {
    /// Reads a selector.
    ///
    /// # Errors
    /// What does not fit, and what is expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let requirements = parse::requirements(text)
            .map_err(|why| format!("`{text}` is not a label selector: {why}"))?;
        if requirements.is_empty() {
            return Err(
                "an empty selector would select every pod: expected one like `app=backup`".into(),
            );
        }
        let selector = Self {
            text: text.to_owned(),
            requirements,
        };
        match selector.contradiction() {
            Some(key) => Err(format!(
                "no pod can ever match `{text}`: what it says of the label `{key}` contradicts itself"
            )),
            None => Ok(selector),
        }
    }

    /// Whether labels match; `label` is the value of one of them.
    pub fn matches<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.requirements
            .iter()
            .all(|requirement| requirement.rule.allows(label(&requirement.key)))
    }

    /// A label that can have no value, and can neither be missing.
    fn contradiction(&self) -> Option<&str> {
        let keys: BTreeSet<&str> = self.requirements.iter().map(|it| it.key.as_str()).collect();
        keys.into_iter().find(|key| {
            let rules: Vec<&Rule> = self
                .requirements
                .iter()
                .filter(|it| it.key == *key)
                .map(|it| &it.rule)
                .collect();
            !possible(&rules)
        })
    }
}

/// Whether some value, or none, is allowed by all rules of a label.
fn possible(rules: &[&Rule]) -> bool {
    let allowed = |value: Option<&str>| rules.iter().all(|rule| rule.allows(value));
    if allowed(None) {
        return true;
    }
    let named = rules.iter().find_map(|rule| match rule {
        Rule::In(values) => Some(values),
        _ => None,
    });
    if let Some(values) = named {
        return values.iter().any(|value| allowed(Some(value)));
    }
    if rules.iter().any(|rule| matches!(rule, Rule::Absent)) {
        return false;
    }
    let above = rules.iter().filter_map(|rule| match rule {
        Rule::Above(limit) => Some(*limit),
        _ => None,
    });
    let below = rules.iter().filter_map(|rule| match rule {
        Rule::Below(limit) => Some(*limit),
        _ => None,
    });
    let (above, below) = (above.max(), below.min());
    if above.is_none() && below.is_none() {
        // Whatever is excluded, there are always other values.
        return true;
    }
    // A value of a label has no sign. Numbers that are excluded may be written in another way, with zeros before them.
    let least = above.map_or(0, |limit| limit.saturating_add(1).max(0));
    let most = below.map_or(i64::MAX, |limit| limit.saturating_sub(1));
    above != Some(i64::MAX) && least <= most
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests;
