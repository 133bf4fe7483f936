//! Deliveries that should not be: overheard, repeated, leaked, mangled, or from nowhere; and those
//! that came in another order.

use foldhash::fast::FixedState;

use overheard_core::value::Value;

use super::Case;
use super::codes::{
    AFTER_END, Code, EARLIER, LEAKED, MANGLED, OVERHEARD, PHANTOM, RECOVERED_TWICE, REORDERED,
    REPEATED, TOO_EARLY,
};
use super::sheet::{Sheet, concern, show_time};
use crate::matching::show;
use crate::oracle::facts::{NEVER, NoSocket, Pos, Received, Table};
use crate::oracle::model::{Kind, Send};
use crate::oracle::names::{index, number, same_list};
use crate::plan::Action;
use crate::verdict::{Finding, Property};

/// Missing messages that a delivery from nowhere is compared with.
const ALIKE: usize = 64;

/// Judges every delivery.
pub(super) fn check(case: &Case<'_>, sheet: &mut Sheet) {
    let received: usize = case.facts.sockets.iter().map(|socket| socket.received.len()).sum();
    let received = u64::from(number(received));
    sheet.tally(Property::P10, "origins", "deliveries").judged += received;
    sheet.tally(Property::P05, "namespaces", "deliveries").judged += received;
    sheet.tally(Property::P04, "sessions", "deliveries").judged += received;
    sheet.tally(Property::P11, "delivery-order", "deliveries").judged +=
        received - u64::from(number(case.deliveries.extra.len()));
    let binary = case.facts.contents.with_bytes();
    sheet.tally(Property::P12, "bytes", "contents").judged += binary;
    if !case.deliveries.extra.is_empty() {
        let senders = Senders::of(case);
        for (sid, received) in &case.deliveries.extra {
            match extra(case, &senders, *sid, *received) {
                Ok(finding) => sheet.find(finding),
                Err(reason) => {
                    let tally = sheet.tally(Property::P10, "origins", "deliveries");
                    *tally.allowed.entry(reason).or_default() += 1;
                }
            }
        }
    }
    order(case, sheet);
    strays(case, sheet);
}

/// Messages by content.
struct Senders(Table<u32, Vec<u32>>);

impl Senders {
    fn of(case: &Case<'_>) -> Self {
        let mut table: Table<u32, Vec<u32>> = Table::with_hasher(FixedState::with_seed(7));
        for (at, send) in case.model.sends.iter().enumerate() {
            table.entry(send.content).or_default().push(number(at));
        }
        Self(table)
    }

    /// Messages with a content that were sent before a place, the last one first.
    fn before<'c>(
        &self,
        case: &'c Case<'_>,
        content: u32,
        pos: Pos,
    ) -> impl Iterator<Item = (u32, &'c Send)> {
        let sends = self.0.get(&content).map_or(&[][..], Vec::as_slice);
        let before = sends.partition_point(|send| case.model.sends[index(*send)].at.lo < pos);
        let sends = &sends[..before];
        sends.iter().rev().map(|at| (*at, &case.model.sends[index(*at)]))
    }
}

/// What is wrong with a delivery that nothing explains.
///
/// # Errors
/// Why it need not be wrong, where only clients were watched.
fn extra(
    case: &Case<'_>,
    senders: &Senders,
    sid: u32,
    received: Received,
) -> Result<Finding, &'static str> {
    let facts = &case.facts;
    let socket = &facts.sockets[index(sid)];
    let owner = facts.owner(sid);
    let shown = facts.contents.show(received.content);
    let mut elsewhere = None;
    // A handful of equal messages tells enough.
    for (at, send) in senders.before(case, received.content, received.pos).take(64) {
        if send.nsp != socket.nsp {
            elsewhere = elsewhere.or(Some(send));
            continue;
        }
        let owed = &case.model.owed[index(sid)];
        if let Ok(place) = owed.binary_search_by_key(&at, |owed| owed.send) {
            let first = case.deliveries.arrived[index(sid)][place];
            if first == NEVER {
                continue;
            }
            if may_be_sent_again(case, send) {
                return Err("sent again by retries");
            }
            return Ok(repeated(case, sid, received, first, send));
        }
        return Ok(overheard(case, sid, received, at, send));
    }
    if let Some(send) = elsewhere {
        let (here, there) = (facts.nsps.name(socket.nsp), facts.nsps.name(send.nsp));
        let title = format!("{owner} got {shown} in `{here}`, and it was sent in `{there}`");
        return Ok(about(case, &LEAKED, received.pos, title, send, owner));
    }
    if may_be_of_a_raw_peer(case, received.pos) {
        return Err("a raw peer may have sent it");
    }
    Ok(from_nowhere(case, sid, received))
}

/// Whether nobody saw how often the server took a message in, and its client may resend it.
fn may_be_sent_again(case: &Case<'_>, send: &Send) -> bool {
    let facts = &case.facts;
    let client = send.from.and_then(|sid| facts.sockets[index(sid)].client);
    let plan = client.and_then(|client| facts.plan?.clients.get(index(client)));
    !facts.exact && plan.is_some_and(|client| client.retries > 0)
}

/// Whether a peer of which only the bytes are known had its say before, and nobody saw what the
/// server made of them.
fn may_be_of_a_raw_peer(case: &Case<'_>, pos: Pos) -> bool {
    let begun = |step: &u32| case.facts.steps.get(step).and_then(|time| time.begin);
    let mut raws = case.by_number.iter().filter(|(_, step)| matches!(step.action, Action::Raw(_)));
    !case.facts.exact && raws.any(|(step, _)| begun(step).is_some_and(|begin| begin < pos))
}

fn about(
    case: &Case<'_>,
    code: &Code,
    pos: Pos,
    title: String,
    send: &Send,
    owner: &str,
) -> Finding {
    let mut finding = case.finding(code, Some(pos), title);
    let sender = send.from.map(|sid| case.facts.owner(sid));
    concern(&mut finding, sender.into_iter().chain([owner]));
    let at = show_time(case.facts.time(send.cause));
    let event = case.facts.events[index(send.cause)].n;
    finding.cause = case.label(send.step, format!("sent here at {at} as #{event}"));
    finding.notes.push(case.who_hears(send));
    finding
}

fn repeated(case: &Case<'_>, sid: u32, received: Received, first: Pos, send: &Send) -> Finding {
    let facts = &case.facts;
    let (owner, shown) = (facts.owner(sid), facts.contents.show(received.content));
    // What is sent again comes just before the client is told that it is recovered.
    let lives = &facts.sockets[index(sid)].lives;
    let end = |life: &crate::oracle::facts::Life| life.end.as_ref().map_or(NEVER, |(end, _)| *end);
    let again = lives
        .windows(2)
        .any(|pair| pair[1].recovered && end(&pair[0]) > first && received.pos > end(&pair[0]));
    let code = if again { &RECOVERED_TWICE } else { &REPEATED };
    let title = format!("{owner} got {shown} once more than it was sent");
    let mut finding = about(case, code, received.pos, title, send, owner);
    let event = facts.events[index(first)].n;
    finding.notes.push(format!("it got it before at {} as #{event}", show_time(facts.time(first))));
    finding
}

fn overheard(case: &Case<'_>, sid: u32, received: Received, at: u32, send: &Send) -> Finding {
    let facts = &case.facts;
    let socket = &facts.sockets[index(sid)];
    let (owner, shown) = (facts.owner(sid), facts.contents.show(received.content));
    let here = if facts.exact { &socket.entered[..] } else { &[][..] };
    let began = here.first().copied().or_else(|| socket.lives.first().map(|life| life.from));
    let left = socket.left.last().map(|(left, _)| *left).filter(|left| *left < send.at.lo);
    if began.is_some_and(|began| send.at.hi < began) {
        let place = socket.client.and_then(|client| facts.places.get(&(client, socket.nsp)));
        let mut before = place.iter().flat_map(|place| &place.sockets);
        let earlier = before.any(|other| {
            let owed = &case.model.owed[index(*other)];
            *other != sid && owed.binary_search_by_key(&at, |owed| owed.send).is_ok()
        });
        let code = if earlier { &EARLIER } else { &OVERHEARD };
        let title = format!("{owner} got {shown}, which was sent before its session began");
        return about(case, code, received.pos, title, send, owner);
    }
    if left.is_some() && socket.entered.last() < left.as_ref() {
        let title = format!("{owner} got {shown}, which was sent after its socket had left");
        return about(case, &AFTER_END, received.pos, title, send, owner);
    }
    let why = if send.from == Some(sid) {
        "it is its own message"
    } else if send.kind == Kind::Tell {
        "it is for one socket, which is another one"
    } else {
        "it is not in the audience"
    };
    let title = format!("{owner} got {shown}, but must not: {why}");
    about(case, &OVERHEARD, received.pos, title, send, owner)
}

/// Nobody sent this. Perhaps something much like it is missing.
fn from_nowhere(case: &Case<'_>, sid: u32, received: Received) -> Finding {
    let facts = &case.facts;
    let (owner, shown) = (facts.owner(sid), facts.contents.show(received.content));
    let event = facts.contents.event(received.content);
    let args = facts.contents.args(received.content);
    let owed = &case.model.owed[index(sid)];
    let missing = owed.iter().zip(&case.deliveries.arrived[index(sid)]);
    let missing = missing.filter(|(_, arrived)| **arrived == NEVER);
    let sends = missing.map(|(owed, _)| &case.model.sends[index(owed.send)]);
    let alike: Vec<&Send> = sends
        .filter(|send| send.at.lo < received.pos && facts.contents.event(send.content) == event)
        .take(ALIKE)
        .collect();
    let plain = without_bytes(args);
    let is_same =
        |send: &&Send| same_list(&without_bytes(facts.contents.args(send.content)), &plain);
    let mangled = alike.iter().copied().find(is_same);
    let bytes = mangled.is_some() && args.iter().any(Value::has_binary);
    let alike = mangled.or_else(|| alike.first().copied());
    let Some(send) = alike else {
        let title = format!("{owner} got {shown}, which nobody sent");
        let mut finding = case.finding(&PHANTOM, Some(received.pos), title);
        concern(&mut finding, [owner]);
        return finding;
    };
    let wanted = facts.contents.args(send.content);
    let difference = format!("sent was {}", facts.contents.show(send.content));
    let (code, title) = if bytes {
        (&MANGLED, format!("{owner} got {shown} with other bytes than were sent"))
    } else {
        (&PHANTOM, format!("{owner} got {shown}, which nobody sent"))
    };
    let mut finding = about(case, code, received.pos, title, send, owner);
    finding.notes.push(format!("closest: {difference}"));
    if let Some(at) = wanted.iter().zip(args.iter()).position(|(a, b)| a != b) {
        let (wanted, got) = (show(&wanted[at]), show(&args[at]));
        finding.notes.push(format!("args[{at}] differs: expected {wanted}, got {got}"));
    }
    finding
}

/// Values with every attachment emptied.
fn without_bytes(values: &[Value]) -> Vec<Value> {
    let empty = |value: &Value| match value {
        Value::Binary(_) => Value::Binary(Vec::new().into()),
        Value::Array(items) => Value::Array(without_bytes(items)),
        Value::Object(object) => Value::Object(
            object
                .iter()
                .map(|(key, value)| {
                    let mut one = without_bytes(std::slice::from_ref(value));
                    (key, one.pop().unwrap_or(Value::Null))
                })
                .collect(),
        ),
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
            plain.clone()
        }
    };
    values.iter().map(empty).collect()
}

fn order(case: &Case<'_>, sheet: &mut Sheet) {
    for overtaken in &case.deliveries.overtaken {
        let facts = &case.facts;
        let (send, by) =
            (&case.model.sends[index(overtaken.send)], &case.model.sends[index(overtaken.by)]);
        let owner = facts.owner(overtaken.sid);
        let (late, early) = (facts.contents.show(send.content), facts.contents.show(by.content));
        let title = format!("{owner} got {late} after {early}, which was sent later");
        let mut finding = about(case, &REORDERED, overtaken.received.pos, title, send, owner);
        let (first, then) = (facts.events[index(send.cause)].n, facts.events[index(by.cause)].n);
        finding.notes.push(format!("sent were #{first} and then #{then}"));
        sheet.find(finding);
    }
}

fn strays(case: &Case<'_>, sheet: &mut Sheet) {
    let facts = &case.facts;
    let lives: usize = facts.sockets.iter().map(|socket| socket.lives.len()).sum();
    let refused: usize = facts.places.values().map(|place| place.refused.len()).sum();
    sheet.tally(Property::P06, "gate", "entries").judged += u64::from(number(lives + refused));
    let ends: u32 = facts.places.values().map(|place| place.ends).sum();
    sheet.tally(Property::P08, "silence", "ends").judged += u64::from(ends);
    for stray in &facts.strays {
        let (client, nsp) = (facts.client(stray.client), facts.nsps.name(stray.nsp));
        let shown = case.show_received(stray.pos);
        let (code, why) = match stray.why {
            NoSocket::NotYet => (&TOO_EARLY, "before it was let in"),
            NoSocket::Refused => (&TOO_EARLY, "although it was refused"),
            NoSocket::Ended => (&AFTER_END, "after its disconnection"),
        };
        let title = format!("{client} got {shown} in `{nsp}` {why}");
        let mut finding = case.finding(code, Some(stray.pos), title);
        concern(&mut finding, [client]);
        sheet.find(finding);
    }
}
