//! As much of three file formats as it takes to find one key: apt's, INI, and assignments as a shell reads them.

use std::collections::BTreeMap;

/// The last value of a key in apt's configuration format; keys are compared without case.
pub(super) fn apt(text: &str, key: &str) -> Option<String> {
    let mut scopes: Vec<String> = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut found = None;
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let after = rest.get(first.len_utf8()..).unwrap_or_default();
        let length = if rest.starts_with("//") || first == '#' {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if first == '"' {
            let text = after.split('"').next().unwrap_or_default();
            words.push(text.to_owned());
            text.len() + 2
        } else if first == '{' {
            scopes.push(words.first().cloned().unwrap_or_default());
            words.clear();
            1
        } else if first == '}' {
            scopes.pop();
            words.clear();
            1
        } else if first == ';' {
            if let [name, value] = words.as_slice() {
                let mut path = scopes.clone();
                path.push(name.clone());
                if path.join("::").eq_ignore_ascii_case(key) {
                    found = Some(value.clone());
                }
            }
            words.clear();
            1
        } else {
            let end = |c: char| c.is_whitespace() || "{};\"".contains(c);
            let word = rest.split(end).next().unwrap_or(rest);
            words.push(word.to_owned());
            word.len()
        };
        rest = rest.get(length..).unwrap_or_default().trim_start();
    }
    found
}

/// Whether apt takes a value for true.
pub(super) fn is_true(value: &str) -> bool {
    let number = value.parse::<i64>().is_ok_and(|number| number != 0);
    number
        || ["yes", "true", "with", "on", "enable"]
            .iter()
            .any(|word| value.eq_ignore_ascii_case(word))
}

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

    const KEY: &str = "Unattended-Upgrade::Automatic-Reboot";

    #[test]
    fn apt_is_read_as_apt_reads_it() {
        for (text, expected) in [
            ("", None),
            (
                "Unattended-Upgrade::Automatic-Reboot \"true\";",
                Some("true"),
            ),
            ("unattended-upgrade::automatic-reboot true;", Some("true")),
            ("//Unattended-Upgrade::Automatic-Reboot \"true\";\n", None),
            ("# Unattended-Upgrade::Automatic-Reboot \"true\";\n", None),
            ("/* Unattended-Upgrade::Automatic-Reboot \"true\"; */", None),
            (
                "Unattended-Upgrade { Automatic-Reboot \"true\"; };",
                Some("true"),
            ),
            (
                "Unattended-Upgrade::Automatic-Reboot \"true\";\nUnattended-Upgrade::Automatic-Reboot \"false\";",
                Some("false"),
            ),
            ("Unattended-Upgrade::Automatic-Reboot-Time \"02:00\";", None),
            ("Unattended-Upgrade::Automatic-Reboot \"\";", Some("")),
            (
                "Unattended-Upgrade::Allowed-Origins {\n \"${distro_id}://x\"; // {\n};\nUnattended-Upgrade::Automatic-Reboot \"true\";",
                Some("true"),
            ),
            ("Unattended-Upgrade::Automatic-Reboot \"true", None),
            (
                "}}} ;;; Unattended-Upgrade::Automatic-Reboot \"true\";",
                Some("true"),
            ),
            ("é /*", None),
        ] {
            assert_eq!(apt(text, KEY).as_deref(), expected, "{text}");
        }
        for (value, expected) in [
            ("true", true),
            ("Yes", true),
            ("1", true),
            ("0", false),
            ("false", false),
            ("", false),
        ] {
            assert_eq!(is_true(value), expected, "{value}");
        }
    }

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
