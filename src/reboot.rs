//! What this host, and logind before all, says about a reboot.

/// What this host says before logind is asked to reboot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct HostGates {
    /// `CanReboot`: yes, no, challenge, na, or what a newer logind invents.
    pub can_reboot: String,
    /// Inhibitors of mode `block` (also `block-weak`) that cover `shutdown`.
    pub inhibitors: Vec<Inhibitor>,
    /// Which package manager is changing the system, by process and lock.
    pub package_manager: Option<String>,
    /// The file by which an operator holds this node, and why.
    pub hold: Option<String>,
    /// Why the configuration on disk cannot be loaded, if it cannot: the one in force was read before.
    pub configuration: Option<String>,
    /// How far the start of this host is.
    pub start: Start,
}

/// How far the start of a host is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum Start {
    /// PID 1 has done what a start asks for, or has given up on it.
    #[default]
    Finished,
    /// `SystemState` is `initializing` or `starting`: PID 1 has not been without a job yet.
    UnderWay {
        /// Seconds since PID 1 began.
        seconds: u64,
        /// Units whose jobs run.
        jobs: Vec<String>,
    },
    /// PID 1 did not say, and why.
    Unknown(String),
}

/// One inhibitor lock.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Inhibitor {
    /// Who holds it, in its own words.
    pub who: String,
    /// Why, in its own words.
    pub why: String,
    /// Process ID of the holder.
    pub pid: u32,
}

/// What came of asking logind to reboot.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RebootAnswer {
    /// Its reply.
    pub reply: RebootReply,
    /// The connection that the call was made on, in the count of [`ShutdownFacts::connection`](crate::shutdown::ShutdownFacts::connection).
    pub connection: u32,
}

/// logind's reply to a request for a reboot.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RebootReply {
    /// It said yes.
    Accepted,
    /// It said that it is in the middle of a shutdown, or of a sleep.
    Busy,
    /// It said no, and will not do it: a block inhibitor, no permission, no such method.
    Refused(String),
    /// No reply: the call may have been handled, or may be handled yet.
    Lost(String),
}
