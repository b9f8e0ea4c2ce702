//! The health of all Nodes, asked for as the table that `kubectl get nodes` shows: some hundred bytes for each of them instead of
//! ten thousand, which matters where thousands of nodes ask about thousands.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ListMeta;
use kube::api::ListParams;
use serde::Deserialize;
use serde_json::Value;

use super::KubeletCluster;
use super::answer::Object;
use super::own_node::NODES;
use super::pages::{List, Page};
use crate::failure::{Failure, FailureKind};
use crate::node::NodesView;

pub(super) const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";
/// Nodes in one page.
pub(super) const PAGE: u32 = 500;
/// The roles of a control-plane node.
const CONTROL_PLANE: [&str; 3] = ["control-plane", "master", "etcd"];
const WHAT: &str = "cannot list the Nodes";

/// A page of a table.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Table {
    metadata: ListMeta,
    column_definitions: Vec<Column>,
    rows: Option<Vec<Row>>,
}

#[derive(Debug, Deserialize)]
struct Column {
    name: String,
}

#[derive(Debug, Deserialize)]
struct Row {
    cells: Vec<Value>,
}

impl Object for Table {
    const KIND: &'static str = "Table";
}

impl Page for Table {
    fn metadata(&self) -> &ListMeta {
        &self.metadata
    }
}

impl Table {
    /// Counts the Nodes of this page, and keeps the names of those that are not Ready. A cordon is shown in the same column.
    ///
    /// # Errors
    /// It does not say which Nodes are Ready.
    pub(super) fn read(self, view: &mut NodesView) -> Result<(), Failure> {
        let place = |name: &str| {
            self.column_definitions
                .iter()
                .position(|it| it.name == name)
        };
        let places = place("Name").zip(place("Status"));
        let roles = place("Roles");
        for row in self.rows.into_iter().flatten() {
            let told = places.and_then(|(name, status)| {
                let text = |at: usize| row.cells.get(at).and_then(Value::as_str);
                Some((text(name)?, text(status)?))
            });
            let Some((name, status)) = told else {
                let why =
                    format!("{WHAT}: the table of the API server does not say which are Ready");
                return Err(Failure::new(FailureKind::Unavailable, why));
            };
            view.all = view.all.saturating_add(1);
            if !status.split(',').any(|word| word == "Ready") {
                view.not_ready.push(name.to_owned());
                let roles = roles
                    .and_then(|at| row.cells.get(at))
                    .and_then(Value::as_str);
                let mut roles = roles.unwrap_or_default().split(',');
                if roles.any(|role| CONTROL_PLANE.contains(&role)) {
                    view.control_plane.push(name.to_owned());
                }
            }
        }
        Ok(())
    }
}

impl KubeletCluster {
    /// Looks at all Nodes, within the time of one request.
    pub(super) async fn get_nodes(&self) -> Result<NodesView, Failure> {
        let list = List {
            what: WHAT,
            accept: TABLE,
            path: NODES,
            params: ListParams::default().limit(PAGE),
            more: &[("includeObject", "None")],
            within: self.connector.deadlines.request,
        };
        let mut view = NodesView::default();
        self.connector
            .pages(&list, |page: Table| page.read(&mut view))
            .await?;
        Ok(view)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(columns: &[&str], rows: &Value) -> Result<NodesView, Failure> {
        let columns: Vec<_> = columns.iter().map(|name| json!({"name": name})).collect();
        let table = json!({"metadata": {}, "columnDefinitions": columns, "rows": rows});
        let mut view = NodesView::default();
        serde_json::from_value::<Table>(table)
            .unwrap()
            .read(&mut view)?;
        Ok(view)
    }

    #[test]
    fn whatever_does_not_say_ready_is_not_ready() {
        let row = |name: &str, status: &str| json!({"cells": [name, status, 7, null]});
        let rows = json!([
            row("a", "Ready"),
            row("b", "Ready,SchedulingDisabled"),
            row("c", "NotReady"),
            row("d", "NotReady,SchedulingDisabled"),
            row("e", "Unknown"),
            row("f", ""),
        ]);
        let view = read(&["Name", "Status", "Age", "Version"], &rows).unwrap();
        assert_eq!(view.all, 6);
        assert_eq!(view.not_ready, ["c", "d", "e", "f"]);
        // The columns are known by their names.
        let view = read(&["Status", "Name"], &json!([{"cells": ["NotReady", "z"]}])).unwrap();
        assert_eq!(view.not_ready, ["z"]);
        assert_eq!(
            read(&["Name", "Status"], &Value::Null),
            Ok(NodesView::default())
        );
    }

    #[test]
    fn who_is_of_the_control_plane_is_told_by_the_roles() {
        let rows = json!([
            {"cells": ["a", "NotReady", "control-plane,etcd"]},
            {"cells": ["b", "NotReady", "worker"]},
            {"cells": ["c", "NotReady", "<none>"]},
            {"cells": ["d", "Ready", "control-plane"]},
            {"cells": ["e", "NotReady", "master"]},
        ]);
        let view = read(&["Name", "Status", "Roles"], &rows).unwrap();
        assert_eq!(view.control_plane, ["a", "e"]);
        assert_eq!(view.not_ready, ["a", "b", "c", "e"]);
    }

    #[test]
    fn a_table_that_does_not_say_it_is_no_answer() {
        for (columns, cells) in [
            (&["Name", "Age"][..], json!(["a", "Ready"])),
            (&["Status"], json!(["Ready"])),
            (&["Name", "Status"], json!(["a"])),
            (&["Name", "Status"], json!(["a", null])),
            (&["Name", "Status"], json!([1, "Ready"])),
        ] {
            let failure = read(columns, &json!([{"cells": cells}])).unwrap_err();
            assert!(
                failure.message.contains("does not say which are Ready"),
                "{failure}"
            );
        }
    }
}
