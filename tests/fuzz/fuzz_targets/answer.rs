//! Any other answer of the API server, to a read, a write and an eviction.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rollboot::cluster::reading;
use rollboot::failure::WriteOutcome;

fuzz_target!(|input: (u16, &[u8])| {
    let (status, body) = input;
    let _ = reading::node(body).map(|node| node.parsed_marker());
    let _ = reading::evicted(status, body);
    match reading::written(status, body) {
        WriteOutcome::Applied(_) => assert!((200..300).contains(&status)),
        WriteOutcome::Conflict => assert_eq!(status, 409),
        WriteOutcome::Refused(_) => assert!((400..500).contains(&status) && status != 408),
        WriteOutcome::Unknown(_) => {}
    }
});
