//! Whose the credential is, asked of the server that knows it: only a client certificate tells it on this side.

use std::path::Path;

use http::Method;
use serde::Deserialize;
use serde_json::json;

use super::answer::Object;
use super::exchange::{Lost, Question};
use super::kubeconfig::{NODE_USER, check_node_name};
use super::{Deadlines, KubeletCluster, NameSource, Source};
use crate::config::Config;
use crate::failure::Failure;
use crate::journal::Place;

/// Answered to everybody who is authenticated, since Kubernetes 1.28.
const REVIEWS: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

#[derive(Debug, Deserialize)]
struct Review {
    status: Status,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    user_info: User,
}

#[derive(Debug, Deserialize)]
struct User {
    username: String,
}

impl Object for Review {
    const KIND: &'static str = "SelfSubjectReview";
}

impl KubeletCluster {
    /// Finds the kubeconfig and the node's name below `root`: the configured ones, else `running`, the kubeconfig of the kubelet that
    /// runs, and the name in its client certificate, else the name that the server knows it by.
    ///
    /// # Errors
    /// There is no kubeconfig, nobody answered, or the credential is no node's. Nothing is guessed.
    pub async fn find(
        config: &Config,
        root: &Path,
        running: Option<&Path>,
    ) -> Result<Self, Failure> {
        let source = Source::find(config.kubeconfig.as_deref().or(running), root)?;
        if let Some((node, by)) = source.node_name(config.node_name.as_deref())? {
            return Self::of(source, node, by, config, Deadlines::DEFAULT);
        }
        // As nobody, only to ask who that is.
        let nobody = Self::of(
            source.clone(),
            String::new(),
            NameSource::Review,
            config,
            Deadlines::DEFAULT,
        )?;
        let user = nobody.user().await?;
        let Some(node) = user.strip_prefix(NODE_USER) else {
            let user: String = user.chars().take(80).collect();
            return Err(Failure::local(format!(
                "the API server knows the credential of {} as {user:?}, which is no node's (system:node:NAME): is it the \
                     kubelet's own kubeconfig? the keys `kubeconfig` and `node-name` set both",
                source.path().display()
            )));
        };
        let node = node.to_owned();
        check_node_name(&node, NameSource::Review)?;
        Self::of(source, node, NameSource::Review, config, Deadlines::DEFAULT)
    }

    pub(super) fn of(
        source: Source,
        node: String,
        by: NameSource,
        config: &Config,
        deadlines: Deadlines,
    ) -> Result<Self, Failure> {
        let place = Place {
            node,
            named: by == NameSource::Configured,
            kubeconfig: source.path().to_owned(),
            namespace: config.lock.namespace.clone(),
            lock: config.lock.name.clone(),
        };
        Self::at(place, source, by, deadlines)
    }

    /// The user that the API server takes this credential for.
    ///
    /// # Errors
    /// Nobody answered, or the server does not know.
    pub async fn user(&self) -> Result<String, Failure> {
        let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
        let question = Question {
            what: "cannot ask the API server whose this credential is".to_owned(),
            method: Method::POST,
            target: REVIEWS.to_owned(),
            body: Some(("application/json", body.to_string())),
        };
        let answer = self.ask(&question).await.map_err(Lost::failure)?;
        let review: Review = answer.object()?;
        Ok(review.status.user_info.username)
    }
}
