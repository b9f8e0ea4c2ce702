//! rollboot reboots Kubernetes nodes when their operating system asks for it, one at a time.
//!
//! This page is the map: the layers, the life of a turn, and the words that the code uses.
//!
//! # Layers
//!
//! Dependencies point downwards only; `tests/it/layers.rs` reads the imports and fails otherwise.
//!
//! | layer | modules | what it does |
//! |---|---|---|
//! | commands | [`cli`] | what a person calls: `status`, `check`, `plan`, `abort`, `pause`, `resume`, `unlock` |
//! | loop | [`daemon`] | one task: feeds events to the machine, carries out its actions, tells systemd |
//! | adapters | [`cluster`], [`host`], [`telemetry`] | one outside world each: the API server, this host, the journal; they decide nothing |
//! | ports | [`ports`] | the traits that the loop needs and the adapters implement |
//! | core | [`machine`], [`drain`], [`lock`], [`journal`], [`node`] and the small ones below | decides; no I/O, no clock, no randomness, no panic |
//!
//! The core is one function, [`machine::Machine::step`]: state and event in, state and actions out. The same code runs in the daemon, in
//! the model check, which tries every order of events, and in the stories of `tests/core`. The features `cluster` and `host` add the
//! adapters; the core builds without both.
//!
//! # The life of a turn
//!
//! 1. Another program writes the sentinel, `/run/reboot-required`. [`host`] sees it by inotify; nothing polls.
//! 2. The sentinel must be unchanged for `settle`. Then the gates are looked at: the host, the own Node, its pods, the lock, other Nodes.
//!    A closed gate is shown by `status`, and nothing is held while it is closed.
//! 3. The node takes a slot: one conditional write of an annotation of the lock, a ConfigMap that all nodes share. The turn begins.
//! 4. The node is cordoned, and its pods are evicted. [`drain`] honours PodDisruptionBudgets, and never evicts the last ready pod of a
//!    controller that wants several.
//! 5. The last checks read everything again, the lock last. Then logind is asked to reboot.
//! 6. After the boot the node proves that it is healthy, lifts its cordon, waits until controllers have observed the evictions, and
//!    releases the slot. The turn is over.
//!
//! Anything that ends a turn before step 5 undoes it: the cordon is lifted, the slot is released, and the reason stays in `status`.
//! From step 5 on nothing is undone while the host may be going down.
//!
//! A write whose reply is lost has no outcome yet. It is sent again under the same precondition until the server answers 200 or 409;
//! only then does the turn go on. A process that starts cannot know what an earlier one has sent: it first writes to the lock and to the
//! Node, so that a write that is still on its way meets a newer version and fails.
//!
//! # Words
//!
//! | word | meaning |
//! |---|---|
//! | sentinel | the file that asks for a reboot; a *request* is one sentinel with its identity |
//! | lock | the ConfigMap `kube-system/rollboot`; its annotations are the slots, its data the limits |
//! | slot | an annotation `NODE.rollboot.io/GROUP`: that node may be in a turn; whoever has one is a *holder* |
//! | group | nodes that share a limit; `control-plane` is one that nobody has to configure |
//! | turn | from the slot to its release; has an id, and is written in slot, journal and marker |
//! | stamp | names one start of the daemon in all that it writes, so that writes of an earlier process can be told apart |
//! | marker | the annotation on the own Node that says whose cordon it is |
//! | gate | a condition that must be open before a turn begins, and again before the reboot |
//! | eviction record | what the journal keeps of a controller whose pods were evicted, until it has observed that |
//! | observed | a controller's status was written, and has settled, since the last eviction of one of its pods |
//! | settle | the time for which a sentinel must be unchanged |
//! | soak | the time for which a node must be healthy after the boot before it releases its slot |
//! | proof | what must be true after a boot: Ready, static pods, units of the configuration |
//! | latch | a request that got no reboot although everything was done; only a new sentinel or an operator goes on |
//! | back-off | the pause after a turn that failed, which doubles with each failure |
//! | journal | `/var/lib/rollboot/journal.json`: what must survive a crash; written before the write that it announces |
//!
//! Where to go next: `tests/README.md` says which suite tests what, `CONTRIBUTING.md` how to add a gate, a sentinel or a scenario.

pub mod backoff;
#[cfg(all(feature = "cluster", feature = "host"))]
pub mod cli;
#[cfg(feature = "cluster")]
pub mod cluster;
pub mod config;
#[cfg(all(feature = "cluster", feature = "host"))]
pub mod daemon;
pub mod drain;
pub mod failure;
#[cfg(feature = "host")]
pub mod host;
pub mod journal;
pub mod lock;
pub mod machine;
pub mod names;
pub mod node;
pub mod plain;
pub mod ports;
pub mod reboot;
pub mod request;
pub mod rooted;
pub mod selector;
pub mod shutdown;
#[cfg(feature = "host")]
pub mod telemetry;
pub mod window;
