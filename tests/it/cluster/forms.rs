//! Forms of a kubeconfig: what client-go makes of each, and what is made of it here. What client-go takes is taken.
//!
//! `forms.txt` holds client-go's answers. To make them anew: `ROLLBOOT_FORMS=FOLDER cargo test --test it forms` writes the forms, then
//! `go run ../it/cluster/forms.go FOLDER >../it/cluster/forms.txt` in tests/control-plane, whose module has client-go.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rollboot::ports::Cluster;

use super::authority::Authority;
use super::server::{Reply, Server};
use super::wire::lock_object;
use super::{PATIENT, open};

/// What is taken here though client-go does not: nothing is lost by that.
const MORE: [&str; 6] = [
    "ca-data-and-file",
    "ca-data-folded",
    "ca-data-with-spaces",
    "ca-with-insecure",
    "token-and-password",
    "token-data-with-newline",
];
/// What is not taken here though client-go does: without a user nobody is asked, for the file may be half written; and a server without
/// a scheme is one without TLS to client-go.
const LESS: [&str; 5] = [
    "server-without-scheme",
    "user-fields-null",
    "user-missing",
    "user-unnamed",
    "users-null",
];

/// Name, cluster, user; in them `@NAME` stands for a text made for the test.
const FORMS: [(&str, &str, &str); 54] = [
    ("plain-ca-file", "certificate-authority: ca.pem", "token: t"),
    (
        "plain-ca-data",
        "certificate-authority-data: @CA64",
        "token: t",
    ),
    (
        "ca-data-empty-beside-file",
        "certificate-authority-data: ''\n    certificate-authority: ca.pem",
        "token: t",
    ),
    (
        "ca-data-null-beside-file",
        "certificate-authority-data: null\n    certificate-authority: ca.pem",
        "token: t",
    ),
    (
        "ca-file-empty-beside-data",
        "certificate-authority: ''\n    certificate-authority-data: @CA64",
        "token: t",
    ),
    (
        "ca-data-literal-lines",
        "certificate-authority-data: |\n@CALINES",
        "token: t",
    ),
    (
        "ca-data-folded",
        "certificate-authority-data: >\n@CALINES",
        "token: t",
    ),
    (
        "ca-data-quoted-newline",
        "certificate-authority-data: \"@CA64\\n\"",
        "token: t",
    ),
    (
        "ca-data-quoted-crlf",
        "certificate-authority-data: \"@CA64\\r\\n\"",
        "token: t",
    ),
    (
        "ca-data-with-spaces",
        "certificate-authority-data: \" @CA64 \"",
        "token: t",
    ),
    (
        "ca-data-and-file",
        "certificate-authority: ca.pem\n    certificate-authority-data: @CA64",
        "token: t",
    ),
    (
        "ca-with-insecure",
        "certificate-authority: ca.pem\n    insecure-skip-tls-verify: true",
        "token: t",
    ),
    (
        "ca-insecure-alone",
        "insecure-skip-tls-verify: true",
        "token: t",
    ),
    (
        "ca-insecure-false",
        "insecure-skip-tls-verify: false\n    certificate-authority: ca.pem",
        "token: t",
    ),
    (
        "ca-insecure-null",
        "insecure-skip-tls-verify: null\n    certificate-authority: ca.pem",
        "token: t",
    ),
    (
        "ca-missing-file",
        "certificate-authority: gone.pem",
        "token: t",
    ),
    (
        "ca-not-base64",
        "certificate-authority-data: '%%%'",
        "token: t",
    ),
    (
        "ca-not-pem",
        "certificate-authority-data: aGVsbG8=",
        "token: t",
    ),
    (
        "ca-bundle-bad-first",
        "certificate-authority: bundle-bad-first.pem",
        "token: t",
    ),
    (
        "ca-bundle-bad-last",
        "certificate-authority: bundle-bad-last.pem",
        "token: t",
    ),
    (
        "ca-bundle-text",
        "certificate-authority: bundle-text.pem",
        "token: t",
    ),
    (
        "ca-bundle-key",
        "certificate-authority: bundle-key.pem",
        "token: t",
    ),
    (
        "ca-bundle-twice",
        "certificate-authority: bundle-twice.pem",
        "token: t",
    ),
    (
        "ca-bundle-crlf",
        "certificate-authority: bundle-crlf.pem",
        "token: t",
    ),
    (
        "ca-bundle-no-newline",
        "certificate-authority: bundle-no-newline.pem",
        "token: t",
    ),
    (
        "tls-name-empty",
        "certificate-authority: ca.pem\n    tls-server-name: ''",
        "token: t",
    ),
    (
        "tls-name-null",
        "certificate-authority: ca.pem\n    tls-server-name: null",
        "token: t",
    ),
    (
        "tls-name-given",
        "certificate-authority: ca.pem\n    tls-server-name: 127.0.0.1",
        "token: t",
    ),
    (
        "proxy-empty",
        "certificate-authority: ca.pem\n    proxy-url: ''",
        "token: t",
    ),
    (
        "compression-off",
        "certificate-authority: ca.pem\n    disable-compression: true",
        "token: t",
    ),
    (
        "extension",
        "certificate-authority: ca.pem\n    extensions: [{name: x, extension: {a: [1]}}]",
        "token: t",
    ),
    (
        "extensions-null",
        "certificate-authority: ca.pem\n    extensions: null",
        "token: t",
    ),
    (
        "unknown-field",
        "certificate-authority: ca.pem\n    colour: blue",
        "token: t\n    colour: blue",
    ),
    (
        "token-empty-beside-file",
        "certificate-authority: ca.pem",
        "token: ''\n    tokenFile: token",
    ),
    (
        "token-file",
        "certificate-authority: ca.pem",
        "tokenFile: token",
    ),
    (
        "token-file-newline",
        "certificate-authority: ca.pem",
        "tokenFile: token-newline",
    ),
    (
        "token-file-spaces",
        "certificate-authority: ca.pem",
        "tokenFile: token-spaces",
    ),
    (
        "token-file-crlf",
        "certificate-authority: ca.pem",
        "tokenFile: token-crlf",
    ),
    (
        "token-file-empty",
        "certificate-authority: ca.pem",
        "tokenFile: token-empty",
    ),
    (
        "token-file-missing",
        "certificate-authority: ca.pem",
        "tokenFile: gone",
    ),
    (
        "token-and-file",
        "certificate-authority: ca.pem",
        "token: other\n    tokenFile: token",
    ),
    (
        "token-data-with-newline",
        "certificate-authority: ca.pem",
        "token: \"t\\n\"",
    ),
    (
        "token-and-password",
        "certificate-authority: ca.pem",
        "token: t\n    username: u\n    password: p",
    ),
    (
        "certificate-files",
        "certificate-authority: ca.pem",
        "client-certificate: node.pem\n    client-key: node.pem",
    ),
    (
        "certificate-data",
        "certificate-authority: ca.pem",
        "client-certificate-data: @NODE64\n    client-key-data: @NODE64",
    ),
    (
        "certificate-data-empty-beside-files",
        "certificate-authority: ca.pem",
        "client-certificate-data: ''\n    client-key-data: ''\n    client-certificate: node.pem\n    client-key: node.pem",
    ),
    (
        "certificate-data-null-beside-files",
        "certificate-authority: ca.pem",
        "client-certificate-data: null\n    client-key-data: null\n    client-certificate: node.pem\n    client-key: node.pem",
    ),
    (
        "certificate-data-lines",
        "certificate-authority: ca.pem",
        "client-certificate-data: |\n@NODELINES\n    client-key-data: |\n@NODELINES",
    ),
    (
        "certificate-data-quoted-newline",
        "certificate-authority: ca.pem",
        "client-certificate-data: \"@NODE64\\n\"\n    client-key-data: \"@NODE64\\n\"",
    ),
    (
        "certificate-data-key-file",
        "certificate-authority: ca.pem",
        "client-certificate-data: @NODE64\n    client-key: node.pem",
    ),
    (
        "certificate-without-key",
        "certificate-authority: ca.pem",
        "client-certificate: node.pem",
    ),
    (
        "certificate-and-token",
        "certificate-authority: ca.pem",
        "client-certificate: node.pem\n    client-key: node.pem\n    token: t",
    ),
    (
        "certificate-empty-and-token",
        "certificate-authority: ca.pem",
        "client-certificate: ''\n    client-key: ''\n    token: t",
    ),
    (
        "impersonation-empty",
        "certificate-authority: ca.pem",
        "token: t\n    as: ''\n    as-groups: []",
    ),
];

/// Name and whole text.
const WHOLE: [(&str, &str); 17] = [
    (
        "whole-plain",
        "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\nclusters: [{name: k, cluster: {server: '@SERVER', certificate-authority: ca.pem}}]\nusers: [{name: u, user: {token: t}}]\n",
    ),
    (
        "no-version-no-kind",
        "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\nclusters: [{name: k, cluster: {server: '@SERVER', certificate-authority: ca.pem}}]\nusers: [{name: u, user: {token: t}}]\n",
    ),
    (
        "names-missing",
        "contexts: [{context: {}}]\nclusters: [{cluster: {server: '@SERVER', certificate-authority: ca.pem}}]\nusers: [{user: {token: t}}]\n",
    ),
    (
        "names-empty",
        "current-context: ''\ncontexts: [{name: '', context: {cluster: '', user: ''}}]\nclusters: [{name: '', cluster: {server: '@SERVER', certificate-authority: ca.pem}}]\nusers: [{name: '', user: {token: t}}]\n",
    ),
    (
        "names-null",
        "current-context: c\ncontexts: [{name: c, context: {cluster: null, user: null}}]\nclusters: [{name: null, cluster: {server: '@SERVER', certificate-authority: ca.pem}}]\nusers: [{name: null, user: {token: t}}]\n",
    ),
    (
        "others-odd",
        "current-context: c\ncontexts: [{name: o}, {name: c, context: {cluster: k, user: u}}]\nclusters: [{name: o}, {name: k, cluster: {server: '@SERVER', certificate-authority: ca.pem}}]\nusers: [{name: o}, {name: u, user: {token: t}}]\npreferences: {}\nextensions: null\n",
    ),
    (
        "context-missing",
        "current-context: x\ncontexts: [{name: c, context: {cluster: k, user: u}}]\nclusters: [{name: k, cluster: {server: '@SERVER', certificate-authority: ca.pem}}]\nusers: [{name: u, user: {token: t}}]\n",
    ),
    (
        "cluster-missing",
        "current-context: c\ncontexts: [{name: c, context: {cluster: x, user: u}}]\nclusters: [{name: k, cluster: {server: '@SERVER', certificate-authority: ca.pem}}]\nusers: [{name: u, user: {token: t}}]\n",
    ),
    (
        "user-missing",
        "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: x}}]\nclusters: [{name: k, cluster: {server: '@SERVER', certificate-authority: ca.pem}}]\nusers: [{name: u, user: {token: t}}]\n",
    ),
    (
        "user-unnamed",
        "current-context: c\ncontexts: [{name: c, context: {cluster: k}}]\nclusters: [{name: k, cluster: {server: '@SERVER', certificate-authority: ca.pem}}]\nusers: [{name: u, user: {token: t}}]\n",
    ),
    (
        "users-null",
        "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\nclusters: [{name: k, cluster: {server: '@SERVER', certificate-authority: ca.pem}}]\nusers: null\n",
    ),
    (
        "user-fields-null",
        "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\nclusters: [{name: k, cluster: {server: '@SERVER', certificate-authority: ca.pem}}]\nusers: [{name: u, user: null}]\n",
    ),
    (
        "server-missing",
        "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\nclusters: [{name: k, cluster: {certificate-authority: ca.pem}}]\nusers: [{name: u, user: {token: t}}]\n",
    ),
    (
        "server-without-scheme",
        "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\nclusters: [{name: k, cluster: {server: '@BARE', certificate-authority: ca.pem}}]\nusers: [{name: u, user: {token: t}}]\n",
    ),
    (
        "server-slash",
        "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\nclusters: [{name: k, cluster: {server: '@SERVER/', certificate-authority: ca.pem}}]\nusers: [{name: u, user: {token: t}}]\n",
    ),
    (
        "json",
        "{\n\t\"apiVersion\": \"v1\",\n\t\"kind\": \"Config\",\n\t\"current-context\": \"c\",\n\t\"contexts\": [{\"name\": \"c\", \"context\": {\"cluster\": \"k\", \"user\": \"u\"}}],\n\t\"clusters\": [{\"name\": \"k\", \"cluster\": {\"server\": \"@SERVER\", \"certificate-authority\": \"ca.pem\"}}],\n\t\"users\": [{\"name\": \"u\", \"user\": {\"token\": \"t\"}}]\n}\n",
    ),
    (
        "byte-order-mark",
        "\u{feff}current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\nclusters: [{name: k, cluster: {server: '@SERVER', certificate-authority: ca.pem}}]\nusers: [{name: u, user: {token: t}}]\n",
    ),
];

fn lines(text: &str) -> String {
    let data = STANDARD.encode(text);
    let wrapped: Vec<_> = data
        .as_bytes()
        .chunks(76)
        .map(|piece| format!("      {}", std::str::from_utf8(piece).unwrap()))
        .collect();
    wrapped.join("\n")
}

/// Writes every form into a folder. Their names.
fn write(folder: &Path, authority: &Authority, server: &str) -> Vec<&'static str> {
    let (ca, node) = (authority.pem(), authority.node_pem("node-a"));
    let bad = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
    let other = Authority::new();
    for (name, text) in [
        ("ca.pem", ca.clone()),
        ("node.pem", node.clone()),
        ("bundle-bad-first.pem", format!("{bad}{ca}")),
        ("bundle-bad-last.pem", format!("{ca}{bad}")),
        (
            "bundle-text.pem",
            format!("# of the cluster\n\n{ca}\nthe end\n"),
        ),
        ("bundle-key.pem", format!("{}{ca}", other.node_pem("x"))),
        ("bundle-twice.pem", format!("{ca}{}{ca}", other.pem())),
        ("bundle-crlf.pem", ca.replace('\n', "\r\n")),
        ("bundle-no-newline.pem", ca.trim_end().to_owned()),
        ("token", "t".to_owned()),
        ("token-newline", "t\n".to_owned()),
        ("token-spaces", " t \n\n".to_owned()),
        ("token-crlf", "t\r\n".to_owned()),
        ("token-empty", "\n".to_owned()),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let bare = server.trim_start_matches("https://");
    let fill = |text: &str| {
        text.replace("@CA64", &STANDARD.encode(&ca))
            .replace("@CALINES", &lines(&ca))
            .replace("@NODE64", &STANDARD.encode(&node))
            .replace("@NODELINES", &lines(&node))
            .replace("@SERVER", server)
            .replace("@BARE", bare)
    };
    let parts = FORMS.iter().map(|(name, cluster, user)| {
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts:\n- name: c\n  context: {{cluster: k, user: u}}\n\
             clusters:\n- name: k\n  cluster:\n    server: '@SERVER'\n    {cluster}\nusers:\n- name: u\n  user:\n    {user}\n"
        );
        (*name, text)
    });
    let whole = WHOLE.iter().map(|(name, text)| (*name, (*text).to_owned()));
    parts
        .chain(whole)
        .map(|(name, text)| {
            std::fs::write(folder.join(format!("{name}.yaml")), fill(&text)).unwrap();
            name
        })
        .collect()
}

/// What reaches a server that asks for a certificate: the token, and whether there was a certificate. Or why nothing did.
async fn sent(folder: &Path, name: &str, server: &Server) -> Result<String, String> {
    let before = server.asked().len();
    let cluster = open(&folder.join(format!("{name}.yaml")), PATIENT);
    cluster
        .read_lock()
        .await
        .map_err(|failure| failure.message)?;
    let asked = server.asked();
    let asked = asked.get(before).ok_or("nothing was asked")?;
    let mut said = Vec::new();
    if let Some(header) = asked.headers.get("authorization") {
        said.push(format!("authorization={header}"));
    }
    if asked.certificate.is_some() {
        said.push("certificate".to_owned());
    }
    Ok(said.join(" "))
}

#[tokio::test]
async fn what_client_go_takes_is_taken() {
    let expected: BTreeMap<&str, Option<String>> = include_str!("forms.txt")
        .lines()
        .map(|line| {
            let mut parts = line.splitn(3, '\t');
            let (name, taken) = (parts.next().unwrap(), parts.next().unwrap());
            let said = parts
                .next()
                .unwrap_or_default()
                .split(' ')
                .filter_map(|it| {
                    match it {
                        it if it.starts_with("certificates=") => Some("certificate".to_owned()),
                        // The scheme of a token has a space after it.
                        it if it.starts_with("authorization=") => {
                            Some("authorization=Bearer t".to_owned())
                        }
                        _ => None,
                    }
                });
            let said: Vec<_> = said.collect();
            (name, (taken == "yes").then(|| said.join(" ")))
        })
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let replies = (0..FORMS.len() + WHOLE.len()).map(|_| Reply::Json(200, lock_object("42")));
    let server = Server::tls(authority.acceptor(), replies).await;
    let given = std::env::var_os("ROLLBOOT_FORMS");
    let place = given.as_deref().map_or(folder.path(), Path::new);
    let names = write(place, &authority, &server.url);
    if given.is_some() {
        return;
    }
    assert_eq!(expected.len(), names.len(), "forms.txt is of other forms");
    let mut wrong = Vec::new();
    for name in names {
        let ours = sent(place, name, &server).await;
        let theirs = expected[name].clone();
        let fits = match (&theirs, &ours) {
            (Some(theirs), Ok(ours)) => theirs == ours && !LESS.contains(&name),
            (Some(_), Err(_)) => LESS.contains(&name),
            (None, Ok(_)) => MORE.contains(&name),
            (None, Err(_)) => true,
        };
        if !fits {
            wrong.push(format!("{name}: client-go {theirs:?}, here {ours:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
