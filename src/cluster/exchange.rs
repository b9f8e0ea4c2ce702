//! One request and its answer, under a deadline. What the answer means is not looked at here.

use std::time::Duration;

use http::header::{CONTENT_TYPE, DATE, RETRY_AFTER};
use http::{HeaderMap, Response};
use http_body_util::BodyExt;
use kube::client::Body;
use tokio::time::{Instant, timeout_at};

use super::answer::Answer;
use super::client::{Connector, Session};
use super::questions::Question;
use super::text::{certificate_advice, chain};
use crate::failure::{Failure, FailureKind};

/// Longest answer that is kept: a page of 50 pods, each with all the annotations that it may have (256 KiB) and as much again of
/// everything else.
const MAX_ANSWER: usize = 32 << 20;
/// Of an answer that is an error, so much is enough to say what it was.
const MAX_ERROR: usize = 64 << 10;

/// Media type of most answers.
pub(super) const JSON: &str = "application/json";

/// No answer.
#[derive(Debug)]
pub(super) enum Lost {
    /// The request certainly did not leave this host, so nothing came of it and nothing will.
    NotSent(Failure),
    /// It may have left: anything may have come of it, or may yet.
    Open(Failure),
}

impl Lost {
    /// For a question that changes nothing it does not matter how far it went.
    pub(super) fn failure(self) -> Failure {
        match self {
            Self::NotSent(failure) | Self::Open(failure) => failure,
        }
    }
}

impl Connector {
    /// Asks a question that changes nothing.
    pub(super) async fn ask(&self, question: &Question) -> Result<Answer, Lost> {
        let deadline = self.deadlines.request;
        self.ask_until(JSON, question, Instant::now() + deadline, deadline)
            .await
    }

    /// Sends what changes something, or would: webhooks are asked about it.
    pub(super) async fn write(&self, question: &Question) -> Result<Answer, Lost> {
        let deadline = self.deadlines.write;
        self.ask_until(JSON, question, Instant::now() + deadline, deadline)
            .await
    }

    /// Sends one request and reads its whole answer, both before `end`, for which it had `deadline`.
    pub(super) async fn ask_until(
        &self,
        accept: &'static str,
        question: &Question,
        end: Instant,
        deadline: Duration,
    ) -> Result<Answer, Lost> {
        let response = self.send_for(accept, question, end, deadline).await?;
        collect(question, response, end, deadline).await
    }

    /// Sends one request and returns when the head of the answer is there.
    pub(super) async fn send(
        &self,
        question: &Question,
        end: Instant,
        deadline: Duration,
    ) -> Result<Response<Body>, Lost> {
        self.send_for(JSON, question, end, deadline).await
    }

    async fn send_for(
        &self,
        accept: &'static str,
        question: &Question,
        end: Instant,
        deadline: Duration,
    ) -> Result<Response<Body>, Lost> {
        let request = question.request(accept)?;
        let session = match timeout_at(end, self.session()).await {
            Ok(Ok(session)) => session,
            Ok(Err(failure)) => {
                let why = question.failure(failure.kind, &failure.message);
                return Err(Lost::NotSent(why));
            }
            Err(_) => {
                let why = format!("the credential was not ready within {deadline:?}");
                return Err(Lost::NotSent(question.failure(FailureKind::Timeout, &why)));
            }
        };
        match timeout_at(end, session.client.send(request)).await {
            // Past this point the request may lie in a queue or in the kernel, from where it may still go out.
            Err(_) => Err(Lost::Open(late(question, deadline))),
            Ok(Err(error)) => Err(self.lost(question, &session, error).await),
            Ok(Ok(response)) => {
                if response.status() == http::StatusCode::UNAUTHORIZED {
                    self.forget(&session).await;
                }
                Ok(response)
            }
        }
    }

    /// Tells a request that never left from one that may have.
    async fn lost(&self, question: &Question, session: &Session, error: kube::Error) -> Lost {
        let kube::Error::Service(cause) = error else {
            return Lost::Open(question.failure(FailureKind::Unavailable, &chain(&error)));
        };
        let why = match chain(&*cause) {
            // The words of a timer; what took so long is the point.
            why if why.ends_with("deadline has elapsed") => {
                format!("no connection within {:?}", self.deadlines.connect)
            }
            why => why + certificate_advice(&*cause),
        };
        if let Some(error) = cause.downcast_ref::<hyper_util::client::legacy::Error>() {
            let failure = question.failure(FailureKind::Unavailable, &why);
            // "Connect" covers TCP and TLS: the request is handed over only to a connection that is up.
            return if error.is_connect() {
                Lost::NotSent(failure)
            } else {
                Lost::Open(failure)
            };
        }
        // Not the connection but something around it. A client whose inner task ended answers nothing ever again.
        self.forget(session).await;
        if cause.is::<kube::client::AuthError>() {
            // A token is fetched before the request is sent.
            return Lost::NotSent(question.failure(FailureKind::Local, &why));
        }
        Lost::Open(question.failure(FailureKind::Unavailable, &why))
    }
}

/// Reads the rest of an answer.
pub(super) async fn collect(
    question: &Question,
    response: Response<Body>,
    end: Instant,
    deadline: Duration,
) -> Result<Answer, Lost> {
    let (head, mut body) = response.into_parts();
    let broken = |why: String| Lost::Open(question.failure(FailureKind::Unavailable, &why));
    let success = head.status.is_success();
    let limit = if success { MAX_ANSWER } else { MAX_ERROR };
    let mut text = Vec::new();
    loop {
        match timeout_at(end, body.frame()).await {
            Err(_) => return Err(Lost::Open(late(question, deadline))),
            Ok(None) => break,
            Ok(Some(Err(error))) => {
                return Err(broken(format!("the answer broke off: {}", chain(&error))));
            }
            Ok(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    text.extend_from_slice(data);
                }
            }
        }
        if text.len() > limit {
            if success {
                return Err(broken(format!("the answer is longer than {limit} bytes")));
            }
            break;
        }
    }
    Ok(Answer {
        what: question.what.clone(),
        status: head.status.as_u16(),
        media: header(&head.headers, &CONTENT_TYPE),
        date: httpdate::parse_http_date(&header(&head.headers, &DATE)).ok(),
        retry_after: header(&head.headers, &RETRY_AFTER).parse().ok(),
        body: text,
    })
}

fn late(question: &Question, deadline: Duration) -> Failure {
    let mut why = format!("no answer within {deadline:?}");
    if !question.only_reads() {
        why.push_str(
            "; an admission webhook that does not answer is named in the API server's own log",
        );
    }
    question.failure(FailureKind::Timeout, &why)
}

fn header(headers: &HeaderMap, name: &http::HeaderName) -> String {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned()
}
