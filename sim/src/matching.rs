//! Filling in templates, and comparing values with patterns.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use overheard_core::value::{Object, Value};
use smol_str::SmolStr;

use crate::plan::{ClientId, EventPattern, Pattern, Template, ValueType};

/// The longest text of a value in a message, in characters.
const SHOWN: usize = 60;

/// What the holes of templates stand for.
#[derive(Clone, Debug, Default)]
pub struct Env {
    /// What earlier steps captured, by name.
    pub captures: BTreeMap<String, Value>,
    /// The ids of sockets, by client and namespace.
    pub sids: BTreeMap<(ClientId, SmolStr), SmolStr>,
    /// The namespace of the step.
    pub namespace: SmolStr,
    /// The number of the repetition, from 0.
    pub index: u32,
}

impl Env {
    /// The id of a client's socket in the step's namespace.
    #[must_use]
    pub fn sid(&self, client: ClientId) -> Option<&SmolStr> {
        self.sids.get(&(client, self.namespace.clone()))
    }

    /// The value of a template that is nothing but a hole.
    fn hole(&self, template: &Template) -> Option<Value> {
        match template {
            Template::Index => Some(Value::from(i64::from(self.index))),
            Template::Sid(client) => self.sid(*client).map(|sid| Value::from(sid.as_str())),
            Template::Capture(name) => self.captures.get(name).cloned(),
            Template::Value(_) | Template::Array(_) | Template::Object(_) => None,
        }
    }
}

/// Fills in a template, if everything that it needs is there.
#[must_use]
pub fn fill(template: &Template, env: &Env) -> Option<Value> {
    match template {
        Template::Value(value) => Some(value.clone()),
        Template::Index | Template::Sid(_) | Template::Capture(_) => env.hole(template),
        Template::Array(items) => {
            items.iter().map(|item| fill(item, env)).collect::<Option<Vec<_>>>().map(Value::Array)
        }
        Template::Object(members) => members
            .iter()
            .map(|(key, member)| Some((key.clone(), fill(member, env)?)))
            .collect::<Option<Vec<_>>>()
            .map(|members| Value::Object(Object::from_members(members))),
    }
}

/// Whether two values are the same; the order of an object's members does not count.
#[must_use]
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| same(value, other)))
        }
        (a, b) => a == b,
    }
}

/// Whether a value is what a pattern says.
#[must_use]
pub fn value_matches(pattern: &Pattern, value: &Value, env: &Env) -> bool {
    difference(pattern, value, env, "").is_none()
}

/// Whether an event is what a pattern says.
#[must_use]
pub fn event_matches(pattern: &EventPattern, event: &str, args: &[Value], env: &Env) -> bool {
    pattern.event == event
        && pattern.args.as_ref().is_none_or(|wanted| args_match(wanted, args, env))
}

/// Whether a list of values is what a list of patterns says, as long as it and element by element.
#[must_use]
pub fn args_match(wanted: &[Pattern], args: &[Value], env: &Env) -> bool {
    wanted.len() == args.len()
        && wanted.iter().zip(args).all(|(pattern, value)| value_matches(pattern, value, env))
}

/// How an event that does not match differs from what was wanted, if it is much like it: the same
/// event with other arguments, or the same arguments under another name.
#[must_use]
pub fn near_miss(pattern: &EventPattern, event: &str, args: &[Value], env: &Env) -> Option<String> {
    let wrong_args = pattern.args.as_ref().and_then(|wanted| args_differ(wanted, args, env));
    if pattern.event == event {
        return wrong_args;
    }
    let alike = pattern.args.as_ref().is_some_and(|wanted| !wanted.is_empty());
    (alike && wrong_args.is_none())
        .then(|| format!("the event differs: expected `{}`, got `{event}`", pattern.event))
}

/// In words, the first place where a list of values is not what a list of patterns says.
#[must_use]
pub fn args_differ(wanted: &[Pattern], args: &[Value], env: &Env) -> Option<String> {
    let first = wanted.iter().zip(args).enumerate().find_map(|(index, (pattern, value))| {
        difference(pattern, value, env, &format!("args[{index}]"))
    });
    first.or_else(|| {
        (wanted.len() != args.len()).then(|| {
            format!(
                "the number of arguments differs: expected {}, got {}",
                wanted.len(),
                args.len()
            )
        })
    })
}

/// In words, the first place where a value is not what a pattern says.
fn difference(pattern: &Pattern, value: &Value, env: &Env, place: &str) -> Option<String> {
    let differs = |expected: String| {
        Some(format!("{place} differs: expected {expected}, got {}", show(value)))
    };
    match pattern {
        Pattern::Any => None,
        Pattern::Value(template) => {
            if template_is(template, value, env) {
                return None;
            }
            let expected = fill(template, env);
            differs(expected.map_or_else(|| "a value that is not known".to_owned(), |v| show(&v)))
        }
        Pattern::Contains(part) => {
            let holds = value.as_str().is_some_and(|text| text.contains(part.as_str()));
            if holds { None } else { differs(format!("text with {}", show_text(part))) }
        }
        Pattern::Matches(regex) => {
            let holds = value.as_str().is_some_and(|text| regex.is_match(text));
            if holds { None } else { differs(format!("text that matches /{regex}/")) }
        }
        Pattern::Type(wanted) => {
            if type_of(value) == *wanted {
                None
            } else {
                differs(type_name(*wanted).to_owned())
            }
        }
        Pattern::Array(wanted) => {
            let Value::Array(items) = value else {
                return differs("an array".to_owned());
            };
            if wanted.len() != items.len() {
                return differs(format!("{} elements", wanted.len()));
            }
            wanted.iter().zip(items).enumerate().find_map(|(index, (pattern, item))| {
                difference(pattern, item, env, &format!("{place}[{index}]"))
            })
        }
        Pattern::AnyOrder(wanted) => {
            let Value::Array(items) = value else {
                return differs("an array".to_owned());
            };
            if wanted.len() != items.len() {
                return differs(format!("{} elements", wanted.len()));
            }
            let missing = unmet(wanted, items, env)?;
            differs(format!("an element for each pattern, and none is left for [{missing}]"))
        }
        Pattern::Object(wanted) => {
            let Value::Object(members) = value else {
                return differs("an object".to_owned());
            };
            wanted
                .iter()
                .find_map(|(key, pattern)| match members.get(key) {
                    Some(member) => difference(pattern, member, env, &format!("{place}.{key}")),
                    None => differs(format!("a member `{key}`")),
                })
                .or_else(|| {
                    let known = |key: &str| wanted.iter().any(|(wanted, _)| wanted == key);
                    let extra = members.iter().find(|(key, _)| !known(key))?;
                    differs(format!("no member `{}`", extra.0))
                })
        }
    }
}

/// The first pattern for which no value is left when each pattern has one of its own, if there must
/// be such a one: patterns may overlap, so that an earlier one gives way where it can.
#[must_use]
pub fn unmet(patterns: &[Pattern], values: &[Value], env: &Env) -> Option<usize> {
    let mut taken = vec![None; values.len()];
    (0..patterns.len()).find(|pattern| {
        let mut asked = vec![false; values.len()];
        !finds_one((patterns, values, env), *pattern, &mut taken, &mut asked)
    })
}

/// Whether a pattern gets a value, perhaps one that another pattern can do without.
fn finds_one(
    all: (&[Pattern], &[Value], &Env),
    pattern: usize,
    taken: &mut [Option<usize>],
    asked: &mut [bool],
) -> bool {
    let (patterns, values, env) = all;
    for (place, value) in values.iter().enumerate() {
        if asked[place] || !value_matches(&patterns[pattern], value, env) {
            continue;
        }
        asked[place] = true;
        let gives_way = taken[place].is_none_or(|other| finds_one(all, other, taken, asked));
        if gives_way {
            taken[place] = Some(pattern);
            return true;
        }
    }
    false
}

/// Whether a value is the filled template, without building it.
fn template_is(template: &Template, value: &Value, env: &Env) -> bool {
    match template {
        Template::Value(wanted) => same(wanted, value),
        Template::Index => value.as_int() == Some(i64::from(env.index)),
        Template::Sid(client) => {
            env.sid(*client).is_some_and(|sid| value.as_str() == Some(sid.as_str()))
        }
        Template::Capture(name) => env.captures.get(name).is_some_and(|known| same(known, value)),
        Template::Array(items) => value.as_array().is_some_and(|values| {
            values.len() == items.len()
                && items.iter().zip(values).all(|(item, value)| template_is(item, value, env))
        }),
        Template::Object(members) => value.as_object().is_some_and(|object| {
            object.len() == members.len()
                && members.iter().all(|(key, member)| {
                    object.get(key).is_some_and(|value| template_is(member, value, env))
                })
        }),
    }
}

const fn type_of(value: &Value) -> ValueType {
    match value {
        Value::Null => ValueType::Null,
        Value::Bool(_) => ValueType::Bool,
        Value::Number(_) => ValueType::Number,
        Value::String(_) => ValueType::String,
        Value::Array(_) => ValueType::Array,
        Value::Object(_) => ValueType::Object,
        Value::Binary(_) => ValueType::Binary,
    }
}

const fn type_name(wanted: ValueType) -> &'static str {
    match wanted {
        ValueType::Null => "null",
        ValueType::Bool => "a boolean",
        ValueType::Number => "a number",
        ValueType::String => "a string",
        ValueType::Array => "an array",
        ValueType::Object => "an object",
        ValueType::Binary => "bytes",
    }
}

/// A value as a person reads it: JSON, with bytes in hexadecimal, cut where it gets long.
#[must_use]
pub fn show(value: &Value) -> String {
    let mut text = String::new();
    write_value(&mut text, value);
    shorten(&text)
}

/// An event as a person reads it: `chat("hi", {"to":"tea"})`.
#[must_use]
pub fn show_event(event: &str, args: &[Value]) -> String {
    let mut text = String::new();
    for (index, value) in args.iter().enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        write_value(&mut text, value);
        if text.len() > 4 * SHOWN {
            break;
        }
    }
    format!("{event}({})", shorten(&text))
}

fn show_text(text: &str) -> String {
    show(&Value::from(text))
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Writes a value; of a long one only the beginning, as nobody is shown the rest.
fn write_value(out: &mut String, value: &Value) {
    if out.len() > 4 * SHOWN {
        return;
    }
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        // Writing to a string cannot fail.
        Value::Number(number) => _ = write!(out, "{number}"),
        Value::String(text) => _ = write!(out, "{text:?}"),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                write_value(out, item);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (index, (key, member)) in members.iter().enumerate() {
                let comma = if index > 0 { "," } else { "" };
                _ = write!(out, "{comma}{key:?}:");
                write_value(out, member);
            }
            out.push('}');
        }
        Value::Binary(bytes) => {
            out.push_str("hex:");
            for byte in bytes.iter().take(SHOWN) {
                _ = write!(out, "{byte:02x}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env() -> Env {
        let mut env = Env { namespace: "/".into(), index: 3, ..Env::default() };
        env.captures.insert("token".into(), Value::from("t-1"));
        env.sids.insert((ClientId(0), "/".into()), "sid-a".into());
        env
    }

    fn literal(value: impl Into<Value>) -> Pattern {
        Pattern::Value(Template::Value(value.into()))
    }

    fn chat(args: Vec<Pattern>) -> EventPattern {
        EventPattern { event: "chat".into(), args: Some(args) }
    }

    #[test]
    fn holes_are_filled() {
        let template = Template::Array(vec![
            Template::Index,
            Template::Sid(ClientId(0)),
            Template::Object(vec![("t".into(), Template::Capture("token".into()))]),
        ]);
        let filled = fill(&template, &env()).expect("everything is known");
        assert_eq!(show(&filled), r#"[3,"sid-a",{"t":"t-1"}]"#);
        assert!(value_matches(&Pattern::Value(template), &filled, &env()));
        assert!(fill(&Template::Capture("nothing".into()), &env()).is_none());
        let elsewhere = Env { namespace: "/staff".into(), ..env() };
        assert!(fill(&Template::Sid(ClientId(0)), &elsewhere).is_none());
    }

    #[test]
    fn an_unknown_hole_matches_nothing() {
        let unknown = Pattern::Value(Template::Capture("nothing".into()));
        assert!(!value_matches(&unknown, &Value::Null, &env()));
        let nobody = Pattern::Value(Template::Sid(ClientId(9)));
        assert!(!value_matches(&nobody, &Value::from("sid-a"), &env()));
    }

    #[test]
    fn an_unknown_sid_does_not_match_what_is_no_text() {
        let nobody = Pattern::Value(Template::Sid(ClientId(9)));
        assert!(!value_matches(&nobody, &Value::Null, &env()));
    }

    #[test]
    fn the_order_of_members_does_not_count() {
        let ab: Object = [("a", 1_i64), ("b", 2)].into_iter().collect();
        let ba: Object = [("b", 2_i64), ("a", 1)].into_iter().collect();
        assert!(value_matches(&literal(ab), &Value::Object(ba), &env()));
    }

    #[test]
    fn patterns() {
        let re = |text: &str| Pattern::Matches(regex::Regex::new(text).expect("a regex"));
        let hello = Value::from("hello");
        assert!(value_matches(&Pattern::Any, &hello, &env()));
        assert!(value_matches(&Pattern::Contains("ell".into()), &hello, &env()));
        assert!(!value_matches(&Pattern::Contains("elk".into()), &hello, &env()));
        assert!(value_matches(&re("^h.*o$"), &hello, &env()));
        assert!(!value_matches(&re("^$"), &hello, &env()));
        assert!(value_matches(&Pattern::Type(ValueType::String), &hello, &env()));
        assert!(!value_matches(&Pattern::Type(ValueType::Null), &hello, &env()));
        assert!(!value_matches(&Pattern::Array(vec![]), &hello, &env()));
        assert!(!value_matches(&Pattern::Object(vec![]), &hello, &env()));
    }

    #[test]
    fn a_list_is_as_long_as_the_arguments_unless_there_is_none() {
        let args = [Value::from("hi"), Value::Null];
        assert!(event_matches(&chat(vec![literal("hi"), Pattern::Any]), "chat", &args, &env()));
        assert!(!event_matches(&chat(vec![literal("hi")]), "chat", &args, &env()));
        let any = EventPattern { event: "chat".into(), args: None };
        assert!(event_matches(&any, "chat", &args, &env()));
        assert!(!event_matches(&any, "chats", &args, &env()));
    }

    #[test]
    fn a_near_miss_is_said_in_words() {
        let said = |pattern: &EventPattern, event: &str, args: &[Value]| {
            near_miss(pattern, event, args, &env()).unwrap_or_default()
        };
        let hi = chat(vec![literal("hi")]);
        let text = r#"args[0] differs: expected "hi", got "hi ""#;
        assert_eq!(said(&hi, "chat", &["hi ".into()]), text);
        let text = "the number of arguments differs: expected 1, got 0";
        assert_eq!(said(&hi, "chat", &[]), text);
        let text = "the event differs: expected `chat`, got `chta`";
        assert_eq!(said(&hi, "chta", &["hi".into()]), text);
        assert_eq!(said(&hi, "chat", &["hi".into()]), "");
        assert_eq!(said(&hi, "other", &["ho".into()]), "");
        let nested = chat(vec![Pattern::Object(vec![("n".into(), literal(1_i64))])]);
        let two: Object = [("n", 2_i64)].into_iter().collect();
        let text = "args[0].n differs: expected 1, got 2";
        assert_eq!(said(&nested, "chat", &[Value::Object(two)]), text);
    }

    #[test]
    fn any_order_gives_each_pattern_a_value_of_its_own() {
        let any_order = |items: Vec<Pattern>| Pattern::AnyOrder(items);
        let list = |items: &[&str]| -> Value {
            Value::Array(items.iter().map(|item| Value::from(*item)).collect())
        };
        let ab = || vec![literal("a"), literal("b")];
        assert!(value_matches(&any_order(ab()), &list(&["b", "a"]), &env()));
        assert!(!value_matches(&any_order(ab()), &list(&["b", "b"]), &env()));
        assert!(!value_matches(&any_order(ab()), &list(&["a", "b", "b"]), &env()));
        assert!(!value_matches(&any_order(ab()), &"ab".into(), &env()));
        // The first pattern takes what only the last one can have, and has to give way twice.
        let overlap = vec![Pattern::Any, Pattern::Contains("a".into()), literal("a")];
        assert!(value_matches(&any_order(overlap), &list(&["a", "ab", "x"]), &env()));
        let said = args_differ(&[any_order(ab())], &[list(&["b", "c"])], &env());
        let text = r#"args[0] differs: expected an element for each pattern, and none is left for [0], got ["b","c"]"#;
        assert_eq!(said.as_deref(), Some(text));
    }

    #[test]
    fn long_values_are_cut() {
        let long = Value::from("ä".repeat(1_000));
        assert_eq!(show(&long).chars().count(), SHOWN + 1);
        assert_eq!(show(&Value::Binary(vec![0, 255].into())), "hex:00ff");
    }
}
