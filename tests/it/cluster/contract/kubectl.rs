//! The plan beside `kubectl drain --dry-run`: generated pods on a real server, and each policy with the flags that mean the same.
//!
//! `ROLLBOOT_SEED` names one run; without it the pods are others each time, and their seed is told.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{MERGE, Plane, pod_path};

cases! {
    both:;
    real only:
    the_plan_is_that_of_kubectl_drain,
}

/// kubectl asks for the DaemonSet of each pod, ten times a second: more pods take long.
const PODS: u64 = 64;

/// Who keeps a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Nobody,
    ReplicaSet,
    Job,
    /// Of a kind that nobody knows, with a UID that is none.
    Strange,
    /// Named as an owner, but not as the controller.
    NotController,
    /// Two owners, of which the second is the controller.
    Second,
    DaemonSet,
    /// A DaemonSet that does not exist.
    Gone,
    /// A DaemonSet of another API group.
    Foreign,
}

const OWNERS: [Owner; 9] = [
    Owner::Nobody,
    Owner::ReplicaSet,
    Owner::Job,
    Owner::Strange,
    Owner::NotController,
    Owner::Second,
    Owner::DaemonSet,
    Owner::Gone,
    Owner::Foreign,
];

const PHASES: [&str; 4] = ["Pending", "Running", "Succeeded", "Failed"];

/// What a pod is made of.
#[derive(Debug, Clone, Copy)]
struct Shape {
    owner: Owner,
    phase: &'static str,
    empty_dir: bool,
    mirror: bool,
    terminating: bool,
}

/// What a drain does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    Evicts,
    Leaves,
    Refuses,
    /// Leaves alone what ends by itself, and waits for it: kubectl has no such thing.
    Waits,
}

/// Where the two differ on purpose: what kubectl does, ours, and why.
fn on_purpose(shape: Shape, forced: bool) -> Option<(Does, &'static str)> {
    let finished = matches!(shape.phase, "Succeeded" | "Failed");
    if finished {
        // kubectl deletes it (or refuses to) unless it is a static pod.
        return (!shape.mirror).then_some((
            Does::Leaves,
            "it has ended: to evict it would be to delete it, which no reboot needs",
        ));
    }
    // Of a static pod kubectl says the same once it is forced.
    if shape.owner == Owner::Gone && !(shape.mirror && forced) {
        return Some((
            Does::Leaves,
            "whether its DaemonSet exists is not looked for: it stays, and goes down with the node",
        ));
    }
    let stays = shape.mirror || shape.owner == Owner::DaemonSet;
    if shape.terminating && !stays {
        return Some((
            Does::Waits,
            "it ends by itself: there is nothing to refuse and nothing to send, and it is waited for all the same",
        ));
    }
    None
}

impl Shape {
    /// The numbered one of all that there are.
    fn of(mut number: u64) -> Self {
        let mut draw = |of: u64| {
            let drawn = number % of;
            number /= of;
            usize::try_from(drawn).unwrap()
        };
        Self {
            owner: OWNERS[draw(9)],
            phase: PHASES[draw(4)],
            empty_dir: draw(2) == 1,
            mirror: draw(4) == 1,
            terminating: draw(3) == 1,
        }
    }

    fn owners(self) -> Value {
        let owner = |version: &str, kind: &str, name: &str| json!({"apiVersion": version, "kind": kind, "name": name, "uid": "0000", "controller": true});
        match self.owner {
            Owner::Nobody => json!([]),
            Owner::ReplicaSet => json!([owner("apps/v1", "ReplicaSet", "there")]),
            Owner::Job => json!([owner("batch/v1", "Job", "there")]),
            Owner::Strange => json!([owner("v", "daemonset", "x")]),
            Owner::NotController => {
                json!([{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "there", "uid": "0000"}])
            }
            Owner::Second => json!([
                {"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "1", "controller": false},
                owner("apps/v1", "ReplicaSet", "there"),
            ]),
            Owner::DaemonSet => json!([owner("apps/v1", "DaemonSet", "there")]),
            Owner::Gone => json!([owner("apps/v1", "DaemonSet", "gone")]),
            Owner::Foreign => json!([owner("apps.example.com/v1", "DaemonSet", "foreign")]),
        }
    }
}

impl Plane {
    async fn shaped(&self, namespace: &str, name: &str, shape: Shape) {
        let mut annotations = json!({});
        if shape.mirror {
            annotations["kubernetes.io/config.mirror"] = json!("x");
        }
        let volumes = match shape.empty_dir {
            true => json!([{"name": "v", "emptyDir": {}}]),
            false => json!([]),
        };
        // What is deleted stays in sight for as long as something holds it.
        let finalizers = match shape.terminating {
            true => json!(["example.com/held"]),
            false => json!([]),
        };
        let pod = json!({
            "metadata": {
                "name": name, "labels": {"id": name}, "annotations": annotations, "finalizers": finalizers,
                "ownerReferences": shape.owners(),
            },
            "spec": {"nodeName": "contract-a", "containers": [{"name": "c", "image": "i"}], "volumes": volumes},
        });
        self.post(&format!("/api/v1/namespaces/{namespace}/pods"), &pod)
            .await;
        let path = pod_path(namespace, name);
        let status = json!({"status": {"phase": shape.phase}}).to_string();
        self.call("PATCH", &format!("{path}/status"), MERGE, &status)
            .await;
        if shape.terminating {
            self.call("DELETE", &path, "", "").await;
        }
    }

    async fn unhold(&self, namespace: &str, name: &str) {
        let free = json!({"metadata": {"finalizers": null}}).to_string();
        self.try_call("PATCH", &pod_path(namespace, name), MERGE, &free)
            .await;
    }

    /// What `kubectl drain --dry-run` says: the pods that it refuses to delete and, without these, those that it evicts.
    fn kubectl(&self, dry_run: &str, flags: &[&str]) -> BTreeMap<String, Does> {
        let drain = |selector: &str| {
            let output = Command::new(self.binaries().join("kubectl"))
                .arg("--kubeconfig")
                .arg(self.folder.join("admin.kubeconfig"))
                .args(["drain", "contract-a", "--ignore-daemonsets"])
                .args([&format!("--dry-run={dry_run}"), "--pod-selector", selector])
                .args(flags)
                .output()
                .unwrap();
            let said = [output.stdout, output.stderr].concat();
            String::from_utf8_lossy(&said).into_owned()
        };
        let names = |text: &str| -> BTreeSet<String> {
            let places = text.split([' ', ',']).filter_map(|it| it.split_once('/'));
            places.map(|(_, name)| name.to_owned()).collect()
        };
        let refused: BTreeSet<String> = drain("id")
            .lines()
            .filter(|line| line.starts_with("cannot delete"))
            .filter_map(|line| line.rsplit_once(": "))
            .flat_map(|(_, pods)| names(pods))
            .collect();
        let list: Vec<_> = refused.iter().map(String::as_str).collect();
        let selector = match list.is_empty() {
            true => "id".to_owned(),
            false => format!("id,id notin ({})", list.join(",")),
        };
        let said = drain(&selector);
        assert!(said.contains("node/contract-a drained"), "{said}");
        let evicted = said
            .lines()
            .filter_map(|line| line.strip_prefix("evicting pod "))
            .flat_map(names);
        evicted
            .map(|name| (name, Does::Evicts))
            .chain(refused.iter().cloned().map(|name| (name, Does::Refuses)))
            .collect()
    }

    pub(super) fn binaries(&self) -> std::path::PathBuf {
        let text = fs::read_to_string(self.folder.join("plane.json")).unwrap();
        let plane: Value = serde_json::from_str(&text).unwrap();
        plane["binaries"].as_str().unwrap().into()
    }

    /// What `rollboot plan` says with this policy.
    fn plan(&self, root: &Path, policy: &str) -> BTreeMap<String, Does> {
        fs::write(root.join("etc/rollboot/config.toml"), policy).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_rollboot"))
            .arg("--root")
            .arg(root)
            .args(["plan", "--json"])
            .output()
            .unwrap();
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        let does = |action: &str| match action {
            "evict" => Does::Evicts,
            "skip" => Does::Leaves,
            "refuse" => Does::Refuses,
            "wait" => Does::Waits,
            other => panic!("{other}"),
        };
        let pods = report["pods"].as_array().unwrap().iter();
        pods.map(|pod| {
            let name = pod["name"].as_str().unwrap().to_owned();
            (name, does(pod["action"].as_str().unwrap()))
        })
        .collect()
    }

    /// A root folder with the kubeconfig of a node, its credential in it.
    fn root(&self) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for folder in ["etc/rollboot", "etc/kubernetes"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        let path = self.kubeconfig("contract-a");
        let text = fs::read_to_string(path).unwrap();
        let file: Value =
            serde_json::to_value(kube::config::Kubeconfig::from_yaml(&text).unwrap()).unwrap();
        let cluster = &file["clusters"][0]["cluster"];
        let user = &file["users"][0]["user"];
        let data = |path: &Value| STANDARD.encode(fs::read(path.as_str().unwrap()).unwrap());
        let inline = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {
                "server": cluster["server"], "certificate-authority-data": data(&cluster["certificate-authority"])}}],
            "users": [{"name": "u", "user": {
                "client-certificate-data": data(&user["client-certificate"]), "client-key-data": data(&user["client-key"])}}],
        });
        fs::write(
            root.path().join("etc/kubernetes/kubelet.conf"),
            inline.to_string(),
        )
        .unwrap();
        root
    }
}

async fn the_plan_is_that_of_kubectl_drain(plane: &Plane) {
    plane.guard(true).await;
    let namespace = plane.namespace().await;
    let set = json!({
        "metadata": {"name": "there"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "c", "image": "i"}]}}},
    });
    let sets = format!("/apis/apps/v1/namespaces/{namespace}/daemonsets");
    plane.post(&sets, &set).await;
    let seed = std::env::var("ROLLBOOT_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| RandomState::new().hash_one(0) % 1_000_000);
    println!("ROLLBOOT_SEED={seed}");
    let mut shapes = BTreeMap::new();
    for number in 0..PODS {
        let name = format!("p{number:03}");
        let shape = Shape::of(scatter(seed * PODS + number));
        plane.shaped(&namespace, &name, shape).await;
        shapes.insert(name, shape);
    }
    let found = compare(plane, &shapes);
    for name in shapes.keys() {
        plane.unhold(&namespace, name).await;
    }
    plane.guard(false).await;
    assert!(found.is_empty(), "seed {seed}:\n{}", found.join("\n"));
}

/// The numbers in an order that has none (splitmix64).
fn scatter(number: u64) -> u64 {
    let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Where the two differ and should not, or do not and should.
fn compare(plane: &Plane, shapes: &BTreeMap<String, Shape>) -> Vec<String> {
    let root = plane.root();
    let mut found = Vec::new();
    for (number, (unmanaged, empty_dir)) in [
        ("refuse", "refuse"),
        ("refuse", "evict"),
        ("evict", "refuse"),
        ("evict", "evict"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut flags = Vec::new();
        let forced = unmanaged == "evict";
        flags.extend(forced.then_some("--force"));
        flags.extend((empty_dir == "evict").then_some("--delete-emptydir-data"));
        let policy = format!("[drain]\nunmanaged = \"{unmanaged}\"\nempty-dir = \"{empty_dir}\"\n");
        let ours = plane.plan(root.path(), &policy);
        // What the server is asked makes no difference to what is decided: once is enough.
        let theirs = plane.kubectl(if number == 3 { "server" } else { "client" }, &flags);
        for (name, shape) in shapes {
            let theirs = theirs.get(name).copied().unwrap_or(Does::Leaves);
            let reason = on_purpose(*shape, forced);
            let wanted = reason.map_or(theirs, |(does, _)| does);
            let ours = ours.get(name).copied();
            if ours != Some(wanted) {
                found.push(format!(
                    "{flags:?} {name} {shape:?}: kubectl {theirs:?}, wanted {wanted:?}, ours {ours:?}"
                ));
            }
            if reason.is_some() && wanted == theirs {
                found.push(format!(
                    "{flags:?} {shape:?}: kubectl does the same, and it is listed as different"
                ));
            }
        }
    }
    found
}
