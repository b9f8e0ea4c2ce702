//! JSON that nobody thought of, for the properties here and those of `tests/it`.

use proptest::prelude::*;
use serde_json::Value;

/// Any JSON, with the names that our objects have.
pub(crate) fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop::sample::select(vec![
            "ConfigMap",
            "Node",
            "PodList",
            "Status",
            "Failure",
            "v1",
            "True"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        let name = prop_oneof![
            8 => prop::sample::select(vec![
                "kind", "metadata", "uid", "resourceVersion", "annotations", "data", "items", "spec", "status", "details", "causes",
                "reason", "message", "code", "name", "namespace", "ownerReferences", "controller", "managedFields", "fieldsV1",
                "volumes", "tolerations", "conditions", "nodeInfo", "bootID", "rollboot.io/turn", "n1.rollboot.io/default",
            ]).prop_map(str::to_owned),
            1 => any::<String>(),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}
