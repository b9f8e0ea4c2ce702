//! Who keeps an object: the owner reference that controls it.

use serde::Deserialize;

use crate::drain::Controller;

/// An entry of `metadata.ownerReferences`. One that is no controller is of no account, whatever it lacks.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Owner {
    api_version: Option<String>,
    kind: Option<String>,
    name: Option<String>,
    uid: Option<String>,
    controller: Option<bool>,
}

/// Somebody keeps the object, and the references do not say who: none of what a controller is known by may be missing, and
/// there is only one controller. No API server accepts it otherwise.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unclear;

/// The owner that has `controller: true`.
pub(super) fn controller(owners: Option<Vec<Owner>>) -> Result<Option<Controller>, Unclear> {
    let controls = |owner: &Owner| owner.controller == Some(true);
    let mut owners = owners.into_iter().flatten().filter(controls);
    let Some(owner) = owners.next() else {
        return Ok(None);
    };
    let said = |text: Option<String>| text.filter(|text| !text.is_empty()).ok_or(Unclear);
    match owners.next() {
        Some(_) => Err(Unclear),
        None => Ok(Some(Controller {
            api_version: said(owner.api_version)?,
            kind: said(owner.kind)?,
            name: said(owner.name)?,
            uid: said(owner.uid)?,
        })),
    }
}
