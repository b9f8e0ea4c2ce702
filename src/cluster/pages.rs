//! Lists that are read page by page. All pages are of the version of the first one: where that is too old to go on from, the list has
//! failed, and whoever wants it asks anew.
//!
//! A page is held as a whole and bounded in bytes, so a list of any length takes the memory of its largest page. From Kubernetes 1.31
//! to 1.33 the server reads pages from etcd, and only a list that is asked for at once from its cache.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ListMeta;
use kube::api::ListParams;
use kube::core::Request;
use tokio::time::Instant;

use super::answer::Object;
use super::client::Connector;
use super::exchange::Lost;
use super::questions::Question;
use crate::failure::{Failure, FailureKind};

/// Ten times what a cluster or a node is made for; a server that never ends its list must not keep us.
const MAX_PAGES: usize = 1000;

/// A list to ask for.
pub(super) struct List<'a> {
    /// The beginning of a sentence that an operator reads if it fails.
    pub(super) what: &'a str,
    /// Media type.
    pub(super) accept: &'static str,
    pub(super) path: &'static str,
    /// What is asked of each page, above all how long it may be.
    pub(super) params: ListParams,
    /// What kube's parameters do not know.
    pub(super) more: &'a [(&'a str, &'a str)],
    /// The time for all pages; each has that of a request.
    pub(super) within: Duration,
}

/// A page of a list.
pub(super) trait Page: Object {
    /// Its version and how it goes on.
    fn metadata(&self) -> &ListMeta;
}

impl Connector {
    /// Asks for each page of a list. `take` gets the pages; returned is the version of the list.
    pub(super) async fn pages<P: Page>(
        &self,
        list: &List<'_>,
        mut take: impl FnMut(P) -> Result<(), Failure>,
    ) -> Result<Option<String>, Failure> {
        let fault = |why: &str| {
            let why = format!("{}: {why}", list.what);
            Failure::new(FailureKind::Unavailable, why)
        };
        let limit = self.deadlines.request;
        let served = self.deadlines.served();
        let more = [list.more, &[("timeout", &served)]].concat();
        let end = Instant::now() + list.within;
        let mut params = list.params.clone();
        let mut version = None;
        for number in 0..MAX_PAGES {
            let built = Request::new(list.path).list(&params);
            let question = Question::new(list.what.to_owned(), built, &more);
            let until = end.min(Instant::now() + limit);
            let asked = self.ask_until(list.accept, &question, until, limit);
            let page: P = asked.await.map_err(Lost::failure)?.object()?;
            let metadata = page.metadata().clone();
            if number == 0 {
                version = metadata.resource_version;
            } else if version != metadata.resource_version {
                return Err(fault("its pages are of different versions"));
            }
            take(page)?;
            params.continue_token = metadata.continue_.filter(|token| !token.is_empty());
            if params.continue_token.is_none() {
                return Ok(version);
            }
        }
        Err(fault("the list has no end"))
    }
}
