//! Fuzzes `engine_codec`: see `bodies/engine_codec.rs`.
#![no_main]

#[path = "../bodies/engine_codec.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
