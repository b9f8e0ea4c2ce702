//! Who may do what: administrators everything, nodes what the node authorizer lets them, everybody what RBAC gives.

use serde_json::Value;

use super::kind::Kind;
use super::object::meta;
use super::refusal::Refusal;
use super::request::Asked;
use super::store::Inner;

/// Lets a request through, or answers 403 as the real server does.
pub(super) fn authorize(inner: &Inner, asked: &Asked) -> Result<(), Refusal> {
    if asked.user.is_in("system:masters") || by_rules(inner, asked) {
        return Ok(());
    }
    let why = match asked.user.as_node() {
        Some(node) => match as_node(inner, asked, node) {
            Ok(()) => return Ok(()),
            Err(why) => why,
        },
        None => String::new(),
    };
    Err(forbidden(asked, &why))
}

fn forbidden(asked: &Asked, why: &str) -> Refusal {
    let (kind, name) = (asked.kind, asked.name.as_str());
    let mut resource = kind.resource();
    if !asked.subresource.is_empty() {
        resource = format!("{resource}/{}", asked.subresource);
    }
    let group = kind.group();
    let place = match asked.namespace.as_str() {
        "" => "at the cluster scope".to_owned(),
        namespace => format!("in the namespace {namespace:?}"),
    };
    let quoted = match name {
        "" => String::new(),
        name => format!(" {name:?}"),
    };
    let mut message = format!(
        "{}{quoted} is forbidden: User {:?} cannot {} resource {resource:?} in API group {group:?} {place}",
        kind.qualified(),
        asked.user.name,
        asked.verb,
    );
    if !why.is_empty() {
        message = format!("{message}: {why}");
    }
    Refusal::new(403, "Forbidden", message).about(group, &kind.resource(), name)
}

/// What the node authorizer thinks. An error is no opinion, with its reason.
fn as_node(inner: &Inner, asked: &Asked, node: &str) -> Result<(), String> {
    let no = |why: &str| Err(why.to_owned());
    let unrelated = || {
        Err(format!(
            "no relationship found between node '{node}' and this object"
        ))
    };
    let own = asked.name == node;
    match (asked.kind, asked.subresource.as_str(), asked.verb) {
        (Kind::ConfigMap, "", "get" | "list" | "watch") => {
            if asked.namespace.is_empty() {
                no("can only read namespaced object of this type")
            } else if asked.name.is_empty() {
                no("No Object name found")
            } else {
                // No pod of the lab mounts one.
                unrelated()
            }
        }
        (Kind::ConfigMap, "", _) => no("can only read resources of this type"),
        (Kind::ConfigMap, _, "get" | "list" | "watch") => no("cannot read subresource"),
        (Kind::ConfigMap, _, _) => no("can only read resources of this type"),

        // Whose Node it is admission looks at.
        (Kind::Node, "" | "status", "update" | "patch") | (Kind::Node, "", "create") => Ok(()),
        (Kind::Node, "", "get" | "list" | "watch") if own => Ok(()),
        (Kind::Node, "", "list" | "watch") if asked.name.is_empty() => Err(format!(
            "node '{node}' cannot read all nodes, only its own Node object"
        )),
        (Kind::Node, "", "get" | "list" | "watch") => Err(format!(
            "node '{node}' cannot read '{}', only its own Node object",
            asked.name
        )),

        (Kind::Pod, "", "get") => match inner.get(Kind::Pod, &asked.namespace, &asked.name) {
            Some(pod) if pod["spec"]["nodeName"] == node => Ok(()),
            _ => unrelated(),
        },
        (Kind::Pod, "", "list" | "watch") => {
            if asked.selected("spec.nodeName").as_deref() == Some(node) {
                Ok(())
            } else {
                no("can only list/watch pods with spec.nodeName field selector")
            }
        }
        // As a kubelet does; it cannot read them.
        (Kind::Event, "", "create" | "update" | "patch") => Ok(()),

        // Whose pod it is admission looks at.
        (Kind::Pod, "", "create" | "delete")
        | (Kind::Pod, "eviction", "create")
        | (Kind::Pod, "status", "update" | "patch") => Ok(()),
        _ => no(""),
    }
}

/// Whether a Role or ClusterRole that is bound to the user allows it.
fn by_rules(inner: &Inner, asked: &Asked) -> bool {
    let cluster = inner.list(Kind::ClusterRoleBinding);
    let local = inner
        .list(Kind::RoleBinding)
        .filter(|binding| meta(binding, "namespace") == asked.namespace);
    cluster.chain(local).any(|binding| {
        let role = match binding["roleRef"]["kind"].as_str() {
            Some("Role") => (Kind::Role, meta(binding, "namespace")),
            _ => (Kind::ClusterRole, ""),
        };
        let name = binding["roleRef"]["name"].as_str().unwrap_or_default();
        let rules = inner
            .get(role.0, role.1, name)
            .and_then(|role| role["rules"].as_array());
        is_subject(binding, asked) && rules.into_iter().flatten().any(|rule| allows(rule, asked))
    })
}

fn is_subject(binding: &Value, asked: &Asked) -> bool {
    let subjects = binding["subjects"].as_array();
    subjects.into_iter().flatten().any(|subject| {
        let name = subject["name"].as_str().unwrap_or_default();
        match subject["kind"].as_str() {
            Some("Group") => asked.user.is_in(name),
            Some("User") => asked.user.name == name,
            _ => false,
        }
    })
}

fn allows(rule: &Value, asked: &Asked) -> bool {
    let has = |field: &str, wanted: &str| {
        let list = rule[field].as_array();
        list.into_iter()
            .flatten()
            .any(|it| it == wanted || it == "*")
    };
    let resource = match asked.subresource.as_str() {
        "" => asked.kind.resource(),
        subresource => format!("{}/{subresource}", asked.kind.resource()),
    };
    let names = rule["resourceNames"].as_array();
    has("verbs", asked.verb)
        && has("apiGroups", asked.kind.group())
        && has("resources", &resource)
        && names.is_none_or(|names| names.is_empty() || names.iter().any(|it| *it == asked.name))
}
