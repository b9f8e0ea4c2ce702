//! What the API server takes for a name (`apimachinery/pkg/util/validation`).

/// Longest name of most objects, and of the domain before the `/` of a key.
pub const SUBDOMAIN_MAX: usize = 253;
/// Longest name of a node that can hold the lock: what [`SUBDOMAIN_MAX`] leaves before `.rollboot.io`, for a slot's key is made of both.
pub const NODE_NAME_MAX: usize = 241;
/// Longest name of a namespace, and longest part of a key after its `/`.
pub const LABEL_MAX: usize = 63;

/// Whether it is a label of DNS, as the name of a namespace is.
pub fn is_label(text: &str) -> bool {
    text.len() <= LABEL_MAX && is_subdomain(text) && !text.contains('.')
}

/// Whether it is a subdomain of DNS, as the names of most objects are. The server does not bound the single labels of it.
pub fn is_subdomain(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_part = |part: &str| {
        let ends = part.starts_with('-') || part.ends_with('-');
        !part.is_empty() && !ends && part.bytes().all(inner)
    };
    text.len() <= SUBDOMAIN_MAX && text.split('.').all(is_part)
}

/// Whether there could be a Node of this name, and a key of it in the lock.
pub fn is_node_name(text: &str) -> bool {
    text.len() <= NODE_NAME_MAX && is_subdomain(text)
}

/// Whether it may stand in the path of a URL as it is. Names come from the API server, but also from keys that anybody may write.
pub fn is_part_of_path(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_alphanumeric()) && text.bytes().all(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_the_server_takes_for_names() {
        let long = |length| "a".repeat(length);
        for (text, label, subdomain) in [
            ("a", true, true),
            ("0-a", true, true),
            ("a.b", false, true),
            (&*long(63), true, true),
            (&*long(64), false, true),
            (&*long(253), false, true),
            (&*long(254), false, false),
            ("", false, false),
            ("-a", false, false),
            ("a-", false, false),
            ("A", false, false),
            ("a_b", false, false),
            ("é", false, false),
            (".a", false, false),
            ("a.", false, false),
            ("a..b", false, false),
            ("a.-b", false, false),
        ] {
            assert_eq!(is_label(text), label, "{text}");
            assert_eq!(is_subdomain(text), subdomain, "{text}");
        }
        assert!(is_node_name(&long(241)) && !is_node_name(&long(242)));
    }

    #[test]
    fn what_would_leave_its_place_in_a_path_is_no_part_of_it() {
        for wrong in ["", ".", "..", "a/b", "a?b", "a#b", "a%2fb", "é", "-a", " a"] {
            assert!(!is_part_of_path(wrong), "{wrong:?}");
        }
        for right in ["a", "a.b-c", "A.b", "0"] {
            assert!(is_part_of_path(right), "{right:?}");
        }
    }
}
