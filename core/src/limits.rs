//! Every bound of the core, each with the reason for its number.
//!
//! A bound that a caller may change is the default of an option; the others are fixed.

/// Attachments that one Socket.IO packet may announce: the reference's default since it was found
/// that a header alone could make a server buffer without end (`SIO-ENC-08`).
pub const MAX_ATTACHMENTS: usize = 10;

/// Bytes of a namespace name. The reference has no bound, but a name outlives its packet: it
/// becomes a key of tables and is repeated in each frame of its socket. 4 KiB is more than any URL
/// path that proxies let through, and keeps a refused name as cheap as any other packet.
pub const MAX_NAMESPACE_BYTES: usize = 4096;

/// Characters of an ack id, white space and leading zeros included. The largest number that
/// JavaScript tells from infinity has 309 digits, and no encoder writes more than 16.
pub const MAX_ACK_ID_CHARS: usize = 400;

/// How deep arrays and objects of a JSON payload may nest.
///
/// `serde_json` refuses the 128th level, because parsing, comparing and dropping a value use the
/// stack in proportion to its depth. The reference accepts some thousand levels.
pub const MAX_JSON_DEPTH: usize = 127;

/// Pairs of a form that are looked at (`EIO-POLL-11`); later ones do not exist. Node.js bounds them
/// so, against bodies of millions of empty pairs.
pub const MAX_FORM_PAIRS: usize = 1000;

/// Members up to which an object is searched for a repeated key by comparing with each. Larger
/// objects are sorted, so that a hostile one of 100,000 members does not cost 10^10 comparisons.
pub(crate) const SMALL_OBJECT_MEMBERS: usize = 16;

/// The largest whole number up to which JavaScript tells all from each other: 2^53 − 1
/// (`SIO-ENC-13`, `EIO-PKT-08`).
pub const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;
