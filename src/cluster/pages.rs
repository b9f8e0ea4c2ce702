//! Lists that are read page by page. All pages are of the version of the first one: where that is too old to go on from, the list has
//! failed, and whoever wants it asks anew.
//!
//! A page is held as a whole and bounded in bytes, so a list of any length takes the memory of its largest page. From Kubernetes 1.31
//! to 1.33 the server reads pages from etcd, and only a list that is asked for at once from its cache.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ListMeta;
use tokio::time::Instant;

use super::KubeletCluster;
use super::answer::Object;
use super::exchange::{Lost, Question};
use super::text::query;
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
    pub(super) pairs: &'a [(&'a str, &'a str)],
}

/// A page of a list.
pub(super) trait Page: Object {
    /// Its version and how it goes on.
    fn metadata(&self) -> &ListMeta;
}

impl KubeletCluster {
    /// Asks for each page of a list, all within the time of one request. `take` gets the pages; returned is the version of the list.
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
        let end = Instant::now() + limit;
        let served = self.deadlines.served();
        let mut version = None;
        let mut token: Option<String> = None;
        for number in 0..MAX_PAGES {
            let mut pairs = list.pairs.to_vec();
            pairs.push(("timeout", &served));
            pairs.extend(token.as_deref().map(|token| ("continue", token)));
            let target = list.path.to_owned() + &query(&pairs);
            let question = Question::get(list.what.to_owned(), target);
            let answer = self
                .connector
                .ask_until(list.accept, &question, end, limit)
                .await
                .map_err(Lost::failure)?;
            let page: P = answer.object()?;
            let metadata = page.metadata().clone();
            if number == 0 {
                version = metadata.resource_version;
            } else if version != metadata.resource_version {
                return Err(fault("its pages are of different versions"));
            }
            take(page)?;
            token = metadata.continue_.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(version);
            }
        }
        Err(fault("the list has no end"))
    }
}
