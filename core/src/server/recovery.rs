//! Connection state recovery: what a socket missed while its connection was lost.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use smol_str::SmolStr;

use super::config::RecoveryConfig;
use super::{NspId, Server, SocketRef, Timer};
use crate::codec::sio::Encoded;
use crate::event::DisconnectReason;
use crate::time::{Duration, Instant};
use crate::timers::TimerKey;
use crate::value::Object;

/// The offsets of stored packets: base-64 of the milliseconds, and a number within one
/// (`CSR-13`). They grow, as long as time does.
#[derive(Debug, Default)]
pub(super) struct Offsets {
    last: Option<(u64, u64)>,
}

/// An offset as numbers: milliseconds, and the place within one.
type Position = (u64, u64);

impl Offsets {
    pub(super) fn next(&mut self, now_ms: u64) -> SmolStr {
        let position = match self.last {
            Some((ms, place)) if ms >= now_ms => (ms, place + 1),
            Some(_) | None => (now_ms, 0),
        };
        self.last = Some(position);
        format_offset(position)
    }
}

const ALPHABET: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";

fn base64(mut number: u64) -> String {
    let mut digits = Vec::new();
    loop {
        digits.push(ALPHABET[usize::try_from(number % 64).unwrap_or(0)]);
        number /= 64;
        if number == 0 {
            break;
        }
    }
    digits.iter().rev().map(|digit| char::from(*digit)).collect()
}

fn from_base64(text: &str) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.bytes().try_fold(0_u64, |number, byte| {
        let digit = ALPHABET.iter().position(|digit| *digit == byte)?;
        number.checked_mul(64)?.checked_add(digit as u64)
    })
}

/// The first of a millisecond has no number, the second has 0.
fn format_offset((ms, place): Position) -> SmolStr {
    let mut text = base64(ms);
    if let Some(number) = place.checked_sub(1) {
        text.push('.');
        text.push_str(&base64(number));
    }
    text.into()
}

fn parse_offset(text: &str) -> Option<Position> {
    match text.split_once('.') {
        None => Some((from_base64(text)?, 0)),
        Some((ms, number)) => Some((from_base64(ms)?, from_base64(number)?.checked_add(1)?)),
    }
}

/// What one namespace keeps.
#[derive(Debug)]
pub(super) struct Recovery {
    max_age: Duration,
    /// In the order in which they were sent.
    log: VecDeque<Stored>,
    /// The newest packet that was dropped from the log.
    dropped: Option<Position>,
    sessions: BTreeMap<SmolStr, Session>,
    /// The ids of the sockets that were lost and may come back: what is emitted on such a socket
    /// is kept for its session (`EDGE-07`), also while its client waits to be let in (`CSR-10`).
    by_socket: BTreeMap<SocketRef, SmolStr>,
    /// When sessions began to wait, oldest first; some may have been recovered since.
    order: VecDeque<(Instant, SmolStr)>,
    pub(super) timer: Option<TimerKey>,
}

#[derive(Debug)]
struct Stored {
    position: Position,
    at: Instant,
    rooms: Vec<SmolStr>,
    except: Vec<SmolStr>,
    encoded: Encoded,
}

/// A session that waits to be recovered (`CSR-03`).
#[derive(Debug)]
struct Session {
    socket: SocketRef,
    sid: SmolStr,
    rooms: Vec<SmolStr>,
    data: Object,
    last_offset: Option<SmolStr>,
    /// The newest packet of the namespace when the socket was lost: it missed none before.
    newest: Option<Position>,
    disconnected_at: Instant,
}

/// A session that is being recovered.
#[derive(Debug)]
pub(super) struct Restored {
    socket: SocketRef,
    pub(super) sid: SmolStr,
    pub(super) pid: SmolStr,
    pub(super) rooms: Vec<SmolStr>,
    pub(super) data: Object,
    /// The last offset that the client has.
    pub(super) offset: Option<SmolStr>,
    last_offset: Option<SmolStr>,
    newest: Option<Position>,
    /// Everything after this is missed.
    after: Position,
    disconnected_at: Instant,
}

impl Recovery {
    pub(super) const fn new(config: RecoveryConfig) -> Self {
        Self {
            max_age: config.max_disconnection_duration,
            log: VecDeque::new(),
            dropped: None,
            sessions: BTreeMap::new(),
            by_socket: BTreeMap::new(),
            order: VecDeque::new(),
            timer: None,
        }
    }

    /// Sessions and packets.
    pub(super) fn len(&self) -> (usize, usize) {
        (self.sessions.len(), self.log.len())
    }

    /// Takes the session that a CONNECT asks for, if it is known, young enough, and nothing that
    /// it missed is lost (`CSR-05`, `CSR-09`). It is consumed, so that two connections cannot
    /// have it (`CSR-11`, mended).
    ///
    /// The reference wants the client's offset to be in its log. A client that has everything it
    /// was sent misses nothing of what was dropped from the log before it was lost, so that offset
    /// is good as well (`CSR-09`, mended), unless more was dropped since.
    pub(super) fn claim(&mut self, auth: &Object, now: Instant) -> Option<Restored> {
        let pid = auth.get("pid")?.as_str()?;
        let offset = auth.get("offset")?.as_str()?;
        let session = self.sessions.get(pid)?;
        if session.disconnected_at + self.max_age < now {
            return None;
        }
        let position = parse_offset(offset)?;
        let found = self.log.binary_search_by_key(&position, |stored| stored.position);
        let has_all = session.last_offset.as_deref() == Some(offset);
        if found.is_err() && (!has_all || self.dropped > session.newest) {
            return None;
        }
        let (pid, session) = self.sessions.remove_entry(pid)?;
        Some(Restored {
            socket: session.socket,
            sid: session.sid,
            pid,
            rooms: session.rooms,
            data: session.data,
            offset: Some(offset.into()),
            last_offset: session.last_offset,
            newest: session.newest,
            after: position,
            disconnected_at: session.disconnected_at,
        })
    }

    /// Whether everything that a claimed session missed is still there: some may have been dropped
    /// while its client waited to be let in.
    pub(super) fn is_whole(&self, restored: &Restored) -> bool {
        let had_all = restored.offset == restored.last_offset;
        let has = Some(restored.after).max(restored.newest.filter(|_| had_all));
        self.dropped <= has
    }

    /// A claimed session was not let in after all. If it has expired meanwhile, so has its place in
    /// the order, and nothing would purge it.
    pub(super) fn give_back(&mut self, restored: Restored, now: Instant) {
        if restored.disconnected_at + self.max_age < now {
            self.by_socket.remove(&restored.socket);
            return;
        }
        let session = Session {
            socket: restored.socket,
            sid: restored.sid,
            rooms: restored.rooms,
            data: restored.data,
            last_offset: restored.last_offset,
            newest: restored.newest,
            disconnected_at: restored.disconnected_at,
        };
        self.keep(restored.pid, session);
    }

    fn keep(&mut self, pid: SmolStr, session: Session) {
        self.by_socket.insert(session.socket, session.sid.clone());
        self.sessions.insert(pid, session);
    }

    /// The id of a lost socket that may come back.
    pub(super) fn lost_sid(&self, socket: SocketRef) -> Option<&SmolStr> {
        self.by_socket.get(&socket)
    }

    /// What a session has missed, in order (`CSR-08`).
    fn missed(&self, restored: &Restored) -> Vec<(Position, Encoded)> {
        let from = self.log.partition_point(|stored| stored.position <= restored.after);
        let missed = self.log.iter().skip(from);
        let for_it = missed.filter(|stored| hears(&restored.rooms, &stored.rooms, &stored.except));
        for_it.map(|stored| (stored.position, stored.encoded.clone())).collect()
    }

    /// Keeps a packet (`CSR-04`).
    pub(super) fn store(
        &mut self,
        offset: &SmolStr,
        at: Instant,
        rooms: &[SmolStr],
        except: &[SmolStr],
        encoded: Encoded,
    ) {
        if let Some(position) = parse_offset(offset) {
            let (rooms, except) = (rooms.to_vec(), except.to_vec());
            self.log.push_back(Stored { position, at, rooms, except, encoded });
        }
    }

    /// Drops what is too old, and returns when to look again.
    fn expire(&mut self, now: Instant, max_packets: usize) -> Option<Instant> {
        while self.log.len() > max_packets
            || self.log.front().is_some_and(|stored| stored.at + self.max_age < now)
        {
            self.dropped = self.log.pop_front().map(|stored| stored.position);
        }
        while let Some((at, pid)) = self.order.front() {
            if *at + self.max_age >= now {
                break;
            }
            if self.sessions.get(pid).is_some_and(|session| session.disconnected_at == *at)
                && let Some(session) = self.sessions.remove(pid)
            {
                self.by_socket.remove(&session.socket);
            }
            self.order.pop_front();
        }
        let packet = self.log.front().map(|stored| stored.at);
        let session = self.order.front().map(|(at, _)| *at);
        let oldest = packet.into_iter().chain(session).min()?;
        Some(oldest + self.max_age + Duration::from_nanos(1))
    }
}

/// Whether a packet was for a socket that was in `session` rooms when it was lost (`CSR-08`).
fn hears(session: &[SmolStr], rooms: &[SmolStr], except: &[SmolStr]) -> bool {
    (rooms.is_empty() || rooms.iter().any(|room| session.contains(room)))
        && !except.iter().any(|room| session.contains(room))
}

impl Server {
    /// Keeps the session of a socket that may come back (`CSR-02`, `CSR-03`).
    pub(super) fn persist(&mut self, socket: SocketRef, reason: &DisconnectReason) {
        if self.config.recovery.is_none() || !reason.is_recoverable() {
            return;
        }
        let (now, rooms) = (self.now, self.rooms_of(socket));
        let Some(nsp) = self.namespaces.get_mut(socket.nsp.0) else { return };
        let Some(state) = nsp.socket_mut(socket) else { return };
        let Some(pid) = state.pid.take() else { return };
        let data = core::mem::take(&mut state.data);
        let (sid, last_offset) = (state.sid.clone(), state.last_offset.take());
        let Some(recovery) = &mut nsp.recovery else { return };
        let newest = recovery.log.back().map(|stored| stored.position).or(recovery.dropped);
        let session =
            Session { socket, sid, rooms, data, last_offset, newest, disconnected_at: now };
        recovery.order.push_back((now, pid.clone()));
        recovery.keep(pid, session);
        self.expire_recovery(socket.nsp);
    }

    /// Sends what was missed; the reply follows (`CSR-07`).
    pub(super) fn replay(&mut self, socket: SocketRef, restored: &Restored) {
        let recovery = self.namespaces.get_mut(socket.nsp.0).and_then(|nsp| nsp.recovery.as_mut());
        let Some(recovery) = recovery else { return };
        recovery.by_socket.remove(&restored.socket);
        let missed = recovery.missed(restored);
        if let Some((position, _)) = missed.last()
            && let Some(state) = self.socket_mut(socket)
        {
            state.last_offset = Some(format_offset(*position));
        }
        for (_, encoded) in missed {
            self.write_encoded(socket.conn, &encoded);
        }
    }

    /// Drops what is too old in one namespace, and arms the timer for the rest.
    pub(super) fn expire_recovery(&mut self, id: NspId) {
        let (now, limit) = (self.now, self.config.limits.recovery_packets);
        let Some(nsp) = self.namespaces.get_mut(id.0) else { return };
        let Some(recovery) = &mut nsp.recovery else { return };
        self.timers.cancel(&mut recovery.timer);
        if let Some(at) = recovery.expire(now, limit) {
            recovery.timer = Some(self.timers.arm(at, Timer::Recovery(id)));
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::borrow::ToOwned;

    use super::*;
    use crate::testing::facts;

    fn rooms(value: &serde_json::Value) -> Vec<SmolStr> {
        value.as_array().unwrap().iter().map(|room| room.as_str().unwrap().into()).collect()
    }

    #[test]
    fn missed_packets_are_those_for_the_rooms_at_disconnection() {
        // CSR-08
        for case in facts("recovery_filter").iter().flat_map(|cases| cases.as_array().unwrap()) {
            let heard = hears(
                &rooms(&case["session_rooms"]),
                &rooms(&case["rooms"]),
                &rooms(&case["except"]),
            );
            assert_eq!(heard, case["included"].as_bool().unwrap(), "{}", case["note"]);
        }
    }

    #[test]
    fn offsets_are_base_64_of_the_clock() {
        // CSR-13
        for yeast in facts("yeast") {
            for pair in yeast["encode"].as_array().unwrap() {
                let text = pair[1].as_str().unwrap().to_owned();
                assert_eq!(base64(pair[0].as_u64().unwrap()), text);
                assert_eq!(from_base64(&text), pair[0].as_u64());
            }
            for pair in yeast["decode"].as_array().unwrap() {
                assert_eq!(from_base64(pair[0].as_str().unwrap()), pair[1].as_u64());
            }
        }
    }

    #[test]
    fn offsets_grow_and_are_read_back() {
        // CSR-13: the first of a millisecond has no number
        let mut offsets = Offsets::default();
        let mut last = None;
        for now in [5, 5, 5, 6, 6, 64, 64, 63] {
            let text = offsets.next(now);
            let position = parse_offset(&text);
            assert!(position > last, "{text}");
            assert_eq!(position.map(format_offset), Some(text));
            last = position;
        }
        assert_eq!(offsets.next(4096), "100");
        assert_eq!(offsets.next(4096), "100.0");
        assert_eq!(parse_offset("nope!"), None);
        assert_eq!(parse_offset(""), None);
    }
}
