//! Who keeps an object: the owner reference that controls it.

use serde::Deserialize;

use crate::drain::Controller;

/// An entry of `metadata.ownerReferences`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Owner {
    api_version: String,
    kind: String,
    name: String,
    uid: String,
    controller: Option<bool>,
}

/// The owner that has `controller: true`; the server allows only one.
pub(super) fn controller(owners: Option<Vec<Owner>>) -> Option<Controller> {
    let owner = owners?
        .into_iter()
        .find(|owner| owner.controller == Some(true))?;
    Some(Controller {
        api_version: owner.api_version,
        kind: owner.kind,
        name: owner.name,
        uid: owner.uid,
    })
}
