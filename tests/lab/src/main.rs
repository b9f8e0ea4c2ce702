//! The demo.

fn main() -> std::process::ExitCode {
    rollboot_lab::demo::main()
}
