//! Carries bytes between a pipe and a stream of another network, so that faults of connections are
//! the same everywhere.

use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional_with_sizes};

use super::pipe::Stream;

/// Bytes carried at a time.
const CHUNK: usize = 4096;

/// Carries bytes both ways, and each end with them. What breaks one side breaks the other.
pub(super) async fn relay<S: AsyncRead + AsyncWrite + Unpin>(mut pipe: Stream, mut inner: S) {
    // An error is a connection that is gone: both sides are dropped.
    drop(copy_bidirectional_with_sizes(&mut pipe, &mut inner, CHUNK, CHUNK).await);
}
