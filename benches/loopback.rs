//! Measures servers over loopback in one run, and prints a table as Markdown: a thousand WebSocket
//! clients in one room, frames of 104 bytes, 1, 8 and 64 broadcasts in flight.
//!
//! `cargo bench --bench loopback --features peers -- ROUNDS SECONDS` after `npm ci` in
//! `benches/peers/node`. Each server is a process with one thread; each round asks each in turn, and
//! ratios are of figures of the same round. `-- idle N PATH` measures N idle clients of the server
//! that PATH is the executable of.
#![expect(clippy::print_stdout, reason = "the table is what this program is for")]

#[path = "loopback/crowd.rs"]
mod crowd;
#[path = "loopback/servers.rs"]
mod servers;
#[path = "peers/socketioxide_server.rs"]
mod socketioxide_server;

use std::io::{self, Write as _};
use std::net::SocketAddr;

use crowd::{Crowd, Figure};
use servers::{Process, SYSTEMS, System};
use tokio::task::LocalSet;
use tokio::time::Duration;

/// Clients of a room.
const CLIENTS: usize = 1_000;

/// Clients that do nothing.
const IDLE: usize = 10_000;

/// The server that they are clients of.
const EXECUTABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/release/overheard");

/// How long a server is given to notice that everybody has gone, and to give back what they needed.
const FAREWELL: Duration = Duration::from_secs(15);

/// Broadcasts in flight.
const IN_FLIGHT: [usize; 3] = [1, 8, 64];

fn main() -> io::Result<()> {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |place: usize, default| {
        words.get(place).and_then(|word| word.parse().ok()).unwrap_or(default)
    };
    match words.first() {
        Some(&servers::OVERHEARD) => servers::overheard(),
        Some(&servers::SOCKETIOXIDE) => socketioxide_server::serve(),
        Some(&"idle") => {
            measure(idle(number(1, IDLE), words.get(2).copied().unwrap_or(EXECUTABLE)))
        }
        _ => measure(compare(number(0, 5), number(1, 3) as u64)),
    }
}

fn measure(task: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, task)
}

/// What a server that is measured says once it listens.
pub(crate) fn announce(address: SocketAddr) {
    println!("listening on http://{address}");
    // Whoever has started it waits for the line.
    drop(io::stdout().flush());
}

/// One server in one round.
struct Round {
    figures: Vec<Figure>,
    /// Resident bytes for each idle connection.
    idle: f64,
}

async fn round(system: &System, seconds: u64) -> io::Result<Round> {
    let process = Process::start(system)?;
    let before = process.resident();
    let mut crowd = Crowd::connect(process.address(), CLIENTS, system.publish).await?;
    let idle = (process.resident() - before) / CLIENTS as f64;
    let mut figures = Vec::new();
    for in_flight in IN_FLIGHT {
        figures.push(crowd.measure(in_flight, Duration::from_secs(seconds)).await?);
    }
    Ok(Round { figures, idle })
}

async fn compare(rounds: usize, seconds: u64) -> io::Result<()> {
    let mut all = Vec::new();
    for _ in 0..rounds {
        let mut one = Vec::new();
        for system in &SYSTEMS {
            let round = round(system, seconds).await?;
            println!("{}: {:?}", system.name, round.figures);
            one.push(round);
        }
        all.push(one);
    }
    print(&all);
    Ok(())
}

fn print(rounds: &[Vec<Round>]) {
    println!("\n| deliveries/s (p99 ms) | 1 in flight | 8 | 64 | KiB per idle connection |");
    println!("|---|---|---|---|---|");
    for (at, system) in SYSTEMS.iter().enumerate() {
        let of = |figure: &dyn Fn(&Round) -> f64| {
            median(rounds.iter().map(|round| figure(&round[at])).collect())
        };
        let cells = (0..IN_FLIGHT.len()).map(|place| {
            let rate = of(&|round| round.figures[place].rate);
            let p99 = of(&|round| round.figures[place].p99);
            format!("{:.0} k ({p99:.1})", rate / 1e3)
        });
        let cells = cells.collect::<Vec<_>>().join(" | ");
        println!("| {} | {cells} | {:.1} |", system.name, of(&|round| round.idle) / 1024.0);
    }
    println!("\n| how many times as many deliveries/s | 1 in flight | 8 | 64 |");
    println!("|---|---|---|---|");
    for (at, system) in SYSTEMS.iter().enumerate().skip(1) {
        let cells = (0..IN_FLIGHT.len()).map(|place| {
            let ratio =
                |round: &Vec<Round>| round[0].figures[place].rate / round[at].figures[place].rate;
            let ratios: Vec<f64> = rounds.iter().map(ratio).collect();
            let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
            let most = ratios.iter().copied().fold(0.0, f64::max);
            format!("{:.1} ({least:.1}–{most:.1})", median(ratios))
        });
        let cells = cells.collect::<Vec<_>>().join(" | ");
        println!("| than {} | {cells} |", system.name);
    }
}

/// What clients cost that do nothing, and what is left of that when they have gone.
async fn idle(clients: usize, executable: &str) -> io::Result<()> {
    let publish = SYSTEMS[0].publish;
    let process = Process::executable(executable)?;
    let before = process.resident();
    let crowd = Crowd::connect(process.address(), clients, publish).await?;
    let held = process.resident() - before;
    println!("{clients} idle clients: {:.1} KiB each", held / 1024.0 / clients as f64);
    let cpu = process.cpu_seconds();
    tokio::time::sleep(Duration::from_secs(5)).await;
    println!("CPU while they are idle: {:.1} %", (process.cpu_seconds() - cpu) / 5.0 * 100.0);
    drop(crowd);
    tokio::time::sleep(FAREWELL).await;
    let kept = process.resident() - before;
    let crowd = Crowd::connect(process.address(), clients, publish).await?;
    let again = process.resident() - before;
    drop(crowd);
    tokio::time::sleep(FAREWELL).await;
    let kept_again = process.resident() - before;
    let mebibytes = [before, held, kept, again, kept_again].map(|bytes| bytes / f64::from(1 << 20));
    println!(
        "MiB before; and more than that with them, when they have gone, with as many again, when they \
         have gone, too: {mebibytes:.1?}"
    );
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
