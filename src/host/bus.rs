//! The one connection to the system bus, made anew when it broke, and counted.
//!
//! The count is what makes a lost reply decidable: the bus keeps the order of calls on one connection, so an answer to a later
//! call says that the earlier one was handled, but only on the *same* connection.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use tokio::sync::Mutex;
use zbus::Connection;
use zbus::connection::Builder;

use super::answer::{failure, within};
use crate::failure::Failure;
use crate::rooted::Root;

/// For a connection to the bus, the greeting included.
pub const CONNECT: Duration = Duration::from_secs(5);
/// For a call, as long as D-Bus calls wait by custom.
pub const CALL: Duration = Duration::from_secs(25);

/// How long each thing may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadlines {
    /// Connecting and being greeted.
    pub(super) connect: Duration,
    /// A call, as long as D-Bus calls wait by custom.
    pub(super) call: Duration,
    /// One of the facts about a shutdown, which are asked often and when much is ending.
    pub(super) fact: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: CONNECT,
            call: CALL,
            fact: Duration::from_secs(5),
        }
    }
}

/// The system bus.
#[derive(Debug)]
pub struct Bus {
    address: String,
    pub(super) deadlines: Deadlines,
    line: Mutex<Option<Line>>,
}

/// A connection and its number.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) connection: Connection,
    /// Counted from 1; 0 says that there never was one.
    pub(super) number: u32,
}

impl Bus {
    /// The system bus of the host under `root`. On the real root `DBUS_SYSTEM_BUS_ADDRESS` has the last word, as everywhere.
    pub fn of(root: &Root) -> Self {
        let address = std::env::var("DBUS_SYSTEM_BUS_ADDRESS")
            .ok()
            .filter(|address| root.is_real() && !address.is_empty())
            .unwrap_or_else(|| unix_address(&root.join("/run/dbus/system_bus_socket")));
        Self::at(address)
    }

    /// A bus at a D-Bus address.
    pub fn at(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            deadlines: Deadlines::default(),
            line: Mutex::new(None),
        }
    }

    /// The connection, made anew if there is none or it broke.
    pub(super) async fn line(&self) -> Result<Line, Failure> {
        let mut line = self.line.lock().await;
        if let Some(line) = line.as_ref()
            && !line.connection.is_closed()
        {
            return Ok(line.clone());
        }
        let connection = self.connect().await.map_err(|error| {
            failure(
                &format!("cannot connect to the system bus at {}", self.address),
                &error,
            )
        })?;
        let number = line.as_ref().map_or(0, |last| last.number).wrapping_add(1);
        Ok(line.insert(Line { connection, number }).clone())
    }

    /// The number of the last connection, for a report that needed none.
    pub(super) async fn number(&self) -> u32 {
        self.line
            .lock()
            .await
            .as_ref()
            .map_or(0, |line| line.number)
    }

    async fn connect(&self) -> zbus::Result<Connection> {
        let address: zbus::Address = self.address.parse()?;
        let building = Builder::address(address)
            .method_timeout(self.deadlines.call)
            .build();
        within(self.deadlines.connect, building).await
    }
}

/// A path as a D-Bus address, with all that is not plain escaped.
fn unix_address(path: &Path) -> String {
    let mut address = String::from("unix:path=");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' | b'/' | b'.' | b'*' => {
                address.push(char::from(*byte));
            }
            // Writing to a string does not fail.
            _ => _ = write!(address, "%{byte:02x}"),
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::super::stand_in::StandIn;
    use super::*;
    use crate::failure::FailureKind;

    #[test]
    fn the_address_is_under_the_root_and_escaped() {
        assert_eq!(
            Bus::of(&Root::new("/srv/a b")).address,
            "unix:path=/srv/a%20b/run/dbus/system_bus_socket"
        );
    }

    #[tokio::test]
    async fn one_connection_until_it_breaks_then_another_number() {
        let stand_in = StandIn::new();
        let bus = stand_in.bus();
        assert_eq!(bus.number().await, 0);
        let first = bus.line().await.unwrap();
        assert_eq!(first.number, 1);
        assert_eq!(bus.line().await.unwrap().number, 1);
        stand_in.hang_up();
        first.connection.closed().await;
        assert_eq!(bus.number().await, 1);
        assert_eq!(bus.line().await.unwrap().number, 2);
        assert_eq!(bus.number().await, 2);
    }

    #[tokio::test]
    async fn no_bus_is_a_failure_and_not_a_hang() {
        let bus = Bus::at("unix:path=/nonexistent/bus");
        let failure = bus.line().await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unavailable, "{failure}");
        assert_eq!(bus.number().await, 0);
    }

    #[tokio::test]
    async fn a_bus_that_does_not_greet_is_given_up() {
        let stand_in = StandIn::mute();
        let failure = stand_in.bus().line().await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Timeout, "{failure}");
    }
}
