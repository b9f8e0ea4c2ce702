//! The API server, asked by a person with a credential of their own: what `rollboot pause`, `resume` and `unlock` need.

mod config;

use std::path::PathBuf;
use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::{Method, Request};
use kube::Client;
use kube::client::Body;
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, timeout_at};

use super::MERGE_PATCH;
use super::answer::{Answer, Object};
use super::exchange::{Lost, Question, collect};
use super::lock_map::{ConfigMap, check_precondition};
use super::own_node::{Node, patch_body};
use super::text::{certificate_advice, chain, name, query};
use crate::config::Lock;
use crate::failure::{Failure, FailureKind, WriteOutcome};
use crate::lock::{LockPatch, LockView, Marked};
use crate::node::{FIELD_MANAGER, MARKER, Marker, NodePatch, NodeView};

/// Objects as a table, each with its metadata.
const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";
const JSON: &str = "application/json";
/// Nodes in one page: of each come its metadata, some kilobytes.
const PAGE: &str = "500";
/// Ten times the nodes that a cluster is made for.
const MAX_PAGES: usize = 100;
/// The longest that an API server works on a request; it takes no more.
const SERVED: Duration = Duration::from_secs(35);
/// A connection that is not up by then never will be.
const CONNECT: Duration = Duration::from_secs(15);

/// How an operator chooses cluster and user: the flags of kubectl, with the same meaning.
#[derive(Debug, Clone, Default)]
pub struct ConfigFlags {
    /// `--kubeconfig`: this file and no other.
    pub kubeconfig: Option<PathBuf>,
    /// `--context`, instead of the current one.
    pub context: Option<String>,
    /// `--cluster`, instead of the context's.
    pub cluster: Option<String>,
    /// `--user`, instead of the context's.
    pub user: Option<String>,
    /// `--as`: whom to impersonate.
    pub impersonate: Option<String>,
    /// `--as-group`: the groups of whom to impersonate.
    pub impersonate_groups: Vec<String>,
    /// `--request-timeout`; zero: as long as it takes.
    pub request_timeout: Duration,
}

/// An operator's view of the cluster.
pub struct Operator {
    client: Client,
    lock: Lock,
    limit: Duration,
}

/// A page of Nodes.
#[derive(Debug, Deserialize)]
struct Page {
    metadata: PageMetadata,
    rows: Option<Vec<Row>>,
}

#[derive(Debug, Deserialize)]
struct PageMetadata {
    r#continue: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Row {
    object: Head,
}

#[derive(Debug, Deserialize)]
struct Head {
    metadata: HeadMetadata,
}

#[derive(Debug, Deserialize)]
struct HeadMetadata {
    name: String,
    annotations: Option<Annotations>,
}

#[derive(Debug, Deserialize)]
struct Annotations {
    #[serde(rename = "rollboot.io/turn")]
    marker: Option<String>,
}

impl Object for Page {
    const KIND: &'static str = "Table";
}

/// What `SelfSubjectReview` answers.
#[derive(Debug, Deserialize)]
struct Review {
    status: ReviewStatus,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReviewStatus {
    user_info: UserInfo,
}

#[derive(Debug, Deserialize)]
struct UserInfo {
    username: Option<String>,
}

impl Object for Review {
    const KIND: &'static str = "SelfSubjectReview";
}

impl From<Row> for Option<Marked> {
    fn from(row: Row) -> Self {
        let HeadMetadata { name, annotations } = row.object.metadata;
        let marker = annotations?.marker?;
        let turn = serde_json::from_str::<Marker>(&marker).ok();
        Some(Marked {
            node: name,
            turn: turn.map(|marker| marker.turn),
        })
    }
}

impl Operator {
    /// Reads the kubeconfig as kubectl does, and makes the client; a credential plugin is run, and may ask the person at the
    /// terminal. Connects to nothing yet. Belongs into a runtime.
    ///
    /// # Errors
    /// There is no kubeconfig, it names no cluster, or what it names cannot be used.
    pub fn connect(flags: &ConfigFlags, lock: &Lock) -> Result<Self, Failure> {
        name(&lock.namespace)?;
        name(&lock.name)?;
        let limit = match flags.request_timeout {
            Duration::ZERO => Duration::from_secs(24 * 60 * 60),
            limit => limit,
        };
        Ok(Self {
            client: config::client(flags, CONNECT.min(limit))?,
            lock: lock.clone(),
            limit,
        })
    }

    /// Reads the lock object. `None`: the server says that there is none.
    ///
    /// # Errors
    /// It may not be read, or nobody answered.
    pub async fn read_lock(&self) -> Result<Option<LockView>, Failure> {
        let what = format!("cannot read ConfigMap {}", self.lock_label());
        let question = Question::get(what, self.lock_path() + &self.read_query());
        let answer = self.ask(JSON, &question).await.map_err(Lost::failure)?;
        if answer.says_absent("configmaps", &self.lock.name) {
            return Ok(None);
        }
        answer.object::<ConfigMap>().map(|map| Some(map.into()))
    }

    /// Patches annotations of the lock object, or asks whether that could be done.
    pub async fn patch_lock(&self, patch: &LockPatch, dry_run: bool) -> WriteOutcome<LockView> {
        let what = format!("cannot change ConfigMap {}", self.lock_label());
        let body = json!({"metadata": {
            "resourceVersion": patch.version,
            "annotations": patch.annotations,
        }});
        let sent = self.patch(what, self.lock_path(), &patch.version, &body, dry_run);
        match sent.await {
            Ok(answer) => answer.written::<ConfigMap, _>(),
            Err(lost) => lost.written(),
        }
    }

    /// Reads a Node. `None`: the server says that there is none.
    ///
    /// # Errors
    /// It may not be read, or nobody answered.
    pub async fn read_node(&self, node: &str) -> Result<Option<NodeView>, Failure> {
        let target = format!("/api/v1/nodes/{}", name(node)?) + &self.read_query();
        let question = Question::get(format!("cannot read Node {node}"), target);
        let answer = self.ask(JSON, &question).await.map_err(Lost::failure)?;
        if answer.says_absent("nodes", node) {
            return Ok(None);
        }
        answer.object::<Node>().map(|node| Some(node.into()))
    }

    /// Patches what a turn has left on a Node, or asks whether that could be done.
    pub async fn patch_node(
        &self,
        node: &str,
        patch: &NodePatch,
        dry_run: bool,
    ) -> WriteOutcome<NodeView> {
        let what = format!("cannot change Node {node}");
        let target = match name(node) {
            Ok(node) => format!("/api/v1/nodes/{node}"),
            Err(failure) => return WriteOutcome::Refused(failure),
        };
        let body = patch_body(patch);
        let sent = self.patch(what, target, &patch.version, &body, dry_run);
        match sent.await {
            Ok(answer) => answer.written::<Node, _>(),
            Err(lost) => lost.written(),
        }
    }

    /// Lists the Nodes that bear the mark of a turn ([`MARKER`]).
    ///
    /// # Errors
    /// Nodes may not be listed, or nobody answered.
    pub async fn marked_nodes(&self) -> Result<Vec<Marked>, Failure> {
        let what = format!("cannot look for {MARKER} on the Nodes");
        let mut found = Vec::new();
        let mut token: Option<String> = None;
        for _page in 0..MAX_PAGES {
            let mut pairs = vec![("limit", PAGE)];
            pairs.extend(token.as_deref().map(|token| ("continue", token)));
            let question = Question::get(what.clone(), format!("/api/v1/nodes{}", query(&pairs)));
            let answer = self.ask(TABLE, &question).await.map_err(Lost::failure)?;
            let page: Page = answer.object()?;
            let rows = page.rows.into_iter().flatten();
            found.extend(rows.filter_map(Option::<Marked>::from));
            token = page.metadata.r#continue.filter(|it| !it.is_empty());
            if token.is_none() {
                return Ok(found);
            }
        }
        let why = format!("{what}: the list has no end");
        Err(Failure::new(FailureKind::Unavailable, why))
    }

    /// Who this is to the server.
    ///
    /// # Errors
    /// It does not say, or nobody answered.
    pub async fn user(&self) -> Result<Option<String>, Failure> {
        let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": Review::KIND});
        let question = Question {
            what: "cannot ask who this is".to_owned(),
            method: Method::POST,
            target: "/apis/authentication.k8s.io/v1/selfsubjectreviews".to_owned(),
            body: Some((JSON, body.to_string())),
        };
        let answer = self.ask(JSON, &question).await.map_err(Lost::failure)?;
        let review: Review = answer.object()?;
        Ok(review.status.user_info.username.filter(|it| !it.is_empty()))
    }

    async fn patch(
        &self,
        what: String,
        path: String,
        version: &str,
        body: &serde_json::Value,
        dry_run: bool,
    ) -> Result<Answer, Lost> {
        check_precondition(&what, version).map_err(Lost::NotSent)?;
        let served = self.served();
        let mut pairs = vec![
            ("fieldManager", FIELD_MANAGER),
            ("fieldValidation", "Strict"),
            ("timeout", &served),
        ];
        pairs.extend(dry_run.then_some(("dryRun", "All")));
        let question = Question {
            what,
            method: Method::PATCH,
            target: path + &query(&pairs),
            body: Some((MERGE_PATCH, body.to_string())),
        };
        self.ask(JSON, &question).await
    }

    async fn ask(&self, accept: &'static str, question: &Question) -> Result<Answer, Lost> {
        let end = Instant::now() + self.limit;
        let failure = |kind, why: &str| Failure::new(kind, format!("{}: {why}", question.what));
        let mut request = Request::builder()
            .method(question.method.clone())
            .uri(&question.target)
            .header(ACCEPT, accept)
            .header(USER_AGENT, concat!("rollboot/", env!("CARGO_PKG_VERSION")));
        let body = match &question.body {
            Some((media, text)) => {
                request = request.header(CONTENT_TYPE, *media);
                Body::from(text.clone().into_bytes())
            }
            None => Body::empty(),
        };
        let request = request
            .body(body)
            .map_err(|error| Lost::NotSent(failure(FailureKind::Invalid, &error.to_string())))?;
        match timeout_at(end, self.client.send(request)).await {
            Ok(Ok(response)) => collect(question, response, end, self.limit).await,
            Ok(Err(kube::Error::Service(cause))) => {
                let why = chain(&*cause) + certificate_advice(&*cause);
                Err(Lost::Open(failure(FailureKind::Unavailable, &why)))
            }
            Ok(Err(error)) => Err(Lost::Open(failure(
                FailureKind::Unavailable,
                &chain(&error),
            ))),
            Err(_) => {
                let why = format!("no answer within {:?}", self.limit);
                Err(Lost::Open(failure(FailureKind::Timeout, &why)))
            }
        }
    }

    fn read_query(&self) -> String {
        query(&[("timeout", &self.served())])
    }

    /// What the server is told of the deadline: a little less, so that it says itself that it gave up.
    fn served(&self) -> String {
        let time = self.limit.mul_f64(0.8).min(SERVED);
        format!("{}ms", time.as_millis())
    }

    fn lock_path(&self) -> String {
        let Lock {
            namespace, name, ..
        } = &self.lock;
        format!("/api/v1/namespaces/{namespace}/configmaps/{name}")
    }

    /// Namespace and name of the lock.
    pub fn lock_label(&self) -> String {
        format!("{}/{}", self.lock.namespace, self.lock.name)
    }
}

impl std::fmt::Debug for Operator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operator")
            .field("lock", &self.lock)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
