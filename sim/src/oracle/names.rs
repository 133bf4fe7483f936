//! Numbers for names and for contents of messages, so that comparing them is cheap.
//!
//! The tables are hashed, with a seed that is fixed; nothing ever iterates over them.

use std::hash::{BuildHasher as _, Hash as _, Hasher};
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashTable};
use overheard_core::value::{Object, Value};
use smol_str::SmolStr;

use crate::history::Args;
use crate::matching::same;

/// Names by number, in the order in which they were first seen.
#[derive(Debug, Default)]
pub struct Names {
    names: Vec<SmolStr>,
    table: HashTable<u32>,
}

const HASHER: FixedState = FixedState::with_seed(0x0e5e_aad0);

/// A number of a list whose elements are numbered from 0. A history that needs more than 2^32
/// does not fit into memory.
pub fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// The place in a list of a number that [`number`] gave.
pub const fn index(number: u32) -> usize {
    number as usize
}

fn hash_text(text: &str) -> u64 {
    HASHER.hash_one(text)
}

impl Names {
    /// The number of a name, if it has one.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<u32> {
        let equal = |known: &u32| self.names[index(*known)] == name;
        self.table.find(hash_text(name), equal).copied()
    }

    /// The number of a name, a new one if it has none.
    pub fn add(&mut self, name: &SmolStr) -> u32 {
        if let Some(known) = self.find(name) {
            return known;
        }
        let new = number(self.names.len());
        self.names.push(name.clone());
        let names = &self.names;
        self.table.insert_unique(hash_text(name), new, |known| hash_text(&names[index(*known)]));
        new
    }

    /// The name of a number.
    #[must_use]
    pub fn name(&self, number: u32) -> &SmolStr {
        &self.names[index(number)]
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.names.len()
    }
}

/// Sockets by number: an id and a namespace. Some servers give a client one id in all namespaces.
#[derive(Debug)]
pub struct Sids {
    ids: Names,
    /// By the number of the id, and of the namespace.
    sockets: HashMap<(u32, u32), u32, FixedState>,
    /// The first socket of each id.
    first: Vec<u32>,
    /// The id of each socket.
    id_of: Vec<u32>,
}

impl Default for Sids {
    fn default() -> Self {
        let sockets = HashMap::with_hasher(HASHER);
        Self { ids: Names::default(), sockets, first: Vec::new(), id_of: Vec::new() }
    }
}

impl Sids {
    /// The number of the first socket with an id, in whatever namespace.
    #[must_use]
    pub fn find(&self, sid: &str) -> Option<u32> {
        self.ids.find(sid).map(|id| self.first[index(id)])
    }

    /// The number of a socket, if it is known.
    #[must_use]
    pub fn find_in(&self, nsp: u32, sid: &str) -> Option<u32> {
        self.sockets.get(&(self.ids.find(sid)?, nsp)).copied()
    }

    /// The number of a socket, a new one if it has none.
    pub fn add(&mut self, nsp: u32, sid: &SmolStr) -> u32 {
        let id = self.ids.add(sid);
        let new = number(self.id_of.len());
        let socket = *self.sockets.entry((id, nsp)).or_insert(new);
        if socket == new {
            self.id_of.push(id);
            if index(id) == self.first.len() {
                self.first.push(socket);
            }
        }
        socket
    }

    /// The id of a socket.
    #[must_use]
    pub fn name(&self, socket: u32) -> &SmolStr {
        self.ids.name(self.id_of[index(socket)])
    }
}

/// Contents of messages, an event's name and its arguments, by number. Equal contents have equal
/// numbers; the order of an object's members does not count.
#[derive(Debug, Default)]
pub struct Contents {
    contents: Vec<(SmolStr, Args, u64)>,
    table: HashTable<u32>,
}

impl Contents {
    /// The number of a content, a new one if it has none.
    pub fn add(&mut self, event: &SmolStr, args: &Args) -> u32 {
        let hash = hash_content(event, args);
        let contents = &self.contents;
        let equal = |known: &u32| {
            let (name, values, _) = &contents[index(*known)];
            name == event && (Arc::ptr_eq(values, args) || same_list(values, args))
        };
        if let Some(known) = self.table.find(hash, equal) {
            return *known;
        }
        let new = number(self.contents.len());
        self.contents.push((event.clone(), Arc::clone(args), hash));
        let contents = &self.contents;
        self.table.insert_unique(hash, new, |known| contents[index(*known)].2);
        new
    }

    /// The event of a content.
    #[must_use]
    pub fn event(&self, content: u32) -> &SmolStr {
        &self.contents[index(content)].0
    }

    /// The arguments of a content.
    #[must_use]
    pub fn args(&self, content: u32) -> &Args {
        &self.contents[index(content)].1
    }

    /// How many contents have bytes in them.
    #[must_use]
    pub fn with_bytes(&self) -> u64 {
        let has = |args: &Args| args.iter().any(Value::has_binary);
        self.contents.iter().filter(|(_, args, _)| has(args)).count() as u64
    }

    /// The content as a person reads it.
    #[must_use]
    pub fn show(&self, content: u32) -> String {
        let (event, args, _) = &self.contents[index(content)];
        crate::matching::show_event(event, args)
    }
}

/// Whether two lists of values are the same.
pub fn same_list(a: &[Value], b: &[Value]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
}

fn hash_content(event: &str, args: &[Value]) -> u64 {
    let mut hasher = HASHER.build_hasher();
    event.hash(&mut hasher);
    for value in args {
        hash_value(&mut hasher, value);
    }
    hasher.finish()
}

fn hash_value(hasher: &mut impl Hasher, value: &Value) {
    match value {
        Value::Null => hasher.write_u8(0),
        Value::Bool(flag) => hasher.write_u8(1 + u8::from(*flag)),
        // Whole numbers and floats may be equal, so that both are hashed as floats.
        Value::Number(number) => hasher.write_u64((number.as_f64() + 0.0).to_bits()),
        Value::String(text) => text.hash(hasher),
        Value::Array(items) => {
            hasher.write_u8(3);
            for item in items {
                hash_value(hasher, item);
            }
        }
        Value::Object(object) => hasher.write_u64(hash_object(object)),
        Value::Binary(bytes) => bytes.hash(hasher),
    }
}

/// Whatever the order of the members is.
fn hash_object(object: &Object) -> u64 {
    object.iter().fold(0, |sum, (key, value)| {
        let mut hasher = HASHER.build_hasher();
        key.hash(&mut hasher);
        hash_value(&mut hasher, value);
        sum.wrapping_add(hasher.finish())
    })
}
