//! How far the eviction of one pod has come.

/// Where a pod stands that has to go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Track {
    /// To be evicted as soon as there is room.
    Todo,
    /// Sent, not answered.
    Sent { tries: u8 },
    /// Accepted, or ending by itself: wait until it is gone.
    Ending,
    /// Refused for now; tried again after so many ticks.
    Blocked {
        why: String,
        ticks: u16,
        tries: u8,
        by: By,
    },
}

/// What an eviction was refused by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum By {
    /// A budget, or several.
    Budget,
    /// The server: it was not carried out.
    Server,
    /// Nobody: there was no answer, or none that says that it was not carried out.
    Nobody,
}

impl Track {
    /// Its eviction is not on its way, and none without an answer may have been carried out: it stays for now.
    pub(super) fn stays(&self) -> bool {
        match self {
            Self::Todo => true,
            Self::Blocked { by, .. } => *by != By::Nobody,
            Self::Sent { .. } | Self::Ending => false,
        }
    }
}
