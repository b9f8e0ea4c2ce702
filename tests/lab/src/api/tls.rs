//! Certificates: an authority, the server's, and one for each client, by which the server knows it.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType,
};
use time::{Duration, OffsetDateTime};
use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::crypto::{
    CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime,
};
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::{
    DigitallySignedStruct, DistinguishedName as Subject, Error, ServerConfig, SignatureScheme,
};

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) groups: Vec<String>,
}

impl User {
    pub(super) fn node(node: &str) -> Self {
        Self::of(&format!("system:node:{node}"), "system:nodes")
    }

    pub(super) fn admin() -> Self {
        Self::of("admin", "system:masters")
    }

    pub(super) fn anonymous() -> Self {
        Self {
            name: "system:anonymous".to_owned(),
            groups: vec!["system:unauthenticated".to_owned()],
        }
    }

    fn of(name: &str, group: &str) -> Self {
        Self {
            name: name.to_owned(),
            groups: vec![group.to_owned(), "system:authenticated".to_owned()],
        }
    }

    /// The node whose kubelet this is.
    pub(super) fn as_node(&self) -> Option<&str> {
        let name = self.name.strip_prefix("system:node:")?;
        self.is_in("system:nodes").then_some(name)
    }

    pub(super) fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|it| it == group)
    }
}

/// When a certificate that is made is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Validity {
    Now,
    /// It has expired.
    Past,
}

/// An authority that issues certificates. It knows each that it gave out and whose it is, so none has to be parsed.
#[derive(Debug)]
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    known: Arc<Mutex<HashMap<Vec<u8>, User>>>,
}

/// A certificate and its key, as PEM.
#[derive(Debug)]
pub(super) struct Credential {
    certificate: String,
    key: String,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = subject("rollboot-lab", None);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("keys can be made");
        let issuer = CertifiedIssuer::self_signed(params, key);
        Self {
            issuer: issuer.expect("an authority can sign itself"),
            known: Arc::default(),
        }
    }

    /// A client's certificate.
    pub(super) fn credential(&self, user: &User, validity: Validity) -> Credential {
        let mut params = CertificateParams::default();
        let organisation = user.groups.first().map(String::as_str);
        params.distinguished_name = subject(&user.name, organisation);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let today = OffsetDateTime::now_utc();
        params.not_before = today - Duration::days(2);
        params.not_after = match validity {
            Validity::Now => today + Duration::days(365),
            Validity::Past => today - Duration::days(1),
        };
        let key = KeyPair::generate().expect("keys can be made");
        let certificate = params.signed_by(&key, &self.issuer);
        let certificate = certificate.expect("the authority can sign");
        if validity == Validity::Now {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.insert(certificate.der().to_vec(), user.clone());
        }
        Credential {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    /// Whose certificate this is.
    pub(super) fn user(&self, certificate: &CertificateDer<'_>) -> Option<User> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(certificate.as_ref()).cloned()
    }

    /// TLS for a server on loopback, which takes any client's certificate: whom it does not know it answers 401, and that takes
    /// a connection.
    pub(super) fn server(&self) -> Arc<ServerConfig> {
        let mut params = CertificateParams::default();
        params.distinguished_name = subject("kube-apiserver", None);
        params.subject_alt_names = vec![SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST))];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().expect("keys can be made");
        let certificate = params.signed_by(&key, &self.issuer);
        let certificate = certificate.expect("the authority can sign");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .expect("ring has them")
            .with_client_cert_verifier(Arc::new(AnyClient(provider)))
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("key and certificate belong together");
        Arc::new(config)
    }

    /// A kubeconfig with everything in it.
    pub(super) fn kubeconfig(&self, url: &str, credential: &Credential) -> String {
        let data = |pem: &str| STANDARD.encode(pem);
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: default\n\
             contexts:\n- name: default\n  context: {{cluster: default, user: default}}\n\
             clusters:\n- name: default\n  cluster:\n    server: {url}\n    certificate-authority-data: {}\n\
             users:\n- name: default\n  user:\n    client-certificate-data: {}\n    client-key-data: {}\n",
            data(&self.issuer.pem()),
            data(&credential.certificate),
            data(&credential.key),
        )
    }
}

fn subject(name: &str, organisation: Option<&str>) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    if let Some(organisation) = organisation {
        subject.push(DnType::OrganizationName, organisation);
    }
    subject.push(DnType::CommonName, name);
    subject
}

/// Asks for a certificate and takes whatever comes, as the real server does, if only its key is there.
#[derive(Debug)]
struct AnyClient(Arc<CryptoProvider>);

impl ClientCertVerifier for AnyClient {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[Subject] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
