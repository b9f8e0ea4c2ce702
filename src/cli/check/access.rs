//! The kubeconfig, and for how long what stands in it still opens the door.

use jiff::Timestamp;

use super::finding::{Finding, fail, ok, warn};
use crate::cli::text::{moment, span};
use crate::cluster::{Access, Credential, KubeletCluster, NameSource};
use crate::failure::Failure;

const KUBECONFIG: &str = "kubeconfig";
const CREDENTIAL: &str = "credential";
/// Where a kubelet keeps the certificates that it renews.
const ROTATED: &str = "journalctl -u kubelet | grep -i certificate; the control plane must sign what the kubelet asks for";

/// Which kubeconfig it is, and whose.
pub(super) fn kubeconfig(cluster: &KubeletCluster, access: &Access) -> Finding {
    let whose = match cluster.name_source() {
        NameSource::Record => "the record of its turn",
        NameSource::Configured => "node-name of the configuration",
        NameSource::Certificate => "its certificate",
        NameSource::Review => "the API server's word",
    };
    ok(
        KUBECONFIG,
        format!(
            "{} for {}; this node is {}, by {whose}",
            cluster.kubeconfig().display(),
            access.server,
            cluster.node()
        ),
    )
}

/// Where `node-name` names the node: whether the credential is of that very one. `user` is who the server takes it for.
pub(super) fn named(node: &str, user: Result<String, Failure>) -> Option<Finding> {
    let user = user.ok()?;
    let other = user.strip_prefix("system:node:")?;
    (other != node).then(|| {
        fail(
            KUBECONFIG,
            format!("node-name says {node}, and the credential is of node {other}"),
            "remove node-name, or set kubeconfig to this node's own: a node may change only itself",
        )
    })
}

/// Each credential, by the clock of this host.
pub(super) fn credentials(access: &Access, now: Timestamp) -> Vec<Finding> {
    if access.credentials.is_empty() {
        return vec![warn(
            CREDENTIAL,
            "the kubeconfig names none: this node is anonymous",
            "is this the kubelet's own kubeconfig?",
        )];
    }
    access
        .credentials
        .iter()
        .map(|credential| match credential {
            Credential::Certificate {
                place,
                from,
                until,
                embedded,
            } => certificate(place, *from, *until, *embedded, now),
            Credential::Token { place, until } => token(place, *until, now),
            Credential::Plugin(command) => ok(
                CREDENTIAL,
                format!("from the plugin {command}, run whenever it is needed"),
            ),
            Credential::Other(what) => ok(CREDENTIAL, what),
        })
        .collect()
}

/// A kubelet asks for the next certificate when 70 to 90 hundredths of the time are over: what is older was not renewed.
fn certificate(
    place: &str,
    from: Timestamp,
    until: Timestamp,
    embedded: bool,
    now: Timestamp,
) -> Finding {
    let text = format!("certificate {place} holds until {}", moment(until, now));
    let (life, left) = (from.duration_until(until), now.duration_until(until));
    if now > until {
        fail(
            CREDENTIAL,
            format!("certificate {place} has expired: {}", moment(until, now)),
            ROTATED,
        )
    } else if now < from {
        let found = format!(
            "certificate {place} does not hold yet, but from {}",
            moment(from, now)
        );
        fail(
            CREDENTIAL,
            found,
            "is the clock of this host right? timedatectl",
        )
    } else if left.as_secs() < life.as_secs() / 10 {
        let why = if embedded {
            "and stands in the kubeconfig itself, where no kubelet renews it"
        } else {
            "and should have been renewed by now"
        };
        warn(CREDENTIAL, format!("{text}, {why}"), ROTATED)
    } else {
        ok(CREDENTIAL, text)
    }
}

fn token(place: &str, until: Option<Timestamp>, now: Timestamp) -> Finding {
    match until {
        None => ok(
            CREDENTIAL,
            format!("a token in {place}, which does not say until when it holds"),
        ),
        Some(until) if now > until => fail(
            CREDENTIAL,
            format!(
                "the token in {place} expired {} ago",
                span(until.duration_until(now))
            ),
            "whoever writes that file has stopped doing so",
        ),
        Some(until) => ok(
            CREDENTIAL,
            format!("the token in {place} holds until {}", moment(until, now)),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    const DAY: i64 = 86_400;

    fn day(number: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + number * DAY).unwrap()
    }

    #[test]
    fn a_certificate_that_should_have_been_renewed_is_told_from_one_that_will_be() {
        for (now, embedded, verdict, said) in [
            (day(-1), false, Verdict::Fail, "does not hold yet"),
            (day(0), false, Verdict::Ok, "holds until"),
            (day(80), false, Verdict::Ok, "in 20 days"),
            (day(90), false, Verdict::Ok, "in 10 days"),
            (day(91), false, Verdict::Warn, "should have been renewed"),
            (day(91), true, Verdict::Warn, "no kubelet renews it"),
            (day(100), false, Verdict::Warn, "in 0 s"),
            (day(103), false, Verdict::Fail, "has expired"),
        ] {
            let found = certificate("/c.pem", day(0), day(100), embedded, now);
            assert_eq!(found.result, verdict, "{found:?}");
            assert!(found.found.contains(said) || now == day(100), "{found:?}");
        }
    }

    #[test]
    fn each_kind_of_credential_is_named() {
        let access = |credentials| Access {
            server: "https://s".into(),
            credentials,
        };
        let token = |until| Credential::Token {
            place: "/t".into(),
            until,
        };
        for (credential, verdict, said) in [
            (token(None), Verdict::Ok, "does not say"),
            (token(Some(day(2))), Verdict::Ok, "in 2 days"),
            (token(Some(day(-2))), Verdict::Fail, "expired 2 days ago"),
            (Credential::Plugin("aws".into()), Verdict::Ok, "plugin aws"),
            (Credential::Other("a password"), Verdict::Ok, "password"),
        ] {
            let found = credentials(&access(vec![credential]), day(0));
            assert_eq!(found[0].result, verdict, "{found:?}");
            assert!(found[0].found.contains(said), "{found:?}");
        }
        assert_eq!(
            credentials(&access(Vec::new()), day(0))[0].result,
            Verdict::Warn
        );
    }
}
