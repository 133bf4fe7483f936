//! Situations that a plan exists for, and bugs that are planted in its server.

use std::fmt;

/// A situation that a scenario exists for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// A fault touched a message.
    FaultTouched,
    /// A client connected again by itself.
    Reconnected,
    /// A session was recovered.
    Recovered,
    /// A connection was upgraded.
    Upgraded,
    /// A connection was refused.
    Refused,
    /// A volatile event was dropped.
    VolatileDropped,
    /// An ack ran into its timeout.
    AckTimedOut,
    /// A join or leave was under way while a broadcast took effect.
    JoinRacedBroadcast,
    /// A client was disconnected while something was on its way to it.
    DisconnectRacedDelivery,
    /// A broadcast reached nobody.
    EmptyAudience,
}

impl Mark {
    /// Each mark with its name in files.
    pub const ALL: [(Self, &'static str); 10] = [
        (Self::FaultTouched, "fault-touched"),
        (Self::Reconnected, "reconnected"),
        (Self::Recovered, "recovered"),
        (Self::Upgraded, "upgraded"),
        (Self::Refused, "refused"),
        (Self::VolatileDropped, "volatile-dropped"),
        (Self::AckTimedOut, "ack-timed-out"),
        (Self::JoinRacedBroadcast, "join-raced-broadcast"),
        (Self::DisconnectRacedDelivery, "disconnect-raced-delivery"),
        (Self::EmptyAudience, "empty-audience"),
    ];
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(mark, _)| mark == self).map_or("", |(_, name)| name);
        f.write_str(name)
    }
}

/// A bug planted on purpose, each the shape of one that shipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sabotage {
    /// `except` excepts nobody.
    ExceptIgnored,
    /// A socket hears its own broadcast.
    SenderIncluded,
    /// A socket in two of the rooms hears twice.
    UnionHeardTwice,
    /// A broadcast to a room goes to everybody.
    RoomIgnored,
    /// `leave` leaves nothing.
    LeaveIgnored,
    /// `leave` leaves every room.
    LeaveAll,
    /// `join` joins nothing.
    JoinIgnored,
    /// A lost socket's rooms go to the next socket.
    MembershipKept,
    /// A broadcast of one namespace is heard in another.
    NamespaceLeak,
    /// Any token opens any namespace.
    GateOpen,
    /// A refused client is let in after having been told of its refusal.
    RefusedStillHears,
    /// One seat more than there are.
    OneSeatMore,
    /// An answer is given twice.
    AckTwice,
    /// An answer is never given.
    AckLost,
    /// Two broadcasts to one receiver change places.
    Reordered,
    /// Every tenth delivery is lost.
    DeliveryLost,
    /// A delivery comes twice.
    DeliveryTwice,
    /// Events are delivered to sockets that were disconnected by the server.
    HeardAfterKick,
    /// A recovered session misses its first packet.
    RecoveryGap,
    /// The server pings nobody, and drops nobody.
    HeartbeatDead,
    /// Bytes of an attachment are changed.
    BinaryMangled,
}

impl Sabotage {
    /// Each sabotage with its name on the command line.
    pub const ALL: [(Self, &'static str); 21] = [
        (Self::ExceptIgnored, "except-ignored"),
        (Self::SenderIncluded, "sender-included"),
        (Self::UnionHeardTwice, "union-heard-twice"),
        (Self::RoomIgnored, "room-ignored"),
        (Self::LeaveIgnored, "leave-ignored"),
        (Self::LeaveAll, "leave-all"),
        (Self::JoinIgnored, "join-ignored"),
        (Self::MembershipKept, "membership-kept"),
        (Self::NamespaceLeak, "namespace-leak"),
        (Self::GateOpen, "gate-open"),
        (Self::RefusedStillHears, "refused-still-hears"),
        (Self::OneSeatMore, "one-seat-more"),
        (Self::AckTwice, "ack-twice"),
        (Self::AckLost, "ack-lost"),
        (Self::Reordered, "reordered"),
        (Self::DeliveryLost, "delivery-lost"),
        (Self::DeliveryTwice, "delivery-twice"),
        (Self::HeardAfterKick, "heard-after-kick"),
        (Self::RecoveryGap, "recovery-gap"),
        (Self::HeartbeatDead, "heartbeat-dead"),
        (Self::BinaryMangled, "binary-mangled"),
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(known, _)| *known == self).map_or("", |(_, name)| name)
    }
}
