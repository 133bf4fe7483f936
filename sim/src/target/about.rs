//! What a server says about itself.

use overheard_core::chat::CONTRACT;
use overheard_core::codec::sio::json;
use overheard_core::value::{Object, Value};

use super::probe::{Found, Unreachable};
use super::scene::{Answered, Scene};
use crate::net::Place;
use crate::plan::ServerOptions;

/// What a server answers to `about`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Its name and version.
    pub server: String,
    /// The options in force.
    pub options: ServerOptions,
    /// Namespaces whose token it keeps for itself.
    pub secret: Vec<String>,
}

/// Asks for it.
pub(super) fn ask(place: &Place, found: Found) -> Result<About, Unreachable> {
    let options = match found {
        Found::Polling => ServerOptions::default(),
        Found::NoPolling => {
            ServerOptions { transports: Some(vec!["websocket".to_owned()]), ..Default::default() }
        }
    };
    let nobody = About { server: String::new(), options, secret: Vec::new() };
    let scene = Scene::new(
        "{ alice: {} }",
        "- emit: { from: alice, event: about, ack: [_, _], timeout: 5s }",
    );
    let values = match scene.ask(place, &nobody) {
        Answered::Values(values) => values,
        Answered::Nothing => {
            return Err(Unreachable::NoContract("`about` is not answered".to_owned()));
        }
        Answered::NotConnected(why) => return Err(Unreachable::NotLetIn(why)),
    };
    let other = || {
        let shown: Vec<String> = values.iter().map(json::stringify).collect();
        Unreachable::NoContract(format!("it answers `about` with [{}]", shown.join(",")))
    };
    let [Value::String(ok), Value::Object(about)] = &values[..] else { return Err(other()) };
    if ok != "ok" {
        return Err(other());
    }
    match about.get("contract").and_then(Value::as_int) {
        Some(CONTRACT) => {}
        Some(version) => return Err(Unreachable::OtherContract(version)),
        None => return Err(other()),
    }
    read(about).ok_or_else(other)
}

fn read(about: &Object) -> Option<About> {
    let server = about.get("server")?.as_str()?.to_owned();
    let mut options: serde_json::Value =
        serde_json::from_str(&json::stringify(about.get("options")?)).ok()?;
    let mut secret = Vec::new();
    let namespaces = options.get_mut("namespaces").and_then(serde_json::Value::as_object_mut);
    for (name, gate) in namespaces.into_iter().flatten() {
        if gate.get("token") == Some(&serde_json::Value::Bool(true)) {
            secret.push(name.clone());
            gate.as_object_mut()?.remove("token");
        }
    }
    Some(About { server, options: serde_json::from_value(options).ok()?, secret })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_may_be_kept() {
        let text = r#"{"contract":1,"server":"house 7","options":{"recovery":null,
            "namespaces":{"/a":{"token":true,"seats":2},"/b":{"token":"t"}}}}"#;
        let Some(Value::Object(object)) = json::parse(text) else { panic!("{text}") };
        let about = read(&object).unwrap();
        assert_eq!((about.server.as_str(), &about.secret[..]), ("house 7", &["/a".to_owned()][..]));
        assert_eq!(about.options.namespaces["/a"].seats, Some(2));
        assert_eq!(about.options.namespaces["/b"].token.as_deref(), Some("t"));
    }
}
