//! Measures what a simulation costs that writes everything down, beside bare ones of the same
//! traffic that write nothing, and prints tables as Markdown.
//!
//! `cargo bench --bench simulating -- ROUNDS`. Each run is a process of its own, so that its memory
//! can be told; each round asks each system in turn, and ratios are of figures of the same round.
//! All of them keep one core busy, so that time is that of the process on its core: what else runs
//! on the machine is not counted.
#![expect(clippy::print_stdout, reason = "the tables are what this program is for")]

#[path = "simulating/eddies.rs"]
mod eddies;
#[path = "simulating/heap.rs"]
mod heap;
#[path = "simulating/ours.rs"]
mod ours;
#[path = "simulating/traffic.rs"]
mod traffic;
#[path = "simulating/websockets.rs"]
mod websockets;

use std::io;
use std::process::Command;
use std::time::Duration;

use overheard::run::NetworkKind;
use rustix::time::{ClockId, clock_gettime};
use traffic::{TRAFFIC, Traffic};

/// Milliseconds of a tick of ours.
const TICK: u64 = 10;

/// The first argument of a process that is measured.
const ONE: &str = "one";

/// Who carries the traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum System {
    /// turmoil, at ticks of so many milliseconds.
    Turmoil(u64),
    /// The same with WebSockets, at the ticks that ours has.
    WebSockets,
    /// One runtime whose clock is paused.
    Paused,
    /// Ours: played, written down, hashed and judged.
    Ours(NetworkKind),
}

/// Each after the bare run that it is compared with.
const SYSTEMS: [System; 6] = [
    System::Turmoil(1),
    System::Turmoil(TICK),
    System::WebSockets,
    System::Ours(NetworkKind::Turmoil),
    System::Paused,
    System::Ours(NetworkKind::Memory),
];

impl System {
    fn name(self) -> String {
        match self {
            Self::Turmoil(tick) => format!("bare turmoil, ticks of {tick} ms"),
            Self::WebSockets => format!("the same with WebSockets, {TICK} ms"),
            Self::Paused => "bare tokio, paused clock".to_owned(),
            Self::Ours(network) => format!("ours on {}", network.name()),
        }
    }

    /// The place of the bare run beside it.
    fn base(self) -> usize {
        let base = match self {
            Self::Turmoil(_)
            | Self::WebSockets
            | Self::Ours(NetworkKind::Turmoil | NetworkKind::Tcp) => Self::Turmoil(TICK),
            Self::Paused | Self::Ours(NetworkKind::Memory) => Self::Paused,
        };
        SYSTEMS.iter().position(|system| *system == base).unwrap_or_default()
    }
}

/// A stopwatch of the core's time.
#[derive(Clone, Copy, Debug)]
struct Watch(Duration);

impl Watch {
    fn start() -> Self {
        Self(clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap_or_default())
    }

    fn seconds(self) -> f64 {
        (Self::start().0 - self.0).as_secs_f64()
    }
}

/// What one run took, and what of that its parts took.
#[derive(Clone, Copy, Debug, Default)]
struct Figure {
    deliveries: u64,
    total: f64,
    played: f64,
    hashed: f64,
    judged: f64,
    /// The most memory that the process had.
    mebibytes: f64,
}

impl Figure {
    /// A run that is nothing but played.
    fn played(deliveries: u64, since: Watch) -> Self {
        let seconds = since.seconds();
        Self { deliveries, total: seconds, played: seconds, ..Self::default() }
    }

    fn rate(&self) -> f64 {
        self.deliveries as f64 / self.total
    }

    /// As one process says it to another.
    fn line(&self) -> String {
        let Self { deliveries, total, played, hashed, judged, mebibytes } = self;
        format!("{deliveries} {total} {played} {hashed} {judged} {mebibytes}")
    }

    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let deliveries = words.next()?.parse().ok()?;
        let mut number = || words.next()?.parse().ok();
        let (total, played, hashed) = (number()?, number()?, number()?);
        Some(Self { deliveries, total, played, hashed, judged: number()?, mebibytes: number()? })
    }
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [ONE, traffic, system] => one(traffic, system),
        [] => compare(5),
        [rounds, ..] => compare(rounds.parse().unwrap_or(5)),
    }
}

/// Runs one system once, by numbers, and says what that took.
fn one(traffic: &str, system: &str) -> io::Result<()> {
    let unknown = || io::Error::other("no such traffic or system");
    let place = |word: &str| word.parse::<usize>().map_err(io::Error::other);
    let traffic = TRAFFIC.get(place(traffic)?).ok_or_else(unknown)?;
    let mut figure = match *SYSTEMS.get(place(system)?).ok_or_else(unknown)? {
        System::Turmoil(tick) => {
            eddies::run(traffic, Duration::from_millis(tick), eddies::serve, eddies::client)?
        }
        System::WebSockets => {
            let tick = Duration::from_millis(TICK);
            eddies::run(traffic, tick, websockets::serve, websockets::client)?
        }
        System::Paused => heap::run(traffic)?,
        System::Ours(network) => ours::run(traffic, network)?,
    };
    figure.mebibytes = peak_mebibytes();
    println!("{}", figure.line());
    Ok(())
}

/// The most memory that this process has had, in the sense of the system.
fn peak_mebibytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().split(' ').next()?.parse::<f64>().ok());
    kilobytes.unwrap_or(f64::NAN) / 1024.0
}

/// The same in a process of its own.
fn measure(traffic: usize, system: usize) -> io::Result<Figure> {
    let mut command = Command::new(std::env::current_exe()?);
    let output = command.args([ONE, &traffic.to_string(), &system.to_string()]).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    Figure::parse(&text).filter(|_| output.status.success()).ok_or_else(|| {
        let what = String::from_utf8_lossy(&output.stderr);
        io::Error::other(format!("{} of {}: {what}", SYSTEMS[system].name(), TRAFFIC[traffic].name))
    })
}

fn compare(rounds: usize) -> io::Result<()> {
    for (number, traffic) in TRAFFIC.iter().enumerate() {
        let mut all = Vec::new();
        for _ in 0..rounds.max(1) {
            let round = (0..SYSTEMS.len()).map(|system| measure(number, system));
            let round = round.collect::<io::Result<Vec<Figure>>>()?;
            for (system, figure) in SYSTEMS.iter().zip(&round) {
                assert_eq!(
                    figure.deliveries,
                    traffic.deliveries(),
                    "{}, {}: everybody hears everything",
                    traffic.name,
                    system.name()
                );
            }
            all.push(round);
        }
        print(traffic, &all);
    }
    Ok(())
}

fn print(traffic: &Traffic, rounds: &[Vec<Figure>]) {
    println!("\n### {}: {} deliveries\n", traffic.name, traffic.deliveries());
    println!("| | ms | deliveries/s | peak MiB | times the bare run |");
    println!("|---|---|---|---|---|");
    for (place, system) in SYSTEMS.iter().enumerate() {
        let of =
            |figure: fn(&Figure) -> f64| median(rounds.iter().map(|round| figure(&round[place])));
        let base = system.base();
        let ratio = |round: &Vec<Figure>| round[place].total / round[base].total;
        let ratio = if place == base { String::new() } else { spread(rounds.iter().map(ratio)) };
        let (ms, rate) = (of(|figure| figure.total) * 1e3, of(Figure::rate) / 1e3);
        let memory = of(|figure| figure.mebibytes);
        println!("| {} | {ms:.0} | {rate:.0} k | {memory:.0} | {ratio} |", system.name());
    }
    println!("\n| of which, ms | playing and writing down | hashing | judging |");
    println!("|---|---|---|---|");
    for (place, system) in SYSTEMS.iter().enumerate() {
        if let System::Ours(_) = system {
            let ms = |figure: fn(&Figure) -> f64| {
                median(rounds.iter().map(|round| figure(&round[place]))) * 1e3
            };
            let (played, hashed) = (ms(|figure| figure.played), ms(|figure| figure.hashed));
            let judged = ms(|figure| figure.judged);
            println!("| {} | {played:.0} | {hashed:.0} | {judged:.0} |", system.name());
        }
    }
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The median, and the least and the greatest.
fn spread(figures: impl Iterator<Item = f64> + Clone) -> String {
    let least = figures.clone().fold(f64::INFINITY, f64::min);
    let most = figures.clone().fold(0.0, f64::max);
    format!("{:.2} ({least:.2}–{most:.2})", median(figures))
}
