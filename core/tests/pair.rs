//! Core's server and core's clients talk to each other: whole conversations over every transport,
//! with latency, heartbeats, losses and recovery.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks at few of many events")]

#[path = "support/pair.rs"]
mod pair;
mod support;

use overheard_core::chat::{ChatConfig, Gate};
use overheard_core::client::{ClientConfig, Command, Emit, Event, SocketHandle, Transport};
use overheard_core::server::{Command as Order, RecoveryConfig, ServerConfig, ServerStats};
use overheard_core::time::Duration;
use overheard_core::value::Value;
use pair::{Pair, Peer};

fn polling() -> ClientConfig {
    ClientConfig { transports: vec![Transport::Polling], ..ClientConfig::default() }
}

fn websocket() -> ClientConfig {
    ClientConfig { transports: vec![Transport::WebSocket], ..ClientConfig::default() }
}

/// Polling first, then WebSocket: the default.
fn upgrading() -> ClientConfig {
    ClientConfig::default()
}

fn transports() -> [ClientConfig; 3] {
    [polling(), websocket(), upgrading()]
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What a server without clients holds.
fn empty(chat: ChatConfig, config: ServerConfig) -> ServerStats {
    Pair::chat(chat, config).stats()
}

/// Two people and an observer, and everything that they heard.
fn conversation(config: &ClientConfig) -> [Vec<String>; 3] {
    let mut pair = Pair::chat(ChatConfig::default(), ServerConfig::default());
    let people = [(); 3].map(|()| pair.person(config.clone()));
    let [(alice, a), (bob, b), (carol, _)] = people;
    for (peer, _) in people {
        pair.peers[peer].link.up = ms(30 + 7 * peer as u64);
        pair.peers[peer].link.down = ms(50);
    }
    pair.ask(bob, b, "join", r#"[["tea","coffee"]]"#, 1);
    pair.settle();
    for number in 0..20 {
        pair.emit(alice, a, "chat", &format!(r#"["to all {number}"]"#));
        pair.emit(alice, a, "chat", &format!(r#"[{number},{{"to":["tea","coffee"]}}]"#));
        pair.emit(bob, b, "chat", &format!(r#"["from bob {number}",{{"except":"tea"}}]"#));
        pair.run_for(ms(13));
    }
    pair.settle();
    for (peer, _) in people {
        let Peer { requests, websockets, client, .. } = &pair.peers[peer];
        match config.transports[..] {
            [Transport::Polling] => assert!(*requests > 5 && *websockets == 0, "{requests}"),
            [Transport::WebSocket] => assert_eq!((*requests, *websockets), (0, 1)),
            _ => {
                assert_eq!(client.transport(), Some(Transport::WebSocket));
                assert!(*requests > 2 && *websockets == 1, "{requests}, {websockets}");
            }
        }
    }
    // Each sender's own order is certain (BC-ORD-01); how two of them mix is the network's affair.
    [alice, bob, carol].map(|peer| {
        let mut lines = pair.heard(peer);
        lines.sort_by_key(|line| line.contains("from bob"));
        lines
    })
}

/// BC-ORD-01, BC-TGT-02, BC-TGT-04: every transport carries the same, in order, once.
#[test]
fn a_conversation_is_the_same_over_every_transport() {
    let heard = transports().map(|config| conversation(&config));
    assert_eq!(heard[0], heard[1], "polling and WebSocket");
    assert_eq!(heard[1], heard[2], "WebSocket and an upgrade");
    let [alice, bob, carol] = &heard[0];
    assert_eq!((alice.len(), bob.len(), carol.len()), (20, 41, 40));
    let texts = |lines: &[String], part: &str| {
        let of_part = lines.iter().filter(|line| line.contains(part)).cloned();
        of_part.collect::<Vec<_>>()
    };
    assert_eq!(texts(bob, "to all"), texts(carol, "to all"));
    assert!(texts(carol, "to all").is_sorted_by_key(|line| line.len()), "in order");
}

/// EIO-UP-03, I20: nothing is lost, doubled or overtaken while a session moves to WebSocket,
/// whatever the latency.
#[test]
fn an_upgrade_loses_nothing_at_any_latency() {
    for latency in (0..240).step_by(15) {
        let mut pair = Pair::chat(ChatConfig::default(), ServerConfig::default());
        let (alice, a) = pair.person(upgrading());
        let bob = pair.client(upgrading());
        pair.peers[bob].link.up = ms(latency);
        pair.peers[bob].link.down = ms(latency / 2 + 3);
        let b = pair.connect(bob, "/", None);
        pair.run_until("bob is there", |pair| pair.sid(bob, b).is_some());
        pair.heard(bob);
        for number in 0..40 {
            pair.emit(alice, a, "chat", &format!("[{number}]"));
            pair.ask(bob, b, "echo", &format!("[{number}]"), number);
            pair.run_for(ms(11));
        }
        pair.settle();
        assert_eq!(pair.peers[bob].client.transport(), Some(Transport::WebSocket));
        let heard = pair.heard(bob);
        let (acks, chats): (Vec<_>, Vec<_>) =
            heard.iter().partition(|line| line.starts_with("/ ack"));
        let expect = (0..40).map(|number| format!(r#"/ ack {number}: ["ok",{number}]"#));
        assert!(acks.into_iter().eq(&expect.collect::<Vec<_>>()), "{latency} ms: {heard:#?}");
        let numbers = chats.iter().map(|line| line["/ chat [".len()..].split(',').next().unwrap());
        assert!(numbers.eq((0..40).map(|number| number.to_string())), "{latency} ms: {chats:#?}");
    }
}

/// EIO-UP-03: what is sent at any moment of an upgrade arrives, also when nothing follows it.
#[test]
fn a_packet_sent_at_any_moment_of_an_upgrade_arrives() {
    for latency in [0, 20, 70] {
        for moment in (0..500).step_by(10) {
            let mut pair = Pair::chat(ChatConfig::default(), ServerConfig::default());
            let (alice, a) = pair.person(upgrading());
            pair.settle();
            let bob = pair.client(upgrading());
            pair.peers[bob].link.up = ms(latency);
            pair.peers[bob].link.down = ms(latency);
            let b = pair.connect(bob, "/", None);
            pair.run_until("bob is there", |pair| pair.sid(bob, b).is_some());
            pair.run_for(ms(moment));
            pair.heard(bob);
            pair.emit(alice, a, "chat", "[1]");
            pair.settle();
            assert_eq!(pair.heard(bob).len(), 1, "{latency} ms, {moment} ms");
        }
    }
}

/// BC-TGT-04, BC-TGT-06: a room hears what is said in it, but not its sender nor who is excepted.
#[test]
fn a_room_hears_everything_but_what_it_is_excepted_from() {
    for config in transports() {
        let mut pair = Pair::chat(ChatConfig::default(), ServerConfig::default());
        let people = [(); 4].map(|()| pair.person(config.clone()));
        let [(alice, a), (bob, b), (carol, c), (dave, _)] = people;
        for (peer, socket) in [(alice, a), (bob, b), (carol, c)] {
            pair.emit(peer, socket, "join", r#"["kitchen"]"#);
        }
        pair.emit(bob, b, "join", r#"["cooks"]"#);
        pair.settle();
        let carols = pair.sid(carol, c).unwrap();
        pair.emit(alice, a, "chat", r#"["soup",{"to":"kitchen"}]"#);
        pair.emit(alice, a, "chat", r#"["secret",{"to":"kitchen","except":"cooks"}]"#);
        let both = format!(r#"["none",{{"to":"kitchen","except":["cooks","{carols}"]}}]"#);
        pair.emit(alice, a, "chat", &both);
        pair.emit(alice, a, "broadcast", r#"[{"event":"all","from":"namespace","except":"x"}]"#);
        pair.settle();
        let from = format!(r#"{{"from":"{}"}}"#, pair.sid(alice, a).unwrap());
        let (soup, secret) =
            (format!(r#"/ chat ["soup",{from}]"#), format!(r#"/ chat ["secret",{from}]"#));
        let all = "/ all []".to_owned();
        assert_eq!(pair.heard(bob), [soup.clone(), all.clone()]);
        assert_eq!(pair.heard(carol), [soup, secret, all.clone()]);
        assert_eq!((pair.heard(alice), pair.heard(dave)), (vec![all.clone()], vec![all]));
    }
}

/// NSP-MW-04, NSP-08: the supervisors' namespace wants its token, has so many seats, and is apart.
#[test]
fn supervisors_are_let_in_with_the_token_while_there_are_seats() {
    let auth_delay = ms(40);
    for config in transports() {
        let gate = Gate { token: Some("sesame".into()), seats: Some(1), auth_delay };
        let chat = ChatConfig::supervised(gate);
        let mut pair = Pair::chat(chat, ServerConfig::default());
        let people = [(); 3].map(|()| pair.person(config.clone()));
        let [(alice, a), (bob, _), (carol, c)] = people;
        let auths = [r#"{"token":"sesame"}"#, r#"{"token":"guess"}"#, r#"{"token":"sesame"}"#];
        let sockets: Vec<SocketHandle> = (0..3)
            .map(|peer| {
                let socket = pair.connect(people[peer].0, "/supervisors", Some(auths[peer]));
                pair.settle();
                socket
            })
            .collect();
        assert_eq!(pair.heard(alice), ["/supervisors connect"]);
        assert_eq!(pair.heard(bob), ["/supervisors connect_error: not authorized"]);
        assert_eq!(pair.heard(carol), ["/supervisors connect_error: namespace is full"]);
        let secret = r#"[{"event":"secret","from":"namespace"}]"#;
        pair.emit(alice, sockets[0], "broadcast", secret);
        pair.emit(alice, a, "chat", r#"["still here"]"#);
        pair.settle();
        let heard = people.map(|(peer, _)| pair.heard(peer));
        assert_eq!(heard[0], ["/supervisors secret []"]);
        assert!(heard[1].len() == 1 && heard[1] == heard[2], "{heard:?}");
        // The seat is free when its holder has left it.
        pair.command(alice, Command::Disconnect { socket: sockets[0] });
        pair.settle();
        pair.command(carol, Command::Connect { socket: sockets[2] });
        pair.settle();
        assert_eq!(pair.heard(carol), ["/supervisors connect"]);
        assert!(pair.sid(carol, c).is_some(), "and she is still in the lobby");
    }
}

/// SIO-ACK-01, SIO-ACK-05, BC-ACK-01, BC-ACK-03: both sides ask, and both sides answer.
#[test]
fn questions_are_answered_both_ways() {
    for config in transports() {
        let mut pair = Pair::chat(ChatConfig::default(), ServerConfig::default());
        let people = [(); 3].map(|()| pair.person(config.clone()));
        let [(alice, a), (bob, b), (carol, _)] = people;
        pair.peers[bob].answer = Some(pair::array(r#"["bob",2]"#));
        let bobs = pair.sid(bob, b).unwrap();
        pair.ask(alice, a, "tell", &format!(r#"[{{"id":"{bobs}","event":"you?"}}]"#), 1);
        pair.settle();
        pair.ask(alice, a, "ask", r#"[{"event":"lunch?","args":[true],"timeout":500}]"#, 2);
        pair.settle();
        assert_eq!(
            pair.heard(alice),
            [r#"/ ack 1: ["ok","bob",2]"#, r#"/ ack 2: ["timeout",["bob"]]"#]
        );
        assert_eq!(pair.heard(bob), ["/ you? []", "/ lunch? [true]"]);
        pair.peers[carol].answer = Some(pair::array(r#"["carol"]"#));
        pair.ask(alice, a, "ask", r#"[{"event":"tea?","timeout":500}]"#, 3);
        pair.settle();
        let heard = pair.heard(alice);
        assert!(heard[0].starts_with(r#"/ ack 3: ["ok",["#) && heard[0].contains("carol"));
        // Nobody answers a client whose server has gone silent: its own timeout does.
        pair.peers[alice].link.is_dead = true;
        pair.ask(alice, a, "echo", "[1]", 4);
        pair.run_for(ms(10_000));
        assert_eq!(pair.heard(alice), ["/ ack 4: operation has timed out"]);
    }
}

/// EIO-PKT-03, SIO-ENC-06: bytes come out as they went in, over every transport.
#[test]
fn binary_passes_unchanged() {
    let data: Vec<u8> = (0..=255).collect();
    for config in transports() {
        let mut pair = Pair::chat(ChatConfig::default(), ServerConfig::default());
        let ((alice, a), (bob, _)) = (pair.person(config.clone()), pair.person(config));
        let object = [("kept", Value::from(1)), ("bytes", Value::Binary(data.clone().into()))];
        let empty = Value::Binary(bytes::Bytes::new());
        let args = [Value::Object(object.into_iter().collect()), empty];
        let options = [("event", Value::from("bytes")), ("args", Value::Array(args.to_vec()))];
        let options = Value::Object(options.into_iter().collect());
        for _ in 0..3 {
            let emit = Emit::new("broadcast", [options.clone()]);
            pair.command(alice, Command::Emit { socket: a, emit });
        }
        pair.settle();
        let events = std::mem::take(&mut pair.peers[bob].events);
        let received = events.into_iter().filter_map(|event| match event {
            Event::Received { name, args, .. } => Some((name, args)),
            _ => None,
        });
        assert!(received.eq([(); 3].map(|()| ("bytes".into(), args.to_vec()))));
    }
}

/// EIO-HB-01, EIO-HB-08: two live machines never lose each other, and say so every 25 seconds.
#[test]
fn heartbeats_keep_quiet_sessions_alive_for_hours() {
    let mut pair = Pair::chat(ChatConfig::default(), ServerConfig::default());
    let people = transports().map(|config| pair.person(config));
    for (peer, _) in people {
        pair.peers[peer].link.up = ms(900);
        pair.peers[peer].link.down = ms(400);
    }
    pair.told();
    pair.run_for(Duration::from_secs(6 * 3600));
    assert_eq!(pair.told(), [""; 0]);
    for (peer, socket) in people {
        assert!(pair.sid(peer, socket).is_some());
        let events = std::mem::take(&mut pair.peers[peer].events);
        let pings = events.iter().filter(|event| matches!(event, Event::Ping)).count();
        // The next ping is due 25 s after the pong, which takes a round trip.
        assert!((820..=864).contains(&pings), "{pings} heartbeats in six hours");
    }
}

/// EIO-HB-02, I19: a client that falls silent is gone within pingInterval + pingTimeout, and
/// nothing of it is left.
#[test]
fn a_silent_client_is_dropped_in_time() {
    for config in transports() {
        let config = ClientConfig { reconnection: false, ..config };
        let mut pair = Pair::chat(ChatConfig::default(), ServerConfig::default());
        let baseline = empty(ChatConfig::default(), ServerConfig::default());
        let (alice, a) = pair.person(config);
        pair.run_for(ms(60_000));
        pair.told();
        pair.peers[alice].link.is_dead = true;
        let since = pair.now;
        pair.run_until("the client is dropped", |pair| pair.stats().connected == 0);
        let silence = pair.now - since;
        assert!(silence <= ms(45_000), "{silence:?}");
        assert_eq!(pair.told(), ["disconnect / ping timeout"]);
        assert_eq!(pair.stats(), baseline);
        // The client misses the pings as well (EIO-HB-08).
        pair.run_for(ms(45_000));
        assert!(pair.sid(alice, a).is_none());
        assert_eq!(pair.heard(alice), ["/ disconnect: ping timeout"]);
    }
}

/// CSR-07, CSR-08, CSR-10: who comes back in time goes on as if it had not been away: the same id
/// and rooms, and what it missed, once and in order.
#[test]
fn a_lost_connection_is_made_again_and_recovered() {
    let recovery = Some(RecoveryConfig::default());
    for config in transports() {
        let server = ServerConfig { recovery, ..ServerConfig::default() };
        let baseline = empty(ChatConfig::default(), server.clone());
        let mut pair = Pair::chat(ChatConfig::default(), server);
        let ((alice, a), (bob, b)) = (pair.person(config.clone()), pair.person(config));
        pair.emit(bob, b, "join", r#"["den"]"#);
        pair.emit(alice, a, "chat", r#"["before"]"#);
        pair.settle();
        assert_eq!(pair.heard(bob).len(), 1);
        let bobs = pair.sid(bob, b);
        pair.told();
        pair.cut(bob);
        pair.run_for(ms(1));
        assert!(pair.told()[0].starts_with("disconnect / transport"));
        for number in 0..5 {
            pair.emit(alice, a, "chat", &format!(r#"[{number},{{"to":"den"}}]"#));
            pair.emit(alice, a, "chat", &format!(r#"[{number},{{"to":"attic"}}]"#));
            pair.emit(alice, a, "chat", &format!(r#"[{number},{{"except":"den"}}]"#));
        }
        pair.run_until("bob is back", |pair| pair.sid(bob, b).is_some());
        pair.emit(alice, a, "chat", r#"["after",{"to":"den"}]"#);
        pair.settle();
        assert_eq!((pair.sid(bob, b), pair.told()), (bobs, vec!["recovery /".to_owned()]));
        let heard = pair.heard(bob);
        let expect = ["/ disconnect", "/ chat [0,", "/ chat [1,", "/ chat [2,", "/ chat [3,"];
        let expect = expect.into_iter().chain(["/ chat [4,", "/ connect rec", "/ chat [\"after"]);
        assert_eq!(heard.len(), 8, "{heard:#?}");
        assert!(heard.iter().zip(expect).all(|(line, start)| line.starts_with(start)), "{heard:?}");
        for peer in [alice, bob] {
            pair.command(peer, Command::Close);
        }
        pair.run_for(Duration::from_secs(300));
        assert_eq!(pair.stats(), baseline);
    }
}

/// CLI-04, CLI-05, CSR-05: without recovery a client comes back as another one, in its own rooms
/// only, and what it emitted meanwhile is not lost.
#[test]
fn a_lost_connection_is_made_again_without_recovery() {
    for config in transports() {
        let mut pair = Pair::chat(ChatConfig::default(), ServerConfig::default());
        let ((alice, _), (bob, b)) = (pair.person(config.clone()), pair.person(config));
        pair.emit(bob, b, "join", r#"["den"]"#);
        pair.settle();
        let bobs = pair.sid(bob, b);
        pair.cut(bob);
        pair.run_for(ms(1));
        pair.emit(bob, b, "chat", r#"["held back"]"#);
        pair.run_until("bob is back", |pair| pair.sid(bob, b).is_some());
        pair.settle();
        assert_ne!(pair.sid(bob, b), bobs);
        let own = pair.sid(bob, b).unwrap();
        pair.ask(bob, b, "rooms", "[]", 1);
        pair.settle();
        let heard = pair.heard(bob);
        assert_eq!(heard[1..], ["/ connect", &format!(r#"/ ack 1: ["ok",["{own}","lobby"]]"#)]);
        assert!(pair.heard(alice)[0].starts_with(r#"/ chat ["held back""#));
    }
}

/// NSP-13: `io.close()` ends every session at once, clients see the transport close, and nothing is
/// left.
#[test]
fn a_closed_server_lets_go_of_everybody() {
    let mut pair = Pair::chat(ChatConfig::default(), ServerConfig::default());
    let baseline = empty(ChatConfig::default(), ServerConfig::default());
    let people = transports().map(|config| {
        let config = ClientConfig { reconnection: false, ..config };
        pair.person(config)
    });
    pair.settle();
    pair.told();
    pair.order(vec![Order::Close]);
    assert_eq!(pair.told(), ["disconnect / server shutting down"; 3]);
    pair.settle();
    for (peer, _) in people {
        assert_eq!(pair.heard(peer), ["/ disconnect: transport close"]);
        assert!(pair.peers[peer].client.is_idle());
    }
    assert_eq!(pair.stats(), baseline);
}

/// NSP-10, NSP-11, CLI-04: who is shown the door stays away; the others notice nothing.
#[test]
fn a_kicked_client_stays_away() {
    for config in transports() {
        let mut pair = Pair::chat(ChatConfig::default(), ServerConfig::default());
        let people = [(); 3].map(|()| pair.person(config.clone()));
        let [(alice, a), (bob, b), (carol, c)] = people;
        pair.emit(bob, b, "join", r#"["noisy"]"#);
        pair.settle();
        pair.ask(alice, a, "kick", r#"[{"to":"noisy","close":true}]"#, 1);
        pair.run_for(Duration::from_secs(120));
        assert_eq!(pair.heard(alice), [r#"/ ack 1: ["ok"]"#]);
        assert_eq!(pair.heard(bob), ["/ disconnect: io server disconnect"]);
        assert!(pair.sid(bob, b).is_none() && pair.sid(carol, c).is_some());
        assert_eq!(pair.heard(carol), [""; 0]);
        assert_eq!(pair.stats().clients, 2);
    }
}
