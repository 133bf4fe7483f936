//! What is counted, and its text form for Prometheus.

use std::fmt;

use overheard_core::server::ServerStats;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The media type of the text form.
pub(super) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

/// A counter for each of a few reasons.
#[derive(Clone, Debug, Default)]
pub(super) struct ByReason(Family<Reason, Counter>);

impl ByReason {
    /// The counter of that reason.
    pub(super) fn of(&self, reason: &'static str) -> Counter {
        self.0.get_or_create_owned(&Reason { reason })
    }
}

macro_rules! metrics {
    (
        counters { $($counter:ident $help:literal)* }
        reasons { $($reasons:ident $reasons_help:literal)* }
        gauges { $($gauge:ident $gauge_help:literal = $value:expr;)* }
    ) => {
        /// Everything that is counted.
        #[derive(Default)]
        pub(super) struct Metrics {
            registry: Registry,
            $(#[doc = $help] pub(super) $counter: Counter,)*
            $(#[doc = $reasons_help] pub(super) $reasons: ByReason,)*
            $(#[doc = $gauge_help] $gauge: Gauge,)*
        }

        impl Metrics {
            /// All at zero.
            pub(super) fn new() -> Self {
                let mut metrics = Self {
                    registry: Registry::with_prefix("overheard"),
                    ..Self::default()
                };
                let registry = &mut metrics.registry;
                $(registry.register(stringify!($counter), $help, metrics.$counter.clone());)*
                $(registry.register(stringify!($reasons), $reasons_help, metrics.$reasons.0.clone());)*
                $(registry.register(stringify!($gauge), $gauge_help, metrics.$gauge.clone());)*
                metrics
            }

            fn set(&self, held: &Held) {
                $({
                    let value: fn(&Held) -> usize = $value;
                    self.$gauge.set(i64::try_from(value(held)).unwrap_or(i64::MAX));
                })*
            }
        }
    };
}

metrics! {
    counters {
        tcp_accepted "TCP connections taken in"
        http_requests "HTTP requests, whatever became of them"
        sessions_opened "Engine.IO sessions opened"
        upgrades "Sessions that moved from polling to WebSocket"
        sockets_connected "Sockets let into a namespace"
        connects_refused "Sockets refused by a namespace"
        events_received "Events of clients"
        broadcasts "Broadcasts of the application"
        commands_refused "Commands of the application over a bound"
    }
    reasons {
        tcp_refused "TCP connections cut before their first request"
        requests_refused "HTTP requests refused by Engine.IO"
        sessions_closed "Engine.IO sessions closed"
        sockets_disconnected "Sockets disconnected from a namespace"
    }
    gauges {
        tcp_connections "Open TCP connections" = |held| held.tcp_connections;
        sessions "Open Engine.IO sessions" = |held| held.stats.engine.sessions;
        websockets "Open WebSockets" = |held| held.stats.engine.websockets;
        requests "Requests that wait for an answer" = |held| held.stats.engine.requests;
        sockets "Connected sockets" = |held| held.stats.connected;
        sockets_waiting "Sockets that wait to be let in" = |held| held.stats.waiting;
        namespaces "Namespaces" = |held| held.stats.namespaces;
        rooms "Rooms with a member" = |held| held.stats.rooms;
        memberships "Pairs of socket and room" = |held| held.stats.memberships;
        acks "Acks that are owed" = |held| held.stats.acks + held.stats.broadcast_acks;
        frames "Queued frames, each counted once" = |held| held.stats.engine.frames;
        buffered_bytes "Bytes that wait for clients" = |held| held.stats.engine.buffered_bytes;
        timers "Armed timers" = |held| held.stats.timers + held.stats.engine.timers;
    }
}

/// What the server holds at a moment.
#[derive(Debug)]
pub(super) struct Held {
    /// The machine.
    pub(super) stats: ServerStats,
    /// Open TCP connections.
    pub(super) tcp_connections: usize,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// The text form. The format's crate never fails to write into a string.
    pub(super) fn text(&self, held: &Held) -> String {
        self.set(held);
        let mut text = String::new();
        encode(&mut text, &self.registry).map_or_else(|_| String::new(), |()| text)
    }
}
