//! The credential: presented, followed when it changes on disk, fetched from a plugin, and never shown.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rollboot::failure::FailureKind;
use rollboot::ports::Cluster;
use serde_json::json;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use super::authority::{Authority, acceptor_of, point};
use super::server::{Reply, Server};
use super::wire::lock_object;
use super::{HASTY, PATIENT, kubeconfig, open, write_kubeconfig};

fn lock_replies(count: usize) -> Vec<Reply> {
    vec![Reply::Json(200, lock_object("1")); count]
}

/// Writes a credential plugin, and the kubeconfig user that names it.
fn plugin(folder: &Path, script: &str) -> String {
    let path = folder.join("plugin");
    fs::write(
        &path,
        format!("#!/bin/sh\ncd {}\n{script}", folder.display()),
    )
    .unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    // Relative to the kubeconfig's folder.
    "{exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plugin, interactiveMode: Always}}"
        .to_owned()
}

/// A script that counts its runs and gives the count as the token.
const COUNTING: &str = "echo run >>runs\n\
    printf '{\"kind\":\"ExecCredential\",\"status\":{\"token\":\"t%s\"}}' \"$(wc -l <runs)\"\n";

fn runs(folder: &Path) -> usize {
    fs::read_to_string(folder.join("runs")).map_or(0, |text| text.lines().count())
}

#[tokio::test]
async fn a_rotated_certificate_is_presented_from_the_next_request_on() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let authority = Authority::new();
    let (old, new) = (authority.identity("node-a"), authority.identity("node-a"));
    fs::write(at("old.pem"), &old.pem).unwrap();
    fs::write(at("new.pem"), &new.pem).unwrap();
    point(&at("current.pem"), &at("old.pem"));
    let server = Server::tls(authority.acceptor(), lock_replies(4)).await;
    let user = "{client-certificate: current.pem, client-key: current.pem}";
    let cluster = authority.cluster(folder.path(), &server.url, user);

    cluster.read_lock().await.unwrap();
    cluster.read_lock().await.unwrap();
    point(&at("current.pem"), &at("new.pem"));
    cluster.read_lock().await.unwrap();
    fs::write(at("new.pem"), &old.pem).unwrap();
    cluster.read_lock().await.unwrap();

    let shown: Vec<_> = server
        .asked()
        .into_iter()
        .map(|asked| asked.certificate.unwrap())
        .collect();
    assert_eq!(
        shown,
        [&old.der, &old.der, &new.der, &old.der].map(Clone::clone)
    );
}

#[tokio::test]
async fn a_changed_ca_server_or_token_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (Authority::new(), Authority::new());
    let one = Server::tls(first.acceptor(), lock_replies(2)).await;
    let two = Server::tls(second.acceptor(), lock_replies(1)).await;
    fs::write(folder.path().join("token"), "early").unwrap();
    let user = "{tokenFile: token}";
    let cluster = first.cluster(folder.path(), &one.url, user);
    cluster.read_lock().await.unwrap();
    fs::write(folder.path().join("token"), "later").unwrap();
    cluster.read_lock().await.unwrap();
    // The same kubeconfig path, but another server with another CA.
    second.cluster(folder.path(), &two.url, user);
    cluster.read_lock().await.unwrap();
    let tokens: Vec<_> = one
        .asked()
        .iter()
        .chain(&two.asked())
        .map(|asked| asked.headers["authorization"].clone())
        .collect();
    assert_eq!(tokens, ["Bearer early", "Bearer later", "Bearer later"]);
}

#[tokio::test]
async fn a_credential_that_is_missing_for_a_moment_is_a_failure_that_passes() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let identity = authority.identity("node-a");
    let path = folder.path().join("current.pem");
    let server = Server::tls(authority.acceptor(), lock_replies(2)).await;
    let user = "{client-certificate: current.pem, client-key: current.pem}";
    let cluster = authority.cluster(folder.path(), &server.url, user);
    for broken in [None, Some(""), Some("-----BEGIN CERTIFICATE-----\nAAAA")] {
        if let Some(text) = broken {
            fs::write(&path, text).unwrap();
        }
        let failure = cluster.read_lock().await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Local, "{failure}");
        assert!(failure.message.contains("kubeconfig"), "{failure}");
        fs::write(&path, &identity.pem).unwrap();
    }
    assert!(cluster.read_lock().await.is_ok());
}

#[tokio::test]
async fn after_401_the_credential_is_fetched_anew() {
    let folder = tempfile::tempdir().unwrap();
    let refused =
        json!({"kind": "Status", "code": 401, "reason": "Unauthorized", "message": "Unauthorized"});
    let mut script = lock_replies(3);
    script.insert(1, Reply::Json(401, refused));
    let server = Server::plain(script).await;
    let user = plugin(folder.path(), COUNTING);
    let cluster = open(
        &write_kubeconfig(folder.path(), &server.url, &user),
        PATIENT,
    );
    for number in 0..4 {
        let answer = cluster.read_lock().await;
        assert_eq!(answer.is_ok(), number != 1, "{answer:?}");
    }
    let tokens: Vec<_> = server
        .asked()
        .iter()
        .map(|asked| asked.headers["authorization"].clone())
        .collect();
    assert_eq!(tokens[0], tokens[1]);
    assert_ne!(tokens[1], tokens[2]);
    assert_eq!(tokens[2], tokens[3]);
}

/// The plugin takes longer than a request may: no request waits for it beyond its deadline, the loop goes on meanwhile, it is run
/// once, and what it says in the end is used.
#[tokio::test]
async fn a_slow_plugin_blocks_nothing_and_is_run_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::plain(lock_replies(1)).await;
    let until = folder.path().join("go");
    // kube runs a plugin more than once for one client; only the first run is slow.
    let script = "[ -e runs ] && cat token && exit\necho run >>runs\nwhile [ ! -e go ]; do sleep 0.02; done\n\
        printf '{\"kind\":\"ExecCredential\",\"status\":{\"token\":\"late\"}}' | tee token\n";
    let user = plugin(folder.path(), script);
    let cluster = open(&write_kubeconfig(folder.path(), &server.url, &user), HASTY);

    let begun = Instant::now();
    let ticks = async {
        let mut ticks = 0;
        while begun.elapsed() < Duration::from_millis(450) {
            tokio::time::sleep(Duration::from_millis(10)).await;
            ticks += 1;
        }
        ticks
    };
    let (one, two, ticks) = tokio::join!(cluster.read_lock(), cluster.read_node(), ticks);
    for failure in [one.unwrap_err(), two.unwrap_err()] {
        assert_eq!(failure.kind, FailureKind::Timeout, "{failure}");
        assert!(failure.message.contains("credential"), "{failure}");
    }
    assert!(ticks > 8, "the loop ticked {ticks} times");
    assert_eq!(runs(folder.path()), 1);
    fs::write(until, "").unwrap();
    cluster.read_lock().await.unwrap();
    assert_eq!(runs(folder.path()), 1);
    assert_eq!(server.only().headers["authorization"], "Bearer late");
}

#[tokio::test]
async fn a_plugin_that_fails_says_so_and_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::plain(lock_replies(1)).await;
    let script = format!("[ -e ok ] || {{ echo no ticket >&2; exit 3; }}\n{COUNTING}");
    let user = plugin(folder.path(), &script);
    let cluster = open(
        &write_kubeconfig(folder.path(), &server.url, &user),
        PATIENT,
    );
    let failure = cluster.read_lock().await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Local);
    assert!(failure.message.contains("plugin"), "{failure}");
    fs::write(folder.path().join("ok"), "").unwrap();
    assert!(cluster.read_lock().await.is_ok());
}

/// Also what a clock that was set back, or ahead, makes of a good certificate.
#[tokio::test]
async fn a_server_that_is_not_believed_says_what_may_be_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, others) = (Authority::new(), Authority::new());
    for (acceptor, words) in [
        (others.acceptor(), "the kubeconfig is another cluster's"),
        (
            ours.acceptor_valid_in(4000, 4096, "127.0.0.1"),
            "is this host's clock behind?",
        ),
        (
            ours.acceptor_valid_in(1975, 2000, "127.0.0.1"),
            "this host's clock is ahead",
        ),
        (
            ours.acceptor_valid_in(1975, 4096, "127.0.0.2"),
            "another address than the kubeconfig's",
        ),
        (ours.acceptor_without_leaf(), "is a CA itself"),
    ] {
        let server = Server::tls(acceptor, lock_replies(1)).await;
        let cluster = ours.cluster(folder.path(), &server.url, "{}");
        let failure = cluster.read_lock().await.unwrap_err();
        assert!(failure.message.contains(words), "{failure}");
        assert!(
            failure.message.contains("invalid peer certificate"),
            "{failure}"
        );
    }
}

/// A certificate that Go accepts and that is not supported: signed with ECDSA and SHA-512, made by openssl.
#[tokio::test]
async fn an_algorithm_that_is_not_supported_is_named() {
    const PEM: &str = include_str!("sha512.pem");
    let folder = tempfile::tempdir().unwrap();
    let mut certificates = CertificateDer::pem_slice_iter(PEM.as_bytes());
    let leaf = certificates.next().unwrap().unwrap();
    let key = PrivatePkcs8KeyDer::from_pem_slice(PEM.as_bytes()).unwrap();
    let acceptor = acceptor_of(leaf, key.secret_pkcs8_der().to_vec());
    let server = Server::tls(acceptor, lock_replies(1)).await;
    let (_, authority) = PEM.rsplit_once("-----END PRIVATE KEY-----").unwrap();
    fs::write(folder.path().join("ca.pem"), authority).unwrap();
    let place = format!(
        "{{server: \"{}\", certificate-authority: ca.pem}}",
        server.url
    );
    let path = folder.path().join("kubeconfig");
    fs::write(&path, kubeconfig(&place, "{}")).unwrap();
    let failure = open(&path, PATIENT).read_lock().await.unwrap_err();
    let words = "an algorithm that is not supported, such as ECDSA with SHA-512";
    assert!(failure.message.contains(words), "{failure}");
    assert!(
        failure.message.contains("issue it with RSA from 2048 bits"),
        "{failure}"
    );
}

/// Messages are shown to everybody.
#[tokio::test]
async fn no_message_quotes_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kubeconfig");
    let user = "apiVersion: v1\nusers:\n- name: u\n  user:\n    token:";
    let broken = [
        format!("{user} SECRET\n   client-key-data: SECRET\n"),
        format!("{user} [SECRET]\n    client-key-data: SECRET\n"),
        format!("{user} SECRET\n    as-groups: SECRET\n"),
        format!("{user} {{a: SECRET\n"),
    ];
    let mut messages = Vec::new();
    for text in broken {
        fs::write(&path, text).unwrap();
        messages.push(open(&path, PATIENT).read_lock().await.unwrap_err().message);
    }
    for (script, words) in [
        (
            "echo '{\"kind\": \"ExecCredential\", \"status\": {\"token\": [\"SECRET\"]}}'",
            "parse auth exec output",
        ),
        (
            "echo SECRET\necho no ticket >&2\nexit 3",
            "exit status: 3: \"no ticket\"",
        ),
    ] {
        let user = plugin(folder.path(), script);
        let user = user.replace("{exec: {", "{exec: {env: [{name: A, value: SECRET}], ");
        let path = write_kubeconfig(folder.path(), "http://127.0.0.1:1", &user);
        let message = open(&path, PATIENT).read_lock().await.unwrap_err().message;
        assert!(message.contains(words), "{message}");
        messages.push(message);
    }
    for message in messages {
        assert!(
            !message.contains("SECRET") && !message.contains('\n'),
            "{message}"
        );
        assert!(message.contains("kubeconfig"), "{message}");
    }
}

#[tokio::test]
async fn a_proxy_in_the_kubeconfig_is_refused_in_so_many_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kubeconfig");
    let cluster = "{server: 'http://127.0.0.1:1', proxy-url: 'socks5://proxy:1080'}";
    fs::write(&path, kubeconfig(cluster, "{}")).unwrap();
    let failure = open(&path, PATIENT).read_lock().await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Local);
    for words in ["socks5://proxy:1080", "not supported", "kubeconfig"] {
        assert!(failure.message.contains(words), "{failure}");
    }
}

/// Runs the test below in a process of its own, with proxies in its environment.
#[test]
fn a_proxy_in_the_environment_is_ignored() {
    for proxy in ["http://127.0.0.1:1", "not a url"] {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "cluster::credential::reads_the_lock",
                "--ignored",
            ])
            .env("HTTPS_PROXY", proxy)
            .env("https_proxy", proxy)
            .env("ALL_PROXY", proxy)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            said.contains("1 passed"),
            "with the proxy {proxy:?}: {said}"
        );
    }
}

#[tokio::test]
#[ignore = "run by a_proxy_in_the_environment_is_ignored"]
async fn reads_the_lock() {
    assert!(std::env::var("HTTPS_PROXY").is_ok());
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let server = Server::tls(authority.acceptor(), lock_replies(1)).await;
    let cluster = authority.cluster(folder.path(), &server.url, "{}");
    cluster.read_lock().await.unwrap();
}

/// The base path of a server behind a gateway is kept.
#[tokio::test]
async fn a_server_may_have_a_path() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::plain(lock_replies(1)).await;
    let url = format!("{}/k8s/clusters/c-1", server.url);
    let cluster = open(&write_kubeconfig(folder.path(), &url, "{}"), PATIENT);
    cluster.read_lock().await.unwrap();
    assert!(
        server
            .only()
            .target
            .starts_with("/k8s/clusters/c-1/api/v1/")
    );
}
