//! From options to what the server is told.

use std::collections::BTreeMap;
use std::time::Duration;

use overheard::plan::{NamespaceOptions, ServerOptions, TransportName};
use overheard::serve::{Cors, Origins, Settings, fresh_token};
use overheard_core::chat::{About, ChatConfig, Gate, SUPERVISORS};
use overheard_core::engine::Transports;
use overheard_core::server::{
    Matcher, NamespaceConfig, ParentConfig, RecoveryConfig, ServerConfig,
};
use overheard_core::value::Object;

use super::options::{Quirks, ServeOptions, TransportChoice};
use super::values::{GateOptions, Period};
use crate::cli::exit::{Exit, Failure};

/// The seats of the supervisors, if nobody says how many.
const SEATS: usize = 3;

/// The smallest head of a request that can be bounded.
const SMALLEST_HEADER: usize = 8192;

/// What the server is told; and the supervisors' token, if it was made just now.
pub(super) fn settings(options: ServeOptions) -> Result<(Settings, Option<String>), Failure> {
    let mut options = options;
    let token = supervise(&mut options)?;
    let about = About { options: about(&options)?, ..About::default() };
    let mut settings = Settings {
        server: server(&options)?,
        chat: ChatConfig { gates: gates(&options), about },
        cors: cors(&options)?,
        ..Settings::default()
    };
    settings.listen = options.listen.unwrap_or(settings.listen);
    let limits = &mut settings.limits;
    set(&mut limits.header_timeout, options.header_timeout);
    set(&mut limits.body_timeout, options.body_timeout);
    set(&mut limits.idle_timeout, options.idle_timeout);
    set(&mut limits.write_timeout, options.write_timeout);
    set(&mut settings.shutdown_grace, options.shutdown_grace);
    limits.tcp_connections = options.max_tcp_connections.map(Into::into);
    if let Some(size) = options.max_header_size {
        if size.get() < SMALLEST_HEADER {
            let wrong = Failure::usage(format!("--max-header-size is {size}"));
            return Err(wrong.help(format!("the smallest is {SMALLEST_HEADER}")));
        }
        limits.header_bytes = size.get();
    }
    Ok((settings, token))
}

fn set(to: &mut Duration, from: Option<Period>) {
    if let Some(Period(time)) = from {
        *to = time;
    }
}

/// Adds the supervisors' namespace, unless others are named and it is not; the token of who may
/// enter, if it is a new one.
fn supervise(options: &mut ServeOptions) -> Result<Option<String>, Failure> {
    let (token, seats) = (options.supervisors_token.take(), options.supervisors_seats.take());
    if options.namespaces.is_some() && token.is_none() && seats.is_none() {
        return Ok(None);
    }
    let namespaces = options.namespaces.get_or_insert_default();
    let place = namespaces.iter().position(|named| named.name == SUPERVISORS);
    let place = place.unwrap_or_else(|| {
        let gate = GateOptions { seats: std::num::NonZeroUsize::new(SEATS), ..Default::default() };
        namespaces.push(super::values::NamedGate { name: SUPERVISORS.to_owned(), gate });
        namespaces.len() - 1
    });
    let gate = &mut namespaces[place].gate;
    gate.seats = seats.or(gate.seats);
    gate.token = token.or_else(|| gate.token.take());
    if gate.token.is_some() {
        return Ok(None);
    }
    let token = fresh_token().map_err(|error| Failure::new(Exit::Internal, error.to_string()))?;
    gate.token = Some(token.clone());
    Ok(Some(token))
}

fn gates(options: &ServeOptions) -> BTreeMap<smol_str::SmolStr, Gate> {
    let named = options.namespaces.iter().flatten().map(|named| {
        let GateOptions { token, seats, auth_delay } = named.gate.clone();
        let seats = seats.map(Into::into);
        (named.name.as_str().into(), Gate { token, seats, auth_delay })
    });
    named.collect()
}

fn server(options: &ServeOptions) -> Result<ServerConfig, Failure> {
    let mut config = match options.quirks {
        Some(Quirks::Reference) => ServerConfig::reference(),
        Some(Quirks::Mended) | None => ServerConfig::default(),
    };
    let engine = &mut config.engine;
    set(&mut engine.ping_interval, options.ping_interval);
    set(&mut engine.ping_timeout, options.ping_timeout);
    set(&mut engine.upgrade_timeout, options.upgrade_timeout);
    set(&mut config.connect_timeout, options.connect_timeout);
    if let Some(path) = &options.path {
        engine.path = path.0.as_str().into();
    }
    if let Some(size) = options.max_http_buffer_size {
        engine.max_http_buffer_size = size.into();
    }
    if let Some(names) = &options.transports {
        let has = |name| names.contains(&name);
        engine.transports = match (has(TransportChoice::Polling), has(TransportChoice::WebSocket)) {
            (true, true) => Transports::Both,
            (true, false) => Transports::PollingOnly,
            (false, true) => Transports::WebSocketOnly,
            (false, false) => {
                let wrong = Failure::usage("--transports names none");
                return Err(wrong.help("name polling, websocket, or both with a comma"));
            }
        };
    }
    engine.allow_upgrades = options.allow_upgrades.unwrap_or(engine.allow_upgrades);
    if let Some(compression) = options.http_compression {
        engine.http_compression = compression.0;
    }
    if let Some(most) = options.max_connections {
        engine.limits.sessions = most.into();
    }
    if let Some(most) = options.max_buffered_bytes {
        engine.limits.buffered_bytes = most.into();
    }
    config.recovery = options.recovery.and_then(|recovery| recovery.0).map(|most| RecoveryConfig {
        max_disconnection_duration: most,
        skip_middlewares: options.skip_middlewares.unwrap_or(true),
    });
    config.cleanup_empty_child_namespaces = options.cleanup_empty_child_namespaces.unwrap_or(false);
    let patterns = options.dynamic.iter().flatten();
    config.parents.extend(patterns.map(|pattern| ParentConfig {
        matcher: Matcher::Pattern(pattern.0.clone()),
        namespace: NamespaceConfig::default(),
    }));
    Ok(config)
}

fn cors(options: &ServeOptions) -> Result<Option<Cors>, Failure> {
    let credentials = options.cors_credentials.unwrap_or(false);
    let Some(names) = &options.cors_origin else {
        if credentials {
            let wrong = Failure::usage("--cors-credentials without --cors-origin");
            return Err(wrong.help("name the origins whose pages may send cookies"));
        }
        return Ok(None);
    };
    if names.iter().any(|name| name == "*") {
        if credentials || names.len() > 1 {
            let wrong = Failure::usage("--cors-origin: `*` goes with nothing else");
            return Err(wrong.help("browsers send cookies to named origins only: name them"));
        }
        return Ok(Some(Cors { origins: Origins::Any, credentials }));
    }
    for name in names {
        let authority = name.split_once("://").map(|(_, authority)| authority);
        let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | '?' | '#');
        if authority.is_none_or(|authority| authority.is_empty() || authority.contains(odd)) {
            let wrong = Failure::usage(format!("--cors-origin: `{name}` is no origin"));
            return Err(wrong.help(
                "an origin is a scheme, a host and perhaps a port, as in `https://chat.example`",
            ));
        }
    }
    Ok(Some(Cors { origins: Origins::Named(names.clone()), credentials }))
}

/// What anybody may know of the options: of a token, that there is one.
fn about(options: &ServeOptions) -> Result<Object, Failure> {
    let millis = |time: Option<Duration>| {
        time.map(|time| u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX))
    };
    let period = |period: Option<Period>| millis(period.map(|Period(time)| time));
    let word = |choice: &TransportChoice| TransportName::from(*choice).word().to_owned();
    let gate = |gate: &GateOptions| NamespaceOptions {
        token: None,
        seats: gate.seats.map(Into::into),
        auth_delay: millis(Some(gate.auth_delay).filter(|delay| !delay.is_zero())),
    };
    let namespaces = options.namespaces.iter().flatten();
    let told = ServerOptions {
        ping_interval: period(options.ping_interval),
        ping_timeout: period(options.ping_timeout),
        connect_timeout: period(options.connect_timeout),
        upgrade_timeout: period(options.upgrade_timeout),
        max_http_buffer_size: options.max_http_buffer_size.map(Into::into),
        transports: options.transports.as_ref().map(|names| names.iter().map(word).collect()),
        allow_upgrades: options.allow_upgrades,
        recovery: millis(options.recovery.and_then(|recovery| recovery.0)),
        cleanup_empty_child_namespaces: options.cleanup_empty_child_namespaces,
        max_connections: options.max_connections.map(Into::into),
        namespaces: namespaces.map(|named| (named.name.clone(), gate(&named.gate))).collect(),
        dynamic: options.dynamic.iter().flatten().map(|pattern| pattern.0.to_string()).collect(),
    };
    let internal = |error: serde_json::Error| Failure::new(Exit::Internal, error.to_string());
    let mut told = serde_json::to_value(told).map_err(internal)?;
    for named in options.namespaces.iter().flatten().filter(|named| named.gate.token.is_some()) {
        told["namespaces"][&named.name]["token"] = true.into();
    }
    serde_json::from_value(told).map_err(internal)
}
