//! The `rollboot` program: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    rollboot::cli::main()
}
