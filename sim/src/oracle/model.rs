//! The model: what each request does, and who must hear of it.

use std::collections::BTreeMap;

use foldhash::fast::FixedState;
use overheard_core::value::{Object, Value};
use smol_str::SmolStr;

use super::contract::{self, LOBBY, Options, Request};
use super::facts::{Facts, Pos, Table};
use super::names::{Names, index, number};
use super::rooms::{Change, Rooms, Window};
use super::tables::TableFault;
use super::tri::Tri;
use crate::history::{Args, Audience, Operation, What};

/// Where a message comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A request to everybody whom its options select.
    Broadcast,
    /// The same, and the answers are gathered.
    Ask,
    /// A request to one socket.
    Tell,
    /// The application, on its own account.
    Server,
}

/// A message.
#[derive(Clone, Debug)]
pub struct Send {
    /// When it took effect.
    pub at: Window,
    /// In which namespace.
    pub nsp: u32,
    /// What.
    pub content: u32,
    /// Where it comes from.
    pub kind: Kind,
    /// The socket that it comes from.
    pub from: Option<u32>,
    /// Whether it may be dropped.
    pub volatile: bool,
    /// Whether it wants answers.
    pub acked: bool,
    /// The event that shows it: where it took effect, or was asked for.
    pub cause: Pos,
    /// The step that it belongs to.
    pub step: Option<u32>,
    /// Sockets that hear it.
    pub yes: u32,
    /// Sockets that may hear it.
    pub maybe: u32,
    /// The rooms that were targeted; none for everybody.
    pub to: Vec<SmolStr>,
    /// The rooms that were excepted, the sender's own one as well.
    pub except: Vec<SmolStr>,
}

/// A message that a socket must or may hear.
#[derive(Clone, Copy, Debug)]
pub struct Owed {
    /// Which.
    pub send: u32,
    /// Whether it must.
    pub must: bool,
    /// Whether it is sent while the socket is lost, and comes when it is recovered.
    pub later: bool,
}

/// What the contract answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// `"ok"`, and these values.
    Exactly(Vec<Value>),
    /// `"ok"`, and these ids in any order.
    Ids(Vec<SmolStr>),
    /// `"ok"`, and something that cannot be said.
    Ok,
    /// `"error"`, and why.
    Error,
    /// The answers to a message.
    Asked(u32),
    /// The answer to a message.
    Told(u32),
    /// Nothing can be said.
    Any,
}

/// A socket that must be disconnected.
#[derive(Clone, Copy, Debug)]
pub struct Kick {
    /// By what.
    pub pos: Pos,
    /// Which.
    pub sid: u32,
    /// Whether its whole connection ends.
    pub close: bool,
}

/// What should have happened.
#[derive(Debug)]
pub struct Model {
    /// The messages, in the order in which they took effect.
    pub sends: Vec<Send>,
    /// What each socket must or may hear, in that order.
    pub owed: Vec<Vec<Owed>>,
    /// What operations are answered, by operation.
    pub answers: Vec<(u32, Answer)>,
    /// Messages of the application by the number of their operation.
    pub server_sends: BTreeMap<u64, u32>,
    /// Sockets that must be disconnected.
    pub kicks: Vec<Kick>,
    /// Where room tables are not as they must be.
    pub tables: Vec<TableFault>,
    /// Rows of room tables that were compared.
    pub rows: u64,
    /// Events that were accepted from sockets that had left.
    pub ghosts: Vec<(Pos, u32)>,
    /// Joins and leaves that were under way while a message for their room took effect.
    pub raced: u64,
    pub(super) rooms: Rooms,
    pub(super) names: Names,
    pub(super) data: Table<u32, Object>,
    pub(super) open: Table<(u32, u32), u32>,
    hear: Vec<(u32, Tri)>,
}

/// A request and its circumstances.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) sid: u32,
    pub(super) nsp: u32,
    pub(super) at: Window,
    pub(super) cause: Pos,
    pub(super) step: Option<u32>,
    /// Whether it happened at all.
    pub(super) certain: bool,
}

impl Model {
    /// What should have happened in a history.
    #[must_use]
    pub fn of(facts: &mut Facts<'_>) -> Self {
        let sockets = facts.sockets.len();
        let mut model = Self {
            sends: Vec::new(),
            owed: vec![Vec::new(); sockets],
            answers: Vec::new(),
            server_sends: BTreeMap::new(),
            kicks: Vec::new(),
            tables: Vec::new(),
            rows: 0,
            ghosts: Vec::new(),
            raced: 0,
            rooms: Rooms::new(sockets, facts.exact),
            names: Names::default(),
            data: Table::with_hasher(FixedState::with_seed(4)),
            open: Table::with_hasher(FixedState::with_seed(5)),
            hear: Vec::new(),
        };
        if facts.exact {
            model.exact(facts);
        } else {
            model.intervals(facts);
        }
        model
    }

    /// A socket is let in. It is in the room of its id, and in `/` in the lobby.
    pub(super) fn enter(&mut self, facts: &Facts<'_>, sid: u32, at: Window, recovered: bool) {
        let nsp = facts.sockets[index(sid)].nsp;
        let change = Change { at, begins: true, certain: true };
        self.rooms.connect(nsp, sid, change);
        if recovered {
            return;
        }
        self.data.remove(&sid);
        let own = self.names.add(facts.sids.name(sid));
        self.rooms.change(nsp, sid, own, change);
        if facts.nsps.name(nsp) == "/" {
            let lobby = self.names.add(&SmolStr::new_static(LOBBY));
            self.rooms.change(nsp, sid, lobby, change);
        }
    }

    /// A request is carried out; returns its answer.
    pub(super) fn request(&mut self, facts: &mut Facts<'_>, asked: Asked, content: u32) -> Answer {
        let (event, args) = (facts.contents.event(content), facts.contents.args(content));
        let own = facts.sids.name(asked.sid).clone();
        let Some(request) = contract::read(event, args, &own) else { return Answer::Error };
        let args = Args::clone(args);
        match request {
            Request::Join(rooms) => self.join(asked, asked.sid, &rooms, true),
            Request::Leave(room) => self.join(asked, asked.sid, &[room], false),
            Request::Rooms => return self.rooms_answer(asked),
            Request::Send { event, args, options, asks } => {
                let send = self.message(facts, asked, &event, &args, &options, asks);
                if asks {
                    return Answer::Asked(send);
                }
            }
            Request::Tell { id, event, args, volatile } => {
                return self.tell(facts, asked, &id, (&event, &args, volatile));
            }
            Request::Who(options) => {
                let ids = self.select(facts, asked, &options).into_iter();
                let exact = asked.at.lo == asked.at.hi;
                let ids: Vec<SmolStr> = ids.map(|(sid, _)| facts.sids.name(sid).clone()).collect();
                return if exact { Answer::Ids(ids) } else { Answer::Ok };
            }
            Request::Move { options, join, leave } => {
                for (rooms, begins) in [(leave, false), (join, true)] {
                    if !rooms.is_empty() {
                        for (sid, tri) in self.select(facts, asked, &options) {
                            let certain = asked.certain && tri == Tri::Yes;
                            self.join(Asked { certain, ..asked }, sid, &rooms, begins);
                        }
                    }
                }
            }
            Request::Kick { options, close } => {
                let selected = self.select(facts, asked, &options);
                self.kick(asked.cause, close, &selected);
            }
            Request::Set(key, value) => self.data.entry(asked.sid).or_default().insert(key, value),
            Request::Get => {
                let data = self.data.get(&asked.sid).cloned().unwrap_or_default();
                let exact = asked.at.lo == asked.at.hi;
                return if exact { Answer::Exactly(vec![data.into()]) } else { Answer::Ok };
            }
            Request::Echo => return Answer::Exactly(args.to_vec()),
            Request::About => return Answer::Ok,
        }
        Answer::Exactly(Vec::new())
    }

    /// A socket joins or leaves rooms.
    pub(super) fn join(&mut self, asked: Asked, sid: u32, rooms: &[SmolStr], begins: bool) {
        let change = Change { at: asked.at, begins, certain: asked.certain };
        for room in rooms {
            let room = self.names.add(room);
            self.rooms.change(asked.nsp, sid, room, change);
        }
    }

    fn rooms_answer(&self, asked: Asked) -> Answer {
        if asked.at.lo != asked.at.hi {
            return Answer::Ok;
        }
        let rooms = self.rooms.of(asked.sid).iter();
        let rooms = rooms.map(|room| Value::from(self.names.name(*room).as_str())).collect();
        Answer::Exactly(vec![Value::Array(rooms)])
    }

    /// The numbers of rooms that exist: others have no members.
    fn known(&self, rooms: &[SmolStr]) -> Vec<u32> {
        rooms.iter().filter_map(|room| self.names.find(room)).collect()
    }

    /// Who is selected, lost sockets not.
    fn select(&mut self, facts: &Facts<'_>, asked: Asked, options: &Options) -> Vec<(u32, Tri)> {
        let mut except = self.known(&options.except);
        if !options.from_namespace {
            except.extend(self.names.find(facts.sids.name(asked.sid)));
        }
        self.audience(asked.nsp, &options.to, &except, asked.at, false)
    }

    /// Who is selected by rooms.
    pub(super) fn audience(
        &mut self,
        nsp: u32,
        to: &[SmolStr],
        except: &[u32],
        at: Window,
        lost: bool,
    ) -> Vec<(u32, Tri)> {
        let targets = self.known(to);
        let mut hear = std::mem::take(&mut self.hear);
        let targets = (!to.is_empty()).then_some(&targets[..]);
        self.rooms.hears(nsp, targets, except, at, &mut hear);
        hear.retain(|(sid, _)| lost || !self.rooms.is_lost(*sid));
        hear
    }

    pub(super) fn kick(&mut self, pos: Pos, close: bool, selected: &[(u32, Tri)]) {
        let certain = selected.iter().filter(|(_, tri)| *tri == Tri::Yes);
        self.kicks.extend(certain.map(|(sid, _)| Kick { pos, sid: *sid, close }));
    }

    /// A message of a socket.
    fn message(
        &mut self,
        facts: &mut Facts<'_>,
        asked: Asked,
        event: &SmolStr,
        args: &Args,
        options: &Options,
        acked: bool,
    ) -> u32 {
        let mut to = Audience {
            to: options.to.clone(),
            except: options.except.clone(),
            ..Audience::default()
        };
        if !options.from_namespace {
            to.except.push(facts.sids.name(asked.sid).clone());
        }
        let kind = if acked { Kind::Ask } else { Kind::Broadcast };
        let content = facts.contents.add(event, args);
        let from = Some(asked.sid);
        self.send(
            facts,
            asked,
            to,
            Message { content, kind, from, volatile: options.volatile, acked },
        )
    }

    fn tell(
        &mut self,
        facts: &mut Facts<'_>,
        asked: Asked,
        id: &SmolStr,
        (event, args, volatile): (&SmolStr, &Args, bool),
    ) -> Answer {
        let other = facts.sids.find_in(asked.nsp, id);
        let there = other.map_or(Tri::No, |sid| {
            let lost = Tri::from(self.rooms.is_lost(sid));
            self.rooms.connected(asked.nsp, sid, asked.at) & !lost
        });
        let Some(sid) = other.filter(|_| there != Tri::No) else { return Answer::Error };
        let op = wants_answer(facts.at(asked.cause));
        let content = facts.contents.add(event, args);
        let message =
            Message { content, kind: Kind::Tell, from: Some(asked.sid), volatile, acked: op };
        let to = Audience { to: vec![id.clone()], ..Audience::default() };
        let send = if facts.recovery {
            // With recovery it is a message to the room of that id (`CSR-03`).
            self.send(facts, asked, to, message)
        } else {
            let tri = if asked.certain { there } else { Tri::Maybe };
            self.record(facts, asked, to, message, &[(sid, tri)])
        };
        if there == Tri::Yes { Answer::Told(send) } else { Answer::Any }
    }

    /// A message to whom rooms select.
    pub(super) fn send(
        &mut self,
        facts: &Facts<'_>,
        asked: Asked,
        to: Audience,
        message: Message,
    ) -> u32 {
        let kept = !message.volatile && !message.acked;
        let except = self.known(&to.except);
        let mut hear = self.audience(asked.nsp, &to.to, &except, asked.at, kept);
        if !asked.certain {
            hear.iter_mut().for_each(|(_, tri)| *tri = Tri::Maybe);
        }
        self.raced += self.count_raced(asked, &to.to, &hear);
        let send = self.record(facts, asked, to, message, &hear);
        self.hear = hear;
        send
    }

    fn count_raced(&self, asked: Asked, to: &[SmolStr], hear: &[(u32, Tri)]) -> u64 {
        let open = |room: &SmolStr| {
            let room = self.names.find(room)?;
            self.open.get(&(asked.nsp, room)).copied()
        };
        let exact = to.iter().filter_map(open).any(|count| count > 0);
        u64::from(exact || (asked.certain && hear.iter().any(|(_, tri)| *tri == Tri::Maybe)))
    }

    fn record(
        &mut self,
        facts: &Facts<'_>,
        asked: Asked,
        to: Audience,
        message: Message,
        hear: &[(u32, Tri)],
    ) -> u32 {
        let send = number(self.sends.len());
        let (mut yes, mut maybe) = (0, 0);
        for (sid, tri) in hear {
            let later = self.rooms.is_lost(*sid);
            let must = *tri == Tri::Yes;
            yes += u32::from(must && !later);
            maybe += u32::from(!must && !later);
            if facts.sockets[index(*sid)].client.is_some() {
                self.owed[index(*sid)].push(Owed { send, must, later });
            }
        }
        let Message { content, kind, from, volatile, acked } = message;
        let Asked { at, nsp, cause, step, .. } = asked;
        let Audience { to, except, .. } = to;
        self.sends.push(Send {
            at,
            nsp,
            content,
            kind,
            from,
            volatile,
            acked,
            cause,
            step,
            yes,
            maybe,
            to,
            except,
        });
        send
    }
}

/// Whether an event wants an answer, as it arrived or was asked for.
const fn wants_answer(what: &What) -> bool {
    if let What::Accepted { ack, .. }
    | What::Invoke { operation: Operation::Emit { ack, .. }, .. } = what
    {
        *ack
    } else {
        false
    }
}

/// What is sent, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message {
    pub(super) content: u32,
    pub(super) kind: Kind,
    pub(super) from: Option<u32>,
    pub(super) volatile: bool,
    pub(super) acked: bool,
}
