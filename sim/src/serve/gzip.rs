//! Smaller answers to polls, for clients that take them.

use std::io::{self, Write as _};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::{BodyExt as _, Full};
use hyper::header::{self, HeaderMap, HeaderValue};

use crate::host::visit::{HttpResponse, MayCompress};

/// From this size on the other connections do not wait until it is done.
const LONG: usize = 64 << 10;

/// Whether a client takes gzip.
pub(super) fn is_accepted(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING);
    let mut codings = values.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| {
        value.split(',').map(|coding| coding.split(';').map(str::trim).collect::<Vec<_>>())
    });
    codings.any(|coding| {
        let is_gzip = coding.first().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let is_refused = coding.iter().skip(1).any(|parameter| {
            let weight = parameter.strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok());
            weight == Some(0.0)
        });
        is_gzip && !is_refused
    })
}

/// Compresses a response that may be.
pub(super) async fn compress(response: HttpResponse) -> HttpResponse {
    if response.extensions().get::<MayCompress>().is_none() {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let Ok(body) = body.collect().await;
    let body = body.to_bytes();
    let compressed = if body.len() < LONG {
        gzip(&body)
    } else {
        let body = body.clone();
        let task = tokio::task::spawn_blocking(move || gzip(&body));
        task.await.unwrap_or_else(|error| Err(io::Error::other(error)))
    };
    let body = match compressed {
        Ok(compressed) => {
            head.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            head.headers.remove(header::CONTENT_LENGTH);
            compressed
        }
        // It is as good as it was.
        Err(_) => body,
    };
    HttpResponse::from_parts(head, Full::new(body))
}

fn gzip(body: &[u8]) -> io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body)?;
    encoder.finish().map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_who_takes_it() {
        let takes = |value: &'static str| {
            let value = HeaderValue::from_static(value);
            is_accepted(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, value)]))
        };
        assert!(takes("gzip") && takes("br, GZIP;q=0.5") && takes("deflate,gzip"));
        assert!(!takes("br") && !takes("gzip;q=0") && !takes("gzip; q=0.000") && !takes(""));
        assert!(!is_accepted(&HeaderMap::new()));
    }
}
