//! Certificates for a server on loopback and for its clients, made for one test.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rollboot::cluster::KubeletCluster;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto::ring};

use super::{PATIENT, kubeconfig, open};

/// Signs certificates for a server on loopback and for its clients.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A client's certificate with its key in one PEM text, as the kubelet keeps it.
pub(super) struct Identity {
    pub(super) pem: String,
    pub(super) der: Vec<u8>,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(parameters, key).unwrap())
    }

    /// A server that wants a certificate of this authority, or none.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor_valid_in(1975, 4096, "127.0.0.1")
    }

    /// The same with a certificate for this address that is valid from one year to another.
    pub(super) fn acceptor_valid_in(&self, from: i32, until: i32, address: &str) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(vec![address.to_owned()]).unwrap();
        parameters.not_before = rcgen::date_time_ymd(from, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(until, 1, 1);
        let certificate = parameters.signed_by(&key, &self.0).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let clients =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
                .allow_unauthenticated()
                .build()
                .unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients)
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }

    /// A server that shows the authority's own certificate.
    pub(super) fn acceptor_without_leaf(&self) -> TlsAcceptor {
        acceptor_of(self.0.der().clone(), self.0.key().serialize_der())
    }

    /// The cluster at `url` with this user, as node `node-a`.
    pub(super) fn cluster(&self, folder: &Path, url: &str, user: &str) -> KubeletCluster {
        fs::write(folder.join("ca.pem"), self.0.pem()).unwrap();
        let cluster = format!("{{server: \"{url}\", certificate-authority: ca.pem}}");
        let path = folder.join("kubeconfig");
        fs::write(&path, kubeconfig(&cluster, user)).unwrap();
        open(&path, PATIENT)
    }

    /// Its own certificate.
    pub(super) fn pem(&self) -> String {
        self.0.pem()
    }

    /// Certificate and key of a node's kubelet.
    pub(super) fn node_pem(&self, name: &str) -> String {
        self.identity(name).pem
    }

    pub(super) fn identity(&self, name: &str) -> Identity {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters
            .distinguished_name
            .push(DnType::OrganizationName, "system:nodes");
        parameters
            .distinguished_name
            .push(DnType::CommonName, format!("system:node:{name}"));
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.0).unwrap();
        Identity {
            pem: certificate.pem() + &key.serialize_pem(),
            der: certificate.der().to_vec(),
        }
    }
}

/// A server with this certificate and key that asks its clients for nothing.
pub(super) fn acceptor_of(certificate: CertificateDer<'static>, key: Vec<u8>) -> TlsAcceptor {
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], PrivatePkcs8KeyDer::from(key).into())
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// Points a link at another file in one step, as the kubelet does.
pub(super) fn point(link: &Path, target: &Path) {
    let fresh = link.with_extension("fresh");
    symlink(target, &fresh).unwrap();
    fs::rename(fresh, link).unwrap();
}
