//! Where a server is.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};

use hyper::Uri;
use smol_str::{SmolStr, ToSmolStr, format_smolstr};

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The address to connect to; a simulated network has its own.
    pub address: SocketAddr,
    /// What a `Host` header says.
    pub host: SmolStr,
    /// The path of the engine, from `/` to `/`.
    pub path: SmolStr,
}

impl Default for Place {
    fn default() -> Self {
        let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        Self { host: SmolStr::new_static("server"), ..Self::at(address) }
    }
}

/// Why a URL names no place.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// It cannot be read.
    #[error("`{0}` is not a URL: one looks like http://127.0.0.1:3000")]
    NotAUrl(String),
    /// TLS is not spoken.
    #[error(
        "`{0}`: only http:// is spoken, not TLS; put the server, or a proxy before it, on plain HTTP"
    )]
    Scheme(String),
    /// The name has no address.
    #[error("the host of `{url}` is not known: {source}")]
    Unknown {
        /// As it was given.
        url: String,
        /// Why.
        source: io::Error,
    },
}

impl Place {
    /// An address, with the path that everybody has.
    #[must_use]
    pub fn at(address: SocketAddr) -> Self {
        Self { address, host: address.to_smolstr(), path: SmolStr::new_static("/socket.io/") }
    }

    /// Reads a URL, and looks its host up. A path in it is that of the engine; without one it is
    /// `/socket.io/`.
    ///
    /// # Errors
    /// It is not a URL of the scheme `http`, or its host has no address.
    pub fn find(url: &str) -> Result<Self, PlaceError> {
        let uri: Uri = url.parse().map_err(|_| PlaceError::NotAUrl(url.to_owned()))?;
        if !matches!(uri.scheme_str(), Some("http" | "ws")) {
            return Err(match uri.scheme_str() {
                Some("https" | "wss") => PlaceError::Scheme(url.to_owned()),
                Some(_) | None => PlaceError::NotAUrl(url.to_owned()),
            });
        }
        let host = uri.host().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().unwrap_or(80);
        let unknown = |source| PlaceError::Unknown { url: url.to_owned(), source };
        let mut found = (bare, port).to_socket_addrs().map_err(unknown)?;
        let nobody = || unknown(io::ErrorKind::NotFound.into());
        let address = found.next().ok_or_else(nobody)?;
        let path = match uri.path() {
            "" | "/" => SmolStr::new_static("/socket.io/"),
            path if path.ends_with('/') => path.into(),
            path => format_smolstr!("{path}/"),
        };
        Ok(Self { address, host: format_smolstr!("{host}:{port}"), path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_places() {
        let place = Place::find("http://127.0.0.1:3000").unwrap();
        assert_eq!(place, Place::at("127.0.0.1:3000".parse().unwrap()));
        let place = Place::find("http://[::1]:80/chat").unwrap();
        assert_eq!((place.address.to_string(), &*place.path), ("[::1]:80".to_owned(), "/chat/"));
    }

    #[test]
    fn what_is_no_place_is_told_apart() {
        let error = |url: &str| Place::find(url).unwrap_err().to_string();
        assert!(error("127.0.0.1:3000").contains("is not a URL"));
        assert!(error("").contains("is not a URL"));
        assert!(error("ftp://a").contains("is not a URL"));
        assert!(error("https://127.0.0.1").contains("not TLS"));
    }
}
