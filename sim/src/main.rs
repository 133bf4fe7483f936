//! The command line of Overheard.
#![forbid(unsafe_code)]

/// A server gives back what a crowd needed, some seconds after it has left. The system's allocator
/// keeps nearly all of it (`benches/README.md` has figures).
#[cfg(all(feature = "jemalloc", target_os = "linux"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    overheard::cli::main()
}
