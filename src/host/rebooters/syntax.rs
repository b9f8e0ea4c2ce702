//! As much of two file formats as it takes to find one key: INI, and assignments as a shell reads them.

use std::collections::BTreeMap;

/// The last value of a key in a section of an INI file.
pub(super) fn ini(text: &str, section: &str, key: &str) -> Option<String> {
    let mut inside = false;
    let mut found = None;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            inside = name.trim() == section;
        } else if inside
            && !line.starts_with(['#', ';'])
            && let Some((name, value)) = line.split_once('=')
            && name.trim() == key
        {
            found = Some(value.trim().to_owned());
        }
    }
    found
}

/// Assignments, the later over the earlier.
pub(super) fn shell(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| {
            let value = value.split(" #").next().unwrap_or_default();
            let value = value.trim().trim_matches(['"', '\'']);
            (name.trim().to_owned(), value.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_counts_in_its_section_only() {
        let text = "[emitters]\nreboot = when-needed\n[commands]\n#reboot = when-changed\nreboot = never\n";
        assert_eq!(ini(text, "commands", "reboot").as_deref(), Some("never"));
        assert_eq!(ini(text, "base", "reboot"), None);
    }

    #[test]
    fn assignments_are_unquoted_and_the_last_counts() {
        let values = shell("# X=0\nX=\"a b\"\nY='c' # why\nX=d\nnothing\n");
        assert_eq!(values.get("X").map(String::as_str), Some("d"));
        assert_eq!(values.get("Y").map(String::as_str), Some("c"));
        assert_eq!(values.len(), 2);
    }
}
