//! PEM text with a client certificate: its common name, or why there is none.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rollboot::cluster::reading::common_name;

fuzz_target!(|pem: &[u8]| {
    let _ = common_name(pem);
});
