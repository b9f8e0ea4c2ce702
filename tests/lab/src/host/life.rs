//! The life of a host: it boots, runs its kubelet and its daemon, and goes down when logind was asked to reboot it.

use std::ops::Range;
use std::time::Duration;

use rollboot::daemon::{self, Options};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::systemd::SOCKET;
use super::{Happened, Host, Power, files};
use crate::bus::Bus;

/// `RestartSec=` of the service.
const RESTART: Duration = Duration::from_secs(5);

/// How long things take, in milliseconds, each drawn anew every time.
#[derive(Debug, Clone)]
pub struct Pace {
    /// From the boot of the kernel to the kubelet's first report.
    pub kubelet: Range<u64>,
    /// From the boot of the kernel to the start of the daemon.
    pub daemon: Range<u64>,
    /// How long the kubelet delays a shutdown.
    pub delay: Range<u64>,
    /// From the end of the delay to the end of all processes.
    pub stop: Range<u64>,
    /// From there to the boot of the kernel.
    pub boot: Range<u64>,
}

impl Pace {
    /// For an audience: some seconds where real machines take minutes.
    pub const DEMO: Self = Self {
        kubelet: 300..700,
        daemon: 400..600,
        delay: 200..400,
        stop: 100..200,
        boot: 800..1400,
    };
    /// For a test.
    pub const TEST: Self = Self {
        kubelet: 20..50,
        daemon: 60..100,
        delay: 20..50,
        stop: 20..50,
        boot: 50..100,
    };
}

impl Host {
    /// Boots the host and lets it live until the future is dropped. Needs a `LocalSet`.
    pub async fn live(self, pace: Pace) {
        loop {
            self.boot();
            let bus = Bus::serve(&self.root().join(SOCKET), self.systemd().clone())
                .expect("a bus can be served");
            let mut processes = JoinSet::new();
            processes.spawn_local(self.clone().run_kubelet(self.draw(&pace.kubelet)));
            processes.spawn_local(self.clone().run_daemon(self.draw(&pace.daemon)));
            tokio::select! {
                () = self.systemd().accepted() => {}
                // Nothing of it ends by itself: what comes here is a panic.
                Some(ended) = processes.join_next() => {
                    self.note(Happened::DaemonEnded(format!("{ended:?}")));
                    self.systemd().accepted().await;
                }
            }
            self.note(Happened::Asked);
            self.0.power.set(Power::ShuttingDown);
            sleep(self.draw(&pace.delay)).await;
            self.systemd().stop();
            sleep(self.draw(&pace.stop)).await;
            // Killed in whatever they were doing, and gone before the host is.
            processes.shutdown().await;
            drop(bus);
            self.0.kubelet.set(false);
            self.0.power.set(Power::Off);
            self.note(Happened::Down);
            sleep(self.draw(&pace.boot)).await;
        }
    }

    fn boot(&self) {
        let id = self.draw_boot_id();
        files::boot(self.root(), &id).expect("a root folder can be written");
        self.systemd().boot();
        self.0.boot_id.replace(id.clone());
        self.0.power.set(Power::On);
        self.note(Happened::Up(id));
    }

    async fn run_kubelet(self, after: Duration) {
        sleep(after).await;
        self.0.kubelet.set(true);
        std::future::pending::<()>().await;
    }

    /// The service: the production daemon, and systemd's `Restart=always`.
    async fn run_daemon(self, mut after: Duration) {
        loop {
            sleep(after).await;
            let options = Options {
                root: self.root().to_owned(),
                config: None,
                abort: false,
            };
            let ended = match daemon::run(options).await {
                Ok(_) => "without an error".to_owned(),
                Err(error) => error.to_string(),
            };
            self.note(Happened::DaemonEnded(ended));
            after = RESTART;
        }
    }

    fn draw(&self, range: &Range<u64>) -> Duration {
        Duration::from_millis(self.0.rng.borrow_mut().u64(range.clone()))
    }

    fn draw_boot_id(&self) -> String {
        let hex = format!("{:032x}", self.0.rng.borrow_mut().u128(..));
        let part = |range| hex.get::<Range<usize>>(range).unwrap_or_default();
        [
            part(0..8),
            part(8..12),
            part(12..16),
            part(16..20),
            part(20..32),
        ]
        .join("-")
    }
}
