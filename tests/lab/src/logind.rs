//! `logind ROOT`: a host's logind and PID 1, as far as the daemon asks them. See [`rollboot_lab::host::alone`].

fn main() -> std::process::ExitCode {
    rollboot_lab::host::alone::main()
}
