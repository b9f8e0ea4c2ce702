//! What an operator has written on a pod: annotations that say how a drain is to treat it.

use std::fmt;

/// The annotations of one pod, as they are written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct DrainAnnotations {
    /// `rollboot.io/drain`.
    pub drain: Option<String>,
    /// `rollboot.io/drain-order`.
    pub order: Option<String>,
    /// `cluster-autoscaler.kubernetes.io/safe-to-evict`; other drainers honour it too.
    pub safe_to_evict: Option<String>,
}

/// What `rollboot.io/drain` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Directive {
    /// The pod stays.
    Skip,
    /// The pod ends by itself, and is waited for.
    Wait,
    /// The node does not reboot while the pod is there.
    Refuse,
}

/// Which pods go first: all of an order are gone before the next is begun.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Order(i64);

impl Order {
    /// What the cluster cannot do without goes last (`system-cluster-critical` and above), whatever the others say.
    pub const CRITICAL: Self = Self(1 << 31);

    /// What held up the last drain goes before all others.
    pub(super) const AHEAD: Self = Self(i64::MIN);

    /// Whether this is [`Self::AHEAD`].
    pub(super) fn is_ahead(self) -> bool {
        self == Self::AHEAD
    }

    /// As a number: one that an annotation can say, or one more than the highest of these.
    pub fn number(self) -> i64 {
        self.0
    }

    /// Whether this is the order of pods that say nothing.
    pub fn is_default(self) -> bool {
        self == Self::default()
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::CRITICAL {
            f.write_str("last")
        } else {
            self.0.fmt(f)
        }
    }
}

impl DrainAnnotations {
    /// What is asked for. A value that nobody knows is not guessed at.
    ///
    /// # Errors
    /// The value is none of those that exist.
    pub fn wish(&self) -> Result<Option<Directive>, &'static str> {
        match self.drain.as_deref() {
            None => Ok(None),
            Some("skip") => Ok(Some(Directive::Skip)),
            Some("wait") => Ok(Some(Directive::Wait)),
            Some("refuse") => Ok(Some(Directive::Refuse)),
            Some(_) => {
                Err("its annotation rollboot.io/drain is none of \"skip\", \"wait\" and \"refuse\"")
            }
        }
    }

    /// When the pod goes.
    ///
    /// # Errors
    /// The value is no whole number.
    pub fn order(&self) -> Result<Order, &'static str> {
        match &self.order {
            None => Ok(Order::default()),
            Some(text) => text
                .parse::<i32>()
                .map(|order| Order(order.into()))
                .map_err(|_| "its annotation rollboot.io/drain-order is no whole number"),
        }
    }

    /// `safe-to-evict: "false"`. Anything else, like the autoscaler, says nothing.
    pub fn unsafe_to_evict(&self) -> bool {
        self.safe_to_evict.as_deref() == Some("false")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wishes(drain: &str, order: &str) -> DrainAnnotations {
        DrainAnnotations {
            drain: Some(drain.into()),
            order: Some(order.into()),
            safe_to_evict: None,
        }
    }

    #[test]
    fn what_is_written_is_taken_as_it_is_written() {
        assert_eq!(DrainAnnotations::default().wish(), Ok(None));
        assert_eq!(wishes("skip", "").wish(), Ok(Some(Directive::Skip)));
        assert_eq!(wishes("wait", "").wish(), Ok(Some(Directive::Wait)));
        assert_eq!(wishes("refuse", "").wish(), Ok(Some(Directive::Refuse)));
        for nonsense in ["", "Skip", "evict", "true", " skip"] {
            assert!(wishes(nonsense, "").wish().is_err(), "{nonsense:?}");
        }
    }

    #[test]
    fn orders_are_whole_numbers_and_the_critical_come_last() {
        let order = |text: &str| wishes("", text).order();
        assert!(DrainAnnotations::default().order().unwrap().is_default());
        assert!(order("-5").unwrap() < Order::default());
        assert!(order("2147483647").unwrap() < Order::CRITICAL);
        assert_eq!(order("7").unwrap().to_string(), "7");
        assert_eq!(Order::CRITICAL.to_string(), "last");
        for nonsense in ["", "first", "1.5", "2147483648", "0x1"] {
            assert!(order(nonsense).is_err(), "{nonsense:?}");
        }
    }

    #[test]
    fn only_false_is_unsafe() {
        for (text, expected) in [(None, false), (Some("true"), false), (Some("false"), true)] {
            let wishes = DrainAnnotations {
                safe_to_evict: text.map(str::to_owned),
                ..DrainAnnotations::default()
            };
            assert_eq!(wishes.unsafe_to_evict(), expected);
        }
    }
}
