//! Every finding and every unknown: its code, its property, its rules, and its explanation.

use crate::verdict::Property;

/// A kind of finding.
#[derive(Debug)]
pub(crate) struct Code {
    pub(crate) code: &'static str,
    pub(crate) property: Property,
    pub(crate) rules: &'static [&'static str],
}

macro_rules! codes {
    ($($name:ident = $code:literal $property:ident [$($rule:literal)*] $text:literal;)*) => {
        $(pub(crate) const $name: Code = Code {
            code: $code,
            property: Property::$property,
            rules: &[$($rule),*],
        };)*

        /// What each code means, for `overheard explain`.
        pub const EXPLAIN: &[(&str, &str)] = &[
            $((
                $code,
                $text,
            ),)*
            (BOUND, BOUND_TEXT),
            (BROKEN, BROKEN_TEXT),
            (NO_END, NO_END_TEXT),
            (IDLE_FAULT, IDLE_FAULT_TEXT),
            (NOT_REACHED, NOT_REACHED_TEXT),
            (NOTHING_JUDGED, NOTHING_JUDGED_TEXT),
            (OTHER_PLAN, OTHER_PLAN_TEXT),
            (NOT_CARRIED_OUT, NOT_CARRIED_OUT_TEXT),
            (NOT_PLAYED, NOT_PLAYED_TEXT),
            (NO_SERVER, NO_SERVER_TEXT),
        ];

        #[cfg(test)]
        pub(crate) const ALL: &[&Code] = &[$(&$name),*];
    };
}

codes! {
    OVERHEARD = "OH0301" P01 ["BC-TGT-01" "BC-TGT-02" "BC-TGT-04" "BC-TGT-06"]
        "A client received a message that was not for it. A message is heard by the sockets that \
         are in one of its targeted rooms (by everybody if it has none), and in no excepted room, \
         and connected; a socket's own message is not heard by those in the room named like its \
         id, which as a rule is the sender alone.";
    MISSED = "OH0302" P01 ["BC-TGT-01" "BC-TGT-02" "DG-06"]
        "A client did not receive a message that was for it, and nothing excuses the loss: the \
         message was not volatile, and either the connection lived until the run was quiet, or \
         something that was sent later on the same connection did arrive.";
    REPEATED = "OH0303" P01 ["BC-TGT-01" "BC-TGT-02"]
        "A client received a message more often than it was sent to it. Being in several of the \
         targeted rooms makes one copy, not several.";
    PHANTOM = "OH0304" P10 ["BC-10"]
        "A client received a message that nobody sent: no request so far delivers this event with \
         these arguments in this namespace.";
    REORDERED = "OH0305" P11 ["SIO-ORD-01" "BC-ORD-01" "DG-01"]
        "A client received two messages in another order than they were sent. On one server, \
         everything that one client is sent arrives in the order in which the server sent it, \
         across namespaces, rooms, transports and upgrades.";
    LEAKED = "OH0306" P05 ["NSP-07" "NSP-08"]
        "A client received in one namespace what was sent in another. Namespaces have rooms of \
         their own, and a message never leaves its namespace.";
    EARLIER = "OH0307" P04 ["NSP-09" "DG-03"]
        "A client received on a new session a message of an earlier one. Without recovery nothing \
         is kept for a client that is away: a new socket has new rooms and hears what is sent from \
         then on.";
    MANGLED = "OH0308" P12 ["SIO-ENC-05" "BC-10" "SIO-ORD-02"]
        "A client received a message whose bytes are not those that were sent. Attachments arrive \
         whole and unchanged, or the message does not arrive.";
    TOO_EARLY = "OH0309" P06 ["SIO-CONN-11" "NSP-MW-03" "BC-SNAP-03"]
        "A client received a message in a namespace before it was let in, or after it was \
         refused. Nothing reaches a socket before the answer to its CONNECT, but what a recovered \
         session missed.";
    GATE = "OH0310" P06 ["NSP-MW-04"]
        "A client was let into a namespace without the token that the namespace wants.";
    SEATS = "OH0311" P06 ["NSP-MW-04"]
        "More sockets were in a namespace at a time than it has seats.";
    NO_NAMESPACE = "OH0312" P06 ["NSP-05" "NSP-14"]
        "A client was let into a namespace that does not exist and matches no pattern.";
    AFTER_END = "OH0313" P08 ["ROOM-09" "BC-ORD-04" "BC-TGT-09"]
        "A socket received something that was sent after it had been disconnected, or a client \
         was told of an event after its disconnection.";
    STAYED = "OH0314" P08 ["UTIL-01" "NSP-10" "NSP-11"]
        "A socket that the server was told to disconnect stayed.";
    KICKED = "OH0315" P08 ["UTIL-01" "NSP-10"]
        "The server disconnected a socket that nobody told it to disconnect.";
    ROOMS = "OH0316" P02 ["ROOM-01" "ROOM-02" "ROOM-03" "ROOM-08"]
        "A socket is not in the rooms that it should be in, counted from everything that joined \
         it, moved it or took it out of rooms.";
    INVERSE = "OH0317" P02 ["ROOM-04" "ROOM-11"]
        "The server's two tables of rooms, by socket and by room, contradict each other, or a room \
         exists without anybody in it.";
    LEFTOVER = "OH0318" P03 ["ROOM-08" "ROOM-09" "NSP-MW-04" "EIO-CLOSE-06"]
        "Something was left behind when everybody had gone: connections, sockets, rooms, \
         memberships, acks, namespaces made on demand, buffered bytes or timers.";
    UNPAIRED = "OH0319" P07 ["SIO-DISC-05" "SIO-DISC-06" "CSR-11"]
        "A socket was let in twice, left twice, left without having been let in, or never left. \
         Each socket that is let in leaves exactly once.";
    SETTLED_TWICE = "OH0320" P09 ["SIO-ACK-01" "SIO-ACK-05"]
        "An operation ended more than once. Each ends exactly once: with its answer, or with an \
         error.";
    UNSETTLED = "OH0321" P09 ["SIO-ACK-01" "CLI-09"]
        "An operation that waits for an answer never ended, on a link that nothing had touched.";
    WRONG_ANSWER = "OH0322" P09 ["SIO-ACK-01" "BC-ACK-01" "BC-ACK-03"]
        "The answer to an event is not the one that the chat contract gives.";
    ANSWER_LOST = "OH0323" P09 ["SIO-ACK-01" "SIO-ACK-05"]
        "The server accepted an event and must have answered it at once, and the answer never \
         came, although there was time for it and nothing had touched the link.";
    REQUEST_LOST = "OH0324" P10 ["DG-02" "DG-06"]
        "An event of a client never arrived at the server, and nothing excuses the loss: the \
         connection lived, or something that was sent later on it did arrive.";
    REQUEST_TWICE = "OH0325" P10 ["DG-02" "DG-07"]
        "An event of a client was accepted more often than the client sent it. Only a client with \
         `retries` may send an event again.";
    REQUEST_PHANTOM = "OH0326" P10 ["DG-02" "SIO-ENC-05"]
        "The server accepted from a client what that client never sent.";
    REQUEST_ORDER = "OH0327" P11 ["SIO-ORD-01" "SIO-ORD-03" "DG-01"]
        "The server accepted two events of one client in another order than they were sent.";
    LIVE_DROPPED = "OH0328" P14 ["EIO-HB-01" "EIO-HB-02" "EIO-HB-08"]
        "A connection ended though nothing had touched it: a heartbeat ran out between two peers \
         that were alive, or the transport ended by itself.";
    SILENT_KEPT = "OH0329" P14 ["EIO-HB-02" "EIO-HB-03"]
        "A peer was silent for longer than `ping-interval` and `ping-timeout` together, and the \
         server did not drop it.";
    GAP = "OH0330" P15 ["CSR-04" "CSR-07" "CSR-08" "CSR-10"]
        "A recovered session misses a message. What was sent while its connection was lost is \
         sent again, so that what it received before and after makes the whole.";
    RECOVERED_TWICE = "OH0331" P15 ["CSR-07" "CSR-08"]
        "A recovered session received a message twice: what it had already was sent again.";
    NOT_RECOVERED = "OH0332" P15 ["CSR-02" "CSR-05" "CSR-09"]
        "A session was not recovered, although the server had noticed the loss of its connection, \
         the client came back in time, and it knew an offset.";
    RECONNECTS = "OH0333" P20 ["CLI-04"]
        "A client connected again by itself although it must not: it or the server had ended its \
         sockets on purpose, or its reconnection is off.";
    ATTEMPTS = "OH0334" P20 ["CLI-05"]
        "The attempts to connect again are not counted 1, 2, 3 and so on, starting over after a \
         success, or an attempt came before its delay was over.";
    BYSTANDER = "OH0335" P19 ["SIO-CONN-05" "SIO-ERR-01" "EIO-ERR-08"]
        "A connection ended though nothing had touched it, while another peer sent hostile bytes. \
         Whatever a peer sends, only its own connection may suffer.";
    SERVER_DIED = "OH0336" P19 ["SIO-CONN-05" "SIO-ERR-01" "EIO-ERR-08"]
        "The process of the server under test ended by itself. Whatever clients send, a server has \
         to live on.";
    STUCK = "OH0337" P13 ["SIO-ACK-01" "SIO-CONN-10" "NSP-MW-06" "BC-ACK-03" "BC-ACK-08"]
        "The server got stuck: an answer that is due at once, an entry into a namespace, or the end \
         of a broadcast that gathers answers was still not there when everything should long have \
         come to rest. Whatever a handler does, and even if it fails, the server goes on.";
    NOT_MET = "OH0350" File []
        "An `expect` was not met: what it waits for did not arrive at a client in time.";
    TOO_MANY = "OH0351" File []
        "An `expect` with `exactly` or `at-most` was exceeded before its window ended.";
    WRONG_ORDER = "OH0352" File []
        "An `expect` with an order found its events, but in another order.";
    NEVER_BROKEN = "OH0353" File []
        "A `never` was broken: a client received what it must not receive in that window.";
    UNCLAIMED = "OH0354" File []
        "A client received something that no step of the file asks for. Expect it, or allow all \
         such deliveries with `unclaimed: allow`.";
    ACK_DIFFERS = "OH0355" File []
        "The answer to an `emit`, or the answers to a `broadcast`, are not what the step's `ack` \
         says, or did not come.";
    ACK_CAME = "OH0356" File []
        "An `emit` with `ack-fails: true` was answered.";
    CONNECTION = "OH0357" File []
        "An `expect-connection` was not met: the client's socket or connection was not in that \
         state in time.";
    ROOM_LIST = "OH0358" File []
        "An `expect-rooms` was not met: the client's socket is in other rooms.";
    LET_IN = "OH0359" File []
        "A client that is expected to be refused was let in, or was refused with another message.";
    TURNED_AWAY = "OH0360" File []
        "A client was refused, and the file does not expect it.";
    RAW_ENDING = "OH0361" File []
        "The connection of a `raw` peer is still open although the step says that the server closes \
         it, or was closed although it says that it stays.";
}

pub(crate) const BOUND: &str = "OH0401";
const BOUND_TEXT: &str = "A bound of the plan ended the run before it came to rest: virtual time, \
    or the number of events. What was under way then cannot be judged. Raise `bounds`.";
pub(crate) const BROKEN: &str = "OH0402";
const BROKEN_TEXT: &str =
    "The simulated world itself failed: a panic, or a contract between its parts that was broken.";
pub(crate) const NO_END: &str = "OH0403";
const NO_END_TEXT: &str = "The history has no `end`: it was cut off, or its run was. What was \
    under way then cannot be judged.";
pub(crate) const IDLE_FAULT: &str = "OH0404";
const IDLE_FAULT_TEXT: &str = "A fault changed nothing: no read, write or connect ran into it. \
    The scenario does not test what it seems to test.";
/// A situation that must occur did not: other runs of the same file may make up for it.
pub const NOT_REACHED: &str = "OH0405";
const NOT_REACHED_TEXT: &str = "A situation of `must-reach` did not occur, so that the scenario \
    does not show what it exists for. More seeds may reach it.";
pub(crate) const NOTHING_JUDGED: &str = "OH0406";
const NOTHING_JUDGED_TEXT: &str = "Messages were sent, and not one delivery could be judged: \
    nobody was there to hear, or every loss was excused, and the file expects \
    nothing either.";
pub(crate) const OTHER_PLAN: &str = "OH0407";
const OTHER_PLAN_TEXT: &str = "The history is of another plan: its clients, its scenario or its \
    seed are others. The rules were judged, the expectations of the file were not.";
pub(crate) const NOT_CARRIED_OUT: &str = "OH0408";
const NOT_CARRIED_OUT_TEXT: &str = "A step was not carried out, or only in part, so that what it \
    expects cannot be judged.";
pub(crate) const NOT_PLAYED: &str = "OH0409";
const NOT_PLAYED_TEXT: &str = "The scenario needs something that the server under test cannot do, \
    and was not played. `overheard targets` lists what each file needs.";
pub(crate) const NO_SERVER: &str = "OH0410";
const NO_SERVER_TEXT: &str = "The server under test could not be started or reached. Nothing can be \
    said about it.";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_explained() {
        let codes: BTreeSet<&str> = EXPLAIN.iter().map(|(code, _)| *code).collect();
        assert_eq!(codes.len(), EXPLAIN.len());
        assert!(EXPLAIN.iter().all(|(code, text)| code.len() == 6 && text.ends_with('.')));
        assert!(ALL.iter().all(|code| codes.contains(code.code)));
    }

    #[test]
    fn rules_exist() {
        let rules = include_str!("../../../core/RULES.md");
        for code in ALL {
            for rule in code.rules {
                assert!(rules.contains(&format!("**{rule}**")), "{rule} of {}", code.code);
            }
        }
    }
}
