//! What lives in the cluster besides rollboot: kubelets, apps whose pods are kept, placed and budgeted, all of them straight on
//! the store of the embedded API server.
//!
//! Each looks at everything, many times a second, and does the next step: nothing can be missed, and nothing is remembered
//! that the objects do not say, except how long a pod still takes.

mod app;
mod budgets;
mod keeper;
mod kubelet;
pub(crate) mod object;

use std::time::Duration;

use fastrand::Rng;
use tokio::time::{MissedTickBehavior, interval};

pub use app::App;
pub use kubelet::PodPace;

use crate::api::{Kind, Store};
use crate::host::Host;
use keeper::Keeper;
use kubelet::Kubelet;

/// Where all pods and budgets are.
pub const NAMESPACE: &str = "default";

const TICK: Duration = Duration::from_millis(40);

/// The kubelets of all hosts, and the controllers.
#[derive(Debug)]
pub struct Cluster {
    store: Store,
    kubelets: Vec<Kubelet>,
    keeper: Keeper,
    apps: Vec<App>,
    deployed: bool,
}

impl Cluster {
    /// A cluster on these hosts that is to run these apps.
    pub fn new(store: &Store, hosts: &[Host], apps: &[App], pace: &PodPace, rng: &mut Rng) -> Self {
        let kubelets = hosts
            .iter()
            .map(|host| Kubelet::new(host.clone(), pace.clone(), rng.fork()))
            .collect();
        for app in apps {
            budgets::create(store, app);
        }
        Self {
            store: store.clone(),
            kubelets,
            keeper: Keeper::new(rng.fork()),
            apps: apps.to_vec(),
            deployed: false,
        }
    }

    /// Works until it is dropped.
    pub async fn run(mut self) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.step();
        }
    }

    fn step(&mut self) {
        for kubelet in &mut self.kubelets {
            kubelet.step(&self.store);
        }
        // The apps are deployed once all nodes are there, so that they begin evenly.
        self.deployed |= self.store.list(Kind::Node).len() == self.kubelets.len();
        if self.deployed {
            self.keeper.step(&self.store, &self.apps);
        }
        budgets::step(&self.store);
    }
}
