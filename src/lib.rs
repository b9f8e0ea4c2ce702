//! rollboot reboots Kubernetes nodes when their operating system asks for it, one at a time.
//!
//! From bottom to top: the pure core decides ([`machine`] with [`lock`], [`drain`], [`journal`], [`node`], [`shutdown`],
//! [`backoff`], [`window`], [`selector`], [`config`], [`plain`], [`names`]); [`ports`] says what it needs of the world; adapters bring it, one outside world each
//! ([`cluster`], [`host`], [`telemetry`]; files of the host through [`rooted`]) and decide nothing; [`daemon`] is the one loop; [`cli`] is what a person calls.
//! Dependencies point downwards only; a test reads the imports and says so.
//!
//! The core and the ports are always there. The features `cluster` and `host` add their adapters, both together the daemon and
//! the commands.

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
