//! Whose the credential is, asked of the server that knows it: only a client certificate tells it on this side.

use std::path::Path;

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::Resource;
use kube::api::PostParams;
use kube::core::{Request, request};

use super::answer::Object;
use super::client::Connector;
use super::exchange::Lost;
use super::kubeconfig::{NODE_USER, check_node_name};
use super::questions::Question;
use super::{Deadlines, KubeletCluster, NameSource, Source};
use crate::config::Config;
use crate::failure::{Failure, FailureKind};
use crate::journal::Place;

impl Object for SelfSubjectReview {
    const KIND: &'static str = "SelfSubjectReview";
}

impl Connector {
    /// The user that the API server takes this credential for, if it says so. Answered to everybody who is authenticated, since
    /// Kubernetes 1.28.
    pub(super) async fn user(&self, what: &str) -> Result<Option<String>, Failure> {
        let reviews = Request::new(SelfSubjectReview::url_path(&(), None));
        let body = serde_json::to_vec(&SelfSubjectReview::default());
        let built = body
            .map_err(request::Error::SerializeBody)
            .and_then(|body| reviews.create(&PostParams::default(), body));
        let question = Question::new(what.to_owned(), built, &[]);
        let answer = self.ask(&question).await.map_err(Lost::failure)?;
        let review: SelfSubjectReview = answer.object()?;
        let user = review.status.and_then(|status| status.user_info);
        Ok(user
            .and_then(|user| user.username)
            .filter(|it| !it.is_empty()))
    }
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
        let what = "cannot ask the API server whose this credential is";
        let user = self.connector.user(what).await?;
        user.ok_or_else(|| {
            Failure::new(FailureKind::Unavailable, format!("{what}: it does not say"))
        })
    }
}
