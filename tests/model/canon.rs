//! When two states are the same: unique names count only by where else they occur, and what only a report shows does not
//! count at all.
//!
//! A hasher replaces each unique name by the order of its first occurrence, inside texts too. It passes over times (the
//! machine writes them down and never compares them with another's) and 16-bit numbers (how often a recovering node was
//! looked at: they decide about the length of a wait and about a report).

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::names;
use crate::world::{Daemon, Host, World};

struct Canon {
    inner: DefaultHasher,
    names: Vec<u64>,
    /// Retries of evictions are told apart by 16-bit numbers.
    counts: bool,
}

impl Canon {
    fn token(&mut self, number: u64) {
        let place = self.names.iter().position(|name| *name == number);
        let place = place.unwrap_or_else(|| {
            self.names.push(number);
            self.names.len() - 1
        });
        self.inner.write_u8(0xfe);
        self.inner.write_u8(u8::try_from(place).unwrap());
    }
}

impl Hasher for Canon {
    fn finish(&self) -> u64 {
        self.inner.finish()
    }

    fn write(&mut self, mut bytes: &[u8]) {
        while bytes.len() >= 16 {
            let Some(at) = bytes.windows(4).position(|four| four == b"feed") else {
                break;
            };
            let (before, rest) = bytes.split_at(at);
            let Some((name, after)) = rest.split_at_checked(16) else {
                break;
            };
            let number = std::str::from_utf8(name)
                .ok()
                .and_then(|text| u64::from_str_radix(text, 16).ok());
            self.inner.write(before);
            match number {
                Some(number) => self.token(number),
                None => self.inner.write(name),
            }
            bytes = after;
        }
        self.inner.write(bytes);
    }

    fn write_u64(&mut self, number: u64) {
        if names::is_token(number) {
            self.token(number);
        } else {
            self.inner.write_u64(number);
        }
    }

    fn write_u16(&mut self, number: u16) {
        if self.counts {
            self.inner.write_u16(number.min(8));
        }
    }

    fn write_i64(&mut self, _: i64) {}
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
        let mut canon = Canon {
            inner: DefaultHasher::new(),
            names: Vec::with_capacity(16),
            counts: !self.scenario.pods.is_empty(),
        };
        self.lock.hash(&mut canon);
        self.nodes.hash(&mut canon);
        for host in &self.hosts {
            host.canon(&mut canon);
        }
        self.strays.hash(&mut canon);
        (self.faults, self.operators, self.forced).hash(&mut canon);
        self.most.hash(&mut canon);
        self.bad.hash(&mut canon);
        canon.finish()
    }
}

impl Host {
    fn canon(&self, canon: &mut Canon) {
        self.boot.hash(canon);
        self.journal.hash(canon);
        self.sentinel.hash(canon);
        self.written.hash(canon);
        (self.disk_full, self.silent, self.sick).hash(canon);
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
        (&self.evicting, self.stopping).hash(canon);
    }
}
