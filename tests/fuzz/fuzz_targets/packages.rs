//! A list of packages beside a sentinel.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rollboot::host::listed;

fuzz_target!(|text: &[u8]| {
    let names = listed(text);
    assert!(names.len() <= 256);
    assert!(names.iter().all(|name| !name.trim().is_empty() && !name.contains('\n')));
});
