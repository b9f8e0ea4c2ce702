//! Names that must be unique (versions, UIDs, boot and turn IDs) and what they look like, so that they can be told from
//! everything else when two states are compared.

/// The upper bits of every such name.
pub(crate) const TOKEN: u64 = 0xfeed_0000_0000_0000;

pub(crate) const ID: u64 = 1;
pub(crate) const VERSION: u64 = 2;
pub(crate) const BOOT: u64 = 3;
pub(crate) const UID: u64 = 4;

/// The nodes.
pub(crate) const NODES: [&str; 3] = ["a", "b", "c"];

pub(crate) fn index(node: &str) -> Option<usize> {
    NODES.iter().position(|name| *name == node)
}

pub(crate) fn is_uid(number: u64) -> bool {
    is_token(number) && number >> 40 & 0xff == UID
}

pub(crate) fn is_token(number: u64) -> bool {
    number >> 48 == TOKEN >> 48
}
