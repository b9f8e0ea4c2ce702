//! When two states are the same: unique names count only by where else they occur, and what only a report shows does not
//! count at all.
//!
//! A hasher takes each unique name out, inside texts too, and notes the order of their first occurrence. The numbers of turns
//! that the lock has had count only by their order: each acquisition would be a new state otherwise. It passes over times
//! (the machine writes them down and never compares them with another's) and 16-bit numbers (how often a recovering node was
//! looked at: they decide about the length of a wait and about a report).

use std::hash::{Hash, Hasher};

use rollboot::lock::TURNS;

use crate::names;
use crate::world::{Daemon, Host, World};

/// A part of the world, without its names.
#[derive(Debug, Clone)]
pub(crate) struct Summary {
    hash: u64,
    names: Vec<u64>,
    turns: Vec<u64>,
}

struct Canon {
    hash: u64,
    names: Vec<u64>,
    /// Numbers of turns, in the order of their occurrence.
    turns: Vec<u64>,
    /// The next text is such a number.
    counted: bool,
    /// A number right after the UID of a lock is one, too.
    after_uid: bool,
    /// Retries are told apart by 16-bit numbers, up to this one.
    counts: u16,
}

/// An odd number without a pattern.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
/// Stands where a number of turns was.
const COUNTED: u64 = FACTOR.rotate_left(5);

impl Canon {
    fn new(counts: u16) -> Self {
        Self {
            hash: FACTOR,
            names: Vec::with_capacity(16),
            turns: Vec::new(),
            counted: false,
            after_uid: false,
            counts,
        }
    }

    fn mix(&mut self, number: u64) {
        let product = u128::from(self.hash ^ number) * u128::from(FACTOR ^ number.rotate_left(32));
        let folded = (product >> 64) ^ product;
        self.hash = (folded as u64).wrapping_add(FACTOR ^ self.hash.rotate_left(17));
    }

    fn text(&mut self, bytes: &[u8]) {
        let (eights, rest) = bytes.as_chunks::<8>();
        for eight in eights {
            self.mix(u64::from_le_bytes(*eight));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.mix(u64::from_le_bytes(last));
        self.mix(bytes.len() as u64);
    }

    fn token(&mut self, number: u64) {
        let place = self.names.iter().position(|name| *name == number);
        let place = place.unwrap_or_else(|| {
            self.names.push(number);
            self.names.len() - 1
        });
        self.mix(!(place as u64));
        self.after_uid = names::is_uid(number);
    }

    fn part(&mut self, summary: &Summary) {
        self.mix(summary.hash);
        for name in &summary.names {
            self.token(*name);
        }
        self.turns.extend(&summary.turns);
    }

    /// A number of turns: by its order among all, which is known at the end.
    fn rank(&mut self, number: u64) {
        self.turns.push(number);
        self.mix(COUNTED);
    }

    fn done(self) -> Summary {
        Summary {
            hash: self.hash,
            names: self.names,
            turns: self.turns,
        }
    }

    /// The end of the whole: none at all is less than any number, whether or not it occurs.
    fn ranked(mut self) -> u64 {
        let mut order = self.turns.clone();
        order.push(0);
        order.sort_unstable();
        order.dedup();
        for number in std::mem::take(&mut self.turns) {
            self.mix(order.partition_point(|other| *other < number) as u64);
        }
        self.hash
    }
}

impl Hasher for Canon {
    fn finish(&self) -> u64 {
        self.hash
    }

    fn write(&mut self, mut bytes: &[u8]) {
        self.after_uid = false;
        if std::mem::replace(&mut self.counted, bytes == TURNS.as_bytes()) {
            let text = std::str::from_utf8(bytes).ok();
            if let Some(number) = text.and_then(|text| text.parse().ok()) {
                self.rank(number);
                return;
            }
        }
        let mut from = 0;
        while bytes.len() >= from + 16 {
            let Some(f) = bytes[from..].iter().position(|byte| *byte == b'f') else {
                break;
            };
            let at = from + f;
            match bytes.get(at..at + 16).and_then(token) {
                Some(number) => {
                    self.text(&bytes[..at]);
                    self.token(number);
                    bytes = &bytes[at + 16..];
                    from = 0;
                }
                None => from = at + 1,
            }
        }
        self.text(bytes);
    }

    fn write_u8(&mut self, number: u8) {
        self.mix(u64::from(number));
    }

    fn write_u16(&mut self, number: u16) {
        if self.counts > 0 {
            self.mix(u64::from(number.min(self.counts)));
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.mix(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        if std::mem::take(&mut self.after_uid) {
            self.rank(number);
        } else if names::is_token(number) {
            self.token(number);
        } else {
            self.mix(number);
        }
    }

    fn write_usize(&mut self, number: usize) {
        self.after_uid = false;
        self.mix(number as u64);
    }

    fn write_i64(&mut self, _: i64) {}
}

/// Reads a unique name.
fn token(text: &[u8]) -> Option<u64> {
    if !text.starts_with(b"feed") {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    u64::from_str_radix(text, 16).ok()
}

impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.fingerprint());
    }
}

impl PartialEq for World {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint() == other.fingerprint()
    }
}

impl World {
    /// Equal for states that differ in names only.
    pub(crate) fn fingerprint(&self) -> u64 {
        let counts = match (self.scenario.pods.is_empty(), self.scenario.wanted) {
            (true, _) => 0,
            (false, 0) => 8,
            // How often a controller was looked at decides about the next wait, and how long an undo waits for it.
            (false, _) => 1,
        };
        let mut canon = Canon::new(counts);
        self.lock.hash(&mut canon);
        self.nodes.hash(&mut canon);
        for host in &self.hosts {
            canon.part(host.summary.get_or_init(|| host.summarise(counts)));
        }
        if self.scenario.wanted > 0 {
            self.app.hash(&mut canon);
        }
        self.strays.hash(&mut canon);
        (self.faults, self.operators, self.forced).hash(&mut canon);
        self.most.hash(&mut canon);
        (&self.bad, &self.backup, self.lost).hash(&mut canon);
        canon.ranked()
    }
}

impl Host {
    fn summarise(&self, counts: u16) -> Summary {
        let mut canon = Canon::new(counts);
        self.canon(&mut canon);
        canon.done()
    }

    fn canon(&self, canon: &mut Canon) {
        self.boot.hash(canon);
        self.journal.hash(canon);
        self.sentinel.hash(canon);
        self.written.hash(canon);
        (
            self.disk_full,
            self.silent,
            self.sick,
            self.observe,
            self.shut,
            self.trouble,
        )
            .hash(canon);
        (self.shutdown, &self.bus_call, &self.ghost).hash(canon);
        match &self.daemon {
            Some(daemon) => daemon.canon(canon),
            None => canon.write_u8(0),
        }
    }
}

impl Daemon {
    fn canon(&self, canon: &mut Canon) {
        self.machine.hash(canon);
        self.op.hash(canon);
        self.timers.bits().hash(canon);
        (&self.lock_watch, self.pods_watch, &self.pods_seen).hash(canon);
        (
            &self.evicting,
            self.stopping,
            self.restarting,
            self.aborting,
        )
            .hash(canon);
    }
}
