//! Cross-origin requests, as the reference's option `cors` has them answered.

use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};

use crate::host::visit::{HttpResponse, plain};

/// What the reference's middleware allows.
const METHODS: HeaderValue = HeaderValue::from_static("GET,HEAD,PUT,PATCH,POST,DELETE");

/// Which pages of other origins may read answers. As in the reference this is about polling only:
/// a WebSocket may be opened from any page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    /// Which.
    pub origins: Origins,
    /// Whether they may send cookies.
    pub credentials: bool,
}

/// Origins, compared byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// All; a browser then sends no cookies.
    Any,
    /// These.
    Named(Vec<String>),
}

impl Cors {
    /// The answer to a preflight, if the request is one.
    pub(super) fn preflight(&self, method: &Method, asked: &HeaderMap) -> Option<HttpResponse> {
        if *method != Method::OPTIONS {
            return None;
        }
        let mut response = plain(StatusCode::NO_CONTENT);
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        if let Some(wanted) = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
        vary(headers, header::ACCESS_CONTROL_REQUEST_HEADERS);
        self.apply(asked.get(header::ORIGIN), &mut response);
        Some(response)
    }

    /// Says who may read a response.
    pub(super) fn apply(&self, origin: Option<&HeaderValue>, response: &mut HttpResponse) {
        let headers = response.headers_mut();
        let allowed = match &self.origins {
            Origins::Any => Some(HeaderValue::from_static("*")),
            Origins::Named(names) => {
                vary(headers, header::ORIGIN);
                let is_named = |origin: &&HeaderValue| names.iter().any(|name| name == *origin);
                match (&names[..], origin.filter(is_named)) {
                    // One alone is told to everybody, as in the reference.
                    ([only], None) => HeaderValue::from_str(only).ok(),
                    (_, named) => named.cloned(),
                }
            }
        };
        if let Some(allowed) = allowed {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        }
        if self.credentials {
            let yes = HeaderValue::from_static("true");
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        }
    }
}

fn vary(headers: &mut HeaderMap, by: HeaderName) {
    headers.append(header::VARY, HeaderValue::from(by));
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;

    use super::*;

    fn allowed(names: &[&str], origin: &'static str) -> Option<String> {
        let origins = Origins::Named(names.iter().map(|name| (*name).to_owned()).collect());
        let cors = Cors { origins, credentials: true };
        let mut response = hyper::Response::new(Full::default());
        cors.apply(Some(&HeaderValue::from_static(origin)), &mut response);
        assert_eq!(response.headers()[header::VARY], "origin");
        let header = response.headers().get(header::ACCESS_CONTROL_ALLOW_ORIGIN)?;
        Some(header.to_str().unwrap().to_owned())
    }

    #[test]
    fn an_origin_is_named_as_a_whole_or_not_at_all() {
        // I-22: a foreign origin that ends, or begins, like an allowed one.
        let names = ["https://chat.example", "https://other.example"];
        for foreign in [
            "https://evil-chat.example",
            "https://chat.example.evil",
            "http://chat.example",
            "null",
            "",
        ] {
            assert_eq!(allowed(&names, foreign), None, "{foreign}");
        }
        assert_eq!(allowed(&names, "https://chat.example").unwrap(), "https://chat.example");
        assert_eq!(allowed(&names[..1], "https://evil.example").unwrap(), names[0]);
    }
}
