//! What is said in the simulations that are compared, and how often it is heard.

use std::time::Duration;

/// Simulated hosts that carry the clients.
pub(crate) const RACKS: usize = 8;

/// Bytes of a frame that is heard, on each system.
pub(crate) const FRAME: usize = 104;

/// Who speaks to everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaker {
    /// Each client, all at the same time; it hears itself, too.
    Clients,
    /// The server.
    Server,
}

/// One workload: everybody hears everything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traffic {
    pub(crate) name: &'static str,
    pub(crate) clients: usize,
    pub(crate) speaker: Speaker,
    /// How many times each speaker speaks.
    pub(crate) times: u32,
    pub(crate) every: Duration,
}

/// All of them.
pub(crate) const TRAFFIC: [Traffic; 4] = [
    Traffic {
        name: "32 clients listen for a minute",
        clients: 32,
        speaker: Speaker::Server,
        times: 1_920,
        every: Duration::from_micros(31_250),
    },
    Traffic {
        name: "32 clients talk for a minute, all at once each second",
        clients: 32,
        speaker: Speaker::Clients,
        times: 60,
        every: Duration::from_secs(1),
    },
    Traffic {
        name: "300 clients in one room",
        clients: 300,
        speaker: Speaker::Server,
        times: 1_000,
        every: Duration::from_millis(20),
    },
    Traffic {
        name: "1,000 clients in one room",
        clients: 1_000,
        speaker: Speaker::Server,
        times: 1_000,
        every: Duration::from_millis(20),
    },
];

impl Traffic {
    /// What each client hears.
    pub(crate) const fn heard_by_each(&self) -> usize {
        match self.speaker {
            Speaker::Clients => self.clients * self.times as usize,
            Speaker::Server => self.times as usize,
        }
    }

    pub(crate) const fn deliveries(&self) -> u64 {
        (self.heard_by_each() * self.clients) as u64
    }

    /// The rack of a client, from 0.
    pub(crate) const fn rack(client: usize) -> usize {
        client % RACKS
    }

    /// The one-way delay of a client's connection: as on a local network, none like another.
    pub(crate) fn latency(&self, client: usize) -> Duration {
        let step = 900_000 / self.clients.max(1);
        Duration::from_nanos((100_000 + client * step) as u64)
    }
}
