//! A list, taken apart as it arrives: each item is read and forgotten before the next one is there, so that a list of any length
//! takes the memory of its longest item.
//!
//! So it can be asked for at once. Pages cost the server more: from 1.31 to 1.33 it answers a whole list from its cache, where pods are
//! found by their node, and a page from etcd, where it has to read those of all nodes.

use std::time::Duration;

use tokio::time::Instant;

use super::answer::Answer;
use super::client::Connector;
use super::exchange::{Lost, Question, collect, collect_by};
use crate::failure::{Failure, FailureKind};

/// Longest item that is read; etcd stores no object of that size.
const MAX_ITEM: usize = 8 << 20;

/// Finds the items in the text of a list. It knows of JSON only where strings and brackets begin and end: whoever reads the items, and
/// what is left without them, finds everything else that is wrong.
#[derive(Debug, Default)]
pub(super) struct Items {
    /// Brackets that are open.
    depth: usize,
    /// Within a string; after a backslash in it.
    quoted: bool,
    escaped: bool,
    /// The last string of the outermost object: before a colon it is a key.
    key: Vec<u8>,
    /// Within the array of items.
    within: bool,
    /// A comma was before this item, so it must be there.
    more: bool,
    item: Vec<u8>,
}

impl Items {
    /// Takes the next piece of the text. `item` gets each item that ends in it; `rest` gets what is not part of any.
    ///
    /// # Errors
    /// Those of `item`, and one for an item without an end.
    pub(super) fn take(
        &mut self,
        rest: &mut Vec<u8>,
        piece: &[u8],
        mut item: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        for &byte in piece {
            if self.quoted {
                self.in_string(byte);
            } else {
                match byte {
                    b'"' => {
                        self.quoted = true;
                        if self.depth == 1 {
                            self.key.clear();
                        }
                    }
                    b'[' if self.depth == 1 && self.key == b"items" => {
                        rest.push(byte);
                        (self.depth, self.within, self.more) = (2, true, false);
                        continue;
                    }
                    b'[' | b'{' => self.depth = self.depth.saturating_add(1),
                    b']' | b'}' => {
                        self.depth = self.depth.saturating_sub(1);
                        if self.within && self.depth == 1 {
                            if self.more || !self.item.iter().all(u8::is_ascii_whitespace) {
                                item(&self.item)?;
                            }
                            self.item.clear();
                            self.within = false;
                        }
                    }
                    b',' if self.within && self.depth == 2 => {
                        item(&self.item)?;
                        self.item.clear();
                        self.more = true;
                        continue;
                    }
                    _ => {}
                }
            }
            if self.within {
                self.item.push(byte);
            } else {
                rest.push(byte);
            }
        }
        if self.item.len() > MAX_ITEM {
            let why = "an item of the list is too long";
            return Err(Failure::new(FailureKind::Unavailable, why));
        }
        Ok(())
    }

    fn in_string(&mut self, byte: u8) {
        let ends = byte == b'"' && !self.escaped;
        self.escaped = byte == b'\\' && !self.escaped;
        self.quoted = !ends;
        if self.depth == 1 && !ends {
            self.key.push(byte);
        }
    }
}

impl Connector {
    /// Asks for a list. `item` gets its items, and the answer is what is left of it without them.
    pub(super) async fn list(
        &self,
        question: &Question,
        deadline: Duration,
        mut item: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<Answer, Lost> {
        let end = Instant::now() + deadline;
        let response = self.send(question, end, deadline).await?;
        if !response.status().is_success() {
            return collect(question, response, end, deadline).await;
        }
        let mut items = Items::default();
        let take = |rest: &mut Vec<u8>, piece: &[u8]| items.take(rest, piece, &mut item);
        collect_by(question, response, end, deadline, take).await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Items and rest of a text that arrives in pieces of this length.
    fn split(text: &str, length: usize) -> (Vec<String>, String) {
        let (mut found, mut rest) = (Vec::new(), Vec::new());
        let mut items = Items::default();
        for piece in text.as_bytes().chunks(length) {
            let note = |item: &[u8]| {
                found.push(String::from_utf8(item.to_vec()).unwrap());
                Ok(())
            };
            items.take(&mut rest, piece, note).unwrap();
        }
        (found, String::from_utf8(rest).unwrap())
    }

    #[test]
    fn items_are_found_wherever_the_text_is_cut() {
        let items = [
            json!({"a": "]},{\"[", "items": [1, 2], "b": "\\"}),
            json!([[], {}]),
            json!("items"),
        ];
        for list in [
            json!({"items": items, "kind": "L", "metadata": {"items": [3]}}),
            json!({"a": "items", "b": [4, "items"], "items": items, "z": "\\\""}),
        ] {
            for text in [
                list.to_string(),
                serde_json::to_string_pretty(&list).unwrap(),
            ] {
                for length in 1..text.len() {
                    let (found, rest) = split(&text, length);
                    let found: Vec<Value> = found
                        .iter()
                        .map(|item| serde_json::from_str(item).unwrap())
                        .collect();
                    assert_eq!(found, items, "{length}");
                    let mut without = list.clone();
                    without["items"] = json!([]);
                    assert_eq!(serde_json::from_str::<Value>(&rest).unwrap(), without);
                }
            }
        }
    }

    #[test]
    fn what_is_no_list_is_left_as_it_is_and_an_empty_one_has_no_items() {
        for text in [
            "",
            "<html>",
            r#"{"items":null}"#,
            r#"{"items":[]}"#,
            "{\"items\":[ \n]}",
            r#"[{"items":[1]}]"#,
            r#"{"it\u0065ms":[1]}"#,
            "]]}}",
        ] {
            let (found, rest) = split(text, 3);
            assert_eq!(found, [""; 0], "{text}");
            assert_eq!(rest.replace([' ', '\n'], ""), text.replace([' ', '\n'], ""));
        }
    }

    /// Nothing that was not JSON becomes JSON by being taken apart.
    #[test]
    fn a_comma_too_many_is_an_item_that_nobody_can_read() {
        for (text, wanted) in [
            (r#"{"items":[1,]}"#, vec!["1", ""]),
            (r#"{"items":[,1]}"#, vec!["", "1"]),
            (r#"{"items":[1 2]}"#, vec!["1 2"]),
        ] {
            assert_eq!(split(text, 4).0, wanted, "{text}");
        }
        for broken in [r#"{"items":[{]}"#, r#"{"items":[1"#, r#"{"items":[1}}"#] {
            let (found, rest) = split(broken, 4);
            let reads = |text: &String| serde_json::from_str::<Value>(text).is_ok();
            assert!(!(found.iter().all(reads) && reads(&rest)), "{broken}");
        }
    }

    #[test]
    fn an_item_without_an_end_is_given_up() {
        let mut items = Items::default();
        let piece = vec![b'['; MAX_ITEM];
        let mut rest = Vec::new();
        items.take(&mut rest, b"{\"items\":[", |_| Ok(())).unwrap();
        items.take(&mut rest, &piece, |_| Ok(())).unwrap();
        assert!(items.take(&mut rest, b"[", |_| Ok(())).is_err());
    }
}
