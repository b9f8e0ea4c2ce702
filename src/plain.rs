//! Text that others wrote, as it may be shown: what commands a terminal, or changes the order of reading, is spelled out.

use std::borrow::Cow;
use std::fmt::Write;

/// Whether a character does something instead of being seen: control characters (ESC, DEL and the C1 set among them), line and
/// paragraph separators, what has no width, and what turns the direction of reading.
fn acts(sign: char) -> bool {
    sign.is_control()
        || matches!(
            sign,
            '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// The text with each character that acts as an escape of Rust: `\n`, `\u{1b}`.
pub fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    for sign in text.chars() {
        if acts(sign) {
            plain.extend(sign.escape_default());
        } else {
            plain.push(sign);
        }
    }
    Cow::Owned(plain)
}

/// At most the first `max` characters, and how many more there are.
pub fn cut(text: &str, max: usize) -> Cow<'_, str> {
    let Some((end, _)) = text.char_indices().nth(max) else {
        return Cow::Borrowed(text);
    };
    let (shown, rest) = text.split_at(end);
    let more = rest.chars().count();
    Cow::Owned(format!("{shown}… ({more} more characters)"))
}

/// [`plain`] of [`cut`]: a text of others in one line.
pub fn line(text: &str, max: usize) -> String {
    plain(&cut(text, max)).into_owned()
}

/// JSON with each character that acts as its escape. They stand in strings only, so that it says what it said.
pub fn json(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for sign in text.chars() {
        if acts(sign) && sign != '\n' {
            for unit in sign.encode_utf16(&mut [0; 2]) {
                // Writing to a string does not fail.
                _ = write!(plain, "\\u{unit:04x}");
            }
        } else {
            plain.push(sign);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every control character, and what turns the direction of reading.
    fn evil() -> String {
        let controls = (0..=0x9f).filter_map(char::from_u32);
        let controls = controls.filter(|sign| sign.is_control());
        controls.chain("\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}\u{2028}\u{e0041}".chars()).collect()
    }

    #[test]
    fn nothing_that_acts_is_left() {
        let evil = evil();
        assert_eq!(evil.chars().count(), 32 + 33 + 14);
        let shown = plain(&evil);
        assert!(!shown.contains(acts), "{shown}");
        assert!(shown.is_ascii());
        assert_eq!(plain("\u{1b}]0;x\u{7}\n"), r"\u{1b}]0;x\u{7}\n");
    }

    #[test]
    fn other_text_stays_as_it_is() {
        for text in ["", "a b", "Größe – 漢字 \\ \"x\""] {
            assert!(matches!(plain(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß", 3), "äöü… (1 more characters)");
        let long = "\u{1b}".repeat(256 * 1024);
        assert!(line(&long, 100).len() < 1000);
    }

    #[test]
    fn json_says_the_same_as_before() {
        let evil = evil() + "ä";
        let text = serde_json::to_string(&evil).unwrap();
        let shown = json(&text);
        assert!(!shown.contains(acts), "{shown}");
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), evil);
    }
}
