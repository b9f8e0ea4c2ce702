//! The objects, each with its version, and everything that ever happened to them.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;

pub use super::kind::Kind;
use super::managed::{self, Writer};
use super::object::{meta, meta_mut, now, same};
use super::refusal::Refusal;

/// Changes that a slow reader of [`Store::changes`] may fall behind before it loses some.
const BEHIND: usize = 65_536;

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// It was made.
    Added,
    /// It was changed.
    Modified,
    /// It is gone; the change bears its last state.
    Deleted,
}

/// One revision of the store.
#[derive(Debug, Clone)]
pub struct Change {
    /// Counted from 1 over all objects; the `resourceVersion` of the object.
    pub revision: u64,
    /// When.
    pub at: Instant,
    /// Who asked for it: a user of the API, or a component of the lab.
    pub by: String,
    /// The kind of the object.
    pub kind: Kind,
    /// What happened.
    pub what: What,
    /// The object after it.
    pub object: Value,
}

/// All objects. A clone is the same store. Used directly it asks for no right; only the API does.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Mutex<Inner>>,
    changes: broadcast::Sender<Change>,
    revision: watch::Sender<u64>,
}

/// Kind, namespace (or nothing) and name.
pub(super) type Key = (Kind, String, String);

/// The objects as they are while nobody else changes them.
#[derive(Debug, Default, Clone)]
pub(super) struct Inner {
    objects: BTreeMap<Key, Value>,
    history: Vec<Change>,
    /// For each revision the one before it of the same object, or 0.
    before: Vec<u64>,
    /// Versions below are forgotten: nobody can watch from there.
    oldest: u64,
}

impl Store {
    /// Empty but for the namespaces that every cluster has.
    pub(super) fn new() -> Self {
        let store = Self {
            inner: Arc::default(),
            changes: broadcast::Sender::new(BEHIND),
            revision: watch::Sender::new(0),
        };
        for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
            let object = json!({
                "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
                "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"},
            });
            let made = store.create("lab", Kind::Namespace, object);
            made.expect("nothing is there yet");
        }
        // Older than anything that can be asked about.
        store.forget();
        store
    }

    /// Makes an object, with a name of its own if it has only a `generateName`.
    pub fn create(&self, by: &str, kind: Kind, object: Value) -> Result<Value, Refusal> {
        self.with(|inner| inner.create(by, &Writer::component(by), kind, object, |_, _| {}))
    }

    /// Reads an object; the namespace of one that has none is empty.
    pub fn get(&self, kind: Kind, namespace: &str, name: &str) -> Option<Value> {
        self.with(|inner| inner.get(kind, namespace, name).cloned())
    }

    /// All objects of a kind, by namespace and name.
    pub fn list(&self, kind: Kind) -> Vec<Value> {
        self.with(|inner| inner.list(kind).cloned().collect())
    }

    /// Changes an object atomically and returns what it is then. A change that changes nothing makes no revision.
    pub fn update(
        &self,
        by: &str,
        kind: Kind,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Value),
    ) -> Option<Value> {
        self.with(|inner| {
            let mut object = inner.get(kind, namespace, name)?.clone();
            change(&mut object);
            Some(inner.update(by, &Writer::component(by), kind, object))
        })
    }

    /// Removes an object at once, whatever grace it has.
    pub fn remove(&self, by: &str, kind: Kind, namespace: &str, name: &str) -> Option<Value> {
        self.with(|inner| inner.remove(by, kind, namespace, name))
    }

    /// Every revision since the start.
    pub fn history(&self) -> Vec<Change> {
        self.with(|inner| inner.history.clone())
    }

    /// Changes from now on.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// Forgets how things came to be as they are: nobody can watch from an earlier version.
    pub(super) fn forget(&self) {
        self.with(|inner| inner.oldest = inner.revision());
    }

    /// Tells of each revision.
    pub(super) fn revisions(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    /// Does something while nobody else does. What changed meanwhile is told afterwards, in order.
    pub(super) fn with<R>(&self, act: impl FnOnce(&mut Inner) -> R) -> R {
        let mut inner: MutexGuard<'_, Inner> =
            self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let before = inner.history.len();
        let result = act(&mut inner);
        for change in inner.history.iter().skip(before) {
            // Nobody listens: then nobody misses it.
            let _ = self.changes.send(change.clone());
        }
        if inner.history.len() > before {
            self.revision.send_replace(inner.revision());
        }
        result
    }
}

impl Inner {
    /// The last revision.
    pub(super) fn revision(&self) -> u64 {
        self.history.len() as u64
    }

    /// The first version from which a watch can begin.
    pub(super) fn oldest(&self) -> u64 {
        self.oldest
    }

    pub(super) fn get(&self, kind: Kind, namespace: &str, name: &str) -> Option<&Value> {
        self.objects
            .get(&(kind, namespace.to_owned(), name.to_owned()))
    }

    pub(super) fn list(&self, kind: Kind) -> impl Iterator<Item = &Value> {
        let from = (kind, String::new(), String::new());
        self.objects
            .range(from..)
            .take_while(move |((found, _, _), _)| *found == kind)
            .map(|(_, object)| object)
    }

    /// What came after an object at a revision that has passed, in the order of a list.
    pub(super) fn list_at(&self, after: &Key, revision: u64) -> Vec<&Value> {
        let kind = after.0;
        let begins = Bound::Excluded(after.clone());
        if self.since(revision).all(|(change, _)| change.kind != kind) {
            let rest = self.objects.range((begins, Bound::Unbounded));
            let rest = rest.take_while(|((found, _, _), _)| *found == kind);
            return rest.map(|(_, object)| object).collect();
        }
        let mut objects = BTreeMap::new();
        for change in &self.history {
            if change.revision > revision {
                break;
            }
            if change.kind == kind {
                let key = key(kind, &change.object);
                match change.what {
                    What::Deleted => objects.remove(&key),
                    What::Added | What::Modified => objects.insert(key, &change.object),
                };
            }
        }
        let rest = objects.range((begins, Bound::Unbounded));
        rest.map(|(_, object)| *object).collect()
    }

    /// The changes after a revision, each with the state before it.
    pub(super) fn since(&self, revision: u64) -> impl Iterator<Item = (&Change, Option<&Value>)> {
        let skipped = usize::try_from(revision).unwrap_or(usize::MAX);
        let changes = self.history.iter().zip(&self.before).skip(skipped);
        changes.map(|(change, &before)| {
            let index = before.checked_sub(1).map(|it| it as usize);
            let before = index.and_then(|index| self.history.get(index));
            (change, before.map(|before| &before.object))
        })
    }

    /// Makes an object. What `admit` does to it is nobody's.
    pub(super) fn create(
        &mut self,
        by: &str,
        writer: &Writer,
        kind: Kind,
        mut object: Value,
        admit: impl FnOnce(Kind, &mut Value),
    ) -> Result<Value, Refusal> {
        object["apiVersion"] = json!(kind.api_version());
        object["kind"] = json!(kind.name());
        let metadata = meta_mut(&mut object);
        if !metadata.contains_key("name") {
            let prefix = metadata.get("generateName").and_then(Value::as_str);
            let random = uuid::Uuid::new_v4().simple().to_string();
            let name = prefix.map(|prefix| format!("{prefix}{}", &random[..5]));
            let Some(name) = name else {
                let fault = (
                    "metadata.name".to_owned(),
                    "FieldValueRequired",
                    "Required value: name or generateName is required".to_owned(),
                );
                return Err(Refusal::invalid(kind, "", &[fault]));
            };
            metadata.insert("name".to_owned(), json!(name));
        }
        if kind.is_namespaced() && !metadata.contains_key("namespace") {
            metadata.insert("namespace".to_owned(), json!("default"));
        }
        for field in ["managedFields", "deletionTimestamp", "resourceVersion"] {
            metadata.remove(field);
        }
        metadata.insert("uid".to_owned(), json!(uuid::Uuid::new_v4().to_string()));
        metadata.insert("creationTimestamp".to_owned(), json!(now()));
        if has_generation(kind) {
            metadata.insert("generation".to_owned(), json!(1));
        }
        let key = key(kind, &object);
        if self.objects.contains_key(&key) {
            return Err(Refusal::exists(kind, &key.2));
        }
        managed::record(None, &mut object, writer);
        admit(kind, &mut object);
        Ok(self.commit(by, key, What::Added, object))
    }

    /// Puts a new state in the place of the object that it is a state of.
    pub(super) fn update(&mut self, by: &str, writer: &Writer, kind: Kind, object: Value) -> Value {
        let key = key(kind, &object);
        let before = self.objects.get(&key).expect("it is there").clone();
        match settle(&before, object, writer, kind) {
            None => before,
            Some(object) => self.commit(by, key, What::Modified, object),
        }
    }

    /// Removes an object at once.
    pub(super) fn remove(
        &mut self,
        by: &str,
        kind: Kind,
        namespace: &str,
        name: &str,
    ) -> Option<Value> {
        let key = (kind, namespace.to_owned(), name.to_owned());
        let object = self.objects.get(&key)?.clone();
        Some(self.commit(by, key, What::Deleted, object))
    }

    fn commit(&mut self, by: &str, key: Key, what: What, mut object: Value) -> Value {
        let revision = self.revision() + 1;
        let before = self.objects.get(&key).map_or(0, super::object::revision);
        meta_mut(&mut object).insert("resourceVersion".to_owned(), json!(revision.to_string()));
        self.before.push(before);
        self.history.push(Change {
            revision,
            at: Instant::now(),
            by: by.to_owned(),
            kind: key.0,
            what,
            object: object.clone(),
        });
        match what {
            What::Deleted => self.objects.remove(&key),
            What::Added | What::Modified => self.objects.insert(key, object.clone()),
        };
        object
    }
}

/// What a new state becomes: with the metadata that nobody can change, the owners of its fields, and its generation. `None` if
/// nothing changed.
pub(super) fn settle(
    before: &Value,
    mut object: Value,
    writer: &Writer,
    kind: Kind,
) -> Option<Value> {
    let metadata = meta_mut(&mut object);
    for field in [
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "resourceVersion",
        "generation",
        "managedFields",
    ] {
        match before["metadata"].get(field) {
            Some(value) => metadata.insert(field.to_owned(), value.clone()),
            None => metadata.remove(field),
        };
    }
    object["apiVersion"] = before["apiVersion"].clone();
    object["kind"] = before["kind"].clone();
    let deletion =
        |object: &Value| kind == Kind::Pod && !object["metadata"]["deletionTimestamp"].is_null();
    let goes = deletion(&object) && !deletion(before);
    if has_generation(kind) && (goes || before["spec"] != object["spec"]) {
        let generation = before["metadata"]["generation"]
            .as_u64()
            .unwrap_or_default();
        object["metadata"]["generation"] = json!(generation + 1);
    }
    managed::record(Some(before), &mut object, writer);
    (!same(before, &object)).then_some(object)
}

fn has_generation(kind: Kind) -> bool {
    matches!(kind, Kind::Pod | Kind::PodDisruptionBudget)
}

fn key(kind: Kind, object: &Value) -> Key {
    let (namespace, name) = (meta(object, "namespace"), meta(object, "name"));
    (kind, namespace.to_owned(), name.to_owned())
}
