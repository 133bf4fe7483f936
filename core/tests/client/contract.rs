//! The contract between a client and its caller.

use overheard_core::client::{Client, Command, ContractError, Input, SocketOptions};
use overheard_core::time::Instant;
use overheard_core::wire::{RequestId, WsEnd, WsId};

use crate::driver::{Fixed, Rig, polling_only, ws_only};

fn client() -> Client {
    Client::new(polling_only(), Box::new(Fixed(0.0)), Instant::from_millis(5))
}

#[test]
fn outputs_must_be_drained() {
    let mut client = client();
    let open = || Input::Command(Command::Open);
    client.handle(Instant::from_millis(5), open()).unwrap();
    let refused = client.handle(Instant::from_millis(5), Input::Timeout);
    assert_eq!(refused, Err(ContractError::NotDrained));
    while client.poll_output().is_some() {}
    client.handle(Instant::from_millis(5), Input::Timeout).unwrap();
}

#[test]
fn time_never_goes_back() {
    let mut client = client();
    let (from, to) = (Instant::from_millis(5), Instant::from_millis(4));
    let refused = client.handle(to, Input::Timeout);
    assert_eq!(refused, Err(ContractError::TimeWentBack { from, to }));
    client.handle(from, Input::Timeout).unwrap();
}

/// What was never given out is a mistake of the caller; what is over is not.
#[test]
fn foreign_ids_are_refused() {
    let mut client = client();
    let now = Instant::from_millis(5);
    let (request, ws) = (RequestId(0), WsId(0));
    let unknown = client.handle(now, Input::HttpFailed { request });
    assert_eq!(unknown, Err(ContractError::UnknownRequest(request)));
    for input in [
        Input::WsOpened { ws },
        Input::WsFlushed { ws },
        Input::WsFrames { ws, frames: Vec::new() },
        Input::WsClosed { ws, end: WsEnd::Closed },
    ] {
        assert_eq!(client.handle(now, input), Err(ContractError::UnknownWs(ws)));
    }
    let mut other = Rig::new(ws_only());
    let socket = other.socket("/");
    let unknown = client.handle(now, Input::Command(Command::Connect { socket }));
    assert_eq!(unknown, Err(ContractError::UnknownSocket(socket)));
    assert!(client.poll_output().is_none(), "a refused input has no effect");

    other.connect(socket);
    let ws = other.ws();
    other.ws_open();
    other.disconnect(socket);
    other.forget();
    for input in [
        Input::WsOpened { ws },
        Input::WsFlushed { ws },
        Input::WsFrames { ws, frames: vec![overheard_core::wire::Frame::text("x")] },
        Input::WsClosed { ws, end: WsEnd::TooLarge },
    ] {
        other.input(input);
    }
    other.expect_events(&[]);
    other.expect_wire(&[]);
    let late = SocketOptions::default();
    assert_eq!(other.client.socket("/", late), Ok(socket));
}
