//! The command line of Overheard.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    overheard::cli::main()
}
