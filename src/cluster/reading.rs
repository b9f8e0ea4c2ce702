//! What an answer of the API server says, read as the requests read it, for whoever has its bytes: fuzzing, above all.

use super::answer::Answer;
use super::certificate;
use super::lock_map::ConfigMap;
use super::own_node::Node;
use super::pod::PodList;
use crate::drain::{EvictAnswer, PodView};
use crate::failure::{Failure, WriteOutcome};
use crate::lock::LockView;
use crate::node::NodeView;

fn answer(status: u16, body: &[u8]) -> Answer {
    Answer {
        what: "cannot read it".to_owned(),
        status,
        media: "application/json".to_owned(),
        date: None,
        retry_after: None,
        body: body.to_vec(),
    }
}

/// The lock object.
///
/// # Errors
/// It is none.
pub fn lock(body: &[u8]) -> Result<LockView, Failure> {
    answer(200, body).object::<ConfigMap>().map(Into::into)
}

/// A Node.
///
/// # Errors
/// It is none.
pub fn node(body: &[u8]) -> Result<NodeView, Failure> {
    answer(200, body).object::<Node>().map(Into::into)
}

/// A page of a list of pods.
///
/// # Errors
/// It is none.
pub fn pods(body: &[u8]) -> Result<Vec<PodView>, Failure> {
    let mut pods = Vec::new();
    let page = answer(200, body).object::<PodList>()?;
    page.add_to("cannot read it", &mut pods)?;
    Ok(pods)
}

/// What became of a write of the lock.
pub fn written(status: u16, body: &[u8]) -> WriteOutcome<LockView> {
    answer(status, body).written::<ConfigMap, _>()
}

/// What became of an eviction.
pub fn evicted(status: u16, body: &[u8]) -> EvictAnswer {
    answer(status, body).evicted()
}

/// The common name of the first certificate in a PEM text.
///
/// # Errors
/// There is none.
pub fn common_name(pem: &[u8]) -> Result<String, String> {
    certificate::common_name(pem)
}
