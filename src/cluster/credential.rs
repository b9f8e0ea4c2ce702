//! What the kubeconfig identifies this node by, and until when: read for a person, never sent, never shown itself.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use kube::config::AuthInfo;
use serde::Deserialize;

use super::KubeletCluster;
use super::certificate;
use super::kubeconfig::Source;
use crate::failure::Failure;

/// One way in which a kubeconfig says who this is. Several may stand in it, and are all presented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A client certificate.
    Certificate {
        /// Where it stands.
        place: String,
        /// From when it holds.
        from: Timestamp,
        /// Until when it holds.
        until: Timestamp,
        /// It is written into the kubeconfig itself, where no kubelet renews it by itself.
        embedded: bool,
    },
    /// A bearer token.
    Token {
        /// Where it stands.
        place: String,
        /// Until when it holds; `None`: it does not say so.
        until: Option<Timestamp>,
    },
    /// A program that is run for a token or a certificate.
    Plugin(String),
    /// User name and password, or a way that only other clients know.
    Other(&'static str),
}

/// Where the API server is, and how this node says who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The URL of the API server.
    pub server: String,
    /// Everything that is presented. Empty: nothing, so this node is anonymous.
    pub credentials: Vec<Credential>,
}

/// The payload of a token, as far as it is looked at.
#[derive(Deserialize)]
struct Claims {
    exp: Option<i64>,
}

impl KubeletCluster {
    /// Reads the kubeconfig and what it names, as it is on the disk now. Asks nobody.
    ///
    /// # Errors
    /// A file is not there, may not be read, or is damaged.
    pub fn access(&self) -> Result<Access, Failure> {
        let config = self.source.load()?.config;
        let server = config
            .clusters
            .first()
            .and_then(|named| named.cluster.as_ref()?.server.clone());
        let user = config
            .auth_infos
            .first()
            .and_then(|named| named.auth_info.as_ref());
        Ok(Access {
            server: server.unwrap_or_default(),
            credentials: match user {
                Some(user) => credentials(&self.source, user)?,
                None => Vec::new(),
            },
        })
    }
}

fn credentials(source: &Source, user: &AuthInfo) -> Result<Vec<Credential>, Failure> {
    let mut found = Vec::new();
    if let Some((pem, place)) = source.client_certificate(user)? {
        let (from, until) = certificate::validity(&pem)
            .map_err(|error| Failure::local(format!("cannot use {place}: {error}")))?;
        found.push(Credential::Certificate {
            place,
            from,
            until,
            embedded: user.client_certificate_data.is_some(),
        });
    }
    if let Some(path) = &user.token_file {
        let text = fs::read_to_string(Path::new(path))
            .map_err(|error| Failure::local(format!("cannot read the token {path}: {error}")))?;
        found.push(Credential::Token {
            place: path.clone(),
            until: expiry(text.trim()),
        });
    } else if user.token.is_some() {
        found.push(Credential::Token {
            place: source.path().display().to_string(),
            until: None,
        });
    }
    if let Some(exec) = &user.exec {
        let command = exec.command.clone();
        found.push(Credential::Plugin(command.unwrap_or_default()));
    }
    if user.username.is_some() {
        found.push(Credential::Other("a user name and a password"));
    }
    if user.auth_provider.is_some() {
        found.push(Credential::Other("an auth-provider"));
    }
    Ok(found)
}

/// Until when a token holds, if it is a JSON Web Token that says so. Its signature is the server's business.
fn expiry(token: &str) -> Option<Timestamp> {
    let mut parts = token.split('.');
    let (payload, 1) = (parts.nth(1)?, parts.count()) else {
        return None;
    };
    let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
    let claims: Claims = serde_json::from_slice(&payload).ok()?;
    Timestamp::from_second(claims.exp?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_until_when_it_holds_if_it_is_one_that_can() {
        let token = |payload: &str| format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload));
        for (text, expected) in [
            (
                token(r#"{"exp":1790000000,"sub":"x"}"#),
                Some(1_790_000_000),
            ),
            (token("{}"), None),
            (token(r#"{"exp":"soon"}"#), None),
            (token("no JSON"), None),
            (token(r#"{"exp":9223372036854775807}"#), None),
            ("abcdef.0123456789abcdef".into(), None),
            ("a.b.c.d".into(), None),
            (String::new(), None),
        ] {
            let found = expiry(&text).map(Timestamp::as_second);
            assert_eq!(found, expected, "{text}");
        }
    }
}
