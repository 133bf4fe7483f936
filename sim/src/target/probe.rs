//! Finds out what listens at a place, before anything is asked of it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::Request;
use hyper::client::conn::http1::handshake;
use hyper::header::HOST;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::runtime::Builder;

use crate::net::Place;

/// How long it waits for each thing.
const PATIENCE: Duration = Duration::from_secs(5);

/// Bytes of a body that are looked at.
const MOST_BYTES: usize = 64 << 10;

/// Characters of a body that a message shows.
const SHOWN: usize = 60;

/// Why there is no server of the contract.
#[derive(Debug, Error)]
pub enum Unreachable {
    /// Nothing can be asked, as this machine lacks something.
    #[error("the check cannot begin: {0}")]
    Here(String),
    /// Nobody takes the connection.
    #[error("cannot connect to {address}: {error}")]
    Connect {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// The connection is taken, and nothing comes.
    #[error("{address} takes connections, and does not answer a request within {PATIENCE:?}")]
    Silent {
        /// Where.
        address: SocketAddr,
    },
    /// What comes is not HTTP.
    #[error("{address} does not speak HTTP: {error}")]
    NotHttp {
        /// Where.
        address: SocketAddr,
        /// What is wrong with it.
        error: hyper::Error,
    },
    /// A web server of another kind, or another path.
    #[error("there is no Socket.IO server at {path}: it answers {status}, {body}")]
    NotSocketIo {
        /// What was asked for.
        path: String,
        /// The status of the answer.
        status: u16,
        /// The beginning of the answer, as it is to be shown.
        body: String,
    },
    /// Engine.IO 3, of Socket.IO 2 and before.
    #[error("the server speaks protocol version 3 of Engine.IO, and the contract needs 4")]
    Version,
    /// It answers as Socket.IO, and lets nobody in.
    #[error("the namespace `/` cannot be entered: {0}")]
    NotLetIn(String),
    /// It is another application.
    #[error("a Socket.IO server, but its application does not speak the chat contract: {0}")]
    NoContract(String),
    /// It is of another version of the contract.
    #[error("the server speaks version {0} of the chat contract, and this checks version 1")]
    OtherContract(i64),
}

impl Unreachable {
    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Here(_) => "look at the limits of this machine",
            Self::Connect { .. } => {
                "start the server first, and compare its address with the line that it prints"
            }
            Self::Silent { .. } => "is it a server of HTTP, and is it busy?",
            Self::NotHttp { .. } => "name the port of plain HTTP: TLS is not spoken",
            Self::NotSocketIo { .. } => {
                "is it the right port? If the engine has another path than /socket.io/, put it \
                 into the URL: http://127.0.0.1:3000/chat/"
            }
            Self::Version => "use Socket.IO 3 or later on the server",
            Self::NotLetIn(_) => "let everybody into `/` while it is checked",
            Self::NoContract(_) => {
                "add the events of CONTRACT.md to the application, beginning with `about`; \
                 scenarios/targets/ has examples"
            }
            Self::OtherContract(_) => "use the release of Overheard for that version",
        }
    }
}

/// Which transport a server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It takes polling, and perhaps others.
    Polling,
    /// It takes no polling.
    NoPolling,
}

/// Asks for a handshake.
pub(super) fn probe(place: &Place) -> Result<Found, Unreachable> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Unreachable::Here(error.to_string()))?;
    runtime.block_on(async {
        let address = place.address;
        let dial = tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await;
        let dialled = dial.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let stream = dialled.map_err(|error| Unreachable::Connect { address, error })?;
        let asked = tokio::time::timeout(PATIENCE, request(place, stream)).await;
        let (status, body) = asked.map_err(|_| Unreachable::Silent { address })??;
        read(place, status, &body)
    })
}

async fn request(place: &Place, stream: TcpStream) -> Result<(u16, String), Unreachable> {
    let not_http = |error| Unreachable::NotHttp { address: place.address, error };
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(not_http)?;
    let uri = format!("{}?EIO=4&transport=polling", place.path);
    let request = Request::get(uri).header(HOST, place.host.as_str()).body(Empty::<Bytes>::new());
    let request = request.map_err(|error| Unreachable::Here(error.to_string()))?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(not_http)?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), MOST_BYTES).collect().await;
        let bytes = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        Ok((status, String::from_utf8_lossy(&bytes).into_owned()))
    };
    tokio::pin!(answer);
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        _ = connection => answer.await,
    }
}

/// What an answer to a handshake shows.
fn read(place: &Place, status: u16, body: &str) -> Result<Found, Unreachable> {
    let is_handshake = |text: &str| text.starts_with("0{") && text.contains("\"sid\"");
    if status == 200 && is_handshake(body) {
        return Ok(Found::Polling);
    }
    // Version 3 writes the length of each packet in front of it, as text or as bytes.
    let behind = body.trim_start_matches(|letter: char| !matches!(letter, ':' | '{' | '<'));
    if status == 200 && behind.strip_prefix(':').is_some_and(is_handshake) {
        return Err(Unreachable::Version);
    }
    if body.contains("nsupported protocol version") || body.contains("unsupported version") {
        return Err(Unreachable::Version);
    }
    if body.contains("Transport unknown") || body.contains("Invalid transport") {
        return Ok(Found::NoPolling);
    }
    let first: String = body.trim().chars().take(SHOWN).collect();
    let cut = if body.trim().chars().count() > SHOWN { "…" } else { "" };
    let body = if first.is_empty() { "and nothing else".into() } else { format!("`{first}{cut}`") };
    Err(Unreachable::NotSocketIo { path: place.path.to_string(), status, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Result<Found, String> {
        let place = Place::at(SocketAddr::from(([127, 0, 0, 1], 80)));
        read(&place, status, body).map_err(|error| error.to_string())
    }

    #[test]
    fn what_answers_a_handshake_is_told_apart() {
        assert_eq!(answer(200, r#"0{"sid":"a","upgrades":[]}"#), Ok(Found::Polling));
        assert_eq!(
            answer(400, r#"{"code":0,"message":"Transport unknown"}"#),
            Ok(Found::NoPolling)
        );
        assert_eq!(answer(400, "\"Invalid transport\""), Ok(Found::NoPolling));
        for body in [r#"96:0{"sid":"a","upgrades":[]}2:40"#, "\u{0}\u{9}\u{6}\u{fffd}:0{\"sid\":1}"]
        {
            assert!(answer(200, body).unwrap_err().contains("version 3"), "{body}");
        }
        let refused = answer(400, r#"{"code":5,"message":"Unsupported protocol version"}"#);
        assert!(refused.unwrap_err().contains("version 3"));
        let page = answer(404, "<h1>Not found</h1>").unwrap_err();
        assert!(page.contains("it answers 404, `<h1>Not found</h1>`"), "{page}");
        assert!(answer(204, "").unwrap_err().ends_with("204, and nothing else"));
        assert!(answer(200, &"é".repeat(100)).unwrap_err().contains("é…`"));
    }
}
