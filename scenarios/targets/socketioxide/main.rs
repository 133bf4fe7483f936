//! The chat contract (CONTRACT.md) on socketioxide.

mod request;

use std::{collections::BTreeMap, env, io, process, sync::LazyLock, time::Duration};

use futures_util::StreamExt as _;
use rmpv::{Value, ext::to_value};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use socketioxide::extract::{AckSender, Data, Event, SocketRef, TryData};
use socketioxide::handler::ConnectHandler as _;
use socketioxide::{SocketIo, SocketIoBuilder, TransportType};

use self::request::{Args, BAD, Failure, Options, read, rooms, texts};

static OPTIONS: LazyLock<Map<String, Json>> = LazyLock::new(|| {
    let text = env::var("OVERHEARD_SERVER").unwrap_or_else(|_| "{}".into());
    serde_json::from_str(&text).unwrap_or_else(|_| cannot("OVERHEARD_SERVER"))
});

fn cannot(option: &str) -> ! {
    eprintln!("cannot: {option}");
    process::exit(78)
}

fn set_option(io: SocketIoBuilder, (name, value): (&String, &Json)) -> SocketIoBuilder {
    let number = || value.as_u64().unwrap_or_else(|| cannot(name));
    let millis = || Duration::from_millis(number());
    match name.as_str() {
        "ping-interval" => io.ping_interval(millis()),
        "ping-timeout" => io.ping_timeout(millis()),
        "connect-timeout" => io.connect_timeout(millis()),
        "upgrade-timeout" => io.upgrade_timeout(millis()),
        "max-http-buffer-size" => io.max_payload(number()),
        "transports" if *value == json!(["polling"]) => io.transports([TransportType::Polling]),
        "transports" if *value == json!(["websocket"]) => io.transports([TransportType::Websocket]),
        "transports" | "namespaces" => io,
        "allow-upgrades" if *value == true => io,
        "recovery" if value.is_null() => io,
        _ => cannot(name),
    }
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
            let about =
                json!({ "contract": 1, "server": "socketioxide 0.18.9", "options": *OPTIONS });
            return Ok(vec![to_value(about).map_err(|_| BAD)?]);
        }
        _ => return Err(Failure::Error("unknown event")),
    }
    Ok(vec![])
}

async fn welcome(socket: SocketRef) {
    socket.join(socket.id);
    if socket.ns() == "/" {
        socket.join("lobby");
    }
    socket.on_fallback(answer);
}

async fn answer(
    io: SocketIo,
    socket: SocketRef,
    Event(event): Event,
    Data(Args(args)): Data<Args>,
    ack: AckSender,
) {
    let answer = match carry_out(&io, &socket, &event, &args).await {
        Ok(values) => [vec!["ok".into()], values].concat(),
        Err(Failure::Error(message)) => vec!["error".into(), message.into()],
        Err(Failure::Timeout(values)) => [vec!["timeout".into()], values].concat(),
    };
    // Who has gone needs no answer.
    drop(ack.send(&Args(answer)));
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let (layer, io) = OPTIONS.iter().fold(SocketIo::builder(), set_option).build_layer();
    let namespaces = OPTIONS.get("namespaces").cloned().unwrap_or_else(|| json!({}));
    let gates = serde_json::from_value(namespaces);
    let mut gates: BTreeMap<String, Gate> = gates.unwrap_or_else(|_| cannot("namespaces"));
    gates.entry("/".into()).or_default();
    for (name, gate) in gates {
        let check = async move |socket: SocketRef, TryData(auth): TryData<Value>| {
            gate.clone().check(socket, auth.unwrap_or(Value::Nil)).await
        };
        io.ns(name, welcome.with(check));
    }
    let port = env::var("PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(0_u16);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, axum::Router::new().layer(layer)).await
}
