//! Small texts: an error with its causes, a name that may stand in a path.

use std::error::Error;
use std::iter::successors;

use kube::client::AuthError;

use crate::failure::{Failure, FailureKind};
use crate::names::is_part_of_path;

/// An error with its causes on one line, each said once: many libraries repeat the cause in their own text.
///
/// This is logged and shown to everybody, so it must not quote what was read: a YAML error shows the lines around its place, and
/// in a kubeconfig those hold keys and tokens; a credential plugin's error shows its output and its environment. Of each error
/// only the first line is kept, of a plugin only how it ended and what it wrote for a person to read.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = || successors(Some(error), |&error| error.source());
    if let Some(text) = causes().find_map(plugin_failure) {
        return text;
    }
    let mut text = String::new();
    for cause in causes() {
        let next = cause.to_string();
        let next = next.lines().next().unwrap_or_default();
        if !text.contains(next) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(next);
        }
    }
    text
}

/// What a certificate that the server showed, and that was not believed, may mean. Empty for any other error.
pub(super) fn certificate_advice(error: &(dyn Error + 'static)) -> &'static str {
    use rustls::CertificateError as Wrong;
    let Some(rustls::Error::InvalidCertificate(wrong)) = tls_error(error) else {
        return "";
    };
    match wrong {
        Wrong::BadSignature => {
            "; the CA of the kubeconfig has not signed this server's certificate (the kubeconfig is another cluster's, or \
             something stands between), or it has with an RSA key shorter than 2048 bits, which is not supported"
        }
        Wrong::UnknownIssuer => {
            "; the CA of the kubeconfig has not signed this server's certificate: the kubeconfig is another cluster's, \
             or something stands between"
        }
        Wrong::NotValidYet | Wrong::NotValidYetContext { .. } => {
            "; the server's certificate is not valid yet: is this host's clock behind?"
        }
        Wrong::Expired | Wrong::ExpiredContext { .. } => {
            "; the server's certificate has expired, or this host's clock is ahead"
        }
        Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => {
            "; the server's certificate is for another address than the kubeconfig's"
        }
        // webpki's own words, which rustls passes on as they are.
        Wrong::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "; the server's certificate is a CA itself, as `openssl req -x509` makes them, which is not supported: have a CA sign one \
             for the server"
        }
        // One of several, with lists of numbers in it.
        wrong if format!("{wrong:?}").starts_with("UnsupportedSignatureAlgorithm") => {
            "; this certificate, or its CA's, is signed with an algorithm that is not supported, such as ECDSA with SHA-512 or the \
             curve P-521: issue it with RSA from 2048 bits, or with ECDSA on P-256 or P-384 and SHA-256 or SHA-384"
        }
        _ => "",
    }
}

/// The error of TLS among the causes. It is wrapped in errors of I/O, which do not count it among their causes.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        let inner = error
            .downcast_ref::<std::io::Error>()
            .and_then(|io| io.get_ref());
        cause = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

fn plugin_failure(error: &(dyn Error + 'static)) -> Option<String> {
    let Some(AuthError::AuthExecRun { out, .. }) = error.downcast_ref() else {
        return None;
    };
    let said = String::from_utf8_lossy(&out.stderr);
    let said: String = said
        .trim()
        .lines()
        .next_back()
        .unwrap_or_default()
        .chars()
        .take(200)
        .collect();
    Some(format!(
        "the credential plugin ended with {}: {said:?}",
        out.status
    ))
}

/// A name that may stand in a path.
pub(super) fn name(text: &str) -> Result<&str, Failure> {
    if is_part_of_path(text) {
        Ok(text)
    } else {
        Err(Failure::new(
            FailureKind::Invalid,
            format!("{text:?} is no name of an object"),
        ))
    }
}
