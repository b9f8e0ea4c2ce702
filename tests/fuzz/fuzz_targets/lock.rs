//! The lock object as the API server gives it, and the values in it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rollboot::cluster::reading;
use rollboot::lock::{Entry, Limits, key};

fuzz_target!(|body: &[u8]| {
    let Ok(view) = reading::lock(body) else {
        return;
    };
    let slots = view.slots();
    for slot in &slots {
        assert!(view.annotations.contains_key(&key(&slot.node, &slot.group)));
        assert!(view.own_entry(&slot.node).is_some());
        let _ = view.verdict(&slot.group);
    }
    for value in view.annotations.values() {
        if let Some(entry) = Entry::parse(value) {
            let again = entry.encode();
            assert!(again.len() > 1024 || Entry::parse(&again) == Some(entry));
        }
    }
    for group in ["default", "control-plane"] {
        let text = |key: String| view.data.get(&key).map_or("1", String::as_str);
        let expected = |text: &str| (0..=9999_u16).find(|number| number.to_string() == text).unwrap_or(0);
        let limits = Limits::read(&view.data, group);
        let cap = if group == "control-plane" { 1 } else { u16::MAX };
        assert_eq!(limits.group, expected(text(format!("max.{group}"))).min(cap));
        assert_eq!(limits.total, expected(text("max.total".to_owned())));
    }
});
