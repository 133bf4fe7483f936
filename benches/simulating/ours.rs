//! The same traffic as a scenario of ours: played, written down, hashed and judged.

use std::hint::black_box;
use std::io;

use overheard::check::judge;
use overheard::diagnostic::render;
use overheard::history::{What, digest};
use overheard::run::{NetworkKind, RunOptions, run as play};
use overheard::scenario::{PlanOptions, load};
use overheard::verdict::Outcome;

use crate::traffic::{FRAME, RACKS, Speaker, Traffic};
use crate::{Figure, Watch};

/// Bytes of a chat message's frame without its text, and with a number of two digits.
const CHAT: usize = r#"42["chat",[59,""],{"from":"aaaaaaaaaaaaaaaaaaaa"}]"#.len();

/// The same of a broadcast, with a number of three digits.
const NEWS: usize = r#"42["news",999,""]"#.len();

/// Plays it, and judges what has happened.
pub(crate) fn run(traffic: &Traffic, network: NetworkKind) -> io::Result<Figure> {
    let text = scenario(traffic);
    let nothing = |path: &str| Err(format!("nothing else is read, and {path} was asked for"));
    let loaded = load("simulating.yaml", &text, &nothing).map_err(|rejected| {
        let told = rejected.diagnostics.iter();
        let told = told.map(|diagnostic| render(diagnostic, &rejected.sources, false));
        io::Error::other(told.collect::<Vec<_>>().join("\n"))
    })?;
    let plan = loaded.scenario.plan(1, &PlanOptions::default());
    let options = RunOptions { network, ..RunOptions::default() };
    let started = Watch::start();
    let history = play(&plan, &options);
    let played = started.seconds();
    black_box(digest(&history));
    let hashed = started.seconds();
    let verdict = judge(&plan, &history);
    let total = started.seconds();
    if verdict.outcome != Outcome::Pass {
        return Err(io::Error::other(format!("{:?} {:?}", verdict.findings, verdict.unknowns)));
    }
    let heard = history.events.iter().filter(|event| matches!(event.what, What::Received { .. }));
    Ok(Figure {
        deliveries: heard.count() as u64,
        total,
        played,
        hashed: hashed - played,
        judged: total - hashed,
        mebibytes: 0.0,
    })
}

/// The scenario, with frames as long as everybody else's.
fn scenario(traffic: &Traffic) -> String {
    let Traffic { name, clients, times, every, .. } = traffic;
    let (every, heard) = (every.as_micros(), traffic.heard_by_each());
    let text = |rest: usize| "x".repeat(FRAME.saturating_sub(rest));
    let steps = match traffic.speaker {
        Speaker::Clients => format!(
            "  - emit: {{ from: \"c*\", event: chat, args: [[$i, {text}], {{ from: namespace }}], \
             times: {times}, every: {every}us }}\n\
             \x20 - advance: {{ by: {every}us }}\n\
             \x20 - expect: {{ at: \"c*\", event: chat, exactly: {heard} }}\n",
            text = text(CHAT),
        ),
        Speaker::Server => format!(
            "  - broadcast: {{ event: news, args: [$i, {text}], times: {times}, every: {every}us, \
             id: news }}\n\
             \x20 - expect: {{ at: \"c*\", all-of: news, order: as-sent, within: 30s }}\n",
            text = text(NEWS),
        ),
    };
    format!(
        "version: 1\nname: \"{name}\"\nracks: {RACKS}\n\
         clients: {{ count: {clients}, name: c$n, transports: [websocket] }}\nsteps:\n{steps}"
    )
}
