//! Pods that were told to end and do not: what keeps them, for an operator.
//!
//! The deletion timestamp is the time by which a pod should be gone, by the API server's clock, from which ours may differ. A pod
//! counts as late when that is past by a margin on our clock and it was seen to be ending for as long.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{PodRef, PodView};

/// What clocks may differ by, and a kubelet may take to clean up, in seconds.
const MARGIN: i64 = 60;

/// The pods that are waited for and have a deletion timestamp.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Endings(BTreeMap<PodRef, Ending>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Ending {
    /// When it should be gone.
    by: i64,
    finalizers: Vec<String>,
    /// When it was first looked at.
    first: Option<i64>,
    late: bool,
}

impl Endings {
    /// Takes note of a list, of which these are waited for.
    pub(super) fn seen(&mut self, pods: &[PodView], waited: &BTreeSet<PodRef>) {
        let mut before = std::mem::take(&mut self.0);
        let ending = pods.iter().filter(|pod| waited.contains(&pod.pod));
        for pod in ending {
            let Some(by) = pod.ends_by else { continue };
            let known = before.remove(&pod.pod);
            let ending = Ending {
                by,
                finalizers: pod.finalizers.clone(),
                first: known.as_ref().and_then(|known| known.first),
                late: known.is_some_and(|known| known.late),
            };
            self.0.insert(pod.pod.clone(), ending);
        }
    }

    /// Looks at the clock. Returns those that are late since now, each with what keeps it and where to look.
    pub(super) fn look(&mut self, now: i64) -> Vec<String> {
        let mut news = Vec::new();
        for (pod, ending) in &mut self.0 {
            let first = *ending.first.get_or_insert(now);
            let past = |since: i64| now.saturating_sub(since) >= MARGIN;
            if !ending.late && past(ending.by) && past(first) {
                ending.late = true;
                let words = ending.words();
                let PodRef {
                    namespace, name, ..
                } = pod;
                news.push(format!(
                    "{pod}: {words}; kubectl -n {namespace} get pod {name} -o yaml"
                ));
            }
        }
        news
    }

    /// Those that are late, each with what keeps it.
    pub(super) fn late(&self) -> impl Iterator<Item = String> {
        let late = self.0.iter().filter(|(_, ending)| ending.late);
        late.map(|(pod, ending)| format!("{pod}: {}", ending.words()))
    }

    /// Whether a pod should have ended and has not.
    pub(super) fn is_late(&self, pod: &PodRef) -> bool {
        self.0.get(pod).is_some_and(|ending| ending.late)
    }

    /// Why a pod has not ended.
    pub(super) fn words(&self, pod: &PodRef) -> String {
        match self.0.get(pod) {
            Some(ending) => ending.words(),
            None => "has not ended yet".to_owned(),
        }
    }
}

impl Ending {
    fn words(&self) -> String {
        let by = Timestamp::from_second(self.by).unwrap_or_default();
        if !self.late {
            // A finalizer keeps only the object: once the containers have ended nobody waits for it.
            return format!("has not ended yet, and has until {by}");
        }
        let kept = if self.finalizers.is_empty() {
            "it has no finalizers, so the kubelet keeps it: a container that does not stop, or a volume that cannot be unmounted"
                .to_owned()
        } else {
            format!(
                "it has finalizers, which whoever set them must remove: {}",
                self.finalizers.join(", ")
            )
        };
        format!("should have ended by {by} and has not; {kept}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BY: i64 = 1_800_000_000;

    fn pod(name: &str, finalizers: &[&str]) -> PodView {
        PodView {
            pod: PodRef {
                namespace: "ns".into(),
                name: name.into(),
                uid: name.into(),
            },
            terminating: true,
            ends_by: Some(BY),
            finalizers: finalizers.iter().map(|it| (*it).to_owned()).collect(),
            ..PodView::default()
        }
    }

    fn seen(endings: &mut Endings, pods: &[PodView]) {
        let waited = pods.iter().map(|pod| pod.pod.clone()).collect();
        endings.seen(pods, &waited);
    }

    #[test]
    fn a_pod_is_late_once_its_time_is_past_and_it_was_watched_for_as_long() {
        // When the looks begin, against the time by which it should be gone; when it is named.
        for (begins, named) in [
            (-30, 60),
            (0, 60),
            (50, 110),
            (90_000, 90_060),
            (-9_000, 60),
        ] {
            let mut endings = Endings::default();
            let mut late = None;
            for after in begins..begins + 10_000 {
                seen(&mut endings, &[pod("p", &[])]);
                if !endings.look(BY + after).is_empty() {
                    assert_eq!(late, None, "told once");
                    late = Some(after);
                }
            }
            assert_eq!(late, Some(named));
            assert_eq!(endings.late().count(), 1);
            seen(&mut endings, &[]);
            assert_eq!(endings.late().count(), 0, "it is gone");
        }
    }

    #[test]
    fn what_keeps_it_is_named() {
        let mut endings = Endings::default();
        let pods = [pod("a", &["example.com/backup", "x"]), pod("b", &[])];
        seen(&mut endings, &pods);
        let words = |endings: &Endings| pods.each_ref().map(|pod| endings.words(&pod.pod));
        let [a, b] = words(&endings);
        let soon = "has not ended yet, and has until 2027-01-15T08:00:00Z";
        assert_eq!([a.as_str(), b.as_str()], [soon, soon]);
        endings.look(BY);
        let told = endings.look(BY + MARGIN);
        let [a, b] = words(&endings);
        assert!(
            a.starts_with(
                "should have ended by 2027-01-15T08:00:00Z and has not; it has finalizers"
            ),
            "{a}"
        );
        assert!(b.contains("so the kubelet keeps it"), "{b}");
        assert_eq!(
            told[1],
            format!("ns/b: {b}; kubectl -n ns get pod b -o yaml")
        );
        assert_eq!(
            endings.late().collect::<Vec<_>>(),
            [format!("ns/a: {a}"), format!("ns/b: {b}")]
        );
        assert_eq!(Endings::default().words(&pods[0].pod), "has not ended yet");
    }

    #[test]
    fn a_finalizer_that_goes_and_a_time_that_is_set_anew_count() {
        let mut endings = Endings::default();
        seen(&mut endings, &[pod("a", &["x"])]);
        let mut changed = pod("a", &[]);
        changed.ends_by = Some(BY - 30);
        seen(&mut endings, &[changed]);
        assert_eq!(
            endings.words(&pod("a", &[]).pod),
            "has not ended yet, and has until 2027-01-15T07:59:30Z"
        );
        let stays = pod("stays", &["x"]);
        endings.seen(&[stays], &BTreeSet::new());
        assert_eq!(endings, Endings::default(), "nobody waits for that one");
    }
}
