//! The kubeconfig: found, understood, and the node's name told from it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, DnType, KeyPair};
use rollboot::cluster::{NameSource, PLACES, Source};
use rollboot::failure::FailureKind;
use rollboot::ports::Cluster;

use super::authority::Authority;
use super::{PATIENT, kubeconfig, open};

#[test]
fn a_kubeconfig_that_is_missing_is_named_with_every_place() {
    let root = tempfile::tempdir().unwrap();
    let failure = Source::find(None, root.path()).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Local);
    for place in PLACES {
        let place = root.path().join(place.trim_start_matches('/'));
        assert!(
            failure.message.contains(place.to_str().unwrap()),
            "{failure}"
        );
    }
    let failure = Source::find(Some(Path::new("/etc/my.conf")), root.path()).unwrap_err();
    assert!(
        failure.message.contains("etc/my.conf (as configured)"),
        "{failure}"
    );
    assert!(!failure.message.contains("kubelet.conf"), "{failure}");
}

#[test]
fn the_first_place_that_exists_is_taken_unless_one_is_configured() {
    let root = tempfile::tempdir().unwrap();
    let at = |place: &str| root.path().join(place.trim_start_matches('/'));
    for place in PLACES.iter().rev() {
        fs::create_dir_all(at(place).parent().unwrap()).unwrap();
        fs::write(at(place), "").unwrap();
        assert_eq!(
            Source::find(None, root.path()).unwrap().path(),
            Path::new(place)
        );
    }
    let last = Path::new(PLACES[4]);
    assert_eq!(Source::find(Some(last), root.path()).unwrap().path(), last);
}

fn host(user: &str) -> (tempfile::TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("etc/kubernetes/kubelet.conf");
    for folder in ["etc/kubernetes", "proc/sys/kernel", "var/lib/kubelet/pki"] {
        fs::create_dir_all(root.path().join(folder)).unwrap();
    }
    fs::write(
        root.path().join("proc/sys/kernel/hostname"),
        "Host-1.Example\n",
    )
    .unwrap();
    fs::write(&path, kubeconfig("{server: 'https://127.0.0.1:1'}", user)).unwrap();
    (root, path)
}

fn name(root: &Path, configured: Option<&str>) -> Result<Option<(String, NameSource)>, String> {
    Source::find(None, root)
        .and_then(|source| source.node_name(configured))
        .map_err(|failure| failure.message)
}

/// As kubeadm leaves it: an absolute link to the newest certificate, below another root.
#[test]
fn the_nodes_name_comes_from_the_certificate() {
    let current = "/var/lib/kubelet/pki/kubelet-client-current.pem";
    let user = format!("{{client-certificate: {current}, client-key: {current}}}");
    let (root, _) = host(&user);
    let identity = Authority::new().identity("worker-7.example");
    let pki = root.path().join("var/lib/kubelet/pki");
    fs::write(pki.join("2026.pem"), &identity.pem).unwrap();
    symlink(
        "/var/lib/kubelet/pki/2026.pem",
        pki.join("kubelet-client-current.pem"),
    )
    .unwrap();
    let found = ("worker-7.example".to_owned(), NameSource::Certificate);
    assert_eq!(name(root.path(), None), Ok(Some(found.clone())));
    assert_eq!(
        name(root.path(), Some("other")),
        Ok(Some(("other".to_owned(), NameSource::Configured)))
    );

    let data = STANDARD.encode(&identity.pem);
    let (root, _) = host(&format!(
        "{{client-certificate-data: {data}, client-key-data: {data}}}"
    ));
    assert_eq!(name(root.path(), None), Ok(Some(found)));
}

#[test]
fn without_a_nodes_certificate_no_name_is_guessed() {
    let found = Ok(None);
    let (root, _) = host("{token: t}");
    assert_eq!(name(root.path(), None), found);
    let mut parameters = CertificateParams::default();
    parameters
        .distinguished_name
        .push(DnType::CommonName, "kubernetes-admin");
    let admin = parameters
        .self_signed(&KeyPair::generate().unwrap())
        .unwrap();
    let (root, _) = host(&format!(
        "{{client-certificate-data: {}}}",
        STANDARD.encode(admin.pem())
    ));
    assert_eq!(name(root.path(), None), found);
}

#[test]
fn a_name_that_cannot_be_told_is_an_error_that_says_what_to_do() {
    for (user, words) in [
        ("{client-certificate: /gone.pem}", "gone.pem"),
        (
            "{client-certificate-data: '%%%'}",
            "client-certificate-data",
        ),
        ("{client-certificate-data: aGVsbG8=}", "node-name"),
    ] {
        let (root, _) = host(user);
        let error = name(root.path(), None).unwrap_err();
        assert!(error.contains(words), "{user}: {error}");
        assert!(name(root.path(), Some("given")).is_ok());
    }
    for wrong in ["", "Upper", "a/b", "-a", "a-", "a b", &"x".repeat(254)] {
        let (root, _) = host("{}");
        let error = name(root.path(), Some(wrong)).unwrap_err();
        assert!(error.contains("node-name"), "{wrong:?}: {error}");
    }
}

#[tokio::test]
async fn a_kubeconfig_that_makes_no_sense_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kubeconfig");
    for (text, words) in [
        ("", "current-context"),
        ("current-context: c\n", "no context \"c\""),
        (
            "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n",
            "no cluster \"k\"",
        ),
        ("\t{", "cannot use"),
        (&kubeconfig("{}", "{}"), "cluster url"),
        (
            &kubeconfig(
                "{server: 'https://h', certificate-authority: gone.pem}",
                "{}",
            ),
            "gone.pem",
        ),
    ] {
        fs::write(&path, text).unwrap();
        let failure = open(&path, PATIENT).read_lock().await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Local, "{failure}");
        assert!(failure.message.contains(words), "{failure}");
        assert!(
            failure.message.contains(path.to_str().unwrap()),
            "{failure}"
        );
    }
}
