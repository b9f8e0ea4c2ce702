//! What is asked, as kube builds requests, with what its parameters do not know: for how long the server may work on it, and that an
//! unknown field in what is created is an error.

use http::header::{ACCEPT, USER_AGENT};
use http::uri::InvalidUri;
use http::{HeaderValue, Method, Request};
use kube::api::{Patch, PatchParams, PostParams, ValidationDirective, WatchParams};
use kube::client::Body;
use kube::core::request;
use serde_json::Value;

use super::answer::Answer;
use super::client::Connector;
use super::exchange::Lost;
use crate::failure::{Failure, FailureKind};
use crate::node::FIELD_MANAGER;

/// A request as kube builds it, or fails to.
pub(super) type Built = Result<Request<Vec<u8>>, request::Error>;

/// What is asked.
#[derive(Debug)]
pub(super) struct Question {
    /// The beginning of a sentence that an operator reads if it fails: "cannot read Node a".
    pub(super) what: String,
    request: Result<Request<Vec<u8>>, Failure>,
}

impl Question {
    /// A question with more in its query than kube has put there. What is put there stands as it is.
    pub(super) fn new(what: String, built: Built, more: &[(&str, &str)]) -> Self {
        let more = more.iter().map(|(name, value)| format!("{name}={value}"));
        let request = built
            .map_err(|error| error.to_string())
            .and_then(|mut request| {
                let uri = request.uri();
                let query = uri.query().unwrap_or_default().trim_start_matches('&');
                let pairs: Vec<_> = [query.to_owned()]
                    .into_iter()
                    .chain(more)
                    .filter(|pair| !pair.is_empty())
                    .collect();
                let target = format!("{}?{}", uri.path(), pairs.join("&"));
                let target = target.trim_end_matches('?').parse();
                *request.uri_mut() = target.map_err(|error: InvalidUri| error.to_string())?;
                Ok(request)
            })
            .map_err(|why| Failure::new(FailureKind::Invalid, format!("{what}: {why}")));
        Self { what, request }
    }

    pub(super) fn failure(&self, kind: FailureKind, why: &str) -> Failure {
        Failure::new(kind, format!("{}: {why}", self.what))
    }

    /// Whether it changes nothing, whatever comes of it.
    pub(super) fn only_reads(&self) -> bool {
        self.request
            .as_ref()
            .is_ok_and(|request| request.method() == Method::GET)
    }

    pub(super) fn request(&self, accept: &'static str) -> Result<Request<Body>, Lost> {
        let (mut head, body) = self.request.clone().map_err(Lost::NotSent)?.into_parts();
        let agent = HeaderValue::from_static(concat!("rollboot/", env!("CARGO_PKG_VERSION")));
        head.headers
            .insert(ACCEPT, HeaderValue::from_static(accept));
        head.headers.insert(USER_AGENT, agent);
        let body = match body.is_empty() {
            true => Body::empty(),
            false => Body::from(body),
        };
        Ok(Request::from_parts(head, body))
    }
}

impl Connector {
    /// A question that changes nothing.
    pub(super) fn reading(&self, what: String, built: Built) -> Question {
        Question::new(what, built, &[("timeout", &self.deadlines.served())])
    }

    /// A watch of the objects that a field selector names, from a version on.
    pub(super) fn watching(
        &self,
        what: String,
        path: &str,
        fields: &str,
        version: &str,
    ) -> Question {
        let seconds = self.deadlines.watch.as_secs();
        let params = WatchParams {
            timeout: u32::try_from(seconds).ok(),
            ..WatchParams::default().fields(fields)
        };
        let built = kube::core::Request::new(path).watch(&params, version);
        Question::new(what, built, &[])
    }

    /// Creates an object.
    pub(super) async fn post(
        &self,
        what: String,
        build: impl FnOnce(&PostParams) -> Built,
    ) -> Result<Answer, Lost> {
        let params = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PostParams::default()
        };
        let served = self.deadlines.served_write();
        // A misspelt precondition must not be ignored with a warning.
        let more = [("fieldValidation", "Strict"), ("timeout", &served)];
        let question = Question::new(what, build(&params), &more);
        self.write(&question).await
    }

    /// Patches an object of this version and no other.
    pub(super) async fn patch(
        &self,
        what: String,
        path: &str,
        name: &str,
        version: &str,
        body: &Value,
        dry_run: bool,
    ) -> Result<Answer, Lost> {
        // A write without a precondition must not leave this host, whoever asks for it.
        if !is_precondition(version) {
            let why = format!("{what}: {version:?} is no version that a write could depend on");
            return Err(Lost::NotSent(Failure::new(FailureKind::Invalid, why)));
        }
        let params = PatchParams {
            dry_run,
            field_manager: Some(FIELD_MANAGER.to_owned()),
            field_validation: Some(ValidationDirective::Strict),
            ..PatchParams::default()
        };
        let built = kube::core::Request::new(path).patch(name, &params, &Patch::Merge(body));
        let served = self.deadlines.served_write();
        let question = Question::new(what, built, &[("timeout", &served)]);
        self.write(&question).await
    }
}

/// Whether a resource version is a precondition. The server takes an empty one, and zero however written, as "none", and then
/// writes unconditionally.
fn is_precondition(version: &str) -> bool {
    version.bytes().any(|byte| byte != b'0') && !version.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use kube::api::ListParams;

    use super::*;

    #[test]
    fn what_kube_does_not_know_is_put_behind_the_query() {
        let pods = kube::core::Request::new("/api/v1/pods");
        let fields = ListParams::default().fields("spec.nodeName=a");
        let params = fields.limit(50).continue_token("e&+/= ");
        for (built, more, target) in [
            (
                pods.list(&params),
                &[("timeout", "8s")][..],
                "/api/v1/pods?fieldSelector=spec.nodeName%3Da&limit=50&continue=e%26%2B%2F%3D+&timeout=8s",
            ),
            (pods.list(&ListParams::default()), &[], "/api/v1/pods"),
            (
                pods.get("p", &Default::default()),
                &[("a", "b"), ("c", "d")],
                "/api/v1/pods/p?a=b&c=d",
            ),
        ] {
            let question = Question::new("x".to_owned(), built, more);
            assert_eq!(question.request("y").unwrap().uri(), target);
        }
        let nameless = Question::new("x".to_owned(), pods.get("", &Default::default()), &[]);
        let Err(Lost::NotSent(failure)) = nameless.request("y") else {
            panic!("it is not sent");
        };
        assert_eq!(failure.kind, FailureKind::Invalid);
    }

    #[test]
    fn zero_and_nothing_are_no_preconditions() {
        for wrong in ["", "0", "00", " ", "0 ", " 0", "5 "] {
            assert!(!is_precondition(wrong), "{wrong:?}");
        }
        for right in ["1", "10", "123456789012345678901234"] {
            assert!(is_precondition(right), "{right:?}");
        }
    }
}
