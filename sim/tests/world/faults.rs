//! Each thing that can break, on both networks.

use overheard::history::{Operation, What};
use overheard::plan::{ClientId, Direction, Fault, TransportName};
use overheard::run::NetworkKind::{Memory, Turmoil};
use overheard_core::value::Value;

use crate::support::{Story, Told, ms, text};

fn two() -> Story {
    Story::new(&["alice", "bob"])
}

const BOB: ClientId = ClientId(1);

fn disconnected(told: &Told, who: &str) -> Vec<String> {
    told.of(who, |what| match what {
        What::Disconnected { reason, .. } => Some(reason.to_string()),
        _ => None,
    })
}

fn connected(told: &Told, who: &str) -> usize {
    told.count(who, |what| matches!(what, What::Connected { .. }))
}

#[test]
fn a_cut_client_connects_again() {
    let story = two()
        .fault(Fault::Cut { who: vec![BOB] }, None)
        .advance(5000)
        .emit(0, "chat", &[text("back?")])
        .expect(&[1], "chat");
    for told in story.on_both() {
        assert_eq!(told.touched(), [1]);
        assert_eq!(disconnected(&told, "bob")[0], "transport close");
        assert_eq!((connected(&told, "bob"), connected(&told, "alice")), (2, 1));
        assert_eq!(told.received("bob").len(), 1);
    }
}

#[test]
fn half_a_connection_is_none() {
    let story = two().fault(Fault::HalfClose { who: vec![BOB] }, None).advance(5000);
    for told in story.on_both() {
        assert_eq!(told.touched(), [1]);
        assert_eq!(connected(&told, "bob"), 2);
    }
}

#[test]
fn stalled_bytes_come_when_they_are_released() {
    for direction in [Direction::Down, Direction::Both] {
        let story = two()
            .fault(Fault::Stall { who: vec![BOB], direction }, None)
            .emit(0, "chat", &[text("wait")])
            .never(&[1], "chat")
            .heal()
            .expect(&[1], "chat");
        for told in story.on_both() {
            assert!(told.touched()[0] > 0);
            assert_eq!(told.received("bob").len(), 1);
            assert_eq!(connected(&told, "bob"), 1);
        }
    }
}

#[test]
fn swallowed_bytes_never_come_and_the_heartbeat_finds_out() {
    for direction in [Direction::Down, Direction::Up, Direction::Both] {
        let story = two()
            .fault(Fault::BlackHole { who: vec![BOB], direction }, Some(ms(2000)))
            .emit(0, "chat", &[text("lost")])
            .shout(1, "chat", &[text("lost, too")])
            .advance(12_000)
            .emit(0, "chat", &[text("after")])
            .expect(&[1], "chat");
        for told in story.on_both() {
            assert!(told.touched()[0] > 0);
            let heard = told.received("bob");
            let lost = heard.iter().filter(|heard| heard.contains("lost")).count();
            assert_eq!(lost, usize::from(direction == Direction::Up), "{direction:?}");
            assert!(heard.iter().any(|heard| heard.contains("after")), "{}", told.lines());
            assert_eq!(connected(&told, "bob"), 2);
        }
    }
}

#[test]
fn delayed_bytes_come_late() {
    let story = two()
        .fault(Fault::Delay { who: vec![BOB], by: (ms(700), ms(700)) }, Some(ms(10_000)))
        .emit(1, "echo", &[])
        .emit(0, "chat", &[text("slow")])
        .expect(&[1], "chat");
    for told in story.on_both() {
        assert!(told.touched()[0] > 0);
        let begun = told.events().iter().find(|event| matches!(event.what, What::Fault { .. }));
        let heard = told.events().iter().find(|event| matches!(event.what, What::Received { .. }));
        assert!(heard.unwrap().t - begun.unwrap().t > 2_000_000_000);
    }
}

/// How long each message of alice's was under way to bob, in nanoseconds.
fn times_under_way(told: &Told) -> Vec<u64> {
    let sent = told.of_events("alice", |event| match &event.what {
        What::Invoke { operation: Operation::Emit { .. }, .. } => Some(event.t),
        _ => None,
    });
    let heard = told.of_events("bob", |event| match &event.what {
        What::Received { .. } => Some(event.t),
        _ => None,
    });
    assert_eq!(sent.len(), heard.len(), "{}", told.lines());
    sent.iter().zip(heard).map(|(sent, heard)| heard - sent).collect()
}

/// alice says forty things to bob, a quarter of a second apart.
fn talk(mut story: Story) -> Story {
    for number in 0..40_i64 {
        story = story.shout(0, "chat", &[Value::from(number)]).advance(250);
    }
    story
}

fn in_order(told: &Told) -> bool {
    let wanted: Vec<String> = (0..40).map(|number| format!("chat [{number},")).collect();
    let heard = told.received("bob");
    heard.len() == wanted.len()
        && heard.iter().zip(&wanted).all(|(heard, wanted)| heard.starts_with(wanted.as_str()))
}

#[test]
fn a_trembling_line_is_late_by_chance_and_keeps_the_order() {
    let by = (ms(100), ms(900));
    let faulted = talk(two().fault(Fault::Delay { who: vec![BOB], by }, None));
    let mut far = talk(two());
    (far.client(1).latency, far.client(1).jitter) = (ms(100), ms(800));
    for (story, touched) in [(faulted, true), (far, false)] {
        for told in story.on_both() {
            assert_eq!(told.touched().iter().any(|touched| *touched >= 40), touched);
            assert!(in_order(&told), "{:?}", told.received("bob"));
            let mut times = times_under_way(&told);
            times.sort_unstable();
            // Pieces that would overtake wait, so that only the least is not exact on top.
            assert!(times[0] >= 100_000_000, "{times:?}");
            assert!(times[0] < 350_000_000, "{times:?}");
            assert!(times[39] > 600_000_000 && times[39] < 1_000_000_000, "{times:?}");
        }
    }
}

#[test]
fn chance_is_the_seed() {
    let by = (ms(0), ms(900));
    let mut story = talk(two().fault(Fault::Delay { who: vec![BOB], by }, None));
    let first = times_under_way(&story.run(Memory));
    assert_eq!(first, times_under_way(&story.run(Memory)));
    story.plan.network.seed += 1;
    assert_ne!(first, times_under_way(&story.run(Memory)));
}

#[test]
fn chopped_bytes_are_the_same_bytes() {
    for names in [&[TransportName::Polling][..], &[TransportName::WebSocket]] {
        let mut story = two()
            .fault(Fault::Chop { who: vec![BOB], bytes: 1 }, None)
            .emit(
                0,
                "chat",
                &[text("in small pieces"), Value::Object([("x", 1_i64)].into_iter().collect())],
            )
            .expect(&[1], "chat");
        story.client(1).transports = names.to_vec();
        story.plan.network.chop = Some(3);
        for told in story.on_both() {
            assert!(told.touched()[0] > 10);
            assert_eq!(told.received("bob").len(), 1);
        }
    }
}

#[test]
fn refused_clients_try_again() {
    let story = two()
        .fault(Fault::Refuse { who: vec![BOB] }, Some(ms(6000)))
        .fault(Fault::Cut { who: vec![BOB] }, None)
        .advance(20_000)
        .emit(0, "chat", &[text("hello again")])
        .expect(&[1], "chat");
    for told in story.on_both() {
        assert!(told.touched().iter().all(|touched| *touched > 0));
        assert!(told.count("bob", |what| matches!(what, What::Reconnecting { .. })) > 1);
        assert_eq!(told.received("bob").len(), 1);
    }
}

#[test]
fn a_partition_loses_what_was_said() {
    // bob is on rack 0
    let story = two()
        .fault(Fault::Partition { rack: 0 }, Some(ms(3000)))
        .emit(0, "chat", &[text("lost")])
        .advance(12_000)
        .emit(0, "chat", &[text("after")])
        .expect(&[1], "chat");
    for told in story.on_both() {
        assert!(told.touched()[0] > 0);
        let heard = told.received("bob");
        assert_eq!(heard.len(), 1, "{}", told.lines());
        assert!(heard[0].contains("after"));
        assert_eq!((connected(&told, "bob"), connected(&told, "alice")), (2, 1));
    }
}

#[test]
fn a_held_rack_hears_later() {
    let story = two()
        .fault(Fault::Hold { rack: 0 }, Some(ms(3000)))
        .emit(0, "chat", &[text("later")])
        .expect(&[1], "chat");
    for told in story.on_both() {
        assert!(told.touched()[0] > 0);
        assert_eq!(told.received("bob").len(), 1);
        assert_eq!(connected(&told, "bob"), 1);
    }
}

#[test]
fn a_server_that_died_comes_back_empty() {
    let story = two()
        .emit(1, "join", &[text("tea")])
        .fault(Fault::Crash, Some(ms(4000)))
        .advance(20_000)
        .emit(0, "chat", &[text("hello")])
        .expect(&[1], "chat");
    for told in story.on_both() {
        assert!(told.touched()[0] >= 2);
        assert_eq!(told.count("server", |what| matches!(what, What::Up)), 2);
        assert_eq!(told.count("server", |what| matches!(what, What::Down)), 1);
        assert_eq!((connected(&told, "bob"), connected(&told, "alice")), (2, 2));
        assert_eq!(told.received("bob").len(), 1);
        let rooms = told.of("server", |what| match what {
            What::Rooms { rooms, .. } => Some(rooms.iter().any(|(name, _)| name == "tea")),
            _ => None,
        });
        assert_eq!((rooms[0], rooms.last()), (true, Some(&false)));
    }
}

#[test]
fn a_lost_session_is_recovered() {
    let mut story = two()
        .emit(1, "join", &[text("tea")])
        .emit(
            0,
            "broadcast",
            &[Value::Object(
                [("event", text("before")), ("args", Value::from(vec![text("a1b2c3d")]))]
                    .into_iter()
                    .collect(),
            )],
        )
        .expect(&[1], "before")
        .fault(Fault::Cut { who: vec![BOB] }, None)
        .emit(
            0,
            "broadcast",
            &[Value::Object(
                [
                    ("event", text("missed")),
                    ("to", text("tea")),
                    ("args", Value::from(vec![text("goodbye")])),
                ]
                .into_iter()
                .collect(),
            )],
        )
        .advance(5000)
        .emit(0, "chat", &[text("after")])
        .expect(&[1], "chat");
    story.plan.server.recovery = Some(ms(60_000));
    for told in story.on_both() {
        let heard = told.received("bob");
        assert_eq!(heard.len(), 3, "{}", told.lines());
        assert_eq!(heard[..2], ["before [\"a1b2c3d\"]", "missed [\"goodbye\"]"]);
        let recovered = |what: &What| matches!(what, What::Connected { recovered: true, .. });
        assert_eq!(told.count("bob", recovered), 1);
        let offsets = |what: &What| matches!(what, What::Received { offset: Some(_), .. });
        assert_eq!(told.count("bob", offsets), 3);
    }
}

#[test]
fn broken_worlds_repeat_themselves() {
    let mut story = two()
        .fault(Fault::Chop { who: vec![BOB], bytes: 2 }, Some(ms(500)))
        .emit(0, "chat", &[text("one")])
        .fault(Fault::Partition { rack: 0 }, Some(ms(3000)))
        .advance(1000)
        .shout(1, "chat", &[text("lost")])
        .fault(Fault::Crash, Some(ms(4000)))
        .advance(60_000)
        .emit(0, "chat", &[text("two")])
        .expect(&[1], "chat");
    story.client(0).transports = vec![TransportName::Polling, TransportName::WebSocket];
    for network in [Memory, Turmoil] {
        assert!(story.run(network).is_complete().lines() == story.run(network).lines());
    }
}
