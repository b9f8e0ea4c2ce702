//! The journal file: whatever is read is written as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rollboot::host::JournalFile;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(mut stored) = JournalFile::parse(bytes) {
        let again = JournalFile::render(&stored.journal, stored.record.as_ref()).expect("what was read has a form");
        if stored.journal.turn.is_none() {
            stored.record = None;
        }
        assert_eq!(JournalFile::parse(&again), Ok(stored));
    }
});
