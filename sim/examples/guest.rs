//! The command line with a guest as the server: here the built-in one, seen from outside.
//!
//! ```text
//! cargo run --release -p overheard --example guest -- run scenarios/rooms
//! ```

fn main() -> std::process::ExitCode {
    overheard::guest::main(overheard::guest::built_in(None))
}
