//! From the options of a plan to those of the server and its application.

use overheard_core::chat::{ChatConfig, Gate};
use overheard_core::engine::Transports;
use overheard_core::id::IdSource;
use overheard_core::server::{
    Matcher, NamespaceConfig, ParentConfig, RecoveryConfig, ServerConfig,
};
use regex::Regex;

use crate::plan::{ServerPlan, TransportName};
use crate::rng::Stream as Random;

/// Seeded ids.
#[derive(Debug)]
pub(crate) struct SeededIds(pub(crate) Random);

impl IdSource for SeededIds {
    fn next_bytes(&mut self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&self.0.next_u64().to_le_bytes());
        bytes[8..].copy_from_slice(&self.0.next_u64().to_le_bytes()[..4]);
        bytes
    }
}

/// The gates of the built-in chat.
pub(crate) fn chat_config(plan: &ServerPlan) -> ChatConfig {
    let gates = plan.namespaces.iter().map(|nsp| {
        let (token, seats) = (nsp.token.clone(), nsp.seats);
        (nsp.name.as_str().into(), Gate { token, seats, auth_delay: nsp.auth_delay })
    });
    ChatConfig { gates: gates.collect(), ..ChatConfig::default() }
}

/// The options of the server.
///
/// # Errors
/// In words: what cannot be.
pub(crate) fn server_config(plan: &ServerPlan) -> Result<ServerConfig, String> {
    let mut config =
        if plan.reference_quirks { ServerConfig::reference() } else { ServerConfig::default() };
    let engine = &mut config.engine;
    engine.ping_interval = plan.ping_interval.unwrap_or(engine.ping_interval);
    engine.ping_timeout = plan.ping_timeout.unwrap_or(engine.ping_timeout);
    engine.upgrade_timeout = plan.upgrade_timeout.unwrap_or(engine.upgrade_timeout);
    engine.max_http_buffer_size = plan.max_http_buffer_size.unwrap_or(engine.max_http_buffer_size);
    engine.allow_upgrades = plan.allow_upgrades.unwrap_or(engine.allow_upgrades);
    engine.limits.sessions = plan.max_connections.unwrap_or(engine.limits.sessions);
    if let Some(names) = &plan.transports {
        engine.transports = transports(names)?;
    }
    config.connect_timeout = plan.connect_timeout.unwrap_or(config.connect_timeout);
    config.recovery = plan.recovery.map(|max_disconnection_duration| RecoveryConfig {
        max_disconnection_duration,
        ..RecoveryConfig::default()
    });
    config.cleanup_empty_child_namespaces = plan.cleanup_empty_child_namespaces.unwrap_or(false);
    for pattern in &plan.dynamic {
        let regex = Regex::new(pattern).map_err(|error| error.to_string())?;
        let namespace = NamespaceConfig::default();
        config.parents.push(ParentConfig { matcher: Matcher::Pattern(regex), namespace });
    }
    chat_config(plan).apply(&mut config);
    Ok(config)
}

fn transports(names: &[TransportName]) -> Result<Transports, String> {
    let has = |name| names.contains(&name);
    match (has(TransportName::Polling), has(TransportName::WebSocket)) {
        (true, true) => Ok(Transports::Both),
        (true, false) => Ok(Transports::PollingOnly),
        (false, true) => Ok(Transports::WebSocketOnly),
        (false, false) => Err("the server has no transport".to_owned()),
    }
}
