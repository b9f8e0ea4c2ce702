//! What a server does that is not well, and credentials that are not good.

use std::time::Duration;

use super::Api;
use super::tls::{Authority, User, Validity};

/// What is the matter with the server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// It does nothing at all, as if its process were stopped: no answer, no event of a watch, no handshake. Connections stand,
    /// new ones get as far as TCP. When it is over, what was asked meanwhile is done and answered.
    Silent,
    /// It takes so long before it looks at a request.
    Slow(Duration),
    /// It, or something in front of it, answers every request with this. Watches that stand go on.
    Answer {
        /// HTTP status.
        code: u16,
        /// `Content-Type`.
        media: &'static str,
        /// The body.
        body: String,
    },
}

impl Api {
    /// From now on this is the matter with the server.
    pub fn set_fault(&self, fault: Fault) {
        self.shared.fault.send_replace(fault);
    }

    /// A kubeconfig of this node whose certificate has expired: 401.
    pub fn expired_node_kubeconfig(&self, node: &str) -> String {
        let authority = &self.shared.authority;
        let credential = authority.credential(&User::node(node), Validity::Past);
        authority.kubeconfig(self.url(), &credential)
    }

    /// A kubeconfig of a node of this name whose certificate is of another authority: 401.
    pub fn stranger_kubeconfig(&self, node: &str) -> String {
        let credential = Authority::new().credential(&User::node(node), Validity::Now);
        self.shared.authority.kubeconfig(self.url(), &credential)
    }
}
