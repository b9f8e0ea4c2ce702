//! What an object must be like.

use serde_json::Value;

use super::kind::Kind;
use super::object::meta;
use super::refusal::Refusal;

/// Bytes of all annotations of an object together.
const MAX_ANNOTATIONS: usize = 256 << 10;

type Fault = (String, &'static str, String);

/// Checks a new object.
pub(super) fn validate(kind: Kind, object: &Value) -> Result<(), Refusal> {
    let mut faults = faults(object);
    // Of what lives in no namespace.
    let involved = object["involvedObject"]["namespace"]
        .as_str()
        .unwrap_or_default();
    if kind == Kind::Event && involved.is_empty() && meta(object, "namespace") != "default" {
        let message = "Invalid value: \"\": does not match event.namespace".to_owned();
        faults.push((
            "involvedObject.namespace".to_owned(),
            "FieldValueInvalid",
            message,
        ));
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(Refusal::invalid(kind, meta(object, "name"), &faults))
    }
}

/// Checks a new state of an object.
pub(super) fn change(kind: Kind, before: &Value, after: &Value) -> Result<(), Refusal> {
    let mut faults = faults(after);
    if kind == Kind::PodDisruptionBudget {
        for field in [
            "disruptionsAllowed",
            "currentHealthy",
            "desiredHealthy",
            "expectedPods",
        ] {
            let value = after["status"][field].as_i64().unwrap_or_default();
            if value < 0 {
                let message = format!("Invalid value: {value}: must be greater than or equal to 0");
                faults.push((format!("status.{field}"), "FieldValueInvalid", message));
            }
        }
    }
    for field in ["namespace", "uid"] {
        let (was, is) = (meta(before, field), meta(after, field));
        if was != is && !is.is_empty() {
            let message = format!("Invalid value: {is:?}: field is immutable");
            faults.push((format!("metadata.{field}"), "FieldValueInvalid", message));
        }
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(Refusal::invalid(kind, meta(before, "name"), &faults))
    }
}

fn faults(object: &Value) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut total = 0;
    for (key, value) in object["metadata"]["annotations"]
        .as_object()
        .into_iter()
        .flatten()
    {
        total += key.len() + value.as_str().map_or(0, str::len);
        if let Some(why) = bad_key(&key.to_lowercase()) {
            let message = format!("Invalid value: {key:?}: {why}");
            faults.push((
                "metadata.annotations".to_owned(),
                "FieldValueInvalid",
                message,
            ));
        }
    }
    if total > MAX_ANNOTATIONS {
        let message = format!("Too long: may not be more than {MAX_ANNOTATIONS} bytes");
        faults.push((
            "metadata.annotations".to_owned(),
            "FieldValueTooLong",
            message,
        ));
    }
    faults
}

const NAME: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const QUALIFIED: &str = "a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";

/// What is wrong with the key of an annotation.
fn bad_key(key: &str) -> Option<String> {
    let (prefix, name) = match key.split('/').collect::<Vec<_>>().as_slice() {
        [name] => (None, (*name).to_owned()),
        [prefix, name] => (Some((*prefix).to_owned()), (*name).to_owned()),
        _ => return Some(QUALIFIED.to_owned()),
    };
    if let Some(prefix) = prefix {
        if prefix.is_empty() {
            return Some("prefix part must be non-empty".to_owned());
        }
        if prefix.len() > 253 {
            return Some("prefix part must be no more than 253 bytes".to_owned());
        }
        let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let label = |label: &str| {
            edge(label.as_bytes().first())
                && edge(label.as_bytes().last())
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        if !prefix.split('.').all(label) {
            return Some("prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')".to_owned());
        }
    }
    if name.is_empty() {
        return Some("name part must be non-empty".to_owned());
    }
    if name.len() > 63 {
        return Some("name part must be no more than 63 bytes".to_owned());
    }
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let good = edge(name.as_bytes().first())
        && edge(name.as_bytes().last())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    (!good).then(|| NAME.to_owned())
}
