//! Fuzzes `server`: see `bodies/server.rs`.
#![no_main]

#[path = "../bodies/server.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
