//! What the server answers to whom: the chat page, its health, its figures, and the protocol.

use std::cell::Cell;
use std::rc::Rc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, StatusCode};
use overheard_core::wire::WsId;
use sha2::{Digest as _, Sha256};

use super::cors::Cors;
use super::door::House;
use super::gzip;
use super::metrics::MEDIA_TYPE;
use crate::host::visit::{Cut, HttpResponse, Visit, plain};

/// The chat page: one file, with its style and script.
const PAGE: &str = include_str!("page.html");

/// What is the same for every answer.
#[derive(Debug)]
pub(super) struct Site {
    /// What the browser may do on the chat page.
    policy: HeaderValue,
    cors: Option<Cors>,
}

impl Site {
    pub(super) fn new(cors: Option<Cors>) -> Self {
        Self { policy: policy(PAGE), cors }
    }

    /// Answers a request.
    pub(super) async fn answer(
        &self,
        house: &Rc<House>,
        switched: Rc<Cell<Option<WsId>>>,
        request: Request<Incoming>,
    ) -> Result<HttpResponse, Cut> {
        house.metrics.http_requests.inc();
        let path = request.uri().path();
        if house.host.engine().owns_path(path) {
            self.engine(house, switched, request).await
        } else {
            Ok(self.page(house, request.method(), path))
        }
    }

    /// Answers a request of the protocol.
    async fn engine(
        &self,
        house: &Rc<House>,
        switched: Rc<Cell<Option<WsId>>>,
        request: Request<Incoming>,
    ) -> Result<HttpResponse, Cut> {
        let asked = request.headers();
        let preflight = self.cors.as_ref().map(|cors| cors.preflight(request.method(), asked));
        if let Some(response) = preflight.flatten() {
            return Ok(response);
        }
        let origin = asked.get(header::ORIGIN).cloned();
        let takes_gzip = gzip::is_accepted(asked);
        let visit = Visit::new(house.host.clone(), None, switched);
        let mut response = visit.answer(request).await?;
        if takes_gzip {
            response = gzip::compress(response).await;
        }
        if let Some(cors) = &self.cors {
            cors.apply(origin.as_ref(), &mut response);
        }
        Ok(response)
    }

    /// Answers a request for anything else.
    fn page(&self, house: &House, method: &Method, path: &str) -> HttpResponse {
        let (status, kind, text): (_, _, Bytes) = match path {
            "/" => (StatusCode::OK, "text/html; charset=utf-8", PAGE.into()),
            "/healthz" if house.is_leaving() => {
                (StatusCode::SERVICE_UNAVAILABLE, PLAIN, "stopping\n".into())
            }
            "/healthz" => (StatusCode::OK, PLAIN, "ok".into()),
            "/metrics" => (StatusCode::OK, MEDIA_TYPE, house.metrics.text(&house.held()).into()),
            _ => (StatusCode::NOT_FOUND, PLAIN, "there is nothing here\n".into()),
        };
        if status != StatusCode::NOT_FOUND && !READS.contains(method) {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED);
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        // HTTP leaves the body out of an answer to HEAD.
        let mut response = hyper::Response::new(Full::new(text));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if path == "/" {
            headers.insert(header::CONTENT_SECURITY_POLICY, self.policy.clone());
            headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        }
        response
    }
}

const PLAIN: &str = "text/plain; charset=utf-8";

const READS: [Method; 2] = [Method::GET, Method::HEAD];

/// Allows the styles and scripts that stand in a page, and connections to where it came from.
fn policy(page: &str) -> HeaderValue {
    let hashes = |tag: &str| {
        let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
        let parts = page.split(&open).skip(1);
        let parts = parts.filter_map(|part| part.split_once(&close).map(|(inside, _)| inside));
        let hash = |inside: &str| {
            format!(" 'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(inside.as_bytes())))
        };
        let hashes: String = parts.map(hash).collect();
        if hashes.is_empty() { " 'none'".to_owned() } else { hashes }
    };
    let text = format!(
        "default-src 'none'; script-src{}; style-src{}; img-src 'self' data:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hashes("script"),
        hashes("style"),
    );
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"))
}
