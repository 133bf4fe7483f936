//! The options of a server as a JSON object, for servers that are not ours.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{NamespacePlan, ServerPlan, TransportName};

/// The variable of the environment that carries the object to a server that is started for a run.
pub const VARIABLE: &str = "OVERHEARD_SERVER";

/// What a server that plays the chat contract is told before it starts: the `server` block of a
/// file. Members that a file does not set are missing. All times are whole milliseconds, a part of
/// one counting as one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ServerOptions {
    /// `pingInterval`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ping_interval: Option<u64>,
    /// `pingTimeout`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ping_timeout: Option<u64>,
    /// `connectTimeout`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_timeout: Option<u64>,
    /// `upgradeTimeout`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upgrade_timeout: Option<u64>,
    /// `maxHttpBufferSize`, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_http_buffer_size: Option<usize>,
    /// `transports`: `polling` and `websocket`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transports: Option<Vec<String>>,
    /// `allowUpgrades`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_upgrades: Option<bool>,
    /// `connectionStateRecovery.maxDisconnectionDuration`; recovery is off without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery: Option<u64>,
    /// `cleanupEmptyChildNamespaces`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cleanup_empty_child_namespaces: Option<bool>,
    /// Connections at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_connections: Option<usize>,
    /// Namespaces besides `/`, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub namespaces: BTreeMap<String, NamespaceOptions>,
    /// Patterns of namespaces made on demand (regular expressions).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dynamic: Vec<String>,
}

/// Who may enter a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct NamespaceOptions {
    /// The token that CONNECT must carry as `{"token": …}`; anybody may enter without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Most sockets at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seats: Option<usize>,
    /// How long the check of the token takes, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_delay: Option<u64>,
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

impl From<&ServerPlan> for ServerOptions {
    fn from(plan: &ServerPlan) -> Self {
        let named = |nsp: &NamespacePlan| (nsp.name.clone(), NamespaceOptions::from(nsp));
        Self {
            ping_interval: plan.ping_interval.map(millis),
            ping_timeout: plan.ping_timeout.map(millis),
            connect_timeout: plan.connect_timeout.map(millis),
            upgrade_timeout: plan.upgrade_timeout.map(millis),
            max_http_buffer_size: plan.max_http_buffer_size,
            transports: plan
                .transports
                .as_ref()
                .map(|names| names.iter().map(|name| name.word().to_owned()).collect()),
            allow_upgrades: plan.allow_upgrades,
            recovery: plan.recovery.map(millis),
            cleanup_empty_child_namespaces: plan.cleanup_empty_child_namespaces,
            max_connections: plan.max_connections,
            namespaces: plan.namespaces.iter().map(named).collect(),
            dynamic: plan.dynamic.clone(),
        }
    }
}

impl From<&NamespacePlan> for NamespaceOptions {
    fn from(plan: &NamespacePlan) -> Self {
        let delay = Some(plan.auth_delay).filter(|delay| !delay.is_zero());
        Self { token: plan.token.clone(), seats: plan.seats, auth_delay: delay.map(millis) }
    }
}

impl TransportName {
    /// The word for it in options and on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::WebSocket => "websocket",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_named_as_in_files_and_missing_if_a_file_does_not_set_them() {
        assert_eq!(
            serde_json::to_string(&ServerOptions::from(&ServerPlan::default())).unwrap(),
            "{}"
        );
        let plan = ServerPlan {
            ping_interval: Some(Duration::from_micros(1_500)),
            transports: Some(vec![TransportName::WebSocket]),
            recovery: Some(Duration::from_secs(2)),
            namespaces: vec![
                NamespacePlan {
                    name: "/open".to_owned(),
                    token: None,
                    seats: None,
                    auth_delay: Duration::ZERO,
                },
                NamespacePlan {
                    name: "/supervisors".to_owned(),
                    token: Some("s3cret".to_owned()),
                    seats: Some(3),
                    auth_delay: Duration::from_millis(50),
                },
            ],
            ..ServerPlan::default()
        };
        let options = ServerOptions::from(&plan);
        let text = serde_json::to_string(&options).unwrap();
        assert_eq!(
            text,
            r#"{"ping-interval":2,"transports":["websocket"],"recovery":2000,"namespaces":{"/open":{},"/supervisors":{"token":"s3cret","seats":3,"auth-delay":50}}}"#
        );
        assert_eq!(serde_json::from_str::<ServerOptions>(&text).unwrap(), options);
        assert!(serde_json::from_str::<ServerOptions>(r#"{"pingInterval":1}"#).is_err());
    }
}
