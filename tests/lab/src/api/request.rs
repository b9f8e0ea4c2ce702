//! What a request asks for.

use hyper::Method;
use hyper::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use hyper::http::request::Parts;

use super::kind::Kind;
use super::refusal::Refusal;
use super::tls::User;

/// A request, taken apart.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) user: User,
    pub(super) verb: &'static str,
    pub(super) kind: Kind,
    /// Empty: none, or all of them.
    pub(super) namespace: String,
    /// Empty for a list. For a list and a watch the name that the field selector asks for, as the real server has it.
    pub(super) name: String,
    pub(super) subresource: String,
    query: Vec<(String, String)>,
    pub(super) media: String,
    accept: String,
    agent: String,
    pub(super) body: Vec<u8>,
}

impl Asked {
    /// Takes a request apart.
    pub(super) fn read(user: User, head: &Parts, body: &[u8]) -> Result<Self, Refusal> {
        let path = head.uri.path().trim_matches('/');
        let parts: Vec<&str> = path.split('/').collect();
        let nowhere = || {
            let message = "the server could not find the requested resource";
            Refusal::new(404, "NotFound", message).about("", "", "")
        };
        let (group, rest) = match parts.as_slice() {
            ["api", "v1", rest @ ..] => ("", rest),
            ["apis", group, "v1", rest @ ..] => (*group, rest),
            _ => return Err(nowhere()),
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
            rest => ("", rest),
        };
        let (resource, name, subresource) = match rest {
            [resource] => (*resource, "", ""),
            [resource, name] => (*resource, *name, ""),
            [resource, name, subresource] => (*resource, *name, *subresource),
            _ => return Err(nowhere()),
        };
        let kind = Kind::ALL
            .into_iter()
            .find(|kind| kind.group() == group && kind.resource() == resource)
            .filter(|kind| kind.is_namespaced() || namespace.is_empty())
            .ok_or_else(nowhere)?;
        let query = head.uri.query().unwrap_or_default();
        let query: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        let header = |name| {
            let value = head.headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        // The real server takes the name of a namespace for its namespace.
        let namespace = if kind == Kind::Namespace {
            name
        } else {
            namespace
        };
        let mut asked = Self {
            user,
            verb: "",
            kind,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            subresource: subresource.to_owned(),
            query,
            media: header(CONTENT_TYPE),
            accept: header(ACCEPT),
            agent: header(USER_AGENT),
            body: body.to_vec(),
        };
        let watched = matches!(asked.query("watch"), "true" | "1");
        asked.verb = match (&head.method, name.is_empty()) {
            (&Method::GET, false) => "get",
            (&Method::GET, true) if watched => "watch",
            (&Method::GET, true) => "list",
            (&Method::POST, _) => "create",
            (&Method::PATCH, false) => "patch",
            (&Method::DELETE, false) => "delete",
            (&Method::PUT, false) => "update",
            (&Method::DELETE, true) => "deletecollection",
            _ => "",
        };
        if matches!(asked.verb, "list" | "watch")
            && let Some(name) = asked.selected("metadata.name")
        {
            asked.name = name;
        }
        Ok(asked)
    }

    /// The namespace in which the object lives.
    pub(super) fn place(&self) -> &str {
        if self.kind.is_namespaced() {
            &self.namespace
        } else {
            ""
        }
    }

    /// A parameter; empty if it is not there.
    pub(super) fn query(&self, name: &str) -> &str {
        let found = self.query.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// The requirements of the field selector.
    pub(super) fn selectors(&self) -> impl Iterator<Item = (&str, &str)> {
        let parts = self.query("fieldSelector").split(',');
        parts.filter_map(|part| {
            let (field, value) = part.split_once('=')?;
            Some((field, value.trim_start_matches('=')))
        })
    }

    /// What the field selector asks this field to be.
    pub(super) fn selected(&self, field: &str) -> Option<String> {
        let mut selectors = self.selectors();
        let found = selectors.find(|(key, _)| *key == field);
        found.map(|(_, value)| value.to_owned())
    }

    /// Whether the answer is to be a table.
    pub(super) fn wants_table(&self) -> bool {
        self.accept
            .split(';')
            .any(|parameter| parameter == "as=Table")
    }

    /// Whether nothing is to be kept of it.
    pub(super) fn is_dry_run(&self) -> bool {
        self.query("dryRun") == "All"
    }

    /// Whether fields that there are not are an error.
    pub(super) fn is_strict(&self) -> bool {
        self.query("fieldValidation") == "Strict"
    }

    /// In whose name fields are written.
    pub(super) fn manager(&self) -> &str {
        match self.query("fieldManager") {
            "" => match self.agent.split('/').next() {
                None | Some("") => "unknown",
                Some(agent) => agent,
            },
            manager => manager,
        }
    }
}
