//! What is on its way: calls, evictions and watches, each of which comes back as an event.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_util::stream::{FuturesUnordered, Stream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

use crate::drain::PodRef;
use crate::lock::TurnId;
use crate::machine::{Event, Op, Reply};
use crate::node::NodeEvent;
use crate::ports::{Cluster, Host};

type Task = Pin<Box<dyn Future<Output = Event>>>;

/// Everything that is on its way.
pub(super) struct Tasks<C, H> {
    cluster: Rc<C>,
    host: Rc<H>,
    running: FuturesUnordered<Task>,
    /// What nobody waits for the end of.
    asides: FuturesUnordered<Pin<Box<dyn Future<Output = ()>>>>,
    lock: Option<Watch>,
    pods: Option<Watch>,
}

/// A watch: what it has seen comes first, then its end.
struct Watch {
    seen: UnboundedReceiver<Event>,
    end: Task,
}

impl<C, H> fmt::Debug for Tasks<C, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tasks")
            .field("running", &self.running.len())
            .field("lock", &self.lock.is_some())
            .field("pods", &self.pods.is_some())
            .finish()
    }
}

impl<C: Cluster + 'static, H: Host + 'static> Tasks<C, H> {
    pub(super) fn new(cluster: Rc<C>, host: Rc<H>) -> Self {
        Self {
            cluster,
            host,
            running: FuturesUnordered::new(),
            asides: FuturesUnordered::new(),
            lock: None,
            pods: None,
        }
    }

    /// Waits for the next event. Cancelling loses nothing.
    pub(super) async fn next(&mut self) -> Event {
        poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Event> {
        while let Poll::Ready(Some(())) = Pin::new(&mut self.asides).poll_next(context) {}
        if let Poll::Ready(Some(event)) = Pin::new(&mut self.running).poll_next(context) {
            return Poll::Ready(event);
        }
        for watch in [&mut self.lock, &mut self.pods] {
            if let Some(open) = watch
                && let Poll::Ready((event, ended)) = open.poll(context)
            {
                if ended {
                    *watch = None;
                }
                return Poll::Ready(event);
            }
        }
        Poll::Pending
    }

    /// Whether no call and no eviction is on its way. Watches and Events do not count: to end them loses nothing that matters.
    pub(super) fn are_done(&self) -> bool {
        self.running.is_empty()
    }

    /// Starts a call.
    pub(super) fn call(&mut self, op: Op) {
        let (cluster, host) = (Rc::clone(&self.cluster), Rc::clone(&self.host));
        let reply = async move { Event::Reply(answer(&*cluster, &*host, op).await) };
        self.running.push(Box::pin(reply));
    }

    pub(super) fn evict(&mut self, pod: PodRef) {
        let cluster = Rc::clone(&self.cluster);
        self.running.push(Box::pin(async move {
            let answer = cluster.evict(&pod).await;
            Event::Evicted(pod, answer)
        }));
    }

    /// Makes an Event, once. Whether it came to be matters to nobody who waits.
    pub(super) fn announce(&mut self, event: NodeEvent) {
        let cluster = Rc::clone(&self.cluster);
        self.asides.push(Box::pin(async move {
            if let Err(failure) = cluster.announce(&event).await {
                tracing::warn!("{failure}; what it would have said is in this log");
            }
        }));
    }

    pub(super) fn ask_stop_reason(&mut self) {
        let host = Rc::clone(&self.host);
        self.running.push(Box::pin(async move {
            Event::StopReason(host.stop_reason().await)
        }));
    }

    pub(super) fn watch_lock(&mut self, version: String) {
        let cluster = Rc::clone(&self.cluster);
        self.lock = Some(Watch::new(move |sender| async move {
            let seen = |view| drop(sender.send(Event::LockSeen(view)));
            Event::LockWatchEnded(cluster.watch_lock(&version, seen).await.err())
        }));
    }

    pub(super) fn unwatch_lock(&mut self) {
        self.lock = None;
    }

    pub(super) fn watch_pods(&mut self) {
        let cluster = Rc::clone(&self.cluster);
        self.pods = Some(Watch::new(move |sender| async move {
            let seen = |pods| drop(sender.send(Event::PodsSeen(pods)));
            Event::PodsWatchEnded(cluster.watch_pods(seen).await.err())
        }));
    }

    pub(super) fn unwatch_pods(&mut self) {
        self.pods = None;
    }
}

impl Watch {
    fn new<F: Future<Output = Event> + 'static>(
        start: impl FnOnce(UnboundedSender<Event>) -> F,
    ) -> Self {
        let (sender, seen) = unbounded_channel();
        Self {
            seen,
            end: Box::pin(start(sender)),
        }
    }

    /// Its next event, and whether that is its last.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<(Event, bool)> {
        let end = self.end.as_mut().poll(context);
        if let Poll::Ready(Some(event)) = self.seen.poll_recv(context) {
            // Its end, if it came with this, comes again: a finished watch is kept until it is drained.
            if let Poll::Ready(end) = end {
                self.end = Box::pin(std::future::ready(end));
            }
            return Poll::Ready((event, false));
        }
        end.map(|end| (end, true))
    }
}

async fn answer<C: Cluster, H: Host>(cluster: &C, host: &H, op: Op) -> Reply {
    match op {
        Op::DrawId => Reply::Id(TurnId(random())),
        Op::Facts => Reply::Facts(host.shutdown_facts().await),
        Op::BootTime => Reply::BootTime(host.boot_time().await),
        Op::Gates => Reply::Gates(host.gates().await),
        Op::Sentinels => Reply::Sentinels(host.sentinels().await),
        Op::Units(units) => Reply::Units(host.inactive_units(&units).await),
        Op::WriteJournal(journal) => Reply::JournalWritten(host.write_journal(&journal).await),
        Op::Reboot => Reply::Reboot(host.reboot().await),
        Op::ReadLock => {
            let sent = Instant::now();
            let result = cluster.read_lock().await;
            let took = sent.elapsed();
            Reply::Lock { result, took }
        }
        Op::PatchLock(patch) => Reply::LockWritten(cluster.patch_lock(&patch).await),
        Op::ReadNode => Reply::Node(cluster.read_node().await),
        Op::PatchNode(patch) => Reply::NodeWritten(cluster.patch_node(&patch).await),
        Op::PeerExists(node) => Reply::Peer(cluster.peer_exists(&node).await),
        Op::ListPods => Reply::Pods(cluster.list_pods().await),
        Op::ListNodes => Reply::Nodes(cluster.list_nodes().await),
        Op::ReadController(controller) => {
            Reply::Controller(cluster.read_controller(&controller).await)
        }
    }
}

/// A random number of the operating system. Without one there is no id, and an id that repeats would break the lock's promise, so
/// the process ends; it cannot happen on a booted Linux.
pub(super) fn random() -> u64 {
    let mut bytes = [0; 8];
    match getrandom::getrandom(&mut bytes) {
        Ok(()) => u64::from_ne_bytes(bytes),
        Err(error) => {
            tracing::error!(%error, "the kernel gives no random numbers");
            std::process::abort()
        }
    }
}
