//! Text of a configuration file: it is taken, or refused at a place in it.
#![no_main]

use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;
use rollboot::config::load::merge;

fuzz_target!(|text: &str| {
    let Err(error) = merge(&[(PathBuf::from("x.toml"), text.to_owned())]) else {
        return;
    };
    let (line, column) = error.place.expect("there is a place in the one file");
    let lines: Vec<&str> = text.split('\n').collect();
    assert!((1..=lines.len()).contains(&line), "{error}");
    assert!(column >= 1 && column <= lines[line - 1].chars().count() + 1, "{error}");
    assert!(!error.to_string().contains('\n'), "{error}");
});
