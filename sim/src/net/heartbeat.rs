//! Tells bytes of heartbeats from those that mean something, so that a run can come to rest while
//! its connections are kept alive.

/// Whether a chunk, as it was written, is nothing but a ping, a pong, or a poll that waits.
///
/// Host and peer write each flush in one piece, so that looking at whole chunks is enough; what is
/// not recognised only counts as news, and a run takes longer to be quiet.
pub(super) fn is_heartbeat(chunk: &[u8]) -> bool {
    match chunk {
        // A WebSocket text message of one byte, from the server and from a client.
        [0x81, 0x01, byte] => matches!(byte, b'2' | b'3'),
        [0x81, 0x81, mask, _, _, _, byte] => matches!(byte ^ mask, b'2' | b'3'),
        [b'G', b'E', b'T', ..] => is_poll(chunk),
        [b'P', b'O', b'S', b'T', ..] => chunk.ends_with(b"\r\n\r\n3"),
        [b'H', b'T', b'T', b'P', b'/', ..] => {
            [&b"\r\n\r\n2"[..], b"\r\n\r\nok"].iter().any(|end| chunk.ends_with(end))
        }
        _ => false,
    }
}

/// A GET of a session that exists.
fn is_poll(chunk: &[u8]) -> bool {
    let line = chunk.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let has = |word: &[u8]| line.windows(word.len()).any(|window| window == word);
    has(b"transport=polling") && has(b"&sid=")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pings_pongs_and_waiting_polls_are_heartbeats() {
        assert!(is_heartbeat(&[0x81, 1, b'2']));
        assert!(is_heartbeat(&[0x81, 0x81, 1, 2, 3, 4, b'3' ^ 1]));
        assert!(is_heartbeat(b"GET /socket.io/?EIO=4&transport=polling&sid=x HTTP/1.1\r\n\r\n"));
        assert!(is_heartbeat(b"POST /socket.io/ HTTP/1.1\r\n\r\n3"));
        assert!(is_heartbeat(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n2"));
        assert!(!is_heartbeat(&[0x81, 1, b'6']));
        assert!(!is_heartbeat(b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\n\r\n"));
        assert!(!is_heartbeat(b"HTTP/1.1 200 OK\r\n\r\n42[\"chat\"]"));
        assert!(!is_heartbeat(b""));
    }
}
