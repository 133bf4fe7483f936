//! The options of a server as the JSON object that the chat contract gives to an application which
//! Overheard starts: the names of the `server:` block, durations in milliseconds.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{NamespacePlan, ServerPlan, TransportName};

/// The variable of the environment that carries the object.
pub const VARIABLE: &str = "OVERHEARD_SERVER";

impl ServerPlan {
    /// The object. What is not given has the reference's default.
    #[must_use]
    pub fn options(&self) -> Value {
        let mut object = Map::new();
        let mut put = |key: &str, value: Option<Value>| {
            object.extend(value.map(|value| (key.to_owned(), value)));
        };
        put("ping-interval", self.ping_interval.map(millis));
        put("ping-timeout", self.ping_timeout.map(millis));
        put("connect-timeout", self.connect_timeout.map(millis));
        put("upgrade-timeout", self.upgrade_timeout.map(millis));
        put("max-http-buffer-size", self.max_http_buffer_size.map(Value::from));
        put("transports", self.transports.as_deref().map(transports));
        put("allow-upgrades", self.allow_upgrades.map(Value::from));
        put("recovery", self.recovery.map(millis));
        let cleanup = self.cleanup_empty_child_namespaces.map(Value::from);
        put("cleanup-empty-child-namespaces", cleanup);
        put("max-connections", self.max_connections.map(Value::from));
        let gates = self.namespaces.iter().map(|nsp| (nsp.name.clone(), gate(nsp)));
        put("namespaces", (!self.namespaces.is_empty()).then(|| gates.collect()));
        put("dynamic", (!self.dynamic.is_empty()).then(|| json!(self.dynamic)));
        Value::Object(object)
    }
}

fn millis(duration: Duration) -> Value {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).into()
}

fn transports(names: &[TransportName]) -> Value {
    let name = |name: &TransportName| match name {
        TransportName::Polling => "polling",
        TransportName::WebSocket => "websocket",
    };
    names.iter().map(name).collect()
}

fn gate(nsp: &NamespacePlan) -> Value {
    let mut gate = Map::new();
    gate.extend(nsp.token.as_deref().map(|token| ("token".to_owned(), token.into())));
    gate.extend(nsp.seats.map(|seats| ("seats".to_owned(), seats.into())));
    if !nsp.auth_delay.is_zero() {
        gate.insert("auth-delay".to_owned(), millis(nsp.auth_delay));
    }
    Value::Object(gate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_given_is_in_it() {
        assert_eq!(ServerPlan::default().options(), json!({}));
        let gate = NamespacePlan {
            name: "/staff".to_owned(),
            token: Some("key".to_owned()),
            seats: Some(2),
            auth_delay: Duration::ZERO,
        };
        let plan = ServerPlan {
            ping_interval: Some(Duration::from_secs(25)),
            transports: Some(vec![TransportName::WebSocket]),
            namespaces: vec![gate],
            dynamic: vec!["^/a$".to_owned()],
            ..ServerPlan::default()
        };
        let expected = json!({
            "ping-interval": 25_000,
            "transports": ["websocket"],
            "namespaces": { "/staff": { "token": "key", "seats": 2 } },
            "dynamic": ["^/a$"],
        });
        assert_eq!(plan.options(), expected);
    }
}
