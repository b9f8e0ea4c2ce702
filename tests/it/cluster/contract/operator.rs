//! The kubeconfig of a person: our commands reach the cluster as whom kubectl does, with the same files and flags.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use kube::config::Kubeconfig;
use serde_json::{Value, json};

use super::Plane;

cases! {
    both:;
    real only:
    an_operator_is_whom_kubectl_would_be,
}

/// Runs a program in a folder, with nothing in its environment but what is said here.
fn run(program: &Path, folder: &Path, list: &str, arguments: &[&str]) -> Output {
    Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .envs((!list.is_empty()).then_some(("KUBECONFIG", list)))
        .output()
        .unwrap()
}

async fn an_operator_is_whom_kubectl_would_be(plane: &Plane) {
    let desk = tempfile::tempdir().unwrap();
    let folder = desk.path();
    let read = |path: &Path| {
        let text = fs::read_to_string(path).unwrap();
        serde_json::to_value(Kubeconfig::from_yaml(&text).unwrap()).unwrap()
    };
    let admin = read(&plane.folder.join("admin.kubeconfig"));
    let node = read(&plane.kubeconfig("contract-a"));
    // Paths that are relative to the file that they stand in.
    fs::create_dir_all(folder.join("sub")).unwrap();
    fs::create_dir_all(folder.join(".kube")).unwrap();
    let cluster = &admin["clusters"][0]["cluster"];
    let ca = cluster["certificate-authority"].as_str().unwrap();
    for place in ["sub/ca.crt", ".kube/ca.crt", "ca.crt"] {
        fs::copy(ca, folder.join(place)).unwrap();
    }
    let reached = json!({"server": cluster["server"], "certificate-authority": "ca.crt"});
    let away = json!({"server": "https://127.0.0.1:1", "certificate-authority": "ca.crt"});
    let context = |name: &str, cluster: &str, user: &str| json!({"name": name, "context": {"cluster": cluster, "user": user}});
    let file = |place: &str, parts: Value| {
        let mut whole = json!({"apiVersion": "v1", "kind": "Config"});
        let parts = parts.as_object().unwrap().clone();
        whole.as_object_mut().unwrap().extend(parts);
        fs::write(folder.join(place), whole.to_string()).unwrap();
    };
    let clusters = json!([{"name": "here", "cluster": reached}, {"name": "away", "cluster": away}]);
    let users = json!([
        {"name": "admin", "user": admin["users"][0]["user"]},
        {"name": "node", "user": node["users"][0]["user"]},
    ]);
    let mut acting = admin["users"][0]["user"].clone();
    acting["as"] = json!("jane");
    acting["as-groups"] = json!(["system:masters"]);
    let contexts = json!([
        context("admin", "here", "admin"),
        context("node", "here", "node"),
        context("away", "away", "admin"),
        context("lost", "here", "nobody"),
        context("homeless", "nowhere", "admin"),
        context("empty", "", ""),
    ]);
    file(
        "sub/all",
        json!({"clusters": clusters, "users": users, "contexts": contexts, "current-context": "admin"}),
    );
    file(
        "sub/no-current",
        json!({"clusters": clusters, "users": users, "contexts": contexts}),
    );
    file(
        "sub/empty-current",
        json!({"clusters": clusters, "users": users, "contexts": contexts, "current-context": ""}),
    );
    file(
        "sub/bad-current",
        json!({"clusters": clusters, "users": users, "contexts": contexts, "current-context": "x"}),
    );
    file("sub/clusters", json!({"clusters": clusters}));
    file("sub/users", json!({"users": users, "contexts": contexts}));
    file("sub/current", json!({"current-context": "node"}));
    file(
        "sub/acting",
        json!({"clusters": clusters, "users": [{"name": "admin", "user": acting}], "contexts": contexts, "current-context": "admin"}),
    );
    file(
        "sub/empty-fields",
        json!({"clusters": [{"name": "here", "cluster": {"server": cluster["server"], "certificate-authority": "ca.crt", "certificate-authority-data": "", "tls-server-name": "", "proxy-url": ""}}],
        "users": users, "contexts": contexts, "current-context": "admin"}),
    );
    fs::write(folder.join("sub/nothing"), "").unwrap();
    fs::copy(folder.join("sub/all"), folder.join(".kube/config")).unwrap();

    let kubectl = plane.binaries().join("kubectl");
    let rollboot = Path::new(env!("CARGO_BIN_EXE_rollboot"));
    let mut wrong = Vec::new();
    for (list, flags) in [
        ("", &[][..]),
        ("", &["--context", "node"]),
        ("", &["--context", "x"]),
        ("", &["--user", "node"]),
        ("", &["--user", "x"]),
        ("", &["--cluster", "x"]),
        ("", &["--context", "away", "--cluster", "here"]),
        ("", &["--context", "homeless"]),
        ("", &["--context", "homeless", "--cluster", "here"]),
        (
            "",
            &["--context", "empty", "--cluster", "here", "--user", "admin"],
        ),
        ("", &["--as", "jane", "--as-group", "system:masters"]),
        ("", &["--kubeconfig", "sub/all", "--context", "node"]),
        ("", &["--kubeconfig", "sub/missing"]),
        ("", &["--kubeconfig", "sub/nothing"]),
        ("sub/no-current", &[]),
        ("sub/no-current", &["--cluster", "here", "--user", "node"]),
        ("sub/no-current", &["--context", "admin"]),
        ("sub/empty-current:sub/current", &[]),
        ("sub/bad-current", &[]),
        ("sub/bad-current", &["--context", "admin"]),
        ("sub/missing:sub/all", &[]),
        ("sub/clusters:sub/users:sub/current", &[]),
        ("sub/current:sub/clusters:sub/users", &[]),
        ("sub/current:sub/all", &[]),
        ("sub/all:sub/current", &[]),
        (":sub/current::sub/all:", &[]),
        ("sub/nothing:sub/all", &[]),
        ("sub/acting", &[]),
        ("sub/acting", &["--as", "joe"]),
        ("sub/empty-fields", &[]),
        ("sub/all", &["--kubeconfig", "sub/acting"]),
    ] {
        let theirs = [&["auth", "whoami", "-o", "json"][..], flags].concat();
        let theirs = run(&kubectl, folder, list, &theirs);
        let review: Value = serde_json::from_slice(&theirs.stdout).unwrap_or_default();
        let name = review["status"]["userInfo"]["username"].as_str();
        let ours = run(
            rollboot,
            folder,
            list,
            &[&["pause", "--dry-run"][..], flags].concat(),
        );
        let said = String::from_utf8_lossy(&[ours.stdout, ours.stderr].concat()).into_owned();
        let same = match name {
            Some(name) => ours.status.code() == Some(0) && said.contains(&format!("by {name}")),
            None => ours.status.code() == Some(69),
        };
        if !same {
            let theirs = String::from_utf8_lossy(&theirs.stderr).into_owned();
            wrong.push(format!(
                "{list} {flags:?}: kubectl {name:?} {theirs}: ours {said}"
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
