//! The grammar of label selectors.

use std::collections::BTreeSet;
use std::iter::Peekable;

use super::{Requirement, Rule};
use crate::names::{LABEL_MAX, is_subdomain};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    /// A key, a value, `in` or `notin`.
    Word(&'a str),
    Sign(&'a str),
}

impl<'a> Token<'a> {
    fn text(self) -> &'a str {
        match self {
            Self::Word(text) | Self::Sign(text) => text,
        }
    }
}

/// Longest first.
const SIGNS: [&str; 9] = ["==", "!=", "=", "!", "(", ")", ",", ">", "<"];
const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

/// Cuts a text into its tokens.
struct Tokens<'a>(&'a str);

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let rest = self.0.trim_start_matches(BLANKS);
        let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign));
        let ends = |c: char| BLANKS.contains(&c) || "=!(),><".contains(c);
        let length = sign.map_or_else(|| rest.find(ends).unwrap_or(rest.len()), str::len);
        let (token, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        match sign {
            Some(_) => Some(Token::Sign(token)),
            None if token.is_empty() => None,
            None => Some(Token::Word(token)),
        }
    }
}

struct Parser<'a>(Peekable<Tokens<'a>>);

/// All requirements of a selector; none if there is nothing in it.
pub(super) fn requirements(text: &str) -> Result<Vec<Requirement>, String> {
    let mut parser = Parser(Tokens(text).peekable());
    let mut found = Vec::new();
    if parser.0.peek().is_none() {
        return Ok(found);
    }
    loop {
        found.push(parser.requirement()?);
        match parser.0.next() {
            None => return Ok(found),
            Some(Token::Sign(",")) => {}
            Some(other) => return Err(unexpected("`,` or the end", Some(other))),
        }
    }
}

impl<'a> Parser<'a> {
    fn requirement(&mut self) -> Result<Requirement, String> {
        let absent = self.0.next_if(|token| *token == Token::Sign("!")).is_some();
        let key = self.word("the key of a label")?;
        check_key(key)?;
        let rule = match self.0.peek() {
            _ if absent => Rule::Absent,
            None | Some(Token::Sign(",")) => Rule::Exists,
            Some(_) => self.rule(key)?,
        };
        Ok(Requirement {
            key: key.to_owned(),
            rule,
        })
    }

    fn rule(&mut self, key: &str) -> Result<Rule, String> {
        let operator = self.0.next();
        let one = |value: &str| BTreeSet::from([value.to_owned()]);
        Ok(match operator {
            Some(Token::Sign("=" | "==")) => Rule::In(one(self.value(key)?)),
            Some(Token::Sign("!=")) => Rule::NotIn(one(self.value(key)?)),
            Some(Token::Sign(">")) => Rule::Above(self.number(key)?),
            Some(Token::Sign("<")) => Rule::Below(self.number(key)?),
            Some(Token::Word("in")) => Rule::In(self.values(key)?),
            Some(Token::Word("notin")) => Rule::NotIn(self.values(key)?),
            other => {
                let expected = format!("one of `=`, `!=`, `in`, `notin`, `>`, `<` after `{key}`");
                return Err(unexpected(&expected, other));
            }
        })
    }

    /// What stands after `=` or `!=`; nothing is the empty value.
    fn value(&mut self, key: &str) -> Result<&'a str, String> {
        let value = match self.0.peek() {
            None | Some(Token::Sign(",")) => "",
            Some(_) => self.word(&format!("a value for `{key}`"))?,
        };
        check_value(value)?;
        Ok(value)
    }

    fn number(&mut self, key: &str) -> Result<i64, String> {
        let value = self.value(key)?;
        value.parse().map_err(|_| {
            format!("expected a whole number to compare `{key}` with, found `{value}`")
        })
    }

    /// `(a, b)`; where nothing stands between signs is the empty value.
    fn values(&mut self, key: &str) -> Result<BTreeSet<String>, String> {
        match self.0.next() {
            Some(Token::Sign("(")) => {}
            other => return Err(unexpected("`(` and values", other)),
        }
        let mut values = BTreeSet::new();
        loop {
            let value = match self.0.peek() {
                Some(Token::Sign("," | ")")) => "",
                Some(_) | None => self.word(&format!("a value for `{key}`, or `)`"))?,
            };
            check_value(value)?;
            values.insert(value.to_owned());
            match self.0.next() {
                Some(Token::Sign(")")) => return Ok(values),
                Some(Token::Sign(",")) => {}
                other => return Err(unexpected("`,` or `)`", other)),
            }
        }
    }

    fn word(&mut self, what: &str) -> Result<&'a str, String> {
        match self.0.next() {
            Some(Token::Word(word)) => Ok(word),
            other => Err(unexpected(what, other)),
        }
    }
}

fn unexpected(expected: &str, found: Option<Token<'_>>) -> String {
    match found {
        Some(token) => format!("expected {expected}, found `{}`", token.text()),
        None => format!("expected {expected}, and there it ends"),
    }
}

/// As the server checks the keys of labels: `name`, or `prefix/name` with the name of a domain.
fn check_key(key: &str) -> Result<(), String> {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    if is_name(name) && prefix.is_none_or(is_subdomain) {
        Ok(())
    } else {
        Err(format!(
            "`{key}` cannot be the key of a label: expected at most {LABEL_MAX} of letters, digits, `-`, `_` and `.`, \
             the first and the last a letter or a digit; before it perhaps a domain and `/`"
        ))
    }
}

fn check_value(value: &str) -> Result<(), String> {
    if value.is_empty() || is_name(value) {
        Ok(())
    } else {
        Err(format!(
            "`{value}` cannot be the value of a label: expected at most {LABEL_MAX} of letters, digits, `-`, `_` and `.`, \
             the first and the last a letter or a digit"
        ))
    }
}

fn is_name(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let end = |c: char| c.is_ascii_alphanumeric();
    text.len() <= LABEL_MAX
        && text.bytes().all(inner)
        && text.starts_with(end)
        && text.ends_with(end)
}
