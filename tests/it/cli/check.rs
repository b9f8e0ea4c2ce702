//! `rollboot check` against an embedded API server and a bus with a logind: what it finds, what it makes of it, and that it
//! changes nothing.

mod site;

use std::fs;
use std::path::{Path, PathBuf};

use rollboot_lab::api::{Fault, Kind};
use serde_json::{Value, json};

use self::site::NODE;
pub(super) use self::site::Site;
use super::bus;

fn tree(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.push((path.clone(), Vec::new()));
            found.extend(tree(&path));
        } else {
            found.push((path.clone(), fs::read(&path).unwrap_or_default()));
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn a_node_that_has_everything_could_reboot_and_nothing_is_changed_by_looking() {
    let site = Site::healthy().await;
    let (before, files) = (site.api.store().history().len(), tree(site.root.path()));
    let (code, findings) = site.check().await;
    assert_eq!(code, Some(0), "{findings:#?}");
    let names: Vec<_> = findings.iter().map(|it| it[0].as_str()).collect();
    assert_eq!(
        names,
        [
            "configuration",
            "mode",
            "daemon",
            "state folder",
            "sentinels",
            "reboots",
            "logind",
            "inhibitors",
            "graceful shutdown",
            "kubeconfig",
            "credential",
            "own Node",
            "other Nodes",
            "drain",
            "own pods",
            "guard",
            "evictions",
            "lock",
            "limits",
            "holders",
            "permissions",
            "policy",
            "other rebooters",
        ]
    );
    // The embedded server knows no admission policies.
    let odd: Vec<_> = findings.iter().filter(|it| it[1] != "ok").collect();
    assert!(odd.len() == 1 && odd[0][0] == "policy", "{odd:#?}");
    assert!(
        odd[0][1] == "warn" && odd[0][3].contains("policy.yaml"),
        "{odd:#?}"
    );
    let permissions = &findings[20][2];
    for what in ["cordon", "evict", "watch", "write"] {
        assert!(permissions.contains(what), "{permissions}");
    }
    assert_eq!(
        site.api.store().history().len(),
        before,
        "something was written"
    );
    assert!(files == tree(site.root.path()), "a file was written");
}

#[tokio::test]
async fn one_screen_for_a_person_no_line_wider_than_it() {
    let site = Site::healthy().await;
    site.change_lock(|lock| {
        lock["metadata"]["annotations"] =
            json!({"rollboot.io/pause": "storage is being rebuilt ".repeat(10)});
    });
    let (code, text) = site.run(&["check"]).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.lines().all(|line| line.chars().count() <= 100),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'), "{text}");
    assert!(
        text.contains("\nFAIL  lock               kube-system/rollboot: turns are paused"),
        "{text}"
    );
    assert!(
        text.contains("> rollboot resume, with an operator's kubeconfig"),
        "{text}"
    );
    assert!(
        text.trim_end()
            .ends_with("could not reboot: 1 of 23 looks failed, with 1 warning."),
        "{text}"
    );
    assert!(text.lines().count() < 45, "{text}");
}

/// What is wrong, and the finding that must say so: check, result, and what it says.
type Case = (&'static str, fn(&Site), [&'static str; 3]);

const BLOCK: &str = "[drain]\nsingle-replica = \"block\"\n";

#[tokio::test]
async fn each_thing_that_is_wrong_has_its_finding() {
    let cases: [Case; 24] = [
        (
            "held",
            |site| {
                site.change_node(|it| {
                    it["metadata"]["annotations"] = json!({"rollboot.io/hold": "disk"});
                });
            },
            ["own Node", "fail", "disk"],
        ),
        (
            "cordoned",
            |site| site.change_node(|it| it["spec"]["unschedulable"] = json!(true)),
            ["own Node", "fail", "cordoned"],
        ),
        (
            "another boot",
            |site| site.change_node(|it| it["status"]["nodeInfo"]["bootID"] = json!("old")),
            ["own Node", "fail", "\"old\""],
        ),
        (
            "no Node",
            |site| {
                site.api.store().remove("kubectl", Kind::Node, "", NODE);
            },
            ["own Node", "fail", "no Node node-a"],
        ),
        (
            "a limit of words",
            |site| site.change_lock(|it| it["data"] = json!({"max.total": "two"})),
            ["limits", "fail", "\"two\" is no number"],
        ),
        (
            "a holder",
            |site| {
                site.change_lock(|it| {
                    it["metadata"]["annotations"] = json!({"node-b.rollboot.io/default": "{"});
                });
            },
            ["holders", "ok", "node-b (default)"],
        ),
        (
            "no controller",
            |site| site.pod("alone", None),
            ["own pods", "fail", "default/alone"],
        ),
        (
            "no guard",
            Site::unguard,
            ["guard", "warn", "only budgets keep their last ready pods"],
        ),
        (
            "no guard, and a policy that needs it",
            |site| {
                site.unguard();
                site.write("etc/rollboot/config.toml", BLOCK);
            },
            ["guard", "fail", "needs that"],
        ),
        (
            "a single replica",
            |site| site.replica_set("single", 1),
            ["guard", "warn", "interrupts ReplicaSet default/single"],
        ),
        (
            "a single replica that blocks",
            |site| {
                site.replica_set("single", 1);
                site.write("etc/rollboot/config.toml", BLOCK);
            },
            [
                "guard",
                "fail",
                "single replicas are here: ReplicaSet default/single",
            ],
        ),
        (
            "a budget",
            |site| site.budget("web", "web"),
            ["evictions", "warn", "default/web: "],
        ),
        (
            "two budgets",
            |site| {
                site.budget("a", "web");
                site.budget("b", "web");
            },
            ["evictions", "fail", "more than one"],
        ),
        (
            "kured",
            |site| site.pod("kured-x", Some(("DaemonSet", "kured"))),
            ["other rebooters", "warn", "kured-x"],
        ),
        (
            "expired",
            |site| {
                site.write(
                    "etc/kubernetes/kubelet.conf",
                    &site.api.expired_node_kubeconfig(NODE),
                );
            },
            ["credential", "fail", "has expired"],
        ),
        (
            "a stranger",
            |site| {
                site.write(
                    "etc/kubernetes/kubelet.conf",
                    &site.api.stranger_kubeconfig(NODE),
                );
            },
            ["own Node", "fail", "401"],
        ),
        (
            "observe",
            |site| site.write("etc/rollboot/config.d/x.toml", "mode = \"observe\"\n"),
            ["mode", "fail", "observe"],
        ),
        (
            "no folder",
            |site| {
                site.write(
                    "etc/rollboot/config.toml",
                    "sentinels = [\"/nowhere/at/all\"]\n",
                );
            },
            ["sentinels", "warn", "no folder of /nowhere/at/all"],
        ),
        (
            "a folder as sentinel",
            |site| fs::create_dir_all(site.path("run/reboot-required")).unwrap(),
            ["sentinels", "warn", "is a folder"],
        ),
        (
            "asked for",
            |site| site.write("run/reboot-required", ""),
            [
                "sentinels",
                "ok",
                "/run/reboot-required asks for a reboot since",
            ],
        ),
        (
            "no daemon",
            |site| fs::remove_dir_all(site.path("proc/4712")).unwrap(),
            ["daemon", "fail", "does not run"],
        ),
        (
            "a damaged journal",
            |site| site.write("var/lib/rollboot/journal.json", "{\"v\":1"),
            ["state folder", "fail", "damaged"],
        ),
        (
            "a kubelet with more time",
            |site| site.write("var/lib/kubelet/config.yaml", "shutdownGracePeriod: 2m\n"),
            ["graceful shutdown", "warn", "wants 2 min"],
        ),
        (
            "unattended-upgrades",
            |site| {
                site.write("usr/bin/unattended-upgrade", "");
                site.write(
                    "etc/apt/apt.conf.d/50unattended-upgrades",
                    "Unattended-Upgrade::Automatic-Reboot \"true\";\n",
                );
            },
            ["other rebooters", "warn", "unattended-upgrades"],
        ),
    ];
    for (what, damage, [check, result, text]) in cases {
        let site = Site::healthy().await;
        damage(&site);
        let (code, findings) = site.check().await;
        let found = findings
            .iter()
            .find(|it| it[0] == check && it[1] == result && it[2].contains(text));
        assert!(found.is_some(), "{what}: {findings:#?}");
        let fails = findings.iter().any(|it| it[1] == "fail");
        assert_eq!(code, Some(i32::from(fails)), "{what}");
    }
}

#[tokio::test]
async fn before_the_installation_is_armed_only_the_lock_is_missing() {
    let site = Site::healthy().await;
    let store = site.api.store();
    store.remove("kubectl", Kind::ConfigMap, "kube-system", "rollboot");
    store.remove("kubectl", Kind::Role, "kube-system", "rollboot");
    let (code, findings) = site.check().await;
    let failed: Vec<_> = findings.iter().filter(|it| it[1] == "fail").collect();
    assert_eq!(
        (code, failed.len(), failed[0][0].as_str()),
        (Some(1), 1, "lock")
    );
    assert!(failed[0][3].ends_with("lock.yaml"), "{failed:?}");
}

#[tokio::test]
async fn a_role_that_lacks_a_verb_is_found_by_trying() {
    let site = Site::healthy().await;
    let store = site.api.store();
    store.update("kubectl", Kind::Role, "kube-system", "rollboot", |role| {
        role["rules"][0]["verbs"] = json!(["get"]);
    });
    let (_, findings) = site.check().await;
    let failed: Vec<_> = findings.iter().filter(|it| it[1] == "fail").collect();
    assert_eq!(failed.len(), 2, "{failed:#?}");
    for (failed, verb) in failed.iter().zip(["watch", "write"]) {
        assert_eq!(failed[0], "permissions");
        assert!(
            failed[2].contains(&format!("could not {verb} the lock")),
            "{failed:?}"
        );
        assert!(failed[3].contains("lock.yaml"), "{failed:?}");
    }
}

#[tokio::test]
async fn a_node_that_is_alone_is_found_where_nodes_may_be_listed() {
    let site = Site::healthy().await;
    let store = site.api.store();
    let role = json!({
        "metadata": {"name": "see-nodes"},
        "rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list"]}],
    });
    store.create("kubectl", Kind::ClusterRole, role).unwrap();
    let binding = json!({
        "metadata": {"name": "see-nodes"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "see-nodes"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:nodes"}],
    });
    store
        .create("kubectl", Kind::ClusterRoleBinding, binding)
        .unwrap();
    let others = |findings: &[[String; 4]]| {
        let found = findings.iter().find(|it| it[0] == "other Nodes").unwrap();
        (found[1].clone(), found[2].clone())
    };
    let (code, alone) = site.check().await;
    assert_eq!(
        (code, others(&alone).0.as_str()),
        (Some(0), "warn"),
        "{alone:#?}"
    );
    site.node("node-b", "b");
    let (_, two) = site.check().await;
    assert_eq!(others(&two).0, "ok", "{two:#?}");
}

#[tokio::test]
async fn what_logind_says_against_a_reboot_is_told() {
    let mut says = bus::fine();
    says.inhibitors.push(bus::inhibitor("apt", "block"));
    says.active.push("rebootmgr.service");
    let (code, findings) = Site::with(says).await.check().await;
    assert_eq!(code, Some(1));
    let find = |check: &str| findings.iter().find(|it| it[0] == check).unwrap();
    assert!(
        find("inhibitors")[2].contains("apt (pid 4711)"),
        "{findings:#?}"
    );
    assert!(
        find("other rebooters")[2].contains("rebootmgr"),
        "{findings:#?}"
    );
}

#[tokio::test]
async fn a_server_that_is_gone_or_silent_is_told_in_time_and_once() {
    for silent in [false, true] {
        let site = Site::healthy().await;
        if silent {
            site.api.set_fault(Fault::Silent);
        } else {
            site.api.stop();
        }
        let begun = std::time::Instant::now();
        let (code, findings) = site.check().await;
        assert_eq!(code, Some(1));
        let failed: Vec<_> = findings.iter().filter(|it| it[1] == "fail").collect();
        assert_eq!(
            (failed.len(), failed[0][0].as_str()),
            (1, "own Node"),
            "{failed:#?}"
        );
        assert!(begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn a_wrong_configuration_is_a_finding_too_with_an_exit_code_of_its_own() {
    let site = Site::healthy().await;
    site.write("etc/rollboot/config.toml", "settle = 30\n");
    let (code, text) = site.run(&["check", "--json"]).await;
    assert_eq!(code, Some(78), "{text}");
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&report["ready"], &report["findings"][0]["check"]),
        (&json!(false), &json!("configuration"))
    );
    assert!(
        report["findings"][0]["found"]
            .as_str()
            .unwrap()
            .contains("config.toml:1:")
    );
}

#[tokio::test]
async fn gates_on_the_cluster_have_lines_of_their_own_where_they_are_configured() {
    let site = Site::healthy().await;
    let gates = "[[gate.pods]]\nselector = \"app=web\"\n[gate.nodes]\nmax-not-ready = 0\n";
    site.write("etc/rollboot/config.toml", gates);
    let (code, findings) = site.check().await;
    assert_eq!(code, Some(1), "{findings:#?}");
    let of = |check: &str| findings.iter().find(|it| it[0] == check).unwrap();
    let [_, result, found, _] = of("gate.pods");
    assert_eq!(result, "warn");
    assert!(
        found.contains("default/web is here and matches app=web"),
        "{found}"
    );
    let [_, result, found, advice] = of("gate.nodes");
    assert_eq!(result, "fail");
    assert!(found.contains("cannot list the Nodes"), "{found}");
    assert!(advice.contains("apply health.yaml"), "{advice}");
}
