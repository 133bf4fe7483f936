//! A leak of chance, of hash order or of the wall clock is seen, at the first event that it touches.
//!
//! The leaks are planted in plans, which is where a choice is made that a run cannot take back.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "these are the leaks")]

use std::collections::{HashMap, hash_map::RandomState};
use std::hash::BuildHasher as _;
use std::time::{Duration, SystemTime};

use overheard::history::{Difference, first_difference};
use overheard::plan::{Action, ClientId, Plan};
use overheard::run::{NetworkKind, RunOptions, run};
use overheard::scenario::{PlanOptions, load};

const FILE: &str = "version: 1
name: eight say hello
clients: { count: 8, name: c$n }
unclaimed: allow
steps:
  - emit: { from: all, event: chat, args: [hello], ack: [ok] }
";

fn plan() -> Plan {
    let none = |_: &str| Err("there is none".to_owned());
    load("leak.yaml", FILE, &none).unwrap().scenario.plan(1, &PlanOptions::default())
}

/// Where two runs of a plan that leaks differ first.
fn compare(leak: impl Fn(&mut Plan)) -> Option<Difference> {
    let histories = [(), ()].map(|()| {
        let mut plan = plan();
        leak(&mut plan);
        run(&plan, &RunOptions { network: NetworkKind::Memory, ..RunOptions::default() })
    });
    first_difference(&histories[0], &histories[1])
}

#[track_caller]
fn seen(difference: Option<Difference>, kind: &str) {
    let difference = difference.expect("the leak is seen");
    assert!(difference.event.is_some(), "{difference}");
    let lines = [difference.left.as_deref(), difference.right.as_deref()];
    assert!(lines.iter().flatten().any(|line| line.contains(kind)), "{difference}");
    assert!(difference.to_string().starts_with("the histories differ from event "));
}

#[test]
fn a_plan_without_a_leak_runs_alike() {
    assert_eq!(compare(|_| ()), None);
}

#[test]
fn entropy_in_ids_shows_where_the_first_id_is_told() {
    let leak = |plan: &mut Plan| plan.server.id_seed = RandomState::new().hash_one(0);
    seen(compare(leak), "\"kind\":\"entered\"");
}

#[test]
fn the_order_of_a_hash_map_shows_where_the_order_counts() {
    let leak = |plan: &mut Plan| {
        let shuffled: HashMap<u32, ()> = (0..8).map(|number| (number, ())).collect();
        for step in &mut plan.steps {
            if let Action::Emit(emit) = &mut step.action {
                emit.from = shuffled.keys().copied().map(ClientId).collect();
            }
        }
    };
    seen(compare(leak), "\"do\":\"emit\"");
}

#[test]
fn the_wall_clock_shows_where_the_first_delay_ends() {
    let leak = |plan: &mut Plan| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        // Microseconds of the clock as milliseconds of delay: they differ between two runs.
        let delay = Duration::from_millis(now.as_micros().try_into().unwrap_or(u64::MAX) % 997);
        for client in &mut plan.clients {
            client.latency = delay;
        }
    };
    // Two looks at the clock may agree once in a thousand times, and three times hardly ever.
    let difference = (0..3).find_map(|_| compare(leak));
    seen(difference, "\"kind\"");
}
