//! Who owns which fields: `metadata.managedFields`, as far as a reader asks whose a cordon is.
//!
//! The rules are those of the real server: whoever adds a field or changes its value becomes its owner, all others lose it; a
//! field that goes has no owner. A write that repeats a value changes no owner; to share one takes an apply.

use serde_json::{Value, json};

use super::fields::{Field, Fields, is_collection, leaves, path, read, remove, write};
use super::object::{meta_mut, now};
use super::refusal::Refusal;

/// In whose name fields are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Writer {
    pub(super) manager: String,
    pub(super) subresource: String,
    /// For a server-side apply what is applied: its fields are the manager's then, changed or not.
    pub(super) applied: Option<Value>,
}

impl Writer {
    pub(super) fn new(manager: &str, subresource: &str) -> Self {
        Self {
            manager: manager.to_owned(),
            subresource: subresource.to_owned(),
            applied: None,
        }
    }

    /// A component in this process, which writes spec and status alike.
    pub(super) fn component(name: &str) -> Self {
        Self::new(name, "")
    }

    fn operation(&self) -> &'static str {
        match self.applied {
            Some(_) => "Apply",
            None => "Update",
        }
    }

    fn is(&self, entry: &Value) -> bool {
        entry["manager"] == self.manager.as_str()
            && entry["operation"] == self.operation()
            && entry["subresource"].as_str().unwrap_or_default() == self.subresource
    }

    fn entry(&self, object: &Value, fields: &Fields) -> Value {
        let mut entry = json!({
            "manager": self.manager, "operation": self.operation(), "apiVersion": object["apiVersion"],
            "time": now(), "fieldsType": "FieldsV1", "fieldsV1": write(fields),
        });
        if !self.subresource.is_empty() {
            entry["subresource"] = json!(self.subresource);
        }
        entry
    }

    /// The fields of what is applied: maps in it are not its own, only what is in them.
    fn applied_fields(&self) -> Option<Fields> {
        let fields = leaves(self.applied.as_ref()?).into_keys();
        Some(fields.filter(|field| !is_collection(field)).collect())
    }
}

/// Brings the account of owners in `after` up to date.
pub(super) fn record(before: Option<&Value>, after: &mut Value, writer: &Writer) {
    let mut entries = before.map(entries).unwrap_or_default();
    let old = before.map(leaves).unwrap_or_default();
    let new = leaves(after);
    if let Some(before) = before
        && entries.is_empty()
    {
        // An object without an account gets none but by an apply.
        if writer.applied.is_none() {
            return;
        }
        entries.extend(first(before));
    }
    let changed: Fields = new
        .iter()
        .filter(|(field, value)| old.get(*field) != Some(value))
        .map(|(field, _)| field.clone())
        .collect();
    let removed = |field: &Field| old.contains_key(field) && !new.contains_key(field);
    let applied = writer.applied_fields();

    let mut found = false;
    for entry in &mut entries {
        let mine = writer.is(entry);
        let mut fields = read(&entry["fieldsV1"]);
        let were = fields.clone();
        match (&applied, mine) {
            (Some(applied), true) => fields.clone_from(applied),
            (None, true) => fields.extend(changed.iter().cloned()),
            (_, false) => fields.retain(|field| !changed.contains(field)),
        }
        fields.retain(|field| !removed(field));
        found |= mine;
        if fields != were {
            entry["fieldsV1"] = write(&fields);
            if mine {
                entry["time"] = json!(now());
            }
        }
    }
    entries.retain(|entry| entry["fieldsV1"] != json!({}));
    let fields = applied.unwrap_or(changed);
    if !found && !fields.is_empty() {
        entries.push(writer.entry(after, &fields));
    }
    let metadata = meta_mut(after);
    if entries.is_empty() {
        metadata.remove("managedFields");
    } else {
        metadata.insert("managedFields".to_owned(), json!(entries));
    }
}

fn entries(object: &Value) -> Vec<Value> {
    let entries = object["metadata"]["managedFields"].as_array();
    entries.cloned().unwrap_or_default()
}

/// With the first apply an object that had no account gets one of all that was there.
fn first(object: &Value) -> Option<Value> {
    let fields: Fields = leaves(object).into_keys().collect();
    let writer = Writer::new("before-first-apply", "");
    (!fields.is_empty()).then(|| writer.entry(object, &fields))
}

/// The account as the first apply finds it.
pub(super) fn begin(object: &mut Value) {
    if entries(object).is_empty()
        && let Some(entry) = first(object)
    {
        meta_mut(object).insert("managedFields".to_owned(), json!([entry]));
    }
}

/// An apply of another value than the present one needs force if the field is somebody else's.
pub(super) fn check_conflicts(object: &Value, writer: &Writer) -> Result<(), Refusal> {
    let Some(applied) = &writer.applied else {
        return Ok(());
    };
    let (present, applied) = (leaves(object), leaves(applied));
    let mut conflicts = Vec::new();
    for entry in entries(object).iter().filter(|it| !writer.is(it)) {
        let fields = read(&entry["fieldsV1"]);
        for (field, value) in &applied {
            if fields.contains(field) && present.get(field) != Some(value) {
                conflicts.push((owner(entry), path(field)));
            }
        }
    }
    let message = match conflicts.as_slice() {
        [] => return Ok(()),
        [(who, path)] => format!("Apply failed with 1 conflict: conflict with {who}: {path}"),
        many => {
            let texts: Vec<String> = many
                .iter()
                .map(|(who, path)| format!("conflicts with {who}:\n- {path}"))
                .collect();
            let count = many.len();
            format!("Apply failed with {count} conflicts: {}", texts.join("\n"))
        }
    };
    let refusal = Refusal::new(409, "Conflict", message);
    Err(conflicts.iter().fold(refusal, |refusal, (who, path)| {
        let why = format!("conflict with {who}");
        refusal.because("FieldManagerConflict", &why, path)
    }))
}

fn owner(entry: &Value) -> String {
    let mut who = entry["manager"].to_string();
    if let Some(subresource) = entry["subresource"].as_str() {
        who = format!("{who} with subresource {subresource:?}");
    }
    match entry["apiVersion"].as_str() {
        Some(version) if entry["operation"] == "Update" => format!("{who} using {version}"),
        _ => who,
    }
}

/// Removes what an apply takes back: fields that were the manager's by an earlier apply, that are not in this one, and nobody
/// else's.
pub(super) fn take_back(object: &mut Value, writer: &Writer) {
    let (mine, others): (Vec<_>, Vec<_>) =
        entries(object).into_iter().partition(|it| writer.is(it));
    let owned = |entries: Vec<Value>| -> Fields {
        let fields = entries.iter().map(|it| read(&it["fieldsV1"]));
        fields.flatten().collect()
    };
    let others = owned(others);
    let applied = writer.applied.as_ref().map(leaves).unwrap_or_default();
    for field in owned(mine) {
        if !applied.contains_key(&field) && !others.contains(&field) {
            remove(object, &field);
        }
    }
}
