//! Text of a kubeconfig: a name that a node can have, or an error on one line.
#![no_main]

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use libfuzzer_sys::fuzz_target;
use rollboot::cluster::Source;

thread_local!(static ROOT: OnceCell<PathBuf> = const { OnceCell::new() });

fn root() -> PathBuf {
    let root = std::env::temp_dir().join(format!("rollboot-fuzz-{}", std::process::id()));
    for folder in ["etc/kubernetes", "proc/sys/kernel"] {
        std::fs::create_dir_all(root.join(folder)).expect("a folder can be made");
    }
    std::fs::write(root.join("proc/sys/kernel/hostname"), "host").expect("a file can be made");
    root
}

fn look(root: &Path, text: &[u8]) {
    std::fs::write(root.join("etc/kubernetes/kubelet.conf"), text).expect("a file can be made");
    let source = Source::find(None, root).expect("it is there");
    match source.node_name(None) {
        Ok(found) => assert!(found.is_none_or(|(name, _)| !name.is_empty() && name.len() <= 241)),
        Err(failure) => assert!(!failure.message.contains('\n'), "{failure}"),
    }
}

fuzz_target!(|text: &[u8]| ROOT.with(|cell| look(cell.get_or_init(root), text)));
