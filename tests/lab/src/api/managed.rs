//! Who owns which fields: `metadata.managedFields`, as far as a reader asks whose a cordon is.
//!
//! The rules are those of the real server for updates: whoever adds a field or changes its value becomes its owner, all others
//! lose it; a field that goes has no owner. A write that repeats a value changes no owner; to share one takes an apply.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::object::{meta_mut, now};

/// In whose name fields are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Writer {
    pub(super) manager: String,
    pub(super) subresource: String,
    /// For a server-side apply the fields of the applied object: they are the manager's then, changed or not.
    pub(super) applied: Option<Value>,
}

/// A field: the elements of its path, as `fieldsV1` writes them.
type Field = Vec<String>;
type Fields = BTreeSet<Field>;

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
        entry["manager"] == json!(self.manager)
            && entry["operation"] == json!(self.operation())
            && entry["subresource"].as_str().unwrap_or_default() == self.subresource
    }
}

/// Brings the account of owners in `after` up to date.
pub(super) fn record(before: Option<&Value>, after: &mut Value, writer: &Writer) {
    let mut entries: Vec<Value> = before
        .and_then(|before| before["metadata"]["managedFields"].as_array().cloned())
        .unwrap_or_default();
    if before.is_some() && entries.is_empty() && writer.applied.is_none() {
        // An object without an account gets none but by an apply.
        return;
    }
    let old = before.map(leaves).unwrap_or_default();
    let new = leaves(after);
    let changed: Fields = new
        .iter()
        .filter(|(field, value)| old.get(*field) != Some(value))
        .map(|(field, _)| field.clone())
        .collect();
    let removed = |field: &Field| old.contains_key(field) && !new.contains_key(field);
    let applied: Option<Fields> = writer
        .applied
        .as_ref()
        .map(|object| leaves(object).into_keys().collect());

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
    let mine = applied.unwrap_or(changed);
    if !found && !mine.is_empty() {
        let mut entry = json!({
            "manager": writer.manager, "operation": writer.operation(), "apiVersion": after["apiVersion"],
            "time": now(), "fieldsType": "FieldsV1", "fieldsV1": write(&mine),
        });
        if !writer.subresource.is_empty() {
            entry["subresource"] = json!(writer.subresource);
        }
        entries.push(entry);
    }
    let metadata = meta_mut(after);
    if entries.is_empty() {
        metadata.remove("managedFields");
    } else {
        metadata.insert("managedFields".to_owned(), json!(entries));
    }
}

/// Removes what an apply takes back: fields that were the manager's by an earlier apply, that are not in this one, and nobody
/// else's.
pub(super) fn take_back(object: &mut Value, writer: &Writer) {
    let entries = object["metadata"]["managedFields"].as_array();
    let entries: Vec<&Value> = entries.into_iter().flatten().collect();
    let (mine, others): (Vec<_>, Vec<_>) = entries.into_iter().partition(|it| writer.is(it));
    let owned = |entries: &[&Value]| -> Fields {
        let fields = entries.iter().map(|it| read(&it["fieldsV1"]));
        fields.flatten().collect()
    };
    let (mine, others) = (owned(&mine), owned(&others));
    let applied = writer.applied.as_ref().map(leaves).unwrap_or_default();
    for field in mine {
        if !applied.contains_key(&field) && !others.contains(&field) {
            remove(object, &field);
        }
    }
}

/// Removes a field, and nothing else.
fn remove(object: &mut Value, field: &[String]) {
    let Some((first, rest)) = field.split_first() else {
        return;
    };
    if let Some(key) = first.strip_prefix("k:") {
        let key: Value = serde_json::from_str(key).unwrap_or_default();
        let Some(list) = object.as_array_mut() else {
            return;
        };
        let is = |item: &Value| item["type"] == key["type"];
        if rest == ["."] {
            list.retain(|item| !is(item));
        } else if let Some(item) = list.iter_mut().find(|item| is(item)) {
            remove(item, rest);
        }
        return;
    }
    let (Some(name), Some(map)) = (first.strip_prefix("f:"), object.as_object_mut()) else {
        return;
    };
    if rest.is_empty() {
        map.remove(name);
    } else if let Some(below) = map.get_mut(name) {
        remove(below, rest);
    }
}

/// The values that can have an owner of their own. A list is one value, but for conditions, which have their type as key.
fn leaves(object: &Value) -> BTreeMap<Field, Value> {
    let mut found = BTreeMap::new();
    for (name, value) in object.as_object().into_iter().flatten() {
        match name.as_str() {
            "apiVersion" | "kind" => {}
            "metadata" => {
                for (name, value) in value.as_object().into_iter().flatten() {
                    if matches!(
                        name.as_str(),
                        "annotations"
                            | "labels"
                            | "finalizers"
                            | "ownerReferences"
                            | "generateName"
                    ) {
                        let field = vec!["f:metadata".to_owned(), format!("f:{name}")];
                        collect(field, value, &mut found);
                    }
                }
            }
            _ => collect(vec![format!("f:{name}")], value, &mut found),
        }
    }
    found
}

fn collect(field: Field, value: &Value, found: &mut BTreeMap<Field, Value>) {
    let below = |element: String| {
        let mut field = field.clone();
        field.push(element);
        field
    };
    match value {
        Value::Null => {}
        Value::Object(map) if !map.is_empty() => {
            if field.last().is_some_and(|last| is_map(last)) {
                found.insert(below(".".to_owned()), json!({}));
            }
            for (name, value) in map {
                collect(below(format!("f:{name}")), value, found);
            }
        }
        Value::Array(list) if field.last().is_some_and(|last| last == "f:conditions") => {
            for item in list {
                let key = below(format!("k:{}", json!({"type": item["type"]})));
                let mut itself = key.clone();
                itself.push(".".to_owned());
                found.insert(itself, json!({}));
                collect(key, item, found);
            }
        }
        other => {
            found.insert(field, other.clone());
        }
    }
}

/// Maps with free keys are there or not, apart from what is in them.
fn is_map(element: &str) -> bool {
    matches!(element, "f:annotations" | "f:labels" | "f:data")
}

/// From `fieldsV1`.
fn read(tree: &Value) -> Fields {
    fn walk(path: &mut Field, tree: &Value, found: &mut Fields) {
        let children = tree.as_object().filter(|map| !map.is_empty());
        let Some(children) = children else {
            found.insert(path.clone());
            return;
        };
        for (element, below) in children {
            path.push(element.clone());
            walk(path, below, found);
            path.pop();
        }
    }
    let mut found = Fields::new();
    for (element, below) in tree.as_object().into_iter().flatten() {
        walk(&mut vec![element.clone()], below, &mut found);
    }
    found
}

/// To `fieldsV1`.
fn write(fields: &Fields) -> Value {
    let mut tree = Map::new();
    for field in fields {
        let mut place = &mut tree;
        for element in field {
            place = place
                .entry(element.clone())
                .or_insert_with(|| json!({}))
                .as_object_mut()
                .expect("only maps are put there");
        }
    }
    Value::Object(tree)
}
