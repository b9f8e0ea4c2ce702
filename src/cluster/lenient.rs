//! A kubeconfig as client-go reads it: empty is unset, a missing name is "", white space in base64 is none, and what the current
//! context does not name may be as it likes.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::config::{
    AuthInfo, Cluster, Context, Kubeconfig, NamedAuthInfo, NamedCluster, NamedContext,
};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::text::chain;

/// Fields that hold base64.
const ENCODED: [&str; 3] = [
    "certificate-authority-data",
    "client-certificate-data",
    "client-key-data",
];

/// The current context of a kubeconfig, its cluster and its user. The user may be missing: it may be that the file is being
/// written.
///
/// # Errors
/// What is wrong, without a word of what was read: keys and tokens stand there.
pub(super) fn read(text: &str) -> Result<Kubeconfig, String> {
    let text = text.trim_start_matches('\u{feff}');
    let whole: Value = match serde_json::from_str(text) {
        // JSON may be indented by tabs, YAML not.
        Ok(value) => value,
        Err(_) => yaml(text)?,
    };
    let context_name = string(whole.get("current-context"));
    let context = named(&whole, "contexts", &context_name, "context").ok_or_else(|| {
        match context_name.as_str() {
            "" => "it has no current-context".to_owned(),
            name => format!("it has no context {name:?}"),
        }
    })?;
    let (cluster_name, user_name) = (string(context.get("cluster")), string(context.get("user")));
    let cluster = named(&whole, "clusters", &cluster_name, "cluster")
        .ok_or_else(|| format!("it has no cluster {cluster_name:?}"))?;
    let user = named(&whole, "users", &user_name, "user");
    let cluster: Cluster = typed(cluster, &format!("its cluster {cluster_name:?}"))?;
    let user: Option<AuthInfo> = user
        .map(|user| typed(user, &format!("its user {user_name:?}")))
        .transpose()?;
    let users = user.map(|user| NamedAuthInfo {
        name: user_name.clone(),
        auth_info: Some(user),
        ..NamedAuthInfo::default()
    });
    Ok(Kubeconfig {
        current_context: Some(context_name.clone()),
        contexts: vec![NamedContext {
            name: context_name,
            context: Some(Context {
                cluster: cluster_name.clone(),
                user: Some(user_name),
                ..Context::default()
            }),
            ..NamedContext::default()
        }],
        clusters: vec![NamedCluster {
            name: cluster_name,
            cluster: Some(cluster),
            ..NamedCluster::default()
        }],
        auth_infos: users.into_iter().collect(),
        ..Kubeconfig::default()
    })
}

/// The first document of a YAML text. Of keys that stand there twice the last one counts.
fn yaml(text: &str) -> Result<Value, String> {
    let options = serde_saphyr::options! {
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins,
    };
    let documents: Vec<Value> =
        serde_saphyr::from_multiple_with_options(text, options).map_err(|error| chain(&error))?;
    Ok(documents.into_iter().next().unwrap_or_default())
}

/// The fields of an entry of a list, found by its name, without those that are empty. Of several the last one counts.
fn named(whole: &Value, list: &str, name: &str, field: &str) -> Option<Map<String, Value>> {
    let entries = whole.get(list)?.as_array()?;
    let entry = entries
        .iter()
        .rfind(|entry| string(entry.get("name")) == name)?;
    let fields = entry.get(field)?.as_object()?.clone();
    Some(
        fields
            .into_iter()
            .filter(|(_, value)| !value.is_null() && value.as_str() != Some(""))
            .map(|(key, value)| match value.as_str() {
                Some(text) if ENCODED.contains(&key.as_str()) => {
                    let text: String = text.split_whitespace().collect();
                    (key, Value::String(text))
                }
                Some(text) if key == "token" => {
                    let text = text.trim().to_owned();
                    (key, Value::String(text))
                }
                _ => (key, value),
            })
            .collect(),
    )
}

fn string(value: Option<&Value>) -> String {
    value.and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn typed<T: DeserializeOwned>(fields: Map<String, Value>, what: &str) -> Result<T, String> {
    // The error would quote the value.
    serde_json::from_value(Value::Object(fields))
        .map_err(|_| format!("{what} has a field of the wrong type"))
}

/// Puts the authorities of a cluster into the kubeconfig, those left out that are no certificate, and says how many were.
///
/// # Errors
/// The file cannot be read, or there is no certificate in it.
pub(super) fn embed_authorities(cluster: &mut Cluster) -> Result<usize, String> {
    let (text, place) = match (
        &cluster.certificate_authority_data,
        &cluster.certificate_authority,
    ) {
        (Some(data), _) => {
            let text = STANDARD.decode(data);
            let text = text.map_err(|error| format!("certificate-authority-data: {error}"))?;
            (text, "certificate-authority-data".to_owned())
        }
        (None, Some(path)) => {
            let text = fs::read(path).map_err(|error| format!("cannot read {path}: {error}"))?;
            (text, path.clone())
        }
        (None, None) => return Ok(0),
    };
    let mut kept = String::new();
    let mut skipped = 0;
    for certificate in CertificateDer::pem_slice_iter(&text) {
        match certificate {
            Ok(certificate) if RootCertStore::empty().add(certificate.clone()).is_ok() => {
                kept.push_str(&pem(&certificate));
            }
            Ok(_) | Err(_) => skipped += 1,
        }
    }
    if kept.is_empty() {
        return Err(format!("{place} has no certificate that can be used"));
    }
    cluster.certificate_authority = None;
    cluster.certificate_authority_data = Some(STANDARD.encode(kept));
    Ok(skipped)
}

fn pem(certificate: &[u8]) -> String {
    let mut text = "-----BEGIN CERTIFICATE-----\n".to_owned();
    for (number, character) in STANDARD.encode(certificate).chars().enumerate() {
        if number > 0 && number % 64 == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text.push_str("\n-----END CERTIFICATE-----\n");
    text
}

/// Puts the token of a file into the kubeconfig, without the newline that editors add. It comes before one that stands there,
/// unless it cannot be read.
///
/// # Errors
/// The file cannot be read, or is empty, and there is no other token.
pub(super) fn embed_token(user: &mut AuthInfo) -> Result<(), String> {
    let Some(path) = user.token_file.take() else {
        return Ok(());
    };
    let read = fs::read_to_string(&path)
        .map_err(|error| format!("cannot read the token {path}: {error}"))
        .and_then(|text| match text.trim() {
            "" => Err(format!("the token {path} is empty")),
            token => Ok(token.to_owned()),
        });
    match read {
        Ok(token) => user.token = Some(token.into()),
        Err(why) if user.token.is_none() => return Err(why),
        Err(_) => {}
    }
    Ok(())
}
