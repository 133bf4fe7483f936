//! Compares the rooms with other implementations in one run, and prints ratios as Markdown.
//!
//! `cargo bench --bench compare --features peers -- 1000 10000` after `npm ci` in
//! `benches/peers/node`. Every round asks each system in turn; every ratio is one of figures of
//! the same round, and the table shows the median and the spread over the rounds.
#![expect(clippy::print_stdout, reason = "the table is what this program is for")]
#![expect(clippy::cast_possible_truncation, reason = "times are positive and far below any limit")]
#![expect(clippy::cast_sign_loss, reason = "times are positive and far below any limit")]

mod memory;
mod peers;

use overheard_benches::workload::Workload;
use peers::node::Node;
use peers::overheard::Overheard;
use peers::socketioxide::Socketioxide;
use peers::{CHURN, CaseResult, Effort, Round, System, median};

/// Rounds, each of which asks every system.
const ROUNDS: usize = 5;

fn main() {
    let arguments = std::env::args().skip(1);
    let mut sizes: Vec<u32> = arguments.filter_map(|argument| argument.parse().ok()).collect();
    if sizes.is_empty() {
        sizes = vec![1_000, 10_000];
    }
    for sockets in sizes {
        compare(sockets);
    }
}

fn compare(sockets: u32) {
    let effort = Effort { samples: 5, milliseconds: 10 };
    let workload = Workload::new(sockets);
    let mut ours = Overheard::new(&workload, effort);
    let mut node = Node::new(sockets, effort);
    let mut oxide = Socketioxide::new(&workload, effort);
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let round = [ours.round(), node.round(), oxide.round()];
        for other in &round[1..] {
            for (mine, theirs) in round[0].cases.iter().zip(&other.cases) {
                assert!(mine.same_recipients(theirs), "{mine:?} and {theirs:?}");
            }
        }
        rounds.push(round);
    }
    print(sockets, &rounds, [&ours, &node, &oxide]);
}

impl CaseResult {
    fn same_recipients(&self, other: &Self) -> bool {
        (&self.name, self.recipients, self.checksum)
            == (&other.name, other.recipients, other.checksum)
    }
}

/// The median of a figure over the rounds, and its least and greatest value.
struct Spread {
    median: f64,
    least: f64,
    greatest: f64,
}

impl Spread {
    fn of<'a>(rounds: &'a [[Round; 3]], figure: impl Fn(&'a [Round; 3]) -> f64) -> Self {
        let values: Vec<f64> = rounds.iter().map(figure).collect();
        Self {
            least: values.iter().copied().fold(f64::INFINITY, f64::min),
            greatest: values.iter().copied().fold(0.0, f64::max),
            median: median(values),
        }
    }

    fn ratio(&self) -> String {
        format!("{:.1} ({:.1}–{:.1})", self.median, self.least, self.greatest)
    }
}

fn geometric_mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    (values.map(f64::ln).sum::<f64>() / count).exp()
}

/// What a peer takes for one broadcast as a multiple of what we take, case by case.
fn deliver(round: &[Round; 3], peer: usize) -> impl ExactSizeIterator<Item = f64> {
    let pairs = round[0].cases.iter().zip(&round[peer].cases);
    pairs.map(|(mine, theirs)| theirs.nanoseconds / mine.nanoseconds)
}

fn resolve(round: &[Round; 3], peer: usize) -> impl ExactSizeIterator<Item = f64> {
    round[0].resolve.iter().zip(&round[peer].cases).map(|(mine, theirs)| theirs.nanoseconds / mine)
}

fn print(sockets: u32, rounds: &[[Round; 3]], systems: [&dyn System; 3]) {
    println!("\n### S = {sockets}\n");
    let names = systems.map(System::name);
    println!("| µs per broadcast | {} | {} | ours, resolve | ours, deliver |", names[1], names[2]);
    println!("|---|---|---|---|---|");
    for (at, case) in rounds[0][0].cases.iter().enumerate() {
        let [mine, node, oxide] = [0, 1, 2].map(|system| {
            Spread::of(rounds, |round| round[system].cases[at].nanoseconds / 1e3).median
        });
        let resolve = Spread::of(rounds, |round| round[0].resolve[at] / 1e3).median;
        let name = &case.name;
        println!("| {name} | {node:.2} | {oxide:.2} | {resolve:.3} | {mine:.3} |");
    }
    for (at, name) in CHURN.iter().enumerate() {
        let [mine, node, oxide] = [0, 1, 2]
            .map(|system| Spread::of(rounds, |round| round[system].churn[at] / 1e3).median);
        println!("| {name} | {node:.2} | {oxide:.2} | | {mine:.3} |");
    }
    let [mine, node, oxide] = systems.map(System::bytes_per_membership);
    println!("| bytes per membership | {node:.0} | {oxide:.0} | | {mine:.1} |");

    println!("\n| how many times faster | than {} | than {} |", names[1], names[2]);
    println!("|---|---|---|");
    let row = |name: &str, figure: &dyn Fn(&[Round; 3], usize) -> f64| {
        let [node, oxide] = [1, 2].map(|peer| Spread::of(rounds, |round| figure(round, peer)));
        println!("| {name} | {} | {} |", node.ratio(), oxide.ratio());
    };
    row("deliver, geometric mean", &|round, peer| geometric_mean(deliver(round, peer)));
    row("deliver, worst case", &|round, peer| deliver(round, peer).fold(f64::INFINITY, f64::min));
    row("resolve to a list, geometric mean", &|round, peer| geometric_mean(resolve(round, peer)));
    for (at, name) in CHURN.iter().enumerate() {
        row(name, &|round, peer| round[peer].churn[at] / round[0].churn[at]);
    }
}
