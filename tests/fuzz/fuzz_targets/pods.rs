//! A page of a list of pods, and the plan that follows from it.
#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use rollboot::cluster::reading;
use rollboot::config::Config;
use rollboot::drain::{Arrivals, plan};

fuzz_target!(|body: &[u8]| {
    if let Ok(pods) = reading::pods(body) {
        let policy = Config::default().drain;
        let _ = plan(&pods, &policy, &Arrivals::default()).refusal();
        let all: BTreeSet<String> = pods.iter().map(|pod| pod.pod.uid.clone()).collect();
        let _ = plan(&pods, &policy, &Arrivals::since(all)).refusal();
    }
});
