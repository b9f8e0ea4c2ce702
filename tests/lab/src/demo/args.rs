//! The command line.

use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

/// More would take longer than anybody watches.
const MOST: usize = 50;

/// A cluster in one process whose nodes all need a reboot at once: the production daemons, an API server, and everything
/// else simulated. Nothing to install, no rights needed.
#[derive(Debug, Parser)]
#[command(name = "cargo demo --", bin_name = "cargo demo --")]
pub(super) struct Args {
    /// How many nodes.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(super) nodes: usize,
    /// How many of them may be in a turn at once.
    #[arg(long, value_name = "M", default_value_t = 1)]
    pub(super) max: usize,
    /// Repeats layout and times, as far as what runs at the same time allows.
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(super) seed: u64,
    /// Where the time line is drawn.
    #[arg(long, value_name = "FILE", default_value_os_t = default_svg())]
    pub(super) svg: PathBuf,
}

impl Args {
    pub(super) fn read() -> Result<Self, clap::Error> {
        Self::checked(Self::try_parse()?)
    }

    fn checked(self) -> Result<Self, clap::Error> {
        let wrong = |text: String| Self::command().error(ErrorKind::ValueValidation, text);
        if !(2..=MOST).contains(&self.nodes) {
            return Err(wrong(format!(
                "--nodes {}: 2 to {MOST}, for the pods of a node must have somewhere to go",
                self.nodes
            )));
        }
        if self.max == 0 || self.max >= self.nodes {
            return Err(wrong(format!(
                "--max {}: 1 to {}, one less than there are nodes, for pods must have somewhere to go",
                self.max,
                self.nodes - 1
            )));
        }
        Ok(self)
    }
}

/// Below the target folder of the workspace, wherever in it cargo was called.
fn default_svg() -> PathBuf {
    let workspace = std::env::var_os("CARGO_MANIFEST_DIR")
        .map(PathBuf::from)
        .and_then(|lab| Some(lab.parent()?.parent()?.to_owned()));
    let here = std::env::current_dir().ok();
    match workspace {
        Some(root) if Some(&root) != here.as_ref() => root.join("target/demo.svg"),
        _ => Path::new("target/demo.svg").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Args, String> {
        let words = std::iter::once("demo").chain(words.iter().copied());
        Args::try_parse_from(words)
            .and_then(Args::checked)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_defaults_are_a_roll_of_five_one_by_one() {
        let args = read(&[]).unwrap();
        assert_eq!((args.nodes, args.max, args.seed), (5, 1, 1));
        assert!(args.svg.ends_with("target/demo.svg"));
    }

    #[test]
    fn what_cannot_be_run_is_refused_with_the_reason() {
        for (words, why) in [
            (&["--nodes", "1"][..], "somewhere to go"),
            (&["--nodes", "51"], "2 to 50"),
            (&["--max", "0"], "1 to 4"),
            (&["--nodes", "3", "--max", "3"], "1 to 2"),
            (&["--seed", "x"], "invalid"),
            (&["--fast"], "unexpected argument"),
        ] {
            let error = read(words).unwrap_err();
            assert!(error.contains(why), "{words:?}: {error}");
        }
        assert!(read(&["--nodes", "3", "--max", "2", "--seed", "7"]).is_ok());
    }
}
