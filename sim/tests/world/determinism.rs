//! The same plan gives the same bytes: in any process, whatever ran before.

use std::process::Command;

use overheard::history::What;
use overheard::plan::{ClientId, Direction, Fault, TransportName};
use overheard::run::NetworkKind::{Memory, Turmoil};

use crate::support::{Story, ms, text};

/// Much at once: transports, faults, recovery.
fn busy() -> Story {
    let names: Vec<String> = (0..8).map(|number| format!("c{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut story = Story::new(&names);
    story.plan.server.recovery = Some(ms(30_000));
    story.plan.network.chop = Some(40);
    for (number, client) in story.plan.clients.iter_mut().enumerate() {
        client.transports = match number % 3 {
            0 => vec![TransportName::WebSocket],
            1 => vec![TransportName::Polling],
            _ => vec![TransportName::Polling, TransportName::WebSocket],
        };
    }
    for number in 0..8 {
        story = story.emit(number, "join", &[text("tea")]).shout(number, "chat", &[text("hello")]);
    }
    story
        .fault(Fault::Cut { who: vec![ClientId(0), ClientId(1)] }, None)
        .shout(2, "chat", &[text("while they are away")])
        .fault(
            Fault::BlackHole { who: vec![ClientId(3)], direction: Direction::Down },
            Some(ms(700)),
        )
        .fault(Fault::Delay { who: vec![ClientId(4)], by: (ms(20), ms(90)) }, Some(ms(2000)))
        .shout(5, "chat", &[text("into the hole")])
        .advance(9000)
        .fault(Fault::Crash, Some(ms(1500)))
        .advance(12_000)
        .shout(6, "chat", &[text("after all that")])
        .advance(1000)
}

fn digests() -> String {
    let digest = |told: crate::support::Told| overheard::history::digest(&told.history).to_string();
    format!("{} {}", digest(busy().run(Memory)), digest(busy().run(Turmoil)))
}

/// Only prints; [`other_processes_give_the_same_bytes`] reads it, and who wants to compare builds.
#[test]
fn print_digests() {
    println!("digests: {}", digests());
}

#[test]
fn other_processes_give_the_same_bytes() {
    let first = digests();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "determinism::print_digests", "--nocapture", "--test-threads=1"])
        .output()
        .unwrap();
    let printed = String::from_utf8(child.stdout).unwrap();
    assert!(printed.contains(&format!("digests: {first}")), "{first} and {printed}");
}

#[test]
fn runs_side_by_side_do_not_know_of_each_other() {
    let alone = busy().run(Memory).lines();
    let crowd: Vec<_> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4)
            .map(|_| std::thread::Builder::new().spawn_scoped(scope, || busy().run(Memory).lines()))
            .collect();
        runs.into_iter().map(|run| run.unwrap().join().unwrap()).collect()
    });
    assert!(crowd.iter().all(|lines| *lines == alone));
}

#[test]
fn the_busy_story_is_a_busy_one() {
    let told = busy().run(Memory);
    told.is_complete();
    assert!(told.touched().iter().all(|touched| *touched > 0));
    let count = |is: fn(&What) -> bool| -> usize {
        told.events().iter().filter(|event| is(&event.what)).count()
    };
    assert!(count(|what| matches!(what, What::Upgraded)) > 1);
    assert!(count(|what| matches!(what, What::Connected { recovered: true, .. })) > 0);
    assert!(count(|what| matches!(what, What::Received { .. })) > 50);
}
