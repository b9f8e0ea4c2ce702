//! The journal file: whatever is read is written as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rollboot::host::JournalFile;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(journal) = JournalFile::parse(bytes) {
        let again = JournalFile::render(&journal).expect("what was read has a form");
        assert_eq!(JournalFile::parse(&again), Ok(journal));
    }
});
