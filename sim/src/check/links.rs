//! What was done to the connections of each client, and whether one is fit to be judged.

use crate::oracle::facts::{Facts, FaultTime, Pos};
use crate::oracle::names::{index, number};

/// Faults by client.
#[derive(Debug)]
pub(crate) struct Links {
    faults: Vec<Vec<FaultTime>>,
}

/// Whether bytes may be gone for ever.
pub(crate) fn kind_is_lossy(kind: &str) -> bool {
    matches!(kind, "black-hole" | "partition" | "crash")
}

impl Links {
    pub(crate) fn of(facts: &Facts<'_>) -> Self {
        let mut faults = vec![Vec::new(); facts.clients.count()];
        for fault in &facts.faults {
            for client in &fault.clients {
                faults[index(*client)].push(fault.clone());
            }
        }
        Self { faults }
    }

    /// The faults of a client's links, in order.
    pub(crate) fn faults_of(&self, client: u32) -> impl Iterator<Item = &FaultTime> {
        self.faults.get(index(client)).into_iter().flatten()
    }

    /// Whether a fault ends connections, or leaves them dead.
    pub(crate) fn breaks(kind: &str) -> bool {
        matches!(kind, "cut" | "half-close" | "black-hole" | "partition" | "crash")
    }

    /// Whether anything was done to a client's links between two places, or a while before.
    pub(crate) fn touched(&self, facts: &Facts<'_>, client: u32, from: Pos, to: Pos) -> bool {
        const A_WHILE: u64 = 120_000_000_000;
        let since = facts.time(from).saturating_sub(A_WHILE);
        self.faults_of(client).any(|fault| fault.from <= to && facts.time(fault.to) >= since)
    }
}

/// The clients that are in the history, by number.
pub(crate) fn clients(facts: &Facts<'_>) -> impl Iterator<Item = u32> + use<> {
    0..number(facts.clients.count())
}
