//! rollboot reboots Kubernetes nodes when their operating system asks for it, one at a time.
//!
//! From bottom to top: the pure core decides ([`machine`] with [`lock`], [`drain`], [`journal`], [`node`], [`shutdown`],
//! [`backoff`], [`window`], [`selector`], [`config`], [`plain`]); [`ports`] says what it needs of the world; adapters bring it, one outside world each
//! ([`cluster`], [`host`], [`telemetry`]) and decide nothing; [`daemon`] is the one loop; [`cli`] is what a person calls.
//! Dependencies point downwards only; a test reads the imports and says so.

pub mod backoff;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod daemon;
pub mod drain;
pub mod failure;
pub mod host;
pub mod journal;
pub mod lock;
pub mod machine;
pub mod node;
pub mod plain;
pub mod ports;
pub mod reboot;
pub mod request;
pub mod selector;
pub mod shutdown;
pub mod telemetry;
pub mod window;
