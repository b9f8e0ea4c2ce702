//! The fields of an object, and sets of them as `fieldsV1` writes them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// A field: the elements of its path, `f:NAME` in a map and `k:{KEY}` in a list with keys.
pub(super) type Field = Vec<String>;
pub(super) type Fields = BTreeSet<Field>;

/// The metadata that have owners.
const OWNED: [&str; 5] = [
    "annotations",
    "labels",
    "finalizers",
    "ownerReferences",
    "generateName",
];

/// What can have an owner of its own: values, and maps and items of lists as such. A list is one value, but for conditions,
/// which have their type as key.
pub(super) fn leaves(object: &Value) -> BTreeMap<Field, Value> {
    let mut found = BTreeMap::new();
    for (name, value) in object.as_object().into_iter().flatten() {
        match name.as_str() {
            "apiVersion" | "kind" => {}
            "metadata" => {
                for (name, value) in value.as_object().into_iter().flatten() {
                    if OWNED.contains(&name.as_str()) {
                        let field = vec!["f:metadata".to_owned(), format!("f:{name}")];
                        collect(field, value, &mut found);
                    }
                }
            }
            // A spec or a status with nothing in it is nothing.
            _ if *value == json!({}) => {}
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
        Value::Object(map) if !map.is_empty() => {
            for (name, value) in map {
                collect(below(format!("f:{name}")), value, found);
            }
            if is_collection(&field) {
                found.insert(field, json!({}));
            }
        }
        Value::Array(list) if field.last().is_some_and(|last| last == "f:conditions") => {
            for item in list {
                let key = below(format!("k:{}", json!({"type": item["type"]})));
                collect(key.clone(), item, found);
                found.insert(key, json!({}));
            }
            found.insert(field, json!([]));
        }
        other => {
            found.insert(field, other.clone());
        }
    }
}

/// Maps with free keys, and lists with keys, are there or not, apart from what is in them.
pub(super) fn is_collection(field: &Field) -> bool {
    let last = field.last().map(String::as_str);
    matches!(
        last,
        Some("f:annotations" | "f:labels" | "f:data" | "f:conditions")
    )
}

/// From `fieldsV1`: what has nothing below it is meant itself, and so is what has a dot.
pub(super) fn read(tree: &Value) -> Fields {
    fn walk(path: &mut Field, tree: &Value, found: &mut Fields) {
        let children = tree.as_object().filter(|map| !map.is_empty());
        let Some(children) = children else {
            found.insert(path.clone());
            return;
        };
        for (element, below) in children {
            if element == "." {
                found.insert(path.clone());
                continue;
            }
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
pub(super) fn write(fields: &Fields) -> Value {
    let mut tree = Map::new();
    // A field comes before those below it: they find it empty, and leave a dot in it.
    for field in fields {
        let mut place = &mut tree;
        for (depth, element) in field.iter().enumerate() {
            if depth > 0 && place.is_empty() && fields.contains(&field[..depth]) {
                place.insert(".".to_owned(), json!({}));
            }
            place = place
                .entry(element.clone())
                .or_insert_with(|| json!({}))
                .as_object_mut()
                .expect("only maps are put there");
        }
    }
    Value::Object(tree)
}

/// Removes a field, and nothing else.
pub(super) fn remove(object: &mut Value, field: &[String]) {
    let Some((first, rest)) = field.split_first() else {
        return;
    };
    if let Some(key) = first.strip_prefix("k:") {
        let key: Value = serde_json::from_str(key).unwrap_or_default();
        let Some(list) = object.as_array_mut() else {
            return;
        };
        let is = |item: &Value| item["type"] == key["type"];
        if rest.is_empty() {
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

/// A field as people write it: `.status.conditions[type="Ready"].status`.
pub(super) fn path(field: &Field) -> String {
    let elements = field.iter().map(|element| {
        if let Some(name) = element.strip_prefix("f:") {
            return format!(".{name}");
        }
        let key = element.strip_prefix("k:").unwrap_or_default();
        let key: Value = serde_json::from_str(key).unwrap_or_default();
        let pairs = key.as_object().into_iter().flatten();
        let pairs: Vec<String> = pairs
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        format!("[{}]", pairs.join(","))
    });
    elements.collect()
}
