//! What whoever starts a server under test tells it: `PORT`, and `OVERHEARD_SERVER`, a JSON object
//! (`CONTRACT.md`).

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::time::Duration;

use overheard::plan::{NamespaceOptions, SERVER_VARIABLE, ServerOptions};
use serde_json::Value;

use super::options::{ServeOptions, TransportChoice};
use super::values::{GateOptions, NamedGate, Period, Recovery, namespace_name};
use crate::cli::environment::Environment;
use crate::cli::exit::{Exit, Failure};

/// The options that the environment holds for any app of the chat contract.
pub(super) fn options(environment: &Environment) -> Result<ServeOptions, Failure> {
    let port = environment.port.as_deref().map(|port| {
        port.parse::<u16>().map_err(|_| {
            Failure::usage(format!("the variable PORT: expected a port, found `{port}`"))
        })
    });
    let listen = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let port = port.transpose()?;
    let Some(text) = &environment.server else {
        return Ok(ServeOptions { listen: port.map(listen), ..ServeOptions::default() });
    };
    let mut options = read(text)?;
    options.listen = Some(listen(port.unwrap_or(0)));
    Ok(options)
}

fn read(text: &str) -> Result<ServeOptions, Failure> {
    let wrong = |error: &dyn std::fmt::Display| {
        Failure::usage(format!("the variable {SERVER_VARIABLE}: {error}"))
            .help("CONTRACT.md says what it holds")
    };
    let object: Value = serde_json::from_str(text).map_err(|error| wrong(&error))?;
    // Each member on its own, so that one that is not known can be named.
    for (name, value) in object.as_object().into_iter().flatten() {
        let alone = serde_json::json!({ name.as_str(): value });
        if let Err(error) = serde_json::from_value::<ServerOptions>(alone) {
            let is_unknown = error.to_string().starts_with("unknown field");
            return Err(if is_unknown { cannot(name) } else { wrong(&format!("{name}: {error}")) });
        }
    }
    let told: ServerOptions = serde_json::from_value(object).map_err(|error| wrong(&error))?;
    from_told(told).map_err(|error| wrong(&error))
}

/// Says it in the words of the contract.
fn cannot(option: &str) -> Failure {
    crate::cli::context::mention(&format!("cannot: {option}\n"));
    Failure::new(
        Exit::Cannot,
        format!("the variable {SERVER_VARIABLE} names an option that is not known"),
    )
}

fn from_told(told: ServerOptions) -> Result<ServeOptions, String> {
    let time = |name: &str, millis: Option<u64>| match millis {
        Some(0) => Err(format!("{name}: 0 is no time at all")),
        millis => Ok(millis.map(|millis| Period(Duration::from_millis(millis)))),
    };
    let some = |name: &str, number: Option<usize>| match number.map(NonZeroUsize::new) {
        Some(None) => Err(format!("{name}: 0 is too few")),
        number => Ok(number.flatten()),
    };
    let transport = |name: &String| match name.as_str() {
        "polling" => Ok(TransportChoice::Polling),
        "websocket" => Ok(TransportChoice::WebSocket),
        other => Err(format!("transports: there is no `{other}`")),
    };
    let gate = |(name, gate): (String, NamespaceOptions)| {
        namespace_name(&name)?;
        let seats = some("seats", gate.seats)?;
        let auth_delay = Duration::from_millis(gate.auth_delay.unwrap_or(0));
        let gate = GateOptions { token: gate.token, seats, auth_delay };
        Ok::<_, String>(NamedGate { name, gate })
    };
    let transports = told.transports.as_ref().map(|names| names.iter().map(transport).collect());
    Ok(ServeOptions {
        ping_interval: time("ping-interval", told.ping_interval)?,
        ping_timeout: time("ping-timeout", told.ping_timeout)?,
        connect_timeout: time("connect-timeout", told.connect_timeout)?,
        upgrade_timeout: time("upgrade-timeout", told.upgrade_timeout)?,
        max_http_buffer_size: some("max-http-buffer-size", told.max_http_buffer_size)?,
        transports: transports.transpose()?,
        allow_upgrades: told.allow_upgrades,
        recovery: Some(Recovery(time("recovery", told.recovery)?.map(|Period(most)| most))),
        cleanup_empty_child_namespaces: told.cleanup_empty_child_namespaces,
        max_connections: some("max-connections", told.max_connections)?,
        // Only what is named exists.
        namespaces: Some(told.namespaces.into_iter().map(gate).collect::<Result<_, _>>()?),
        dynamic: Some(
            told.dynamic
                .iter()
                .map(|text| text.parse().map_err(|error| format!("dynamic: {error}")))
                .collect::<Result<_, _>>()?,
        ),
        ..ServeOptions::default()
    })
}
