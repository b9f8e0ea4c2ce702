//! The name in a client certificate's subject. Only that: who signed it and until when is the server's business.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_ID: u8 = 0x06;
/// `[0]`, the explicit version; absent in certificates of version 1.
const VERSION: u8 = 0xa0;
/// 2.5.4.3, commonName.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// UTF8String, PrintableString, IA5String: a node's name is ASCII in each of them.
const TEXTS: [u8; 3] = [0x0c, 0x13, 0x16];

/// The common name of the first certificate in a PEM text, which is the one that a client presents as its own.
pub(super) fn common_name(pem: &[u8]) -> Result<String, String> {
    let certificate = CertificateDer::from_pem_slice(pem)
        .map_err(|error| format!("it has no readable certificate: {error}"))?;
    subject_common_name(&certificate)
        .ok_or_else(|| "its first certificate has no common name".to_owned())
}

/// Walks `Certificate.tbsCertificate.subject`. Of several common names the last one counts, as it does for the API server.
fn subject_common_name(certificate: &[u8]) -> Option<String> {
    let mut signed = Der(Der(Der(certificate).expect(SEQUENCE)?).expect(SEQUENCE)?);
    let (first, _) = signed.next()?;
    if first == VERSION {
        signed.next()?; // serial number
    }
    for _algorithm_issuer_validity in 0..3 {
        signed.expect(SEQUENCE)?;
    }
    let mut subject = Der(signed.expect(SEQUENCE)?);
    let mut found = None;
    while let Some((SET, names)) = subject.next() {
        let mut names = Der(names);
        while let Some((SEQUENCE, name)) = names.next() {
            let mut name = Der(name);
            if name.expect(OBJECT_ID)? != COMMON_NAME {
                continue;
            }
            let (kind, text) = name.next()?;
            found = TEXTS
                .contains(&kind)
                .then(|| String::from_utf8(text.to_vec()).ok())?;
        }
    }
    found
}

/// What is left to read of a DER encoding.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The tag and the contents of the next element; `None` at the end, and for anything that is not DER.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        let mut length = usize::from(first);
        if first & 0x80 != 0 {
            // The long form: so many bytes of length follow. Four of them are more than a certificate can have.
            let (digits, after) = rest.split_at_checked(usize::from(first & 0x7f))?;
            if digits.is_empty() || digits.len() > 4 {
                return None;
            }
            length = digits
                .iter()
                .fold(0, |sum, &digit| sum << 8 | usize::from(digit));
            rest = after;
        }
        let (contents, after) = rest.split_at_checked(length)?;
        self.0 = after;
        Some((tag, contents))
    }

    /// The contents of the next element if it has this tag.
    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next()
            .filter(|(found, _)| *found == tag)
            .map(|(_, contents)| contents)
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, DnValue, KeyPair};

    use super::*;

    fn certificate(names: &[(DnType, DnValue)]) -> Vec<u8> {
        let mut parameters = CertificateParams::new(vec!["node".to_owned()]).unwrap();
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, value) in names {
            parameters
                .distinguished_name
                .push(kind.clone(), value.clone());
        }
        let key = KeyPair::generate().unwrap();
        parameters.self_signed(&key).unwrap().der().to_vec()
    }

    fn text(text: &str) -> DnValue {
        DnValue::Utf8String(text.to_owned())
    }

    #[test]
    fn the_common_name_is_found_wherever_it_stands() {
        let kubelet = [
            (DnType::OrganizationName, text("system:nodes")),
            (DnType::CommonName, text("system:node:a.b")),
        ];
        for names in [
            kubelet.to_vec(),
            kubelet.iter().rev().cloned().collect(),
            vec![kubelet[1].clone()],
        ] {
            assert_eq!(
                subject_common_name(&certificate(&names)).as_deref(),
                Some("system:node:a.b")
            );
        }
        let printable = DnValue::PrintableString("system:node:p".try_into().unwrap());
        assert_eq!(
            subject_common_name(&certificate(&[(DnType::CommonName, printable)])).as_deref(),
            Some("system:node:p")
        );
    }

    #[test]
    fn no_common_name_is_none() {
        assert_eq!(
            subject_common_name(&certificate(&[(
                DnType::OrganizationName,
                text("system:node:x")
            )])),
            None
        );
        assert_eq!(subject_common_name(&certificate(&[])), None);
    }

    #[test]
    fn a_damaged_certificate_is_none_and_never_a_panic() {
        let whole = certificate(&[(DnType::CommonName, text("system:node:a"))]);
        for end in 0..whole.len() {
            let _ = subject_common_name(&whole[..end]);
        }
        for position in 0..whole.len() {
            for value in [0, 0x7f, 0x80, 0x84, 0x88, 0xff] {
                let mut damaged = whole.clone();
                damaged[position] = value;
                let _ = subject_common_name(&damaged);
            }
        }
        assert_eq!(subject_common_name(&whole[..100]), None);
    }

    #[test]
    fn the_first_certificate_of_a_pem_with_its_key_counts() {
        let key = KeyPair::generate().unwrap();
        let pem = |name: &str| {
            let mut parameters = CertificateParams::default();
            parameters.distinguished_name.push(DnType::CommonName, name);
            parameters.self_signed(&key).unwrap().pem()
        };
        let both = format!("{}{}{}", key.serialize_pem(), pem("first"), pem("second"));
        assert_eq!(common_name(both.as_bytes()), Ok("first".to_owned()));
        let error = common_name(key.serialize_pem().as_bytes()).unwrap_err();
        assert!(error.contains("no readable certificate"), "{error}");
    }
}
