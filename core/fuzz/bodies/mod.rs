//! What the fuzz targets do with their bytes: run by libfuzzer, and by a test over the corpora.

mod engine_codec;
mod server;
mod sio_codec;

/// What a target does with one input: it panics when a rule is broken.
pub(crate) type Body = fn(&[u8]);

/// Each target by the name of its corpus.
pub(crate) const TARGETS: &[(&str, Body)] =
    &[("engine_codec", engine_codec::run), ("server", server::run), ("sio_codec", sio_codec::run)];
