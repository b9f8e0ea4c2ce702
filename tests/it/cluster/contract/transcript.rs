//! Requests and what they were answered, word for word: the texts beside this file are what a real API server said, and every
//! server has to say the same again.
//!
//! ```text
//! = NAME POINTER        a name for a value in the last answer's object
//! > WHO METHOD PATH [MEDIA BODY]
//! ? POINTER…            what of an object is shown; `owners` shows who owns its fields
//! < CODE ANSWER
//! ```
//!
//! `$name` stands for a value that is another one each time. `ROLLBOOT_CONTRACT_RECORD=1` writes down what a real server says now.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use http::Request;
use kube::client::Body;
use kube::config::Kubeconfig;
use serde_json::{Value, json};

use super::{APPLY, MERGE, Plane};

cases! {
    both:
    the_lock,
    the_nodes,
    the_pods,
    the_budgets,
    the_watches,
}

async fn the_lock(plane: &Plane) {
    replay(plane, "lock").await;
}

async fn the_nodes(plane: &Plane) {
    replay(plane, "nodes").await;
}

async fn the_pods(plane: &Plane) {
    replay(plane, "pods").await;
}

async fn the_budgets(plane: &Plane) {
    replay(plane, "budgets").await;
}

async fn the_watches(plane: &Plane) {
    replay(plane, "watches").await;
}

/// Asks everything in a transcript again and compares.
async fn replay(plane: &Plane, name: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join(format!("tests/it/cluster/contract/transcript/{name}.txt"));
    let wanted = std::fs::read_to_string(&path).unwrap();
    let mut teller = Teller::new(plane).await;
    let mut told = String::new();
    let mut lines = wanted.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with('<') {
            continue;
        }
        writeln!(told, "{line}").unwrap();
        if let Some(rest) = line.strip_prefix("= ") {
            teller.name(rest);
        } else if let Some(request) = line.strip_prefix("> ") {
            let shown = lines.next_if(|line| line.starts_with('?'));
            if let Some(shown) = shown {
                writeln!(told, "{shown}").unwrap();
            }
            let pointers = shown.unwrap_or_default().trim_start_matches("? ");
            let answer = teller.ask(request, pointers).await;
            writeln!(told, "< {answer}").unwrap();
        }
    }
    if plane.is_real() && std::env::var_os("ROLLBOOT_CONTRACT_RECORD").is_some() {
        std::fs::write(&path, told).unwrap();
        return;
    }
    let mut request = "";
    let mut differences = String::new();
    for (wanted, told) in wanted.lines().zip(told.lines()) {
        if wanted.starts_with('>') {
            request = wanted;
        }
        if wanted != told {
            writeln!(differences, "{request}\n  real {wanted}\n  here {told}").unwrap();
        }
    }
    assert!(
        differences.is_empty() && wanted.lines().count() == told.lines().count(),
        "{name}:\n{differences}"
    );
}

struct Teller<'a> {
    plane: &'a Plane,
    names: BTreeMap<String, String>,
    last: Value,
}

impl<'a> Teller<'a> {
    async fn new(plane: &'a Plane) -> Self {
        let names = BTreeMap::from([
            ("ns".to_owned(), plane.namespace().await),
            ("big".to_owned(), "x".repeat(262_144)),
            ("long".to_owned(), "a".repeat(242)),
            (
                "some-uid".to_owned(),
                "00000000-0000-0000-0000-000000000000".to_owned(),
            ),
        ]);
        Self {
            plane,
            names,
            last: Value::Null,
        }
    }

    fn name(&mut self, line: &str) {
        let (name, pointer) = line.split_once(' ').unwrap();
        let value = self.last.pointer(pointer).and_then(Value::as_str);
        let value = value.unwrap_or_else(|| panic!("no {pointer} in {}", self.last));
        self.names.insert(name.to_owned(), value.to_owned());
    }

    async fn ask(&mut self, line: &str, pointers: &str) -> String {
        let mut line = line.to_owned();
        for (name, value) in &self.names {
            line = line.replace(&format!("${name}"), value);
        }
        let parts: Vec<&str> = line.splitn(5, ' ').collect();
        let (who, method, path) = (parts[0], parts[1], parts[2]);
        let media = match parts.get(3).copied().unwrap_or_default() {
            "merge" => MERGE,
            "apply" => APPLY,
            "json" => "application/json-patch+json",
            "strategic" => "application/strategic-merge-patch+json",
            "" | "new" => "application/json",
            other => other,
        };
        let body = parts.get(4).copied().unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("Content-Type", media)
            .header("User-Agent", format!("{who}/1.0"))
            .body(Body::from(body.as_bytes().to_vec()))
            .unwrap();
        let response = self.client(who).send(request).await.unwrap();
        let code = response.status().as_u16();
        let after = response
            .headers()
            .get("Retry-After")
            .map(|it| format!(" retry-after={}", it.to_str().unwrap()));
        let text = response.into_body().collect_bytes().await.unwrap();
        if path.contains("watch=true") && code == 200 {
            return format!("{code}{}", self.events(&text, pointers));
        }
        let Ok(object) = serde_json::from_slice::<Value>(&text) else {
            return format!("{code} {}", String::from_utf8_lossy(&text).trim_end());
        };
        let shown = match object["kind"].as_str() {
            Some("Status") => self.status(&object),
            kind => kind.unwrap_or_default().to_owned() + &self.shown(&object, pointers),
        };
        self.last = object;
        format!("{code}{} {shown}", after.unwrap_or_default())
    }

    /// What is to be shown of an object.
    fn shown(&self, object: &Value, pointers: &str) -> String {
        let values = pointers.split_whitespace().map(|pointer| match pointer {
            "owners" => owners(object),
            pointer => object.pointer(pointer).cloned().unwrap_or_default(),
        });
        values
            .map(|value| format!(" {}", self.normal(&value)))
            .collect()
    }

    /// The events of a watch that has ended.
    fn events(&self, text: &[u8], pointers: &str) -> String {
        let lines = text
            .split(|&byte| byte == b'\n')
            .filter(|line| !line.is_empty());
        let events = lines.map(|line| serde_json::from_slice::<Value>(line).unwrap());
        let shown = events.map(|event| {
            let (what, object) = (event["type"].as_str().unwrap(), &event["object"]);
            if what == "ERROR" {
                // How far the server has come is another number each time.
                let status = self.status(object);
                return format!(
                    " {what} {} {}",
                    object["code"],
                    status.split(" (").next().unwrap()
                );
            }
            format!(
                " {what} {}{}",
                object["kind"].as_str().unwrap(),
                self.shown(object, pointers)
            )
        });
        shown.collect()
    }

    fn client(&self, who: &str) -> kube::Client {
        let mut file = match who {
            "admin" | "nobody" => Kubeconfig::read_from(self.plane.folder.join("admin.kubeconfig")),
            node => Kubeconfig::read_from(self.plane.kubeconfig(node)),
        }
        .unwrap();
        if who == "nobody" {
            file.auth_infos[0].auth_info = Some(kube::config::AuthInfo::default());
        }
        let mut config = kube::Config::try_from(file).unwrap();
        config.default_retry = false;
        kube::Client::try_from(config).unwrap()
    }

    /// Reason and message, and the details if there are any.
    fn status(&self, status: &Value) -> String {
        let text = |field: &str| status[field].as_str().unwrap_or_default().to_owned();
        let mut details = status["details"].clone();
        if let Some(causes) = details.get_mut("causes").and_then(Value::as_array_mut) {
            // The real server may say the same several times.
            let mut said = Vec::new();
            causes.retain(|cause| {
                !said.contains(cause) && {
                    said.push(cause.clone());
                    true
                }
            });
        }
        let mut shown = match text("status").as_str() {
            "Success" => "Success".to_owned(),
            _ => format!("{:?}: {}", text("reason"), self.named(text("message"))),
        };
        if details.is_object() {
            write!(shown, " {}", self.normal(&details)).unwrap();
        }
        without_object(&shown)
    }

    /// With names for what is another value each time.
    fn normal(&self, value: &Value) -> String {
        let mut value = value.clone();
        self.rename(&mut value);
        self.named(value.to_string())
    }

    fn named(&self, mut text: String) -> String {
        for (name, value) in &self.names {
            // A version is too short to be looked for just anywhere.
            if value.len() > 10 {
                text = text.replace(value, &format!("${name}"));
            }
            text = text.replace(&format!("({value})"), &format!("(${name})"));
        }
        text
    }

    fn rename(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Some((name, _)) = self.names.iter().find(|(_, value)| *value == text) {
                    *text = format!("${name}");
                } else if text.len() == 20 && text.ends_with('Z') {
                    "$time".clone_into(text);
                }
            }
            Value::Array(list) => list.iter_mut().for_each(|it| self.rename(it)),
            Value::Object(map) => map.values_mut().for_each(|it| self.rename(it)),
            _ => {}
        }
    }
}

/// Who owns which fields, without when.
fn owners(object: &Value) -> Value {
    let entries = object["metadata"]["managedFields"]
        .as_array()
        .into_iter()
        .flatten();
    let mut entries: Vec<Value> = entries
        .map(|it| {
            json!([
                it["manager"],
                it["operation"],
                it["subresource"],
                it["fieldsV1"]
            ])
        })
        .collect();
    entries.sort_by_key(Value::to_string);
    json!(entries)
}

/// Without the object that some messages quote whole.
fn without_object(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    for (begin, end) in [
        ("Invalid value: \"{", "}\": "),
        ("Invalid value: \\\"{", "}\\\": "),
    ] {
        while let Some((head, tail)) = rest.split_once(begin) {
            let Some((_, tail)) = tail.split_once(end) else {
                break;
            };
            shown.push_str(head);
            shown.push_str("Invalid value: {…}: ");
            rest = tail;
        }
    }
    shown + rest
}
