//! Selectors as kubectl reads them, and against a plain definition of what they select.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

type Labels = BTreeMap<String, String>;

fn labels(pairs: &[(&str, &str)]) -> Labels {
    let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    pairs.iter().map(own).collect()
}

fn matches(selector: &str, labels: &Labels) -> bool {
    let selector = Selector::parse(selector).unwrap_or_else(|why| panic!("{why}"));
    selector.matches(|key| labels.get(key).map(String::as_str))
}

#[test]
fn selectors_mean_what_they_mean_to_kubectl() {
    let pod = labels(&[("app", "backup"), ("tier", "b"), ("size", "7"), ("e", "")]);
    for (selector, expected) in [
        ("app=backup", true),
        ("app == backup", true),
        ("app=other", false),
        ("app!=backup", false),
        ("app!=other", true),
        // Missing is different from every value.
        ("missing!=x", true),
        ("missing notin (x, y)", true),
        ("missing=x", false),
        ("missing in (x)", false),
        ("app", true),
        ("!app", false),
        ("missing", false),
        ("!missing", true),
        ("! missing", true),
        ("tier in (a, b)", true),
        ("tier in(a,c)", false),
        ("tier notin (a, b)", false),
        ("tier notin (a,c)", true),
        // All of them.
        ("app=backup,tier=b,!missing", true),
        ("app=backup,tier=a", false),
        (" app = backup ,\ttier in ( b ) ", true),
        // The empty value.
        ("e=", true),
        ("e=,app", true),
        ("app=", false),
        ("e in (,x)", true),
        ("e in (x,)", true),
        ("e in (,)", true),
        ("e in ()", true),
        ("e!=", false),
        // Numbers.
        ("size>6", true),
        ("size > 7", false),
        ("size<8", true),
        ("size<7", false),
        ("app>1", false),
        ("missing<1", false),
        // Words that are operators elsewhere.
        ("in", false),
        ("in in (in)", false),
        ("notin notin (notin)", true),
        ("a=in", false),
        // With a domain before the name.
        ("app.kubernetes.io/name!=x", true),
        ("batch.kubernetes.io/job-name", false),
    ] {
        assert_eq!(matches(selector, &pod), expected, "{selector}");
    }
}

#[test]
fn what_is_no_selector_is_refused_with_what_does_not_fit() {
    let long = format!("{}=x", "k".repeat(64));
    for (selector, why) in [
        ("", "would select every pod"),
        (" ", "would select every pod"),
        (",", "expected the key of a label, found `,`"),
        ("a,", "expected the key of a label, and there it ends"),
        ("a,,b", "expected the key of a label, found `,`"),
        ("a b", "found `b`"),
        ("a = b c", "expected `,` or the end, found `c`"),
        ("=b", "expected the key of a label, found `=`"),
        ("a===b", "expected a value for `a`, found `=`"),
        ("!a=b", "expected `,` or the end, found `=`"),
        ("!!a", "expected the key of a label, found `!`"),
        ("a in b", "expected `(` and values, found `b`"),
        ("a in (b", "expected `,` or `)`, and there it ends"),
        ("a in (b,", "and there it ends"),
        ("a in (b c)", "expected `,` or `)`, found `c`"),
        ("a in (b))", "expected `,` or the end, found `)`"),
        (
            "a exists",
            "expected one of `=`, `!=`, `in`, `notin`, `>`, `<` after `a`, found `exists`",
        ),
        ("a!", "found `!`"),
        (
            "a>b",
            "expected a whole number to compare `a` with, found `b`",
        ),
        ("a>", "expected a whole number"),
        ("a=-b", "cannot be the value of a label"),
        ("a=b/c", "cannot be the value of a label"),
        ("a=\u{fc}", "cannot be the value of a label"),
        ("-a", "cannot be the key of a label"),
        ("/a", "cannot be the key of a label"),
        ("a/", "cannot be the key of a label"),
        ("A.b/c", "cannot be the key of a label"),
        ("a/b/c", "cannot be the key of a label"),
        (&long, "cannot be the key of a label"),
        // Well written, and nothing could ever match.
        ("a=b,a=c", "no pod can ever match `a=b,a=c`"),
        ("a,!a", "the label `a` contradicts itself"),
        ("a in (b),a notin (b, c)", "contradicts itself"),
        ("a>5,a<6", "contradicts itself"),
        ("a<0", "contradicts itself"),
        ("a=b,x,a!=b", "contradicts itself"),
    ] {
        let error = Selector::parse(selector).unwrap_err();
        assert!(error.contains(why), "{selector:?}: {error}");
    }
}

/// A requirement as data, for a definition of its own.
#[derive(Debug, Clone)]
enum Plain {
    Is(String, bool, String),
    OneOf(String, bool, Vec<String>),
    There(String, bool),
}

impl Plain {
    fn text(&self) -> String {
        match self {
            Self::Is(key, true, value) => format!("{key}={value}"),
            Self::Is(key, false, value) => format!("{key} != {value}"),
            Self::OneOf(key, true, values) => format!("{key} in ({})", values.join(",")),
            Self::OneOf(key, false, values) => format!("{key} notin ({})", values.join(", ")),
            Self::There(key, true) => key.clone(),
            Self::There(key, false) => format!("!{key}"),
        }
    }

    fn holds(&self, labels: &Labels) -> bool {
        match self {
            Self::Is(key, is, value) => (labels.get(key) == Some(value)) == *is,
            Self::OneOf(key, is, values) => {
                labels.get(key).is_some_and(|value| values.contains(value)) == *is
            }
            Self::There(key, is) => labels.contains_key(key) == *is,
        }
    }
}

fn plain() -> impl Strategy<Value = Plain> {
    let (key, value) = ("[a-c]", "[x-z]?");
    prop_oneof![
        (key, any::<bool>(), value).prop_map(|(key, is, value)| Plain::Is(key, is, value)),
        (key, any::<bool>(), prop::collection::vec("[x-z]", 1..3))
            .prop_map(|(key, is, values)| Plain::OneOf(key, is, values)),
        (key, any::<bool>()).prop_map(|(key, is)| Plain::There(key, is)),
    ]
}

/// All labels that the requirements above can tell apart: each key missing, or with a value of its own.
fn all_labels() -> Vec<Labels> {
    let mut all = vec![Labels::new()];
    for key in ["a", "b", "c"] {
        let with = |value: &'static str| {
            move |labels: &Labels| {
                let mut labels = labels.clone();
                labels.insert(key.to_owned(), value.to_owned());
                labels
            }
        };
        let more: Vec<_> = ["", "x", "y", "z", "other"]
            .into_iter()
            .flat_map(|value| all.iter().map(with(value)).collect::<Vec<_>>())
            .collect();
        all.extend(more);
    }
    all
}

proptest! {
    #[test]
    fn a_selector_selects_what_all_of_its_requirements_do(plain in prop::collection::vec(plain(), 1..5)) {
        let text = plain.iter().map(Plain::text).collect::<Vec<_>>().join(",");
        let holds = |labels: &Labels| plain.iter().all(|it| it.holds(labels));
        let all = all_labels();
        match Selector::parse(&text) {
            Ok(selector) => {
                for labels in &all {
                    let matches = selector.matches(|key| labels.get(key).map(String::as_str));
                    prop_assert_eq!(matches, holds(labels), "{} on {:?}", text, labels);
                }
                prop_assert!(all.iter().any(holds), "{} can match nothing", text);
            }
            Err(why) => {
                prop_assert!(why.contains("no pod can ever match"), "{}", why);
                prop_assert!(!all.iter().any(holds), "{}", why);
            }
        }
    }

    #[test]
    fn a_number_is_compared_as_a_number(limit in 0_i64..200, value in 0_i64..200, zeros in "0{0,3}") {
        let labels = labels(&[("a", &format!("{zeros}{value}"))]);
        prop_assert_eq!(matches(&format!("a>{limit}"), &labels), value > limit);
        prop_assume!(limit > 0);
        prop_assert_eq!(matches(&format!("a < {limit}"), &labels), value < limit);
    }

    #[test]
    fn any_text_is_read_or_refused_and_blanks_do_not_matter(
        pieces in prop::collection::vec(
            prop_oneof![
                8 => prop::sample::select(vec![
                    "a", "b", "in", "notin", "=", "==", "!=", "!", "(", ")", ",", "<", ">", "7", "x.y/z", "-", "/",
                ]).prop_map(str::to_owned),
                1 => any::<String>(),
            ],
            0..12,
        ),
    ) {
        let read = Selector::parse(&pieces.join(" "));
        if let Ok(selector) = &read {
            prop_assert!(!selector.requirements.is_empty());
        }
        let wide = Selector::parse(&pieces.join(" \t\n"));
        prop_assert_eq!(read.map(|it| it.requirements).ok(), wide.map(|it| it.requirements).ok());
    }
}
