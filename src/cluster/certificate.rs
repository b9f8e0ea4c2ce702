//! The name in a client certificate's subject, and from when to when it holds. Who signed it is the server's business.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_ID: u8 = 0x06;
/// `[0]`, the explicit version; absent in certificates of version 1.
const VERSION: u8 = 0xa0;
/// 2.5.4.3, commonName.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// UTF8String, PrintableString, IA5String: a node's name is ASCII in each of them.
const TEXTS: [u8; 3] = [0x0c, 0x13, 0x16];

/// The common name of the first certificate in a PEM text, which is the one that a client presents as its own.
pub(super) fn common_name(pem: &[u8]) -> Result<String, String> {
    let certificate = CertificateDer::from_pem_slice(pem)
        .map_err(|error| format!("it has no readable certificate: {error}"))?;
    subject_common_name(&certificate)
        .ok_or_else(|| "its first certificate has no common name".to_owned())
}

/// From when to when the first certificate in a PEM text holds, the last second included.
pub(super) fn validity(pem: &[u8]) -> Result<(Timestamp, Timestamp), String> {
    let certificate = CertificateDer::from_pem_slice(pem)
        .map_err(|error| format!("it has no readable certificate: {error}"))?;
    period(&certificate)
        .ok_or_else(|| "its first certificate does not say until when it holds".to_owned())
}

/// From when to when a certificate in DER holds: walks `Certificate.tbsCertificate.validity`.
pub(super) fn period(certificate: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let mut signed = to_algorithm(certificate)?;
    for _algorithm_issuer in 0..2 {
        signed.expect(SEQUENCE)?;
    }
    let mut validity = Der(signed.expect(SEQUENCE)?);
    Some((time(validity.next()?)?, time(validity.next()?)?))
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`: RFC 5280 4.1.2.5 allows no other form, and has two digits of a year end in 2049.
fn time((tag, text): (u8, &[u8])) -> Option<Timestamp> {
    let digits = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = match (tag, digits.len()) {
        (UTC_TIME, 12) => {
            let (year, rest) = digits.split_at_checked(2)?;
            let year: i16 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        (GENERALIZED_TIME, 14) => {
            let (year, rest) = digits.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    let part = |at: usize| rest.get(at..at + 2)?.parse::<i8>().ok();
    let at = DateTime::new(year, part(0)?, part(2)?, part(4)?, part(6)?, part(8)?, 0).ok()?;
    Offset::UTC.to_timestamp(at).ok()
}

/// What is left of `Certificate.tbsCertificate` after version and serial number.
fn to_algorithm(certificate: &[u8]) -> Option<Der<'_>> {
    let mut signed = Der(Der(Der(certificate).expect(SEQUENCE)?).expect(SEQUENCE)?);
    let (first, _) = signed.next()?;
    if first == VERSION {
        signed.next()?; // serial number
    }
    Some(signed)
}

/// Walks `Certificate.tbsCertificate.subject`. Of several common names the last one counts, as it does for the API server.
fn subject_common_name(certificate: &[u8]) -> Option<String> {
    let mut signed = to_algorithm(certificate)?;
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
    fn both_forms_of_a_time_are_read() {
        let read = |tag, text: &str| time((tag, text.as_bytes())).map(|time| time.to_string());
        for (tag, text, expected) in [
            (UTC_TIME, "260102030405Z", "2026-01-02T03:04:05Z"),
            (UTC_TIME, "491231235959Z", "2049-12-31T23:59:59Z"),
            (UTC_TIME, "500101000000Z", "1950-01-01T00:00:00Z"),
            (GENERALIZED_TIME, "20500101000000Z", "2050-01-01T00:00:00Z"),
        ] {
            assert_eq!(read(tag, text).as_deref(), Some(expected), "{text}");
        }
        for (tag, text) in [
            (UTC_TIME, "20260102030405Z"),
            (UTC_TIME, "2601020304Z"),
            (UTC_TIME, "260102030405+0100"),
            (UTC_TIME, "261302030405Z"),
            (GENERALIZED_TIME, "260102030405Z"),
            (GENERALIZED_TIME, "20260102030405.5Z"),
            (COMMON_NAME[0], "260102030405Z"),
            (UTC_TIME, ""),
        ] {
            assert_eq!(read(tag, text), None, "{text}");
        }
    }

    #[test]
    fn the_validity_of_a_certificate_is_what_it_was_made_with() {
        let mut parameters = CertificateParams::new(vec!["node".to_owned()]).unwrap();
        parameters.not_before = rcgen::date_time_ymd(2026, 2, 3);
        parameters.not_after = rcgen::date_time_ymd(2055, 6, 7);
        let key = KeyPair::generate().unwrap();
        let pem = parameters.self_signed(&key).unwrap().pem() + &key.serialize_pem();
        let (from, until) = validity(pem.as_bytes()).unwrap();
        assert_eq!(from.to_string(), "2026-02-03T00:00:00Z");
        assert_eq!(until.to_string(), "2055-06-07T00:00:00Z");
        assert!(validity(b"no certificate").is_err());
    }

    #[test]
    fn a_damaged_certificate_is_none_and_never_a_panic() {
        let whole = certificate(&[(DnType::CommonName, text("system:node:a"))]);
        for end in 0..whole.len() {
            let _ = subject_common_name(&whole[..end]);
            let _ = period(&whole[..end]);
        }
        for position in 0..whole.len() {
            for value in [0, 0x7f, 0x80, 0x84, 0x88, 0xff] {
                let mut damaged = whole.clone();
                damaged[position] = value;
                let _ = subject_common_name(&damaged);
                let _ = period(&damaged);
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
