//! Dependencies point downwards only: reads the paths that the sources use, and names each that points up or across.

use std::fs;
use std::path::Path;

/// The layers, bottom to top. A module uses modules of lower layers; of its own layer only the core's modules use each other.
const LAYERS: [&[&str]; 6] = [
    &[
        "failure", "lock", "node", "reboot", "request", "shutdown", "journal", "drain", "machine",
        "backoff", "config", "selector", "window", "plain", "names",
    ],
    &["ports", "rooted"],
    &["cluster", "host", "telemetry", "config::load"],
    &["daemon"],
    &["cli"],
    &["main"],
];

/// What the core must not know of: the world, the clock, chance.
const IMPURE: [&str; 14] = [
    "tokio",
    "kube",
    "zbus",
    "inotify",
    "tracing",
    "futures_util",
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "Instant::now",
    "SystemTime::now",
    "Timestamp::now",
];

#[test]
fn dependencies_point_downwards_only() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    collect(&src, &src, &mut sources);
    assert!(sources.len() > 10, "only {} sources found", sources.len());
    let found: Vec<String> = sources
        .iter()
        .flat_map(|(path, text)| violations(path, text))
        .collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn what_points_up_or_across_is_found() {
    for (path, text, expected) in [
        ("lock.rs", "use crate::ports::Host;", "uses ports"),
        (
            "lock/view.rs",
            "use crate::{node, daemon::Loop};",
            "uses daemon",
        ),
        (
            "lock/view.rs",
            "fn f() { crate::cluster::g() }",
            "uses cluster",
        ),
        ("lock/view.rs", "use super::super::cli;", "uses cli"),
        (
            "lock.rs",
            "mod tests { use super::super::cli; }",
            "uses cli",
        ),
        (
            "machine.rs",
            "use crate::config::{Config, load};",
            "uses config::load",
        ),
        (
            "machine.rs",
            "use crate::config; fn f() { config::load::load() }",
            "uses config::load",
        ),
        ("ports.rs", "use crate::host::Bus;", "uses host"),
        ("rooted.rs", "use crate::config::load;", "uses config::load"),
        ("cluster/pods.rs", "use crate::host::boot;", "uses host"),
        ("host.rs", "use crate::telemetry::ids;", "uses telemetry"),
        ("config/load/files.rs", "use crate::host;", "uses host"),
        ("daemon.rs", "use crate::cli::Args;", "uses cli"),
        (
            "cli/run.rs",
            "use crate::surprise::X;",
            "surprise is in no layer",
        ),
        ("surprise.rs", "", "surprise is in no layer"),
        (
            "journal.rs",
            "fn f() { std::fs::read(\"x\"); }",
            "is in the core and uses std::fs",
        ),
        (
            "machine/step.rs",
            "let now = Timestamp::now();",
            "uses Timestamp::now",
        ),
        (
            "drain.rs",
            "use tokio::time;",
            "is in the core and uses tokio",
        ),
    ] {
        let found = violations(path, text);
        assert!(
            found.iter().any(|line| line.contains(expected)),
            "{path}: {text}: {found:?}"
        );
    }
}

#[test]
fn what_points_down_is_not() {
    for (path, text) in [
        ("lib.rs", "pub mod cli; // use crate::cli"),
        ("main.rs", "fn main() { rollboot::cli::main() }"),
        (
            "cli.rs",
            "use crate::{cluster::{self, pods}, config::load, daemon};",
        ),
        ("daemon/turn.rs", "use crate::host::boot; use super::Loop;"),
        (
            "lock/view.rs",
            "use super::{Entry, Limits}; mod tests { use super::*; use super::super::PAUSE; }",
        ),
        (
            "lock.rs",
            "//! See [`crate::daemon`].\n/* crate::cli */ const A: &str = \"crate::cli\";",
        ),
        ("config/load.rs", "use super::raw::Raw; use std::fs;"),
        (
            "machine.rs",
            "fn f(tokio_like: u8) { let host = crate::node::Host; }",
        ),
    ] {
        assert_eq!(
            violations(path, text),
            Vec::<String>::new(),
            "{path}: {text}"
        );
    }
}

fn collect(root: &Path, dir: &Path, sources: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, sources);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            sources.push((name.to_owned(), fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The rules that one source breaks, a line each.
fn violations(path: &str, text: &str) -> Vec<String> {
    if path == "lib.rs" {
        return Vec::new();
    }
    let module: Vec<&str> = path.trim_end_matches(".rs").split('/').collect();
    let own = unit(&module);
    let Some(layer) = layer(&own) else {
        return vec![format!(
            "{path}: {own} is in no layer: give it one in tests/it/layers.rs"
        )];
    };
    let tokens = tokens(text);
    let mut found = Vec::new();
    for used in uses(&module, &tokens) {
        let other = unit(&used.iter().map(String::as_str).collect::<Vec<_>>());
        match self::layer(&other) {
            None => found.push(format!(
                "{path}: {other} is in no layer: give it one in tests/it/layers.rs"
            )),
            Some(_) if other == own => {}
            Some(below) if below < layer || (below == layer && layer == 0) => {}
            Some(_) => found.push(format!("{path}: {own} uses {other}")),
        }
    }
    if layer == 0 {
        for name in IMPURE {
            let parts: Vec<&str> = name.split("::").collect();
            // Alone at the start of a path, as a name or as a part of one.
            let hit = (0..tokens.len()).any(|at| {
                path_from(&tokens, at).starts_with(&parts)
                    && (parts.len() > 1 || tokens.get(at + 1).is_some_and(|next| next == "::"))
                    && (at == 0
                        || tokens[at - 1] != "::"
                        || parts[0].starts_with(char::is_uppercase))
            });
            if hit {
                found.push(format!("{path}: {own} is in the core and uses {name}"));
            }
        }
    }
    found
}

/// The module that a path belongs to, as [`LAYERS`] names it.
fn unit(path: &[&str]) -> String {
    match path {
        ["config", "load", ..] => "config::load".into(),
        [first, ..] => (*first).into(),
        [] => "lib".into(),
    }
}

fn layer(unit: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&unit))
}

/// Words, `::` and single signs; comments and texts left out.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let word = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(raw) = rest.strip_prefix("r#\"") {
            raw.find("\"#").map_or(rest.len(), |end| end + 5)
        } else if ["'\"'", "'{'", "'}'"]
            .iter()
            .any(|sign| rest.starts_with(sign))
        {
            3
        } else if first == '"' {
            let mut escaped = false;
            let end = rest[1..].find(|c| {
                let end = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                end
            });
            end.map_or(rest.len(), |end| end + 2)
        } else if word > 0 {
            tokens.push(rest[..word].into());
            word
        } else if rest.starts_with("::") {
            tokens.push("::".into());
            2
        } else {
            if !first.is_whitespace() {
                tokens.push(first.into());
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    tokens
}

/// The plain path `a::b::c` that begins at a token.
fn path_from(tokens: &[String], at: usize) -> Vec<&str> {
    tokens[at..]
        .chunks(2)
        .scan(true, |more, pair| {
            let go = *more;
            *more = pair.get(1).is_some_and(|next| next == "::");
            go.then(|| pair[0].as_str())
        })
        .collect()
}

/// Every path into this crate that a source uses, from the root of the crate.
fn uses(module: &[&str], tokens: &[String]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    // Modules written inside the file, each with the depth of braces at which it ends.
    let mut inline: Vec<usize> = Vec::new();
    let mut depth = 0;
    for at in 0..tokens.len() {
        let is = |offset: usize, text: &str| tokens.get(at + offset).is_some_and(|t| t == text);
        let starts = at == 0 || tokens[at - 1] != "::";
        match tokens[at].as_str() {
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                inline.retain(|end| *end < depth + 1);
            }
            "mod" if is(2, "{") => inline.push(depth + 1),
            "crate" | "rollboot" if starts && is(1, "::") => {
                tree(tokens, at + 2, &mut Vec::new(), &mut found);
            }
            "super" if starts && is(1, "::") => {
                let chain = (0..).take_while(|n| is(2 * n, "super") && is(2 * n + 1, "::"));
                let ups = chain.count();
                let up = ups.saturating_sub(inline.len()).min(module.len());
                let mut base = module[..module.len() - up]
                    .iter()
                    .map(|m| (*m).into())
                    .collect();
                tree(tokens, at + 2 * ups, &mut base, &mut found);
            }
            "config" if is(1, "::") && is(2, "load") => {
                found.push(vec!["config".into(), "load".into()]);
            }
            _ => {}
        }
    }
    // The root itself has no code to depend on, and a glob of the own file stays in it.
    found.retain(|path| !path.is_empty());
    found
}

/// Follows a path, and each branch of a `{…}` in it; returns the token after it.
fn tree(
    tokens: &[String],
    at: usize,
    path: &mut Vec<String>,
    found: &mut Vec<Vec<String>>,
) -> usize {
    let is = |at: usize, text: &str| tokens.get(at).is_some_and(|t| t == text);
    if is(at, "{") {
        let mut at = at + 1;
        while at < tokens.len() && !is(at, "}") {
            at = tree(tokens, at, &mut path.clone(), found).max(at + 1);
            while at < tokens.len() && !is(at, ",") && !is(at, "}") {
                at += 1;
            }
            if is(at, ",") {
                at += 1;
            }
        }
        return at + 1;
    }
    let name = tokens
        .get(at)
        .filter(|t| t.starts_with(|c: char| c.is_alphabetic() || c == '_'));
    if let Some(name) = name.filter(|name| *name != "self") {
        path.push(name.clone());
    }
    if is(at + 1, "::") {
        tree(tokens, at + 2, path, found)
    } else {
        found.push(path.clone());
        at + 1
    }
}
