//! `expect-connection`, `expect-rooms`, and clients that are to be refused.

use std::collections::BTreeSet;

use overheard_core::value::Value;
use smol_str::SmolStr;

use super::Judge;
use crate::check::codes::{CONNECTION, LET_IN, RAW_ENDING, ROOM_LIST, TURNED_AWAY};
use crate::check::sheet::{Sheet, concern};
use crate::history::{Event, What};
use crate::oracle::facts::{Emit, Life, Op, Pos};
use crate::oracle::names::index;
use crate::oracle::steps::Place;
use crate::plan::{Action, ClientId, ConnectionState, ExpectConnection, Raw, Step, TransportName};

/// What has become of a client, event by event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Known {
    connected: bool,
    recovered: bool,
    disconnected: Option<SmolStr>,
    refused: Option<SmolStr>,
    transport: Option<TransportName>,
}

impl Known {
    fn turn(&mut self, name: &str, nsp: &str, event: &Event) -> bool {
        if event.who != name {
            return false;
        }
        if let What::Connected { nsp: at, recovered, .. } = &event.what {
            if at == nsp {
                let transport = self.transport;
                *self =
                    Self { connected: true, recovered: *recovered, transport, ..Self::default() };
            }
        } else if let What::Disconnected { nsp: at, reason } = &event.what {
            if at == nsp {
                let (disconnected, transport) = (Some(reason.clone()), self.transport);
                *self = Self { disconnected, transport, ..Self::default() };
            }
        } else if let What::Refused { nsp: at, message, .. } = &event.what {
            if at == nsp {
                let (refused, transport) = (Some(message.clone()), self.transport);
                *self = Self { refused, transport, ..Self::default() };
            }
        } else if let What::Opened { transport } = &event.what {
            self.transport = Some(match transport.as_str() {
                "websocket" => TransportName::WebSocket,
                _ => TransportName::Polling,
            });
        } else if let What::Upgraded = event.what {
            self.transport = Some(TransportName::WebSocket);
        } else {
            return false;
        }
        true
    }

    fn is(&self, state: &ConnectionState) -> bool {
        let said = |known: &Option<SmolStr>, wanted: &Option<String>| {
            known.as_ref().is_some_and(|known| wanted.as_ref().is_none_or(|text| known == text))
        };
        match state {
            ConnectionState::Connected => self.connected,
            ConnectionState::Recovered => self.connected && self.recovered,
            ConnectionState::Disconnected(reason) => said(&self.disconnected, reason),
            ConnectionState::Refused(message) => said(&self.refused, message),
            ConnectionState::Transport(wanted) => self.transport == Some(*wanted),
        }
    }

    fn words(&self) -> String {
        let transport = match self.transport {
            Some(TransportName::Polling) => " over polling",
            Some(TransportName::WebSocket) => " over websocket",
            None => "",
        };
        if let Some(reason) = &self.disconnected {
            return format!("disconnected ({reason})");
        }
        if let Some(message) = &self.refused {
            return format!("refused ({message})");
        }
        match (self.connected, self.recovered) {
            (true, true) => format!("connected{transport}, and recovered"),
            (true, false) => format!("connected{transport}"),
            (false, _) => "not connected yet".to_owned(),
        }
    }
}

impl<'a> Judge<'_, 'a> {
    /// Whether a hostile peer was shown out, or was not, as the step says.
    pub(super) fn raw(&self, sheet: &mut Sheet, step: &Step, raw: &Raw) {
        let Some(closes) = raw.closes else { return };
        self.tally(sheet).judged += 1;
        let ended = (0..).zip(self.case.facts.events).find_map(|(pos, event): (Pos, _)| {
            let What::Disconnected { reason, .. } = &event.what else { return None };
            let own = event.step == Some(step.id.0) && event.who.starts_with("raw-");
            own.then_some((pos, reason == "closed"))
        });
        let (pos, title, text) = match ended {
            Some((_, closed)) if closed == closes => return,
            Some((pos, true)) => {
                (Some(pos), "the server closed the connection of a hostile peer", "stays open")
            }
            Some((pos, false)) => {
                (Some(pos), "the server did not close the connection of a hostile peer", "closes")
            }
            None => (None, "nothing is known of the connection of a hostile peer", "unknown"),
        };
        let mut finding = self.case.finding(&RAW_ENDING, pos, title.to_owned());
        finding.check = self.case.label(Some(step.id.0), text);
        sheet.find(finding);
    }

    pub(super) fn connection(
        &mut self,
        sheet: &mut Sheet,
        place: &Place<'a>,
        expect: &ExpectConnection,
    ) {
        let (time, end) = self.deadline(place, expect.within);
        for client in &expect.at {
            self.tally(sheet).judged += 1;
            let (met, last) = self.becomes(place, *client, expect, time, end);
            if met {
                continue;
            }
            let name = self.client(*client);
            let wanted = state_words(&expect.state);
            let title = format!("{name} is not {wanted} in time, but {}", last.words());
            let label = format!("it is {}", last.words());
            let mut finding = self.about(&CONNECTION, place.step, None, title, label);
            concern(&mut finding, [name]);
            finding.t = time.min(self.case.facts.events.last().map_or(0, |event| event.t));
            sheet.find(finding);
        }
    }

    /// Whether a client was in a state when the step began, or came into it before its deadline.
    /// What ends (being disconnected, refused) may have been over again by then.
    fn becomes(
        &self,
        place: &Place<'_>,
        client: ClientId,
        expect: &ExpectConnection,
        time: u64,
        end: Pos,
    ) -> (bool, Known) {
        let begin = self.begin(place.step.id.0).unwrap_or_else(|| self.case.facts.last());
        let passing = matches!(
            expect.state,
            ConnectionState::Disconnected(_)
                | ConnectionState::Refused(_)
                | ConnectionState::Recovered
        );
        let from = if passing { self.act_began(place) } else { begin };
        let name = self.client(client);
        let mut known = Known::default();
        let mut asked = false;
        for (pos, event) in (0..).zip(self.case.facts.events) {
            if pos >= begin && !asked {
                asked = true;
                if known.is(&expect.state) {
                    return (true, known);
                }
            }
            if pos >= end || event.t > time {
                break;
            }
            if known.turn(name, &expect.namespace, event) && pos >= from && known.is(&expect.state)
            {
                return (true, known);
            }
        }
        (known.is(&expect.state), known)
    }

    pub(super) fn rooms(
        &mut self,
        sheet: &mut Sheet,
        step: &'a Step,
        at: &[ClientId],
        namespace: &str,
        rooms: &[String],
    ) {
        let not_carried_out = |sheet: &mut Sheet, title: &str| {
            let code = crate::check::codes::NOT_CARRIED_OUT;
            sheet.unknown(code, title.to_owned(), Some(step.span.clone()));
        };
        let begin = self.begin(step.id.0).unwrap_or_default();
        let table = self.case.facts.exact.then(|| self.table(begin, namespace));
        if table == Some(None) {
            return not_carried_out(sheet, "no table of rooms was written down here");
        }
        for client in at {
            let name = self.client(*client);
            let found = match table.flatten() {
                Some((pos, sids)) => Some((pos, self.row(*client, namespace, pos, sids))),
                None => self.own_rooms(*client, namespace, step.id.0),
            };
            let Some((pos, found)) = found else {
                not_carried_out(sheet, &format!("{name} had no answer to which rooms it is in"));
                continue;
            };
            self.tally(sheet).judged += 1;
            let wanted: BTreeSet<&str> = rooms.iter().map(String::as_str).collect();
            if found != wanted {
                let list = |rooms: &BTreeSet<&str>| {
                    let rooms: Vec<&str> = rooms.iter().copied().collect();
                    format!("[{}]", rooms.join(", "))
                };
                let title =
                    format!("{name} is in {}, and should be in {}", list(&found), list(&wanted));
                let label = format!("it is in {}", list(&found));
                let mut finding = self.about(&ROOM_LIST, step, Some(pos), title, label);
                concern(&mut finding, [name]);
                sheet.find(finding);
            }
        }
    }

    /// The first table of a namespace behind a place.
    fn table(&self, begin: Pos, namespace: &str) -> Option<(Pos, &'a [Row])> {
        let events = &self.case.facts.events[index(begin)..];
        (begin..).zip(events).find_map(|(pos, event)| {
            if let What::Rooms { nsp, sids, .. } = &event.what
                && nsp == namespace
            {
                Some((pos, &sids[..]))
            } else {
                None
            }
        })
    }

    /// The rooms of a client in a table, but for its own.
    fn row(
        &self,
        client: ClientId,
        namespace: &str,
        pos: Pos,
        sids: &'a [Row],
    ) -> BTreeSet<&'a str> {
        let sid = self.sid(client, namespace, pos);
        let sid = sid.map(|sid| self.case.facts.sids.name(sid));
        let row = sids.iter().find(|(known, _)| Some(known) == sid).into_iter();
        let rooms = row.flat_map(|(own, rooms)| rooms.iter().filter(move |room| *room != own));
        rooms.map(SmolStr::as_str).collect()
    }

    /// What a client was answered in a step when it asked for its rooms. Who is not connected asks
    /// nobody, and is in none.
    fn own_rooms(
        &self,
        client: ClientId,
        namespace: &str,
        step: u32,
    ) -> Option<(Pos, BTreeSet<&'a str>)> {
        let facts = &self.case.facts;
        let begin = self.begin(step)?;
        let asked = |op: &&Op| {
            let here = |emit: Emit| facts.nsps.name(emit.nsp) == namespace;
            op.client == client.0
                && facts.step(op.invoke) == Some(step)
                && op.emit.is_some_and(here)
        };
        let Some(op) = facts.ops.iter().find(asked) else {
            let lives = self.sid(client, namespace, begin);
            let lives = lives.map_or(&[][..], |sid| &facts.sockets[index(sid)].lives[..]);
            let is_there = |life: &Life| {
                life.from <= begin && life.end.as_ref().is_none_or(|(end, _)| *end > begin)
            };
            return (!lives.iter().any(is_there)).then(|| (begin, BTreeSet::new()));
        };
        let own = self.sid(client, namespace, op.invoke);
        let own = own.map_or("", |sid| facts.sids.name(sid).as_str());
        let rooms = op.answer(facts)?.get(1)?.as_array()?.iter().filter_map(Value::as_str);
        Some((op.invoke, rooms.filter(|room| *room != own).collect()))
    }
}

/// A socket and its rooms.
type Row = (SmolStr, Vec<SmolStr>);

fn state_words(state: &ConnectionState) -> String {
    match state {
        ConnectionState::Connected => "connected".to_owned(),
        ConnectionState::Recovered => "recovered".to_owned(),
        ConnectionState::Disconnected(None) => "disconnected".to_owned(),
        ConnectionState::Disconnected(Some(reason)) => format!("disconnected ({reason})"),
        ConnectionState::Refused(None) => "refused".to_owned(),
        ConnectionState::Refused(Some(message)) => format!("refused ({message})"),
        ConnectionState::Transport(TransportName::Polling) => "on polling".to_owned(),
        ConnectionState::Transport(TransportName::WebSocket) => "on websocket".to_owned(),
    }
}

/// Judges who was let in and who was refused against what the file says about its clients.
pub(super) fn refusals(judge: &Judge<'_, '_>, sheet: &mut Sheet) {
    let facts = &judge.case.facts;
    for (client, plan) in (0..).zip(&judge.plan.clients) {
        for namespace in &plan.namespaces {
            let place = facts.place(client, &namespace.name);
            let refused = place.map_or(&[][..], |place| &place.refused[..]);
            let sockets = place.map_or(&[][..], |place| &place.sockets[..]);
            let messages = refused.iter().map(|pos| (*pos, message(facts.at(*pos))));
            let mut find = |code, pos: Option<Pos>, title: String, span: &crate::span::Span| {
                let mut finding = judge.case.finding(code, pos, title);
                let (span, text) = (span.clone(), "this is expected".to_owned());
                finding.check = Some(crate::verdict::Label { span, text });
                concern(&mut finding, [plan.name.as_str()]);
                sheet.find(finding);
            };
            let (name, nsp) = (&plan.name, &namespace.name);
            let Some((wanted, span)) = &namespace.refused else {
                if let Some((pos, message)) = messages.into_iter().next()
                    && !is_awaited(judge, ClientId(client), nsp)
                {
                    let title = format!("{name} was refused in `{nsp}`: {message}");
                    find(&TURNED_AWAY, Some(pos), title, &plan.span);
                }
                continue;
            };
            let first = sockets.first().and_then(|sid| facts.sockets[index(*sid)].lives.first());
            let reconnects = judge.case.steps.iter().any(|place| {
                matches!(&place.step.action, Action::Connect { who, auth: Some(_) }
                    if who.contains(&ClientId(client)))
            });
            let mut said = messages.map(|(_, message)| message);
            if let Some(life) = first.filter(|_| !reconnects) {
                let title = format!("{name} was let into `{nsp}`, and should be refused");
                find(&LET_IN, Some(life.from), title, span);
            } else if let Some(other) = said.find(|message| message != wanted) {
                let title = format!("{name} was refused in `{nsp}` with another message: {other}");
                find(&LET_IN, refused.first().copied(), title, span);
            } else if refused.is_empty() && place.is_some() && facts.complete() {
                let title = format!("{name} was neither let into `{nsp}` nor refused");
                find(&LET_IN, None, title, span);
            }
            sheet.tally(crate::verdict::Property::File, "expectations", "expectations").judged += 1;
        }
    }
}

fn message(what: &What) -> SmolStr {
    if let What::Refused { message, .. } = what { message.clone() } else { SmolStr::default() }
}

/// Whether a step waits for a client to be refused.
fn is_awaited(judge: &Judge<'_, '_>, client: ClientId, nsp: &str) -> bool {
    judge.case.steps.iter().any(|place| {
        matches!(&place.step.action, Action::ExpectConnection(expect)
            if expect.namespace == nsp
                && expect.at.contains(&client)
                && matches!(expect.state, ConnectionState::Refused(_)))
    })
}
