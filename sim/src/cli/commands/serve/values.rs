//! Values of `overheard serve` as people write them, the same on the command line, in the
//! environment and in overheard.toml.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::time::Duration;

use overheard::duration;
use regex::Regex;
use serde::{Deserialize, Deserializer, de};

/// Reads a value of a file from its text.
fn from_text<'de, D: Deserializer<'de>, T: FromStr<Err = String>>(from: D) -> Result<T, D::Error> {
    struct Text<T>(PhantomData<T>);
    impl<T: FromStr<Err = String>> de::Visitor<'_> for Text<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
            self.visit_str(&number.to_string())
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
            self.visit_str(&number.to_string())
        }
    }
    from.deserialize_any(Text(PhantomData))
}

macro_rules! read_from_text {
    ($($name:ty),+) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from_text(from)
            }
        }
    )+};
}

read_from_text!(Period, Compression, Recovery, EnginePath, Pattern);

/// A duration with a unit that is not zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Period(pub(crate) Duration);

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let period = duration::parse(text).map_err(|error| error.to_string())?;
        if period.is_zero() { Err(format!("`{text}` is no time at all")) } else { Ok(Self(period)) }
    }
}

/// From which size on polls are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Compression(pub(crate) Option<usize>);

impl FromStr for Compression {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self(None));
        }
        let size = text.parse().map(|size| Self(Some(size)));
        size.map_err(|_| format!("expected a number of bytes or `off`, found `{text}`"))
    }
}

/// How long a session can be recovered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Recovery(pub(crate) Option<Duration>);

impl FromStr for Recovery {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self(None));
        }
        text.parse().map(|Period(most)| Self(Some(most)))
    }
}

/// The path of the protocol, with the slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EnginePath(pub(crate) String);

impl FromStr for EnginePath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '?' | '#');
        let name = text.trim_end_matches('/');
        match name.strip_prefix('/') {
            Some(rest) if !rest.is_empty() && !text.contains(odd) => Ok(Self(format!("{name}/"))),
            Some(_) | None => Err(format!("expected a path like `/socket.io/`, found `{text}`")),
        }
    }
}

/// A regular expression.
#[derive(Clone, Debug)]
pub(crate) struct Pattern(pub(crate) Regex);

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("an empty pattern would match every name".to_owned());
        }
        Regex::new(text).map(Self).map_err(|error| {
            // The lines above the last one draw the place.
            let error = error.to_string();
            error.lines().last().unwrap_or_default().to_owned()
        })
    }
}

/// A namespace, and who may enter it: `NAME[,token=TOKEN][,seats=N][,auth-delay=TIME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedGate {
    pub(crate) name: String,
    pub(crate) gate: GateOptions,
}

/// Who may enter a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct GateOptions {
    pub(crate) token: Option<String>,
    pub(crate) seats: Option<std::num::NonZeroUsize>,
    #[serde(deserialize_with = "delay")]
    pub(crate) auth_delay: Duration,
}

fn delay<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    struct Delay(Duration);
    impl FromStr for Delay {
        type Err = String;

        fn from_str(text: &str) -> Result<Self, String> {
            duration::parse(text).map(Self).map_err(|error| error.to_string())
        }
    }
    from_text(from).map(|Delay(delay)| delay)
}

/// Checks the name of a namespace.
pub(crate) fn namespace_name(name: &str) -> Result<(), String> {
    if !name.starts_with('/') {
        return Err(format!("the namespace `{name}` does not begin with `/`"));
    }
    if name == "/" {
        return Err("the namespace `/` has no gate: the chat lets everybody in".to_owned());
    }
    if name.contains('?') || name.contains(',') {
        return Err(format!("`{name}` has a `,` or `?` in it, which the protocol cannot carry"));
    }
    Ok(())
}

impl FromStr for NamedGate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split(',');
        let name = parts.next().unwrap_or_default().to_owned();
        namespace_name(&name)?;
        let mut gate = GateOptions::default();
        for part in parts {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            let wrong = |error: &dyn fmt::Display| format!("`{key}` of `{name}`: {error}");
            match key {
                "token" if !value.is_empty() => gate.token = Some(value.to_owned()),
                "seats" => gate.seats = Some(value.parse().map_err(|error| wrong(&error))?),
                "auth-delay" => {
                    gate.auth_delay = duration::parse(value).map_err(|error| wrong(&error))?;
                }
                _ => {
                    return Err(format!(
                        "`{part}` of `{name}`: expected `token=…`, `seats=…` or `auth-delay=…`"
                    ));
                }
            }
        }
        Ok(Self { name, gate })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_written_with_its_gate_behind_it() {
        let read = |text: &str| text.parse::<NamedGate>();
        let full = read("/staff,token=a=b,seats=3,auth-delay=50ms").unwrap();
        assert_eq!((full.name.as_str(), full.gate.token.as_deref()), ("/staff", Some("a=b")));
        assert_eq!(full.gate.seats.unwrap().get(), 3);
        assert_eq!(full.gate.auth_delay, Duration::from_millis(50));
        assert_eq!(read("/open").unwrap().gate, GateOptions::default());
        for wrong in ["", "staff", "/", "/a,seats=0", "/a,seat=3", "/a,token=", "/a,auth-delay=5"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn paths_end_with_a_slash() {
        for text in ["/io", "/io/", "/io//"] {
            assert_eq!(text.parse::<EnginePath>().unwrap().0, "/io/");
        }
        for wrong in ["", "/", "io", "/a b", "/a?b"] {
            assert!(wrong.parse::<EnginePath>().is_err(), "{wrong}");
        }
    }
}
