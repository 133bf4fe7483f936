//! Readers for steps that say what must be, and what must not.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Steps;
use super::words::{STATES, State};
use crate::diagnostic::Diagnostic;
use crate::plan::{
    Action, ClientId, ConnectionState, Count, EventPattern, Expect, ExpectConnection, Never, Since,
    StepId, TransportName, Until, Wanted, Within,
};
use crate::scenario::codes;
use crate::scenario::fields::Fields;
use crate::scenario::labels::Use;
use crate::scenario::node::Node;
use crate::scenario::values::patterns;

/// How long an expectation waits unless it says otherwise.
const WITHIN: Duration = Duration::from_secs(5);

impl Steps<'_> {
    pub(super) fn expect(&mut self, fields: &Fields<'_>, id: StepId) -> Option<Action> {
        let at = self.who(fields, "at");
        let within = self.within(fields);
        let count = self.count(fields);
        let at = at?;
        let namespace = self.namespace(fields, &at, "at")?;
        let what = self.wanted(fields, &namespace, id);
        let capture = self.capture(fields, &at);
        let (within, count, what, capture) = (within?, count?, what?, capture?);
        let several = match &what {
            Wanted::Order(_) => Some("order"),
            Wanted::AnyOrder(_) => Some("any-order"),
            Wanted::One(_) | Wanted::AllOf { .. } => None,
        };
        if let Some(list) = several {
            let help = "the list says by itself how often each comes";
            for key in ["exactly", "at-least", "at-most"] {
                fields.conflict(self.cx, &[list, key], help);
            }
        }
        Some(Action::Expect(Expect { at, namespace, what, count, within, capture }))
    }

    fn wanted(&mut self, fields: &Fields<'_>, namespace: &str, id: StepId) -> Option<Wanted> {
        let as_sent = fields.get("all-of").is_some();
        let kinds: &[&str] = if as_sent {
            &["all-of", "event", "any-order"]
        } else {
            &["event", "order", "any-order"]
        };
        let help = "one step expects one thing: an `event`, a list, or `all-of` a step";
        if fields.conflict(self.cx, kinds, help) {
            return None;
        }
        if fields.get("event").is_none() {
            let help = "`args` are those of an `event`";
            fields.depends(self.cx, "args", "event", help);
        }
        if let Some(node) = fields.get("all-of") {
            let label = self.labels.refer(self.cx, node, Use::AllOf, id)?;
            let as_sent = match fields.get("order") {
                Some(node) => self.cx.word(node, "`order` of `all-of`", &[(true, "as-sent")])?,
                None => false,
            };
            return Some(Wanted::AllOf { label, as_sent });
        }
        if let Some(node) = fields.get("order") {
            return self.events(node, "order", namespace).map(Wanted::Order);
        }
        if let Some(node) = fields.get("any-order") {
            return self.events(node, "any-order", namespace).map(Wanted::AnyOrder);
        }
        if ["event", "any-order", "all-of"].iter().any(|key| fields.is_meant(key)) {
            return None;
        }
        if fields.get("event").is_none() {
            let title = "`expect` does not say what";
            let label = "`event` is missing";
            let error = Diagnostic::error(codes::MISSING_KEY, title, &fields.at, label);
            let help = "add `event`, or `order`, `any-order` or `all-of`";
            self.cx.report(error.help(help));
            return None;
        }
        self.pattern(fields, Some(namespace)).map(Wanted::One)
    }

    /// A list of events.
    fn events(&mut self, node: &Node, key: &str, namespace: &str) -> Option<Vec<EventPattern>> {
        if key == "order" && node.text() == Some("as-sent") {
            let title = "`order: as-sent` has no effect without `all-of`";
            let error =
                Diagnostic::error(codes::DEPENDS, title, &node.span, "in the order of what?");
            self.cx.report(error.help("name the step that sent: `all-of: id`"));
            return None;
        }
        let items = self.cx.list(node, &format!("`{key}`"))?;
        if items.is_empty() {
            self.cx.error(
                codes::EMPTY,
                format!("`{key}` is empty"),
                &node.span,
                "nothing is expected",
            );
            return None;
        }
        let mut events = Vec::new();
        for item in items {
            let what = format!("an event of `{key}`");
            let fields = self.cx.fields(item, &what, &item.span, &["event", "args"])?;
            fields.need(self.cx, "event")?;
            events.push(self.pattern(&fields, Some(namespace))?);
        }
        Some(events)
    }

    /// `event` and `args`.
    fn pattern(&mut self, fields: &Fields<'_>, namespace: Option<&str>) -> Option<EventPattern> {
        let event = fields.get("event").and_then(|node| self.event_name(node));
        let (cx, mut holes) = self.holes(namespace, false);
        let args = match fields.get("args") {
            Some(node) => patterns(cx, node, "`args`", &mut holes).map(Some),
            None => Some(None),
        };
        Some(EventPattern { event: event?, args: args? })
    }

    fn count(&mut self, fields: &Fields<'_>) -> Option<Count> {
        let keys = ["exactly", "at-least", "at-most"];
        let help = "one step counts in one way: `exactly`, `at-least` or `at-most`";
        if fields.conflict(self.cx, &keys, help) {
            return None;
        }
        let Some((key, node)) = keys.iter().find_map(|key| Some((*key, fields.get(key)?))) else {
            return Some(Count::AtLeast(1));
        };
        let count: u32 = self.cx.integer(node, &format!("`{key}`"), 0..=100_000_000)?;
        if count == 0 {
            let title = match key {
                "at-least" => "`at-least: 0` is always true",
                _ => "what must not be received at all is a `never`",
            };
            let error = Diagnostic::error(codes::BAD_WINDOW, title, &node.span, "zero");
            self.cx.report(error.help("write `never: { at: …, event: … }`, or remove the step"));
            return None;
        }
        Some(match key {
            "exactly" => Count::Exactly(count),
            "at-most" => Count::AtMost(count),
            _ => Count::AtLeast(count),
        })
    }

    fn within(&mut self, fields: &Fields<'_>) -> Option<Within> {
        let help = "`eventually` sets no limit but the end of the run";
        if fields.conflict(self.cx, &["within", "eventually"], help) {
            return None;
        }
        if let Some(node) = fields.get("eventually") {
            if self.cx.boolean(node, "`eventually`")? {
                return Some(Within::Eventually);
            }
            let title = "`eventually: false` says nothing";
            let error = Diagnostic::error(codes::CONFLICT, title, &node.span, "the default");
            self.cx.report(error.help("remove it, or write `within: 1s`"));
            return None;
        }
        Some(Within::Time(self.time(fields, "within")?.unwrap_or(WITHIN)))
    }

    fn capture(&mut self, fields: &Fields<'_>, at: &[ClientId]) -> Option<BTreeMap<String, usize>> {
        let mut captures = BTreeMap::new();
        let Some(node) = fields.get("capture") else { return Some(captures) };
        let key = fields.key("capture").unwrap_or(&fields.at);
        let trouble = if fields.get("event").is_none() {
            Some("only an `event` has arguments to capture")
        } else if at.len() != 1 {
            Some("several clients would give several values")
        } else {
            None
        };
        if let Some(label) = trouble {
            let title = "`capture` takes arguments of one event at one client";
            self.cx.error(codes::CONFLICT, title, key, label);
            return None;
        }
        let Some(entries) = node.map() else {
            self.cx.wrong(
                node,
                "`capture`",
                "a map of names to numbers of arguments, as in `{id: 0}`",
            );
            return None;
        };
        let known = fields.get("args").and_then(Node::list).map(<[Node]>::len);
        for entry in entries {
            let name =
                self.cx.name(&entry.key.value, &entry.key.span, "a captured value")?.to_owned();
            if ["i", "sid"].contains(&name.as_str()) {
                let title = format!("a captured value cannot be called `{name}`");
                self.cx.error(codes::BAD_NAME, title, &entry.key.span, "this name has a meaning");
                return None;
            }
            let index: usize =
                self.cx.integer(&entry.value, "the number of an argument", 0..=1_000)?;
            if known.is_some_and(|known| index >= known) {
                let title = format!("the event has no argument {index}");
                let label = "arguments are counted from 0";
                let error = Diagnostic::error(codes::RANGE, title, &entry.value.span, label);
                let place = fields.get("args").map_or(&fields.at, |node| &node.span);
                self.cx.report(error.context(place, "all of its arguments"));
                return None;
            }
            self.captures.insert(name.clone());
            captures.insert(name, index);
        }
        Some(captures)
    }

    pub(super) fn never(&mut self, fields: &Fields<'_>, id: StepId) -> Option<Action> {
        let at = self.who(fields, "at");
        let help = "a window ends once";
        let twice = fields.conflict(self.cx, &["for", "until"], help);
        fields.depends(self.cx, "args", "event", "`args` are those of an `event`");
        let since = match fields.get("since") {
            Some(node) => self.labels.refer(self.cx, node, Use::Since, id).map(Since::Label),
            None => Some(Since::PreviousAct),
        };
        let until = match (fields.get("until"), self.time(fields, "for")) {
            (Some(node), _) => self.labels.refer(self.cx, node, Use::Until, id).map(Until::Label),
            (None, Some(Some(time))) => Some(Until::Time(time)),
            (None, Some(None)) => Some(Until::Quiet),
            (None, None) => None,
        };
        let at = at?;
        let namespace = match fields.get("namespace") {
            Some(_) => Some(self.namespace(fields, &at, "at")?),
            None => None,
        };
        let what = match fields.get("event") {
            Some(_) => Some(self.pattern(fields, namespace.as_deref())?),
            None => None,
        };
        if twice {
            return None;
        }
        Some(Action::Never(Never { at, namespace, what, since: since?, until: until? }))
    }

    pub(super) fn expect_connection(&mut self, fields: &Fields<'_>) -> Option<Action> {
        let at = self.who(fields, "at");
        let within = self.within(fields);
        let state = fields.need(self.cx, "state")?;
        let state = self.cx.word(state, "`state`", &STATES)?;
        let reason = match fields.get("reason") {
            Some(node) => Some(self.cx.words(node, "`reason`")?.to_owned()),
            None => None,
        };
        let at = at?;
        let namespace = self.namespace(fields, &at, "at")?;
        let reasoned = matches!(state, State::Disconnected | State::Refused);
        if let (false, Some(span)) = (reasoned, fields.key("reason")) {
            let title = "`reason` is that of a disconnection or a refusal";
            let error = Diagnostic::error(codes::CONFLICT, title, span, "there is none");
            self.cx.report(
                error.help("with `state: disconnected` or `state: refused` it has a meaning"),
            );
            return None;
        }
        let state = match state {
            State::Connected => ConnectionState::Connected,
            State::Recovered => ConnectionState::Recovered,
            State::Disconnected => ConnectionState::Disconnected(reason),
            State::Refused => ConnectionState::Refused(reason),
            State::Polling => ConnectionState::Transport(TransportName::Polling),
            State::WebSocket => ConnectionState::Transport(TransportName::WebSocket),
        };
        Some(Action::ExpectConnection(ExpectConnection { at, namespace, state, within: within? }))
    }

    pub(super) fn expect_rooms(&mut self, fields: &Fields<'_>) -> Option<Action> {
        let at = self.who(fields, "at");
        let rooms = fields.need(self.cx, "rooms")?;
        self.cx.list(rooms, "`rooms`")?;
        let rooms = self.room_names(fields, "rooms")?;
        let at = at?;
        let namespace = self.namespace(fields, &at, "at")?;
        Some(Action::ExpectRooms { at, namespace, rooms })
    }
}
