//! Every bad input, given to the real program over an embedded API server and a stand-in bus: what it says, that it leaves nothing
//! behind, and that it goes on without a restart once the input is mended.
//!
//! Each case returns the message that it found in the status and in the log; all of them together are `bad_input/README.md`.

mod anew;
mod bus;
mod bus_cases;
mod case;
mod cluster_api;
mod config;
mod controllers;
mod credential;
mod gates;
mod host;
mod leak;
mod lock;
mod node;
mod objects;
mod pods;
mod record;
mod sentinel;
mod state;
mod table;
mod windows;

use std::rc::Rc;

use tokio::sync::Semaphore;
use tokio::task::LocalSet;

use case::{Case, Section};

/// Daemons at once: most of a case is waiting.
const AT_ONCE: usize = 64;

/// `ROLLBOOT_CASE=words` runs only the cases whose input contains them, and leaves the table alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_bad_input_is_told_leaves_nothing_behind_and_heals() {
    let only = std::env::var("ROLLBOOT_CASE").ok();
    let sections: [Section; 12] = [
        ("Configuration", config::cases()),
        ("Windows", windows::cases()),
        ("Kubeconfig and credential", credential::cases()),
        ("API server", cluster_api::cases()),
        ("Lock", lock::cases()),
        ("Node", node::cases()),
        ("Gates", gates::cases()),
        ("Pods", pods::cases()),
        ("Controllers", controllers::cases()),
        ("Sentinel", sentinel::cases()),
        ("D-Bus and logind", bus_cases::cases()),
        ("State, clock, process", state::cases()),
    ];
    let places = Rc::new(Semaphore::new(AT_ONCE));
    let local = LocalSet::new();
    let mut running = Vec::new();
    for (section, cases) in sections {
        for case in cases {
            if only
                .as_ref()
                .is_some_and(|words| !case.input.contains(words))
            {
                continue;
            }
            let Case { input, heals, run } = case;
            let places = Rc::clone(&places);
            let task = local.spawn_local(async move {
                let _place = places.acquire().await;
                run().await
            });
            running.push((section, input, heals, task));
        }
    }
    let mut table = table::Table::default();
    let mut failed = Vec::new();
    local
        .run_until(async {
            for (section, input, heals, task) in running {
                match task.await {
                    Ok(Some(message)) => table.add(section, input, &message, heals),
                    Ok(None) => table.skipped(input),
                    Err(_) => failed.push(input),
                }
            }
        })
        .await;
    table.print();
    assert!(failed.is_empty(), "failed, see above: {failed:#?}");
    if only.is_none() {
        table.check();
    }
}
