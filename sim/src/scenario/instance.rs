//! From a scenario and a seed to a plan: the only place where random numbers are drawn.

use super::{Client, PlanOptions, Preset, Scenario};
use crate::plan::{ClientPlan, NetworkPlan, Plan, ServerPlan};
use crate::rng::Stream;

impl Scenario {
    /// The plan of this seed: everything that the file leaves open is drawn.
    ///
    /// What is drawn for a client depends on the seed and its name alone, so that the others keep
    /// theirs when a client or a step is taken away.
    #[must_use]
    pub fn plan(&self, seed: u64, options: &PlanOptions) -> Plan {
        let preset = options.network;
        let network = NetworkPlan {
            name: preset.map_or_else(|| self.network.name.clone(), |preset| preset.name().into()),
            latency_min: preset.map_or(self.network.latency.0, |preset| preset.latency().0),
            latency_max: preset.map_or(self.network.latency.1, |preset| preset.latency().1),
            jitter: preset.map_or(self.network.jitter, Preset::jitter),
            chop: self.network.chop,
            racks: self.racks,
            seed: Stream::new(seed, "network").next_u64(),
        };
        let clients = self.clients.iter().map(|client| client.plan(seed, &network)).collect();
        let id_seed = Stream::new(seed, "ids").next_u64();
        Plan {
            name: self.name.clone(),
            file: self.file.clone(),
            seed,
            rules: self.rules.clone(),
            server: ServerPlan { id_seed, ..self.server.clone() },
            clients,
            network,
            hand: None,
            steps: self.steps.clone(),
            unclaimed: self.unclaimed,
            must_reach: self.must_reach.clone(),
            bounds: self.bounds,
            sabotage: options.sabotage,
        }
    }
}

impl Client {
    fn plan(&self, seed: u64, network: &NetworkPlan) -> ClientPlan {
        let mut topology = Stream::new(seed, &format!("topology/{}", self.name));
        let drawn = topology.below(u64::from(network.racks));
        let drawn = u8::try_from(drawn).unwrap_or(0);
        let (min, max) = self.latency.unwrap_or((network.latency_min, network.latency_max));
        let latency = Stream::new(seed, &format!("latency/{}", self.name)).duration(min, max);
        ClientPlan {
            name: self.name.clone(),
            span: self.span.clone(),
            rack: self.rack.unwrap_or(drawn),
            latency,
            jitter: self.jitter.unwrap_or(network.jitter),
            transports: self.transports.clone(),
            upgrade: self.upgrade,
            namespaces: self.namespaces.clone(),
            connect: self.connect,
            reconnection: self.reconnection,
            reconnection_delay: self.reconnection_delay,
            reconnection_delay_max: self.reconnection_delay_max,
            retries: self.retries,
            ack_timeout: self.ack_timeout,
            answer: self.answer.clone(),
            seed: Stream::new(seed, &format!("clients/{}", self.name)).next_u64(),
        }
    }
}
