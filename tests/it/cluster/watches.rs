//! Watches: what is asked, what is seen, and how each of them ends.

use std::future::Future;
use std::time::{Duration, Instant};

use rollboot::cluster::Deadlines;
use rollboot::drain::PodView;
use rollboot::failure::{Failure, FailureKind};
use rollboot::lock::LockView;
use rollboot::ports::Cluster;
use serde_json::{Value, json};

use super::server::{Piece, Reply, Server};
use super::wire::lock_object;
use super::{HASTY, PATIENT, cluster_at, cluster_with};

fn event(kind: &str, object: &Value) -> Piece {
    Piece::Line(json!({"type": kind, "object": object}))
}

fn bookmark() -> Piece {
    event(
        "BOOKMARK",
        &json!({"kind": "ConfigMap", "metadata": {"resourceVersion": "50"}}),
    )
}

/// Longer than the shortest watch that has not failed by ending.
const LONG_ENOUGH: Piece = Piece::Pause(Duration::from_millis(1050));

type Seen = (Vec<Option<LockView>>, Result<(), Failure>);

async fn watch(pieces: Vec<Piece>, deadlines: Deadlines) -> Seen {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::plain([Reply::Stream(pieces)]).await;
    let mut seen = Vec::new();
    let end = cluster_with(folder.path(), &server.url, deadlines)
        .watch_lock("41", |view| seen.push(view))
        .await;
    (seen, end)
}

#[tokio::test]
async fn the_lock_is_watched_by_its_name_from_a_version() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::plain([Reply::Stream(vec![])]).await;
    let _ = cluster_at(folder.path(), &server.url)
        .watch_lock("41", |_| {})
        .await;
    assert_eq!(
        server.only().line(),
        "GET /api/v1/namespaces/kube-system/configmaps?watch=true&timeoutSeconds=290&fieldSelector=metadata.name%3Drollboot\
         &allowWatchBookmarks=true&resourceVersion=41"
    );
}

#[tokio::test]
async fn each_state_is_seen_and_a_bookmark_is_none() {
    let text = format!(
        "{}\n",
        json!({"type": "MODIFIED", "object": lock_object("44")})
    );
    let (first, second) = text.split_at(40);
    let pieces = vec![
        event("ADDED", &lock_object("42")),
        bookmark(),
        event("MODIFIED", &lock_object("43")),
        // An event may arrive in pieces, and several in one.
        Piece::Raw(Box::leak(first.to_owned().into_boxed_str())),
        Piece::Raw(Box::leak(format!("{second}{text}").into_boxed_str())),
        event("DELETED", &lock_object("45")),
        event("ADDED", &lock_object("46")),
        LONG_ENOUGH,
    ];
    let (seen, end) = watch(pieces, PATIENT).await;
    let versions: Vec<_> = seen
        .iter()
        .map(|view| view.as_ref().map(|view| view.version.as_str()))
        .collect();
    let wanted = ["42", "43", "44", "44", "", "46"].map(|it| (!it.is_empty()).then_some(it));
    assert_eq!(versions, wanted);
    assert_eq!(end, Ok(()), "ended by the server in good time");
}

#[tokio::test]
async fn every_other_end_is_a_failure() {
    let expired = json!({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version: 41 (900)"});
    for (pieces, kind, words) in [
        (
            vec![event("ERROR", &expired)],
            FailureKind::Unavailable,
            "410: too old",
        ),
        (
            vec![event("PUZZLE", &json!({}))],
            FailureKind::Unavailable,
            "ended the watch",
        ),
        (vec![], FailureKind::Unavailable, "as soon as it began"),
        (vec![Piece::Break], FailureKind::Unavailable, "cannot watch"),
        (
            vec![Piece::Raw("{\"type\":\"MODI")],
            FailureKind::Unavailable,
            "within an event",
        ),
        (
            vec![Piece::Raw("<html>\n")],
            FailureKind::Unavailable,
            "<html>",
        ),
        (
            vec![event("ADDED", &json!({"kind": "ConfigMap"}))],
            FailureKind::Unavailable,
            "make sense",
        ),
    ] {
        let shown = format!("{pieces:?}");
        let (seen, end) = watch(pieces, HASTY).await;
        assert_eq!(seen, [], "{shown}");
        let failure = end.unwrap_err();
        assert_eq!(failure.kind, kind, "{shown}: {failure}");
        assert!(failure.message.contains(words), "{shown}: {failure}");
    }
}

/// A bookmark is a sign of life, though nothing is seen.
#[tokio::test]
async fn silence_ends_a_watch_in_good_time() {
    let begun = Instant::now();
    assert_eq!(watch(vec![Piece::Hang], HASTY).await, (vec![], Ok(())));
    let silent = begun.elapsed();
    assert!(
        (HASTY.idle..HASTY.idle * 10).contains(&silent),
        "{silent:?}"
    );

    let mut pieces = vec![];
    for _ in 0..5 {
        pieces.extend([Piece::Pause(HASTY.idle / 2), bookmark()]);
    }
    pieces.extend([event("ADDED", &lock_object("42")), Piece::Hang]);
    let (seen, end) = watch(pieces, HASTY).await;
    assert_eq!((seen.len(), end), (1, Ok(())));
}

#[tokio::test]
async fn a_watch_that_is_not_granted_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let forbidden =
        json!({"kind": "Status", "code": 403, "reason": "Forbidden", "message": "cannot watch"});
    for (reply, kind) in [
        (Reply::Json(403, forbidden), FailureKind::Forbidden),
        (
            Reply::Text(429, "text/plain", "", "later"),
            FailureKind::Throttled,
        ),
        (Reply::Silence, FailureKind::Timeout),
        (Reply::HangUp, FailureKind::Unavailable),
    ] {
        let server = Server::plain([reply]).await;
        let end = cluster_with(folder.path(), &server.url, HASTY)
            .watch_lock("41", |_| {})
            .await;
        assert_eq!(end.unwrap_err().kind, kind);
    }
}

fn pod(name: &str, uid: &str) -> Value {
    json!({"metadata": {"namespace": "shop", "name": name, "uid": uid, "resourceVersion": "1"}, "spec": {}, "status": {}})
}

#[tokio::test]
async fn the_pods_are_seen_whole_at_first_and_after_each_change_that_matters() {
    let folder = tempfile::tempdir().unwrap();
    let list = json!({"kind": "PodList", "metadata": {"resourceVersion": "9"}, "items": [pod("a", "1"), pod("b", "2")]});
    let mut ending = pod("a", "1");
    ending["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let mut unimportant = ending.clone();
    unimportant["metadata"]["resourceVersion"] = json!("77");
    let server = Server::plain([
        Reply::Json(200, list),
        Reply::Stream(vec![
            event("MODIFIED", &ending),
            event("MODIFIED", &unimportant),
            event("DELETED", &ending),
            event("DELETED", &ending),
            // The same name, but another pod; the old one's end comes after it.
            event("ADDED", &pod("b", "3")),
            event("DELETED", &pod("b", "2")),
            LONG_ENOUGH,
        ]),
    ])
    .await;
    let mut seen: Vec<Vec<String>> = Vec::new();
    let note = |pods: Vec<PodView>| {
        seen.push(
            pods.iter()
                .map(|pod| {
                    let mark = if pod.terminating { "-" } else { "" };
                    format!("{}{}{mark}", pod.pod.name, pod.pod.uid)
                })
                .collect(),
        );
    };
    let end = cluster_at(folder.path(), &server.url)
        .watch_pods(note)
        .await;
    assert_eq!(end, Ok(()));
    let wanted: [&[&str]; 5] = [
        &["a1", "b2"],
        &["a1-", "b2"],
        &["b2"],
        &["b2", "b3"],
        &["b3"],
    ];
    assert_eq!(seen, wanted);
    assert_eq!(
        server.asked()[1].line(),
        "GET /api/v1/pods?watch=true&timeoutSeconds=290&fieldSelector=spec.nodeName%3Dnode-a\
         &allowWatchBookmarks=true&resourceVersion=9"
    );
}

#[tokio::test]
async fn pods_that_cannot_be_listed_are_not_watched() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::plain([Reply::HangUp]).await;
    let mut calls = 0;
    let end = cluster_at(folder.path(), &server.url)
        .watch_pods(|_| calls += 1)
        .await;
    assert_eq!(end.unwrap_err().kind, FailureKind::Unavailable);
    assert_eq!((calls, server.asked().len()), (0, 1));
}

#[tokio::test]
async fn a_watch_that_is_given_up_leaves_the_client_usable() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::plain([
        Reply::Stream(vec![event("ADDED", &lock_object("42")), Piece::Hang]),
        Reply::Json(200, lock_object("43")),
    ])
    .await;
    let cluster = cluster_at(folder.path(), &server.url);
    let (tell, told) = tokio::sync::oneshot::channel::<()>();
    let mut tell = Some(tell);
    tokio::select! {
        end = cluster.watch_lock("41", |_| drop(tell.take())) => panic!("{end:?}"),
        _ = told => {}
    }
    assert_eq!(cluster.read_lock().await.unwrap().unwrap().version, "43");
}

/// Each state is a copy of all pods: what a server sends at once must not pile up before the loop takes the first. A watch has the bound of
/// a list.
#[tokio::test]
async fn a_flood_of_pods_in_a_watch_is_given_up_like_one_in_a_list() {
    let many = 12_000;
    let mut text = String::new();
    for number in 0..many {
        let pod = json!({"kind": "Pod", "metadata": {"name": "p", "namespace": "n", "uid": format!("u{number}"), "resourceVersion": "9"},
            "spec": {"nodeName": "node-a"}, "status": {"phase": "Running"}});
        text.push_str(&format!("{}\n", json!({"type": "ADDED", "object": pod})));
    }
    let list = json!({"kind": "PodList", "metadata": {"resourceVersion": "8"}, "items": []});
    let flood = Reply::Stream(vec![
        Piece::Raw(Box::leak(text.into_boxed_str())),
        Piece::Hang,
    ]);
    let folder = tempfile::tempdir().unwrap();
    let server = Server::plain([Reply::Json(200, list), flood]).await;
    let cluster = cluster_at(folder.path(), &server.url);
    let (queued, worst) = (std::cell::Cell::new(0_usize), std::cell::Cell::new(0_usize));
    let seen = |pods: Vec<PodView>| queued.set(queued.get() + pods.len());
    let mut watch = Box::pin(cluster.watch_pods(seen));
    // As the loop does: the watch runs until it has to wait, and what it has seen lies in the queue until then.
    let polled = std::future::poll_fn(|context| {
        queued.set(0);
        let poll = watch.as_mut().poll(context);
        worst.set(worst.get().max(queued.get()));
        poll
    });
    let end = tokio::time::timeout(Duration::from_secs(60), polled).await;
    let size = std::mem::size_of::<PodView>();
    assert!(
        worst.get() > 0 && worst.get() * size < 16 << 20,
        "{} pods",
        worst.get()
    );
    let failure = end.unwrap().unwrap_err();
    assert!(failure.message.contains("has no end"), "{failure}");
}
