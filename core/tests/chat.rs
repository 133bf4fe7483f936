//! The first story, over the wire: a lobby, rooms, `except`, and the supervisors' namespace with
//! its token and its seats.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a client reads text and closes")]

mod support;

use overheard_core::app::{Hosted, HostedTimer};
use overheard_core::chat::{About, Chat, ChatConfig, Gate};
use overheard_core::engine::Input;
use overheard_core::server::{Server, ServerConfig};
use overheard_core::time::{Duration, Instant};
use overheard_core::wire::{Frame, WsId};
use support::{CountingIds, Got, Wire};

/// A chat server with raw clients.
struct Room {
    chat: Hosted<Chat>,
    wire: Wire,
    now: Instant,
}

impl Room {
    fn new(config: ChatConfig) -> Self {
        let mut server = ServerConfig::default();
        config.apply(&mut server);
        let (ids, socket_ids) = (Box::new(CountingIds(0)), Box::new(CountingIds(1 << 32)));
        let server = Server::new(server, ids, socket_ids, Instant::ZERO);
        let chat = Hosted::new(server, Chat::new(config));
        Self { chat, wire: Wire::default(), now: Instant::ZERO }
    }

    fn feed(&mut self, input: Input) {
        self.chat.handle(self.now, input).unwrap();
        let mut frames = Vec::new();
        while let Some(output) = self.chat.poll_output(&mut ()) {
            if let Some(ws) = self.wire.perform(output) {
                self.chat.take_frames(ws, &mut frames);
                self.wire.receive(ws, std::mem::take(&mut frames));
                // Nothing else is on its way in these tests: written is flushed.
            }
        }
    }

    fn flush(&mut self, ws: WsId) {
        self.feed(Input::WsFlushed(ws));
    }

    fn open(&mut self) -> WsId {
        let (ws, input) = self.wire.websocket("EIO=4&transport=websocket");
        self.feed(input);
        self.flush(ws);
        self.rx(ws);
        ws
    }

    /// A person in the lobby, with the id of the socket.
    fn enter(&mut self) -> (WsId, String) {
        let ws = self.open();
        self.tx(ws, "40");
        let reply = self.rx(ws).remove(0);
        let sid = reply.strip_prefix("40{\"sid\":\"").unwrap().strip_suffix("\"}").unwrap();
        (ws, sid.to_owned())
    }

    fn tx(&mut self, ws: WsId, frame: &str) {
        self.feed(Input::WsFrames { ws, frames: vec![Frame::text(frame.to_owned())] });
        let all: Vec<WsId> = self.wire.inboxes.keys().copied().collect();
        for ws in all {
            self.flush(ws);
        }
    }

    fn rx(&mut self, ws: WsId) -> Vec<String> {
        let got = self.wire.inboxes.get_mut(&ws).unwrap().drain(..);
        got.filter_map(|got| match got {
            Got::Frame(Frame::Text(text)) => Some(text.to_string()),
            Got::Close(code) => Some(format!("CLOSE:{code}")),
            _ => None,
        })
        .collect()
    }
}

#[test]
fn a_message_reaches_the_lobby_but_not_its_sender_nor_who_is_excepted() {
    // BC-TGT-04, BC-TGT-06
    let mut room = Room::new(ChatConfig::default());
    let ((alice, id), (bob, _), (carol, carols)) = (room.enter(), room.enter(), room.enter());
    room.tx(alice, r#"420["chat","hi"]"#);
    assert_eq!(room.rx(alice), [r#"430["ok"]"#]);
    assert_eq!(room.rx(bob), [format!(r#"42["chat","hi",{{"from":"{id}"}}]"#)]);
    assert_eq!(room.rx(carol), [format!(r#"42["chat","hi",{{"from":"{id}"}}]"#)]);
    room.tx(alice, &format!(r#"421["chat","psst",{{"except":"{carols}"}}]"#));
    assert_eq!(room.rx(bob), [format!(r#"42["chat","psst",{{"from":"{id}"}}]"#)]);
    assert_eq!(room.rx(carol), [""; 0]);
}

#[test]
fn a_room_hears_what_is_said_to_it_and_the_lobby_does_not() {
    // ROOM-02, ROOM-03, BC-TGT-02
    let mut room = Room::new(ChatConfig::default());
    let ((alice, _), (bob, bobs), (carol, _)) = (room.enter(), room.enter(), room.enter());
    room.tx(bob, r#"420["join",["tea","coffee"]]"#);
    room.tx(bob, r#"421["rooms"]"#);
    let rooms = format!(r#"431["ok",["{bobs}","lobby","tea","coffee"]]"#);
    assert_eq!(room.rx(bob), [r#"430["ok"]"#.to_owned(), rooms]);
    room.tx(alice, r#"42["broadcast",{"event":"ready","args":[1],"to":["tea","coffee"]}]"#);
    assert_eq!(room.rx(bob), [r#"42["ready",1]"#]);
    room.tx(bob, r#"42["leave","tea"]"#);
    room.tx(alice, r#"42["broadcast",{"event":"ready","to":"tea"}]"#);
    assert_eq!(room.rx(bob), [""; 0]);
    assert_eq!((room.rx(alice), room.rx(carol)), (vec![], vec![]));
}

#[test]
fn questions_gather_answers() {
    // BC-ACK-01, BC-ACK-03, SIO-ACK-01
    let mut room = Room::new(ChatConfig::default());
    let ((alice, _), (bob, bobs), (carol, _)) = (room.enter(), room.enter(), room.enter());
    room.tx(alice, r#"427["ask",{"event":"lunch?","timeout":100}]"#);
    assert_eq!(room.rx(bob), [r#"420["lunch?"]"#]);
    assert_eq!(room.rx(carol), [r#"420["lunch?"]"#]);
    room.tx(carol, r#"430["yes"]"#);
    room.now = room.now + Duration::from_millis(100);
    room.feed(Input::Timeout);
    assert_eq!(room.rx(alice), [r#"437["timeout",["yes"]]"#]);
    room.tx(alice, &format!(r#"428["tell",{{"id":"{bobs}","event":"you?"}}]"#));
    assert_eq!(room.rx(bob), [r#"421["you?"]"#]);
    room.tx(bob, r#"431["me",2]"#);
    assert_eq!(room.rx(alice), [r#"438["ok","me",2]"#]);
}

#[test]
fn supervisors_need_the_token_and_a_seat() {
    // NSP-MW-04, SIO-CONN-02
    let gate = Gate { token: Some("sesame".into()), seats: Some(1), ..Default::default() };
    let mut room = Room::new(ChatConfig::supervised(gate));
    let people = [room.enter().0, room.enter().0, room.enter().0];
    for (auth, answer) in [
        ("", r#"{"message":"not authorized","data":{"code":"unauthorized"}}"#),
        (r#"{"token":"open"}"#, r#"{"message":"not authorized","data":{"code":"unauthorized"}}"#),
        (r#"{"token":1}"#, r#"{"message":"not authorized","data":{"code":"unauthorized"}}"#),
    ] {
        room.tx(people[0], &format!("40/supervisors,{auth}"));
        assert_eq!(room.rx(people[0]), [format!("44/supervisors,{answer}")]);
    }
    room.tx(people[1], r#"40/supervisors,{"token":"sesame"}"#);
    assert!(room.rx(people[1])[0].starts_with("40/supervisors,{\"sid\""));
    room.tx(people[2], r#"40/supervisors,{"token":"sesame"}"#);
    let full = r#"44/supervisors,{"message":"namespace is full","data":{"code":"namespace_full"}}"#;
    assert_eq!(room.rx(people[2]), [full]);
    // A refused person is still in the lobby, and the seat is free again when it is left.
    room.tx(people[1], "41/supervisors,");
    room.tx(people[2], r#"40/supervisors,{"token":"sesame"}"#);
    assert!(room.rx(people[2])[0].starts_with("40/supervisors,{\"sid\""));
    room.tx(people[0], r#"42["chat","still here"]"#);
    assert!(room.rx(people[2])[0].starts_with(r#"42["chat","still here""#));
}

#[test]
fn supervisors_are_apart_from_the_employees() {
    // NSP-07, NSP-08
    let gate = Gate { token: Some("t".into()), ..Default::default() };
    let mut room = Room::new(ChatConfig::supervised(gate));
    let ((boss, _), (clerk, _)) = (room.enter(), room.enter());
    room.tx(boss, r#"40/supervisors,{"token":"t"}"#);
    room.rx(boss);
    room.tx(boss, r#"42/supervisors,["broadcast",{"event":"secret","from":"namespace"}]"#);
    assert_eq!(room.rx(boss), [r#"42/supervisors,["secret"]"#]);
    assert_eq!(room.rx(clerk), [""; 0]);
    room.tx(clerk, r#"42["broadcast",{"event":"gossip","from":"namespace"}]"#);
    assert_eq!(room.rx(boss), [r#"42["gossip"]"#]);
}

#[test]
fn a_slow_check_holds_up_nobody_else() {
    // NSP-MW-06: with one seat and two slow checks, one gets it
    let auth_delay = Duration::from_millis(50);
    let gate = Gate { token: Some("t".into()), seats: Some(1), auth_delay };
    let mut room = Room::new(ChatConfig::supervised(gate));
    let ((ann, _), (bea, _)) = (room.enter(), room.enter());
    room.tx(ann, r#"40/supervisors,{"token":"t"}"#);
    room.tx(bea, r#"40/supervisors,{"token":"t"}"#);
    room.tx(ann, r#"421["echo",{"x":[null]}]"#);
    assert_eq!(room.rx(ann), [r#"431["ok",{"x":[null]}]"#]);
    let (at, timer) = room.chat.poll_timeout().unwrap();
    assert_eq!((at, timer), (Instant::from_millis(50), HostedTimer::App));
    room.now = at;
    room.feed(Input::Timeout);
    assert!(room.rx(ann)[0].starts_with("40/supervisors,"));
    assert!(room.rx(bea)[0].starts_with("44/supervisors,{\"message\":\"namespace is full\""));
}

#[test]
fn each_gate_has_its_own_token_delay_and_seats() {
    let gate = |token: Option<&str>, millis| Gate {
        token: token.map(Into::into),
        auth_delay: Duration::from_millis(millis),
        ..Gate::default()
    };
    let gates =
        [("/slow", gate(Some("s"), 90)), ("/open", gate(None, 30)), ("/free", gate(None, 0))];
    let gates = gates.into_iter().map(|(name, gate)| (name.into(), gate)).collect();
    let mut room = Room::new(ChatConfig { gates, ..ChatConfig::default() });
    let (ann, _) = room.enter();
    room.tx(ann, r#"40/slow,{"token":"s"}"#);
    room.tx(ann, "40/open,");
    room.tx(ann, "40/free,");
    assert!(room.rx(ann)[0].starts_with("40/free,{\"sid\""));
    let (at, _) = room.chat.poll_timeout().unwrap();
    assert_eq!(at, Instant::from_millis(30));
    room.now = at;
    room.feed(Input::Timeout);
    assert!(room.rx(ann)[0].starts_with("40/open,{\"sid\""));
}

#[test]
fn people_are_moved_and_shown_the_door() {
    // UTIL-01
    let mut room = Room::new(ChatConfig::default());
    let ((alice, id), (bob, bobs), (carol, _)) = (room.enter(), room.enter(), room.enter());
    room.tx(alice, &format!(r#"420["move",{{"to":"{bobs}","join":["attic"],"leave":["lobby"]}}]"#));
    room.tx(alice, r#"421["who",{"to":"attic"}]"#);
    room.tx(alice, r#"422["who",{"to":"lobby","from":"namespace"}]"#);
    let answers = room.rx(alice);
    assert_eq!(answers[..2], [r#"430["ok"]"#.to_owned(), format!(r#"431["ok",["{bobs}"]]"#)]);
    assert!(answers[2].contains(&id) && !answers[2].contains(&bobs), "{}", answers[2]);
    room.tx(alice, r#"423["kick",{"to":"attic"}]"#);
    assert_eq!((room.rx(bob), room.rx(alice)), (vec!["41".into()], vec![r#"433["ok"]"#.into()]));
    room.tx(alice, r#"424["kick",{"to":"lobby","close":true}]"#);
    assert_eq!(room.rx(carol), ["41", "CLOSE:1005"]);
}

#[test]
fn who_serves_is_said_to_everybody() {
    let options = [("ping-interval", 500)].into_iter().collect();
    let about = About { server: "house 7".into(), options };
    let mut room = Room::new(ChatConfig { about, ..ChatConfig::default() });
    let (alice, _) = room.enter();
    room.tx(alice, r#"420["about","whatever"]"#);
    let answer = r#"{"contract":1,"server":"house 7","options":{"ping-interval":500}}"#;
    assert_eq!(room.rx(alice), [format!(r#"430["ok",{answer}]"#)]);
    let mut room = Room::new(ChatConfig::default());
    let (alice, _) = room.enter();
    room.tx(alice, r#"420["about"]"#);
    let answer = &room.rx(alice)[0];
    assert!(answer.starts_with(r#"430["ok",{"contract":1,"server":"overheard "#), "{answer}");
    assert!(answer.ends_with(r#"","options":{}}]"#), "{answer}");
}

#[test]
fn bad_requests_are_answered_and_change_nothing() {
    let mut room = Room::new(ChatConfig::default());
    let (alice, id) = room.enter();
    for (event, answer) in [
        (r#"["dance"]"#, "unknown event"),
        (r#"[7]"#, "unknown event"),
        (r#"["join"]"#, "bad arguments"),
        (r#"["join",["a",1]]"#, "bad arguments"),
        (r#"["leave",["a"]]"#, "bad arguments"),
        (r#"["broadcast",{"event":"connect"}]"#, "bad event name"),
        (r#"["broadcast",{}]"#, "bad event name"),
        (r#"["broadcast",{"event":"x","args":1}]"#, "bad arguments"),
        (r#"["broadcast",{"event":"x","to":{}}]"#, "bad arguments"),
        (r#"["broadcast",{"event":"x","from":"me"}]"#, "bad arguments"),
        (r#"["ask",{"event":"x","timeout":-1}]"#, "bad arguments"),
        (r#"["tell",{"event":"x","id":"nobody"}]"#, "no such socket"),
        (r#"["set","k"]"#, "bad arguments"),
    ] {
        room.tx(alice, &format!("420{event}"));
        assert_eq!(room.rx(alice), [format!(r#"430["error","{answer}"]"#)], "{event}");
    }
    room.tx(alice, r#"420["set","name","Al"]"#);
    room.tx(alice, r#"421["get"]"#);
    room.tx(alice, r#"422["rooms"]"#);
    let rooms = format!(r#"432["ok",["{id}","lobby"]]"#);
    assert_eq!(room.rx(alice)[1..], [r#"431["ok",{"name":"Al"}]"#.to_owned(), rooms]);
}
