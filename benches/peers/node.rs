//! socket.io-adapter, in a process of its own that waits between its rounds.
#![expect(clippy::panic, reason = "a comparison stops at the first system that fails")]

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::{CaseResult, Effort, Round, System};

/// The process.
#[derive(Debug)]
pub(crate) struct Node {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    bytes_per_membership: f64,
}

impl Node {
    pub(crate) fn new(sockets: u32, effort: Effort) -> Self {
        let child = Command::new("node")
            .args(["--expose-gc", "--max-old-space-size=16000"])
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/node/adapter.mjs"))
            .args([
                sockets.to_string(),
                effort.samples.to_string(),
                effort.milliseconds.to_string(),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut child) = child else { panic!("node does not start") };
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            panic!("node has no pipes")
        };
        let output = BufReader::new(output).lines();
        let mut node = Self { child, input, output, bytes_per_membership: 0.0 };
        let line = node.line();
        node.bytes_per_membership = number(line.strip_prefix("MEM\t").unwrap_or_default());
        node
    }

    fn line(&mut self) -> String {
        match self.output.next() {
            Some(Ok(line)) => line,
            _ => panic!("node stopped: run `npm ci` in benches/peers/node"),
        }
    }
}

fn number<T: std::str::FromStr>(text: &str) -> T {
    let Ok(number) = text.parse() else { panic!("{text:?} is no number") };
    number
}

impl System for Node {
    fn name(&self) -> &'static str {
        "socket.io-adapter"
    }

    fn bytes_per_membership(&self) -> f64 {
        self.bytes_per_membership
    }

    fn round(&mut self) -> Round {
        if self.input.write_all(b"round\n").and_then(|()| self.input.flush()).is_err() {
            panic!("node does not listen");
        }
        let mut round = Round::default();
        loop {
            let line = self.line();
            match line.split('\t').collect::<Vec<_>>()[..] {
                ["CASE", name, nanoseconds, recipients, checksum] => round.cases.push(CaseResult {
                    name: name.to_owned(),
                    nanoseconds: number(nanoseconds),
                    recipients: number(recipients),
                    checksum: number(checksum),
                }),
                ["CHURN", _, nanoseconds] => round.churn.push(number(nanoseconds)),
                ["END"] => return round,
                _ => panic!("node says {line:?}"),
            }
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // The end of its input would end it too; nobody waits for what it says then.
        if self.child.kill().is_ok() {
            drop(self.child.wait());
        }
    }
}
