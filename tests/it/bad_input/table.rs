//! The table of bad inputs and messages, as it is committed: made by the tests, and checked by them.

use std::path::PathBuf;

const INTRODUCTION: &str = "\
# Bad input, and what rollboot says of it

Made by `ROLLBOOT_WRITE_TABLE=1 cargo test --test it bad_input`, and checked by `cargo test`: each line is a test that gives the input
to the real program, finds the message in `rollboot status` and in the log, and sees that nothing is cordoned or locked. Where
something heals, the test mends the input and the same process goes on. Paths are those below `--root`; `…` stands for what
differs from run to run.
";

#[derive(Default)]
pub(super) struct Table {
    section: &'static str,
    text: String,
    skipped: Vec<&'static str>,
}

impl Table {
    pub(super) fn add(&mut self, section: &'static str, input: &str, message: &str, heals: &str) {
        if self.section != section {
            self.section = section;
            self.text += &format!("\n## {section}\n\n| input | message | heals |\n|---|---|---|\n");
        }
        let cell = |text: &str| match text {
            "" => "–".to_owned(),
            text => text.replace('|', "\\|").replace('<', "\\<"),
        };
        let row = format!(
            "| {} | {} | {} |\n",
            cell(input),
            cell(message),
            cell(heals)
        );
        self.text += &row;
    }

    pub(super) fn skipped(&mut self, input: &'static str) {
        self.skipped.push(input);
    }

    pub(super) fn print(&self) {
        println!("{}", self.text);
        for input in &self.skipped {
            println!("SKIPPED, needs root and a mount namespace: {input}");
        }
    }

    /// The committed table must be this one, but for what could not be run here.
    pub(super) fn check(&self) {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/bad_input/README.md");
        let text = format!("{INTRODUCTION}{}", self.text);
        if std::env::var_os("ROLLBOOT_WRITE_TABLE").is_some() {
            assert!(self.skipped.is_empty(), "{:?}", self.skipped);
            std::fs::write(&path, text).unwrap();
            return;
        }
        let committed = std::fs::read_to_string(&path).unwrap();
        let is_skipped = |line: &&str| {
            let input = line.strip_prefix("| ").unwrap_or_default();
            !self
                .skipped
                .iter()
                .any(|skipped| input.starts_with(skipped))
        };
        let expected: Vec<_> = committed.lines().filter(is_skipped).collect();
        let found: Vec<_> = text.lines().collect();
        for (line, (expected, found)) in expected.iter().zip(&found).enumerate() {
            assert_eq!(expected, found, "line {} of {}", line + 1, path.display());
        }
        assert_eq!(expected.len(), found.len(), "{} is stale", path.display());
    }
}
