//! POST, PATCH and DELETE of an object. There is no PUT: nobody asks for it.

use serde_json::{Value, json};

use super::answer::Answer;
use super::authorize::authorize;
use super::kind::Kind;
use super::managed::{self, Writer};
use super::object::{meta, meta_mut, revision, success};
use super::patch::{Way, parse_yaml, patched};
use super::refusal::Refusal;
use super::request::Asked;
use super::restrict;
use super::store::{Inner, settle};
use super::tidy::{admit, keep_apart, prepare, tidy};
use super::{decode, delete, validate};

/// Makes an object.
pub(super) fn create(inner: &mut Inner, asked: &Asked) -> Result<Answer, Refusal> {
    check_options("CreateOptions", asked)?;
    let body = decode::body(asked.kind.name(), &asked.body, asked.is_strict())?;
    make(inner, asked, body, &Writer::new(asked.manager(), ""))
}

fn make(
    inner: &mut Inner,
    asked: &Asked,
    mut object: Value,
    writer: &Writer,
) -> Result<Answer, Refusal> {
    let kind = asked.kind;
    if kind.is_namespaced() {
        meta_mut(&mut object).insert("namespace".to_owned(), json!(asked.namespace));
    }
    restrict::creation(inner, asked, &object)?;
    prepare(kind, &mut object);
    tidy(kind, &mut object);
    validate::validate(kind, &object)?;
    let by = &asked.user.name;
    let made = if asked.is_dry_run() {
        inner.clone().create(by, writer, kind, object, admit)
    } else {
        inner.create(by, writer, kind, object, admit)
    };
    made.map(|made| Answer::Object(201, made))
}

/// Puts a pod on a node, as the scheduler does.
pub(super) fn bind(inner: &mut Inner, asked: &Asked) -> Result<Answer, Refusal> {
    let binding = decode::body("Binding", &asked.body, asked.is_strict())?;
    let pod = inner.get(Kind::Pod, &asked.namespace, &asked.name).cloned();
    let mut pod = pod.ok_or_else(|| Refusal::not_found(Kind::Pod, &asked.name))?;
    pod["spec"]["nodeName"] = binding["target"]["name"].clone();
    let writer = Writer::new(asked.manager(), "binding");
    inner.update(&asked.user.name, &writer, Kind::Pod, pod);
    Ok(Answer::Object(201, success(201, &Value::Null)))
}

/// Changes an object; an apply makes one that is not there.
pub(super) fn patch(inner: &mut Inner, asked: &Asked) -> Result<Answer, Refusal> {
    let (kind, name) = (asked.kind, asked.name.as_str());
    let way = Way::of(&asked.media)?;
    check_options("PatchOptions", asked)?;
    let mut writer = Writer::new(asked.manager(), &asked.subresource);
    if way == Way::Apply {
        check_manager(asked)?;
        writer.applied = Some(parse_yaml(&asked.body)?);
    }
    let Some(before) = inner.get(kind, asked.place(), name).cloned() else {
        return match &writer.applied {
            Some(object) if asked.subresource.is_empty() => {
                let object = object.clone();
                let mut asked = asked.clone();
                asked.verb = "create";
                authorize(inner, &asked)?;
                make(inner, &asked, object, &writer)
            }
            _ => Err(Refusal::not_found(kind, name)),
        };
    };
    let mut base = before.clone();
    if way == Way::Apply {
        managed::begin(&mut base);
        if asked.query("force") != "true" {
            managed::check_conflicts(&base, &writer)?;
        }
        managed::take_back(&mut base, &writer);
    }
    let mut after = patched(way, &base, &asked.body)?;
    decode::patched(kind, &after, asked.is_strict())?;
    let said = meta(&after, "name");
    if said != name {
        let why =
            format!("the name of the object ({said}) does not match the name on the URL ({name})");
        return Err(Refusal::bad_request(why));
    }
    keep_apart(kind, &asked.subresource, &before, &mut after);
    tidy(kind, &mut after);
    restrict::change(asked, &before, &after)?;
    check_version(kind, &before, &after)?;
    validate::change(kind, &before, &after)?;
    if asked.is_dry_run() {
        let after = settle(&before, after, &writer, kind);
        return Ok(Answer::Object(200, after.unwrap_or(before)));
    }
    let after = inner.update(&asked.user.name, &writer, kind, after);
    let after = delete::finish(inner, asked, after);
    Ok(Answer::Object(200, after))
}

fn check_options(kind: &str, asked: &Asked) -> Result<(), Refusal> {
    decode::options(kind, asked.query("fieldValidation"), asked.query("dryRun"))
}

/// An apply has to say in whose name.
fn check_manager(asked: &Asked) -> Result<(), Refusal> {
    if !asked.query("fieldManager").is_empty() {
        return Ok(());
    }
    let (kind, field) = ("PatchOptions", "fieldManager");
    let why = "Required value: is required for apply patch";
    let message = format!("{kind}.meta.k8s.io \"\" is invalid: {field}: {why}");
    let refusal = Refusal::new(422, "Invalid", message).about("meta.k8s.io", kind, "");
    Err(refusal.because("FieldValueRequired", why, field))
}

/// A version in the new state must be the present one. An empty one, and zero, ask for nothing.
fn check_version(kind: Kind, before: &Value, after: &Value) -> Result<(), Refusal> {
    let wanted: u64 = match meta(after, "resourceVersion") {
        "" => 0,
        text => text.parse().map_err(|_| {
            let message = format!("strconv.ParseUint: parsing {text:?}: invalid syntax");
            Refusal::new(500, "", message)
        })?,
    };
    if wanted == 0 || wanted == revision(before) {
        Ok(())
    } else {
        Err(Refusal::outdated(kind, meta(before, "name")))
    }
}

/// Removes an object, or begins to.
pub(super) fn delete(inner: &mut Inner, asked: &Asked) -> Result<Answer, Refusal> {
    let (kind, name) = (asked.kind, asked.name.as_str());
    let options: Value = match asked.body.as_slice() {
        [] => json!({}),
        body => serde_json::from_slice(body)
            .map_err(|error| Refusal::bad_request(format!("error decoding: {error}")))?,
    };
    restrict::deletion(inner, asked)?;
    let grace = match asked.query("gracePeriodSeconds") {
        "" => options["gracePeriodSeconds"].as_i64(),
        text => text.parse().ok(),
    };
    let options = delete::Options {
        preconditions: &options["preconditions"],
        grace,
        dry: asked.is_dry_run() || options["dryRun"] == json!(["All"]),
    };
    let by = &asked.user.name;
    let left = match delete::delete(inner, by, kind, asked.place(), name, &options)? {
        delete::Left::Object(object) => object,
        delete::Left::Nothing(uid) => {
            let mut details = json!({"name": name, "kind": kind.resource(), "uid": uid});
            if !kind.group().is_empty() {
                details["group"] = json!(kind.group());
            }
            success(200, &details)
        }
    };
    Ok(Answer::Object(200, left))
}
