//! The chat contract (CONTRACT.md) on socketioxide, the same for a server that listens and for a
//! guest of the simulation. Requests are read by the crate that our own server reads them with.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use overheard_core::chat::{About, Answer, Args, ChatConfig, Request, Target};
use overheard_core::value::{Object, Value};
use socketioxide::extract::{AckSender, Data, Event, SocketRef, TryData};
use socketioxide::handler::ConnectHandler as _;
use socketioxide::{SocketIo, SocketIoBuilder, TransportType, layer::SocketIoLayer};

fn set_option(io: SocketIoBuilder, name: &str, value: &Value) -> Option<SocketIoBuilder> {
    let whole = || u64::try_from(value.as_int()?).ok();
    let millis = || whole().map(Duration::from_millis);
    let bytes = || usize::try_from(value.as_int()?).ok();
    let is_only = |name: &str| value.as_array() == Some(&[name.into()]);
    Some(match name {
        "ping-interval" => io.ping_interval(millis()?),
        "ping-timeout" => io.ping_timeout(millis()?),
        "connect-timeout" => io.connect_timeout(millis()?),
        "upgrade-timeout" => io.upgrade_timeout(millis()?),
        "max-http-buffer-size" => {
            // One for polling, and two for WebSocket.
            io.max_payload(whole()?).ws_max_message_size(bytes()?).ws_max_frame_size(bytes()?)
        }
        "transports" if is_only("polling") => io.transports([TransportType::Polling]),
        "transports" if is_only("websocket") => io.transports([TransportType::Websocket]),
        "transports" | "namespaces" => io,
        "allow-upgrades" if value.as_bool()? => io,
        "recovery" if *value == Value::Null => io,
        _ => return None,
    })
}

fn names(texts: impl IntoIterator<Item: ToString>) -> Vec<String> {
    texts.into_iter().map(|text| text.to_string()).collect()
}

async fn carry_out(about: &About, io: &SocketIo, socket: &SocketRef, request: Request) -> Answer {
    let select = |target: Target| {
        let namespace = io.of(socket.ns()).filter(|_| target.from_namespace);
        let all = namespace.unwrap_or_else(|| socket.broadcast());
        let all = all.to(names(target.rooms)).except(names(target.except));
        let all = if target.flags.volatile { all.volatile() } else { all };
        if target.flags.local { all.local() } else { all }
    };
    let mut values = vec![];
    match request {
        Request::Join(rooms) => socket.join(names(rooms)),
        Request::Leave(room) => socket.leave(room.to_string()),
        Request::Rooms => values.push(names(socket.rooms()).into_iter().collect()),
        Request::Broadcast { name, args, target } => {
            drop(select(target).emit(name.to_string(), &Args(args)).await);
        }
        Request::Ask { name, args, target, timeout } => {
            let target = select(target).timeout(timeout.unwrap_or(Duration::MAX));
            let answers = target.emit_with_ack::<_, Args>(name.to_string(), &Args(args)).await;
            let Ok(answers) = answers else { return Answer::Error("bad arguments") };
            return Answer::of_many(answers.map(|(_, answer)| answer.ok()).collect().await);
        }
        Request::Tell { id, name, args, flags, timeout } => {
            let other = id.parse().ok().and_then(|id| io.of(socket.ns())?.get_socket(id));
            let Some(other) = other else { return Answer::Error("no such socket") };
            let target = other.timeout(timeout.unwrap_or(Duration::MAX));
            let target = if flags.volatile { target.volatile() } else { target };
            let answer = target.emit_with_ack::<_, Args>(name.to_string(), &Args(args));
            let Ok(answer) = answer else { return Answer::Error("bad arguments") };
            return Answer::of_one(answer.await.ok());
        }
        Request::Who(target) => {
            let others = select(target).sockets();
            values.push(others.iter().map(|other| other.id.to_string()).collect());
        }
        Request::Move { target, join, leave } => {
            let Ok(()) = select(target.clone()).leave(names(leave)).await;
            let Ok(()) = select(target).join(names(join)).await;
        }
        Request::Kick { close: true, .. } => return Answer::Error("not supported"),
        Request::Kick { target, .. } => drop(select(target).disconnect().await),
        Request::Set(key, value) => {
            let mut data = socket.extensions.get::<Object>().unwrap_or_default();
            data.insert(key, value);
            socket.extensions.insert(data);
        }
        Request::Get => values.push(socket.extensions.get::<Object>().unwrap_or_default().into()),
        Request::Echo(args) => values = args,
        Request::About => values.push(about.to_value()),
    }
    Answer::Done(values)
}

async fn welcome(about: Arc<About>, socket: SocketRef) {
    socket.join(socket.id);
    if socket.ns() == "/" {
        socket.join("lobby");
    }
    let handler =
        async move |io: SocketIo, socket: SocketRef, event: Event, args, ack: AckSender| {
            let Data(Args(args)) = args;
            let answer = match Request::parse(&event.0, args, socket.id.as_str()) {
                Ok(request) => carry_out(&about, &io, &socket, request).await,
                Err(bad) => Answer::Error(bad.as_str()),
            };
            // Who has gone needs no answer.
            drop(ack.send(&Args::from(answer)));
        };
    socket.on_fallback(handler);
}

/// The layer with these options, or the name of one that cannot be.
pub fn layer(options: Object) -> Result<SocketIoLayer, String> {
    let ChatConfig { gates, about } = ChatConfig::read("socketioxide 0.18.9", options)?;
    let mut builder = SocketIo::builder();
    for (name, value) in about.options.iter() {
        builder = set_option(builder, name, value).ok_or(name)?;
    }
    let (layer, io) = builder.build_layer();
    let about = Arc::new(about);
    for (name, gate) in gates {
        let check = async move |socket: SocketRef, TryData(auth): TryData<Object>| {
            tokio::time::sleep(gate.auth_delay).await;
            // There is one thread: nobody enters between the count and the entry.
            gate.check(&auth.unwrap_or_default(), socket.broadcast().sockets().len())
        };
        let about = about.clone();
        let enter = async move |socket| welcome(about.clone(), socket).await;
        io.ns(String::from(name), enter.with(check));
    }
    Ok(layer)
}
