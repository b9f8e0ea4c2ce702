//! The loop with the production machine, over a world in memory: whole turns, with the time turned by hand.

mod world;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rollboot::config::Config;
use rollboot::daemon::Daemon;
use rollboot::machine::{Event, HostId, Label, Machine};
use world::World;

/// A daemon in the current boot of the world, as the service would start it.
fn start(world: &Rc<World>) -> Daemon<World, World> {
    let host = HostId {
        node: "n1".into(),
        boot_id: world.boot_id(),
    };
    let config = Arc::new(Config::default());
    let machine = Machine::new(
        host,
        config,
        world.journal(),
        world.requests(),
        Timestamp::UNIX_EPOCH,
    );
    let mut daemon = Daemon::new(machine, Rc::clone(world), Rc::clone(world));
    daemon.feed(Event::Start);
    daemon
}

/// Turns the loop until `done`, or fails after an hour of its time.
async fn until(daemon: &mut Daemon<World, World>, done: impl Fn(&Daemon<World, World>) -> bool) {
    let all = async {
        while !done(daemon) {
            daemon.turn().await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(3600), all).await;
    assert!(in_time.is_ok(), "stuck: {}", daemon.machine().reason());
}

async fn until_label(daemon: &mut Daemon<World, World>, label: Label) {
    until(daemon, |daemon| daemon.machine().label() == label).await;
}

#[tokio::test(start_paused = true)]
async fn a_whole_turn_drains_before_the_reboot_and_gives_everything_back_after_it() {
    let world = World::new();
    world.add_pod("p1");
    let mut daemon = start(&world);
    until_label(&mut daemon, Label::Idle).await;
    world.touch_sentinel();
    daemon.feed(Event::Sentinels(world.requests()));
    until(&mut daemon, |_| world.asked() == 1).await;
    assert_eq!(world.evicted(), ["p1"]);
    assert!(world.cordoned() && world.holds_slot());
    drop(daemon);
    world.boot();
    let mut daemon = start(&world);
    until_label(&mut daemon, Label::Idle).await;
    assert!(!world.cordoned() && !world.holds_slot());
    assert_eq!(world.journal().turn, None);
    assert_eq!(world.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_to_the_acquisition_is_repeated_and_the_entry_recognised() {
    let world = World::new();
    world.touch_sentinel();
    world.lose_replies_to_lock_writes(1);
    let mut daemon = start(&world);
    until(&mut daemon, |_| world.asked() == 1).await;
    assert_eq!(
        world.lock_versions(),
        2,
        "one write took effect, its repetition met a conflict"
    );
}

#[tokio::test(start_paused = true)]
async fn a_stop_in_the_middle_of_a_drain_undoes_it() {
    let world = World::new();
    world.add_pod("stuck");
    world.block_evictions();
    world.touch_sentinel();
    let mut daemon = start(&world);
    until_label(&mut daemon, Label::Cordoned).await;
    daemon.feed(Event::StopRequested);
    until(&mut daemon, Daemon::ended).await;
    assert!(!world.cordoned() && !world.holds_slot());
    assert_eq!(world.asked(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_abort_in_the_middle_of_a_drain_latches_its_sentinel() {
    let world = World::new();
    world.add_pod("stuck");
    world.block_evictions();
    world.touch_sentinel();
    let mut daemon = start(&world);
    until_label(&mut daemon, Label::Cordoned).await;
    daemon.feed(Event::Abort);
    until_label(&mut daemon, Label::Latched).await;
    assert!(!world.cordoned() && !world.holds_slot());
    assert_eq!(daemon.take_abort_answers().len(), 1);
    // Nothing is on its way any more, and a restart changes nothing.
    drop(daemon);
    let mut daemon = start(&world);
    until_label(&mut daemon, Label::Latched).await;
    assert!(!world.holds_slot());
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_never_ends_is_given_up_and_tried_again_later() {
    let world = World::new();
    world.add_pod("stuck");
    world.block_evictions();
    world.touch_sentinel();
    let mut daemon = start(&world);
    until(&mut daemon, |daemon| {
        daemon.machine().status().retry_at.is_some() && !world.holds_slot()
    })
    .await;
    assert!(!world.cordoned());
    assert!(
        daemon
            .machine()
            .reason()
            .contains("The disruption budget web"),
        "{}",
        daemon.machine().reason()
    );
    let announced = world.announced();
    assert!(
        announced.len() == 1 && announced[0].contains("default/stuck: The disruption budget web")
    );
    assert!(daemon.is_at_rest());
}

#[tokio::test(start_paused = true)]
async fn a_reboot_that_does_not_happen_is_latched() {
    let world = World::new();
    world.touch_sentinel();
    let mut daemon = start(&world);
    until_label(&mut daemon, Label::Latched).await;
    assert_eq!(world.asked(), 1);
    assert!(!world.cordoned() && !world.holds_slot());
    drop(daemon);
    let mut daemon = start(&world);
    until_label(&mut daemon, Label::Latched).await;
    assert_eq!(
        world.asked(),
        1,
        "a restart does not revive the same sentinel"
    );
}
