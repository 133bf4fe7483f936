//! Who is let into which namespace, and how many at a time.

use std::collections::BTreeMap;

use overheard_core::value::{Object, Value};

use super::Case;
use super::codes::{GATE, NO_NAMESPACE, SEATS};
use super::sheet::{Sheet, concern};
use crate::history::{Operation, What};
use crate::oracle::facts::Pos;
use crate::oracle::names::index;
use crate::plan::{NamespacePlan, Plan};
use crate::verdict::Property;

/// Judges every entry into a namespace.
pub(super) fn check(case: &Case<'_>, sheet: &mut Sheet) {
    let Some(plan) = case.facts.plan else { return };
    let dynamic: Option<Vec<regex::Regex>> =
        plan.server.dynamic.iter().map(|text| regex::Regex::new(text).ok()).collect();
    let mut gate = Gate { case, plan, dynamic, tokens: BTreeMap::new(), seated: BTreeMap::new() };
    for (pos, event) in (0..).zip(case.facts.events) {
        gate.event(sheet, pos, &event.who, &event.what);
    }
}

struct Gate<'c, 'a> {
    case: &'c Case<'a>,
    plan: &'a Plan,
    /// The patterns of namespaces; none if one of them cannot be read here.
    dynamic: Option<Vec<regex::Regex>>,
    /// The token that a client showed last, by client and namespace.
    tokens: BTreeMap<(String, String), Option<String>>,
    /// Sockets in namespaces with seats.
    seated: BTreeMap<String, Vec<String>>,
}

fn token(auth: Option<&Object>) -> Option<String> {
    auth?.get("token").and_then(Value::as_str).map(str::to_owned)
}

impl Gate<'_, '_> {
    fn event(&mut self, sheet: &mut Sheet, pos: Pos, who: &str, what: &What) {
        if let What::Invoke { operation: Operation::Connect { nsp, auth }, .. } = what {
            if let Some(auth) = auth {
                let shown = token(auth.as_object());
                self.tokens.insert((who.to_owned(), nsp.to_string()), shown);
            }
        } else if let What::Connected { nsp, sid, recovered } = what {
            self.exists(sheet, pos, nsp, who);
            if !recovered {
                self.shows_token(sheet, pos, nsp, who);
            }
            if !self.case.facts.exact {
                self.sits_down(sheet, pos, nsp, sid, who);
            }
        } else if let What::Entered { nsp, sid, client, .. } = what {
            let who = client.as_deref().unwrap_or(sid);
            self.exists(sheet, pos, nsp, who);
            self.sits_down(sheet, pos, nsp, sid, who);
        } else if let What::Left { nsp, sid, .. } = what {
            if let Some(seated) = self.seated.get_mut(nsp.as_str()) {
                seated.retain(|known| known != sid);
            }
        } else if let What::Disconnected { nsp, .. } = what
            && !self.case.facts.exact
        {
            let place = self.case.facts.clients.find(who);
            let place = place.and_then(|client| self.case.facts.place(client, nsp));
            let sids = place.map_or(&[][..], |place| &place.sockets);
            if let Some(seated) = self.seated.get_mut(nsp.as_str()) {
                let names = &self.case.facts.sids;
                seated.retain(|known| !sids.iter().any(|sid| names.name(*sid) == known));
            }
        } else if let What::Down = what {
            self.seated.clear();
        }
    }

    fn namespace(&self, nsp: &str) -> Option<&NamespacePlan> {
        self.plan.server.namespaces.iter().find(|known| known.name == nsp)
    }

    fn exists(&self, sheet: &mut Sheet, pos: Pos, nsp: &str, who: &str) {
        let Some(patterns) = &self.dynamic else { return };
        let known = nsp == "/" || self.namespace(nsp).is_some();
        if !known && !patterns.iter().any(|pattern| pattern.is_match(nsp)) {
            let title = format!("{who} was let into `{nsp}`, which does not exist");
            let mut finding = self.case.finding(&NO_NAMESPACE, Some(pos), title);
            concern(&mut finding, [who]);
            sheet.find(finding);
        }
    }

    fn shows_token(&self, sheet: &mut Sheet, pos: Pos, nsp: &str, who: &str) {
        let Some(wanted) = self.namespace(nsp).and_then(|known| known.token.as_ref()) else {
            return;
        };
        let shown = self.tokens.get(&(who.to_owned(), nsp.to_owned()));
        let shown = shown.cloned().unwrap_or_else(|| {
            let client = self.plan.clients.iter().find(|client| client.name == who)?;
            let place = client.namespaces.iter().find(|place| place.name == nsp)?;
            token(place.auth.as_ref())
        });
        sheet.tally(Property::P06, "gate", "entries").judged += 1;
        if shown.as_ref() != Some(wanted) {
            let what = if shown.is_some() { "another token" } else { "no text as a token" };
            let title = format!("{who} was let into `{nsp}` with {what}");
            let mut finding = self.case.finding(&GATE, Some(pos), title);
            concern(&mut finding, [who]);
            sheet.find(finding);
        }
    }

    fn sits_down(&mut self, sheet: &mut Sheet, pos: Pos, nsp: &str, sid: &str, who: &str) {
        let Some(seats) = self.namespace(nsp).and_then(|known| known.seats) else { return };
        let seated = self.seated.entry(nsp.to_owned()).or_default();
        if !seated.iter().any(|known| known == sid) {
            seated.push(sid.to_owned());
        }
        if seated.len() > seats {
            let names = &self.case.facts;
            let owner = |sid: &String| {
                names.sids.find(sid).map_or_else(|| sid.clone(), |sid| names.owner(sid).to_owned())
            };
            let inside: Vec<String> = seated.iter().map(owner).collect();
            let title = format!(
                "{who} was let into `{nsp}`, which has {seats} seats: {} are in it",
                inside.len()
            );
            let mut finding = self.case.finding(&SEATS, Some(pos), title);
            concern(&mut finding, inside.iter().map(String::as_str));
            if let Some(step) = names.events[index(pos)].step {
                finding.cause = self.case.label(Some(step), "let in here");
            }
            sheet.find(finding);
        }
    }
}
