//! Forms of a kubeconfig: what client-go makes of each, and what is made of it here. What client-go takes is taken.
//!
//! `forms.txt` holds client-go's answers. To make them anew: `ROLLBOOT_FORMS=FOLDER cargo test --test it forms` writes the forms, then
//! `go run ../it/cluster/forms.go FOLDER >../it/cluster/forms.txt` in tests/control-plane, whose module has client-go.

mod table;

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rollboot::ports::Cluster;

use super::authority::Authority;
use super::server::{Reply, Server};
use super::wire::lock_object;
use super::{PATIENT, open};
use table::{FORMS, LESS, MORE, WHOLE};

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
