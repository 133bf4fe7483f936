//! The chat contract (CONTRACT.md) on socketioxide, the same for a server that listens and for a
//! guest of the simulation.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use rmpv::{Value, ext::to_value};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use socketioxide::extract::{AckSender, Data, Event, SocketRef, TryData};
use socketioxide::handler::ConnectHandler as _;
use socketioxide::layer::SocketIoLayer;
use socketioxide::{SocketIo, SocketIoBuilder, TransportType};

use crate::request::{Args, BAD, Failure, Options, read, rooms, texts};

/// As they were given.
pub type Given = Map<String, Json>;

fn set_option(io: SocketIoBuilder, name: &str, value: &Json) -> Option<SocketIoBuilder> {
    let millis = || value.as_u64().map(Duration::from_millis);
    Some(match name {
        "ping-interval" => io.ping_interval(millis()?),
        "ping-timeout" => io.ping_timeout(millis()?),
        "connect-timeout" => io.connect_timeout(millis()?),
        "upgrade-timeout" => io.upgrade_timeout(millis()?),
        "max-http-buffer-size" => {
            let bytes = value.as_u64()?;
            let most = usize::try_from(bytes).ok()?;
            // One for polling, and two for WebSocket.
            io.max_payload(bytes).ws_max_message_size(most).ws_max_frame_size(most)
        }
        "transports" if *value == json!(["polling"]) => io.transports([TransportType::Polling]),
        "transports" if *value == json!(["websocket"]) => io.transports([TransportType::Websocket]),
        "transports" | "namespaces" => io,
        "allow-upgrades" if *value == true => io,
        "recovery" if value.is_null() => io,
        _ => return None,
    })
}

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct Gate {
    token: Option<String>,
    seats: Option<usize>,
    auth_delay: u64,
}

impl Gate {
    /// There is one thread: nobody enters between the count and the entry.
    async fn check(self, socket: SocketRef, auth: Value) -> Result<(), &'static str> {
        tokio::time::sleep(Duration::from_millis(self.auth_delay)).await;
        let is_allowed = self.token.is_none_or(|token| auth["token"] == token.into());
        let is_full = self.seats.is_some_and(|seats| socket.broadcast().sockets().len() >= seats);
        if !is_allowed {
            Err("not authorized")
        } else if is_full {
            Err("namespace is full")
        } else {
            Ok(())
        }
    }
}

/// `socket.data`.
#[derive(Clone, Default)]
struct Members(BTreeMap<String, Value>);

async fn carry_out(
    given: &Given,
    io: &SocketIo,
    socket: &SocketRef,
    event: &str,
    args: &[Value],
) -> Result<Vec<Value>, Failure> {
    let first = args.first().unwrap_or(&Value::Nil);
    let options = || Options::of(args.first());
    match event {
        "join" => socket.join(rooms(first)?),
        "leave" => socket.leave(read::<String>(first)?),
        "rooms" => return Ok(vec![texts(&socket.rooms())]),
        "chat" => {
            let text = args.first().ok_or(BAD)?;
            let options = Options(args.get(1).and_then(Value::as_map).map_or(&[], Vec::as_slice));
            let from = Value::Map(vec![("from".into(), socket.id.as_str().into())]);
            let target = options.select(io, socket)?;
            let is_open = options.get("to", vec![], rooms)?.is_empty();
            let target = if is_open { target.to("lobby") } else { target };
            drop(target.emit("chat", &(text, from)).await);
        }
        "broadcast" => {
            let (event, args, _) = options()?.message()?;
            drop(options()?.select(io, socket)?.emit(event, &args).await);
        }
        "ask" => {
            let (event, args, timeout) = options()?.message()?;
            let target = options()?.select(io, socket)?.timeout(timeout);
            let answers = target.emit_with_ack::<_, Args>(event, &args).await.map_err(|_| BAD)?;
            let answers: Vec<_> = answers.map(|(_, answer)| answer).collect().await;
            let is_late = answers.iter().any(Result::is_err);
            let first = |Args(values)| values.into_iter().next().unwrap_or(Value::Nil);
            let answers: Vec<Value> = answers.into_iter().flatten().map(first).collect();
            return if is_late {
                Err(Failure::Timeout(vec![answers.into()]))
            } else {
                Ok(vec![answers.into()])
            };
        }
        "tell" => {
            let (event, args, timeout) = options()?.message()?;
            let id: String = options()?.get("id", None, read)?.ok_or(BAD)?;
            let other = id.parse().ok().and_then(|id| io.of(socket.ns())?.get_socket(id));
            let other = other.ok_or(Failure::Error("no such socket"))?;
            let target = other.timeout(timeout);
            let target =
                if options()?.get("volatile", false, read)? { target.volatile() } else { target };
            let answer = target.emit_with_ack::<_, Args>(event, &args).map_err(|_| BAD)?.await;
            return answer.map(|Args(values)| values).map_err(|_| Failure::Timeout(vec![]));
        }
        "who" => {
            return Ok(vec![texts(
                &options()?
                    .select(io, socket)?
                    .sockets()
                    .iter()
                    .map(|other| other.id)
                    .collect::<Vec<_>>(),
            )]);
        }
        "move" => {
            let (join, leave) =
                (options()?.get("join", vec![], rooms)?, options()?.get("leave", vec![], rooms)?);
            let Ok(()) = options()?.select(io, socket)?.leave(leave).await;
            let Ok(()) = options()?.select(io, socket)?.join(join).await;
        }
        "kick" if options()?.get("close", false, read)? => {
            return Err(Failure::Error("not supported"));
        }
        "kick" => drop(options()?.select(io, socket)?.disconnect().await),
        "set" => {
            let mut data = socket.extensions.get::<Members>().unwrap_or_default();
            data.0.insert(read(first)?, args.get(1).ok_or(BAD)?.clone());
            socket.extensions.insert(data);
        }
        "get" => {
            return to_value(socket.extensions.get::<Members>().unwrap_or_default().0)
                .map(|data| vec![data])
                .map_err(|_| BAD);
        }
        "echo" => return Ok(args.to_vec()),
        "about" => {
            let about = json!({ "contract": 1, "server": "socketioxide 0.18.9", "options": given });
            return Ok(vec![to_value(about).map_err(|_| BAD)?]);
        }
        _ => return Err(Failure::Error("unknown event")),
    }
    Ok(vec![])
}

async fn welcome(given: Arc<Given>, socket: SocketRef) {
    socket.join(socket.id);
    if socket.ns() == "/" {
        socket.join("lobby");
    }
    socket.on_fallback(
        async move |io: SocketIo,
                    socket: SocketRef,
                    Event(event): Event,
                    Data(Args(args)): Data<Args>,
                    ack: AckSender| {
            let answer = match carry_out(&given, &io, &socket, &event, &args).await {
                Ok(values) => [vec!["ok".into()], values].concat(),
                Err(Failure::Error(message)) => vec!["error".into(), message.into()],
                Err(Failure::Timeout(values)) => [vec!["timeout".into()], values].concat(),
            };
            // Who has gone needs no answer.
            drop(ack.send(&Args(answer)));
        },
    );
}

/// The layer with these options, or the name of one that cannot be.
pub fn layer(given: Given) -> Result<SocketIoLayer, String> {
    let mut builder = SocketIo::builder();
    for (name, value) in &given {
        builder = set_option(builder, name, value).ok_or_else(|| name.clone())?;
    }
    let (layer, io) = builder.build_layer();
    let namespaces = given.get("namespaces").cloned().unwrap_or_else(|| json!({}));
    let gates = serde_json::from_value(namespaces);
    let mut gates: BTreeMap<String, Gate> = gates.map_err(|_| "namespaces".to_owned())?;
    gates.entry("/".into()).or_default();
    let given = Arc::new(given);
    for (name, gate) in gates {
        let check = async move |socket: SocketRef, TryData(auth): TryData<Value>| {
            gate.clone().check(socket, auth.unwrap_or(Value::Nil)).await
        };
        let given = given.clone();
        io.ns(name, (async move |socket| welcome(given.clone(), socket).await).with(check));
    }
    Ok(layer)
}
