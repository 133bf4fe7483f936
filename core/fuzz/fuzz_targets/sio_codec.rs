//! Fuzzes `sio_codec`: see `bodies/sio_codec.rs`.
#![no_main]

#[path = "../bodies/sio_codec.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
