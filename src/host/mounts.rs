//! Says when the mounts of this process's namespace change.
//!
//! A mount over a folder makes no inotify event at all. The kernel marks the table of mounts as "urgent" instead, which costs
//! nothing while nobody mounts.

use std::fs::File;
use std::io;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The table of mounts, never read: only its readiness counts.
#[derive(Debug)]
pub(super) struct Mounts(AsyncFd<File>);

impl Mounts {
    /// Opens the table. It is the process's own, not under any root prefix: that is where its paths are looked up.
    #[expect(
        deprecated,
        reason = "a file keeps its descriptor as long as it lives; the replacement is unsafe, which this crate forbids"
    )]
    pub(super) fn open() -> io::Result<Self> {
        let table = File::open("/proc/self/mountinfo")?;
        AsyncFd::with_interest(table, Interest::PRIORITY).map(Self)
    }

    /// Returns after a change since the last return.
    pub(super) async fn changed(&self) -> io::Result<()> {
        self.0.ready(Interest::PRIORITY).await?.clear_ready();
        Ok(())
    }
}
