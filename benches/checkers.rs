//! How long a verdict takes: reading and judging large histories.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use overheard::check::judge_history;
use overheard::history::{
    Args, EndReason, Event, Header, History, Operation, VERSION, What, read, write,
};
use overheard_core::value::{Object, Value};
use smol_str::{SmolStr, format_smolstr};

/// Clients in one room.
const CLIENTS: usize = 100;

struct Maker {
    events: Vec<Event>,
    /// Whether the server's own events are written down.
    exact: bool,
}

impl Maker {
    fn add(&mut self, who: &str, what: What) {
        if who == "server" && !self.exact {
            return;
        }
        let n = self.events.len() as u64;
        let (t, who, parent, step) = (n * 1_000, who.into(), None, None);
        self.events.push(Event { n, t, who, what, parent, step });
    }
}

fn values(text: &str, key: &str, value: &str) -> Args {
    let object: Object = [(key, value)].into_iter().collect();
    Arc::new(vec![Value::from(text), Value::Object(object)])
}

/// A hundred clients that talk in the lobby, each message heard by all others.
fn talk(events: usize, exact: bool) -> History {
    let names: Vec<SmolStr> = (0..CLIENTS).map(|number| format_smolstr!("c{number}")).collect();
    let mut maker = Maker { events: Vec::with_capacity(events + 200), exact };
    let nsp = || SmolStr::new_static("/");
    for name in &names {
        let (sid, client) = (format_smolstr!("sid-{name}"), Some(name.clone()));
        let recovered = false;
        maker.add("server", What::Entered { nsp: nsp(), sid: sid.clone(), recovered, client });
        maker.add(name, What::Connected { nsp: nsp(), sid, recovered });
    }
    let mut op = 0;
    while maker.events.len() < events {
        let name = &names[maker.events.len() % CLIENTS];
        let (sid, text) = (format_smolstr!("sid-{name}"), format!("message {op}"));
        let (event, args) = (SmolStr::new_static("chat"), values(&text, "to", "lobby"));
        let operation = Operation::Emit {
            nsp: nsp(),
            event: event.clone(),
            args: args.clone(),
            ack: true,
            volatile: false,
        };
        maker.add(name, What::Invoke { op, operation });
        let accepted =
            What::Accepted { nsp: nsp(), sid: sid.clone(), event: event.clone(), args, ack: true };
        maker.add("server", accepted);
        let heard = values(&text, "from", &sid);
        for other in names.iter().filter(|other| *other != name) {
            let (event, args) = (event.clone(), heard.clone());
            maker.add(other, What::Received { nsp: nsp(), event, args, offset: None, ack: false });
        }
        maker.add(name, What::Ok { op, values: Arc::new(vec!["ok".into()]) });
        op += 1;
    }
    maker.add("run", What::Quiet);
    maker.add("run", What::Closing);
    maker.add("run", What::End { reason: EndReason::Complete });
    let header = Header {
        overheard_history: VERSION,
        scenario: "talk".into(),
        file: "talk.yaml".into(),
        seed: "0x1".into(),
        network: "lan".into(),
        clients: names.iter().map(SmolStr::to_string).collect(),
    };
    History { header, events: maker.events }
}

fn judging(c: &mut Criterion) {
    let mut group = c.benchmark_group("judge");
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    for (name, exact) in [("exact", true), ("intervals", false)] {
        for events in [10_000, 1_000_000] {
            let history = talk(events, exact);
            group.throughput(Throughput::Elements(history.events.len() as u64));
            group.bench_with_input(BenchmarkId::new(name, events), &history, |b, history| {
                b.iter(|| black_box(judge_history(history)));
            });
        }
    }
    group.finish();
}

fn reading(c: &mut Criterion) {
    let mut group = c.benchmark_group("history");
    group.sample_size(10);
    let history = talk(100_000, true);
    let text = write(&history);
    group.throughput(Throughput::Elements(history.events.len() as u64));
    group.bench_function("write", |b| b.iter(|| black_box(write(&history))));
    group.bench_function("read", |b| b.iter(|| black_box(read(&text))));
    group.finish();
}

criterion_group!(benches, judging, reading);
criterion_main!(benches);
