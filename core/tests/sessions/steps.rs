//! The steps of a transcript.

use overheard_core::codec::sio::json;
use overheard_core::engine::{Input as Transport, Method};
use overheard_core::value::{Object, Value};
use overheard_core::wire::{Frame, RequestId};

use crate::support::vectors::{bytes_of, hex, with_binary};
use crate::support::{Got, complete, text, ws_closed};
use crate::world::{Client, SETTLE, World, millis};

impl World {
    pub(crate) fn step(&mut self, step: &Value) {
        let step = step.as_object().unwrap();
        let nosettle = step.get("nosettle").and_then(Value::as_bool).unwrap_or(false);
        if let Some(ms) = step.get("wait") {
            self.settle(millis(ms));
        } else if let Some(operation) = step.get("srv") {
            self.operate(operation.as_array().unwrap());
        } else if let Some(expected) = step.get("s") {
            let log = std::mem::take(&mut self.log);
            let log: Vec<Value> = log.iter().map(|entry| self.masked(entry)).collect();
            assert_eq!(
                show(&log),
                show(&[with_binary(expected)])[1..show(&[with_binary(expected)]).len() - 1],
                "the server log"
            );
        } else {
            let name = step.get("c").and_then(Value::as_str).expect("a client").to_owned();
            for (verb, value) in step.iter().filter(|(key, _)| *key != "c" && *key != "reply") {
                self.client_step(&name, verb, value, step);
            }
        }
        if !nosettle {
            self.settle(SETTLE);
        }
    }

    pub(crate) fn masked(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::from(self.mask(text)),
            Value::Array(items) => {
                Value::Array(items.iter().map(|item| self.masked(item)).collect())
            }
            other => other.clone(),
        }
    }

    pub(crate) fn client_step(&mut self, name: &str, verb: &str, value: &Value, step: &Object) {
        match verb {
            "open" => self.open(name, value.as_str().unwrap()),
            "tx" => {
                let frames = value.as_array().unwrap().iter();
                let frames = frames
                    .map(|frame| match bytes_of(frame) {
                        Some(data) => Frame::Binary(data),
                        None => Frame::text(self.unmask(frame.as_str().unwrap())),
                    })
                    .collect();
                let ws = self.clients[name].ws.expect("a WebSocket");
                self.feed(Transport::WsFrames { ws, frames });
            }
            "rx" => {
                let got = self.received(name);
                let expected: Vec<Value> = value
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|frame| match bytes_of(frame) {
                        Some(data) => Value::Binary(data),
                        None => Value::from(self.unmask(frame.as_str().unwrap())),
                    })
                    .collect();
                assert_eq!(show(&got), show(&expected), "what {name} received");
            }
            "post" => {
                let body = self.unmask(value.as_str().unwrap());
                let request = self.http(name, Method::Post);
                while let Some((request, _)) = self.wire.bodies_wanted.pop_front() {
                    self.feed(complete(request, body.clone()));
                }
                match step.get("reply") {
                    Some(reply) => self.expect(request, reply),
                    None => {
                        let response = &self.wire.responses[&request];
                        assert_eq!((response.status, text(response)), (200, "ok".into()));
                    }
                }
            }
            "poll" => {
                let request = self.http(name, Method::Get);
                self.expect(request, value);
            }
            "pollStart" => {
                let request = self.http(name, Method::Get);
                self.clients.get_mut(name).unwrap().poll = Some(request);
            }
            "pollEnd" => {
                let request = self.clients.get_mut(name).unwrap().poll.take().expect("a poll");
                self.expect(request, value);
            }
            "terminate" => match self.clients[name].ws {
                Some(ws) => self.feed(ws_closed(ws)),
                None => {
                    if let Some(request) = self.clients.get_mut(name).unwrap().poll.take() {
                        self.feed(Transport::RequestAborted(request));
                    }
                }
            },
            "nosettle" => {}
            other => panic!("unknown step {other}"),
        }
    }

    pub(crate) fn open(&mut self, name: &str, transport: &str) {
        let query = format!("EIO=4&transport={transport}");
        let open = if transport == "websocket" {
            let (ws, input) = self.wire.websocket(&query);
            self.feed(input);
            let client = Client { ws: Some(ws), sid: String::new(), poll: None };
            self.clients.insert(name.into(), client);
            let got = self.received(name);
            assert_eq!(got[0], Value::from("OPEN"));
            got[1].as_str().unwrap().to_owned()
        } else {
            let (request, input) = self.wire.request(Method::Get, &query, &[]);
            self.feed(input);
            text(&self.wire.responses[&request])
        };
        let open = json::parse(&open[1..]).unwrap();
        let sid = open.as_object().unwrap().get("sid").unwrap().as_str().unwrap().to_owned();
        let ws = self
            .clients
            .get(name)
            .and_then(|client| client.ws)
            .filter(|_| transport == "websocket");
        self.clients.insert(name.into(), Client { ws, sid, poll: None });
    }

    pub(crate) fn http(&mut self, name: &str, method: Method) -> RequestId {
        let query = format!("EIO=4&transport=polling&sid={}", self.clients[name].sid);
        let (request, input) = self.wire.request(method, &query, &[]);
        self.feed(input);
        request
    }

    pub(crate) fn expect(&mut self, request: RequestId, reply: &Value) {
        let reply = reply.as_object().unwrap();
        let response = self.wire.responses.get(&request).expect("an answer").clone();
        for packet in text(&response).split('\u{1e}') {
            self.note_text(packet);
        }
        if let Some(status) = reply.get("status") {
            assert_eq!(i64::from(response.status), status.as_int().unwrap());
        }
        if let Some(body) = reply.get("body") {
            assert_eq!(text(&response), self.unmask(body.as_str().unwrap()));
        }
    }

    pub(crate) fn received(&mut self, name: &str) -> Vec<Value> {
        let ws = self.clients[name].ws.expect("a WebSocket");
        let got = self.wire.inboxes.get_mut(&ws).unwrap().drain(..);
        got.map(|got| match got {
            Got::Open => Value::from("OPEN"),
            Got::Frame(Frame::Text(text)) => Value::from(&*text),
            Got::Frame(Frame::Binary(data)) => Value::Binary(data),
            Got::Http(status, body) => Value::from(format!("HTTP {status} {body}")),
            Got::Broken => Value::from("ERR"),
            Got::Close(code) => Value::from(format!("CLOSE:{code}")),
        })
        .collect()
    }
}

fn show(values: &[Value]) -> String {
    pub(crate) fn plain(value: &Value) -> Value {
        match value {
            Value::Binary(data) => Value::from(format!("<{}>", hex(data))),
            Value::Array(items) => Value::Array(items.iter().map(plain).collect()),
            Value::Object(object) => {
                Value::Object(object.iter().map(|(key, value)| (key, plain(value))).collect())
            }
            other => other.clone(),
        }
    }
    json::stringify(&plain(&Value::Array(values.to_vec())))
}
