//! Readers for payloads: constants, values with holes, and patterns.

use std::collections::BTreeSet;

use overheard_core::value::{Number, Object, Value};
use regex::Regex;

use super::clients::Clients;
use super::codes;
use super::cx::{Cx, did_you_mean};
use super::node::{Data, Node, Word};
use super::server::bad_regex;
use crate::diagnostic::Diagnostic;
use crate::plan::{Pattern, Template, ValueType};
use crate::span::Span;

/// The types that `{type: …}` knows.
pub(super) const TYPES: [(ValueType, &str); 7] = [
    (ValueType::Null, "null"),
    (ValueType::Bool, "boolean"),
    (ValueType::Number, "number"),
    (ValueType::String, "string"),
    (ValueType::Array, "array"),
    (ValueType::Object, "object"),
    (ValueType::Binary, "binary"),
];

/// What may stand for a value, where it does.
pub(super) struct Holes<'a> {
    pub(super) clients: &'a mut Clients,
    /// The step's namespace, if it has one.
    pub(super) namespace: Option<&'a str>,
    /// What expectations above have captured.
    pub(super) captures: &'a BTreeSet<String>,
    /// Whether the step is repeated.
    pub(super) repeated: bool,
}

/// A text that begins with a dollar sign, or does not.
enum Dollar<'t> {
    Text(&'t str),
    Index,
    Sid(&'t str),
    Name(&'t str),
    Bad(&'static str),
}

fn dollar(text: &str) -> Dollar<'_> {
    let Some(rest) = text.strip_prefix('$') else { return Dollar::Text(text) };
    if rest.starts_with('$') {
        return Dollar::Text(rest);
    }
    if rest == "i" {
        return Dollar::Index;
    }
    if let Some(name) = rest.strip_prefix("sid(") {
        return match name.strip_suffix(')') {
            Some(name) => Dollar::Sid(name.trim()),
            None => Dollar::Bad("the closing parenthesis is missing"),
        };
    }
    if rest == "sid" {
        return Dollar::Bad("whose id? write `$sid(alice)`");
    }
    let name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if rest.is_empty() {
        Dollar::Bad("a dollar sign alone stands for nothing")
    } else if rest.bytes().all(name) {
        Dollar::Name(rest)
    } else {
        Dollar::Bad("not the name of a value")
    }
}

/// The name that a scalar stands for: `who` for `$who`.
pub(super) fn hole(node: &Node) -> Option<&str> {
    match dollar(node.text()?) {
        Dollar::Name(name) => Some(name),
        Dollar::Index => Some("i"),
        Dollar::Text(_) | Dollar::Sid(_) | Dollar::Bad(_) => None,
    }
}

/// A value without holes.
pub(super) fn constant(cx: &mut Cx, node: &Node) -> Option<Value> {
    match &node.data {
        Data::Scalar(_) => match scalar(cx, node) {
            Dollar::Text(_) => plain(cx, node),
            Dollar::Index | Dollar::Sid(_) | Dollar::Name(_) | Dollar::Bad(_) => {
                let text = node.text().unwrap_or_default();
                let title =
                    format!("`{text}` cannot be put in here: the value is fixed before the run");
                let error =
                    Diagnostic::error(codes::BAD_TEMPLATE, title, &node.span, "begins with `$`");
                let error = error.help("write two dollar signs if it is meant as it stands");
                cx.report(error.suggest(&node.span, format!("\"${text}\"")));
                None
            }
        },
        Data::List(items) => {
            let values: Vec<_> = items.iter().map(|item| constant(cx, item)).collect();
            values.into_iter().collect::<Option<Vec<_>>>().map(Value::Array)
        }
        Data::Map(entries) => {
            if let Some(bytes) = hex_map(node) {
                return hex(cx, bytes).map(|bytes| Value::Binary(bytes.into()));
            }
            let member = |(key, value): (&String, Option<Value>)| Some((key.clone(), value?));
            let values: Vec<_> = entries
                .iter()
                .map(|entry| (&entry.key.value, constant(cx, &entry.value)))
                .collect();
            values.into_iter().map(member).collect::<Option<Object>>().map(Value::Object)
        }
    }
}

/// A scalar with its dollar sign looked at; numbers and the like are themselves.
fn scalar<'n>(cx: &mut Cx, node: &'n Node) -> Dollar<'n> {
    cx.octal(node);
    node.text().map_or(Dollar::Text(""), dollar)
}

/// A scalar as a value, one dollar sign of two removed.
fn plain(cx: &mut Cx, node: &Node) -> Option<Value> {
    Some(match node.word()? {
        Word::Null => Value::Null,
        Word::Bool(flag) => Value::Bool(flag),
        Word::Int(int) => Value::Number(Number::Int(int)),
        Word::Float(float) if float.is_finite() => Value::from(float),
        Word::Float(_) => {
            let title = "JSON has no infinite numbers, and no `NaN`";
            cx.error(codes::RANGE, title, &node.span, "cannot be sent");
            return None;
        }
        Word::Text(text) => match dollar(text) {
            Dollar::Text(text) => Value::from(text),
            Dollar::Index | Dollar::Sid(_) | Dollar::Name(_) | Dollar::Bad(_) => return None,
        },
    })
}

/// The bytes of `{hex: "00ff"}`.
fn hex_map(node: &Node) -> Option<&Node> {
    single(node).filter(|(key, _)| *key == "hex").map(|(_, value)| value)
}

/// The one entry of a map that has only one.
fn single(node: &Node) -> Option<(&str, &Node)> {
    match node.map()? {
        [entry] => Some((&entry.key.value, &entry.value)),
        _ => None,
    }
}

/// Bytes as pairs of hexadecimal digits.
pub(super) fn hex(cx: &mut Cx, node: &Node) -> Option<Vec<u8>> {
    let help = "bytes are pairs of hexadecimal digits in quotes: `{hex: \"00ff\"}`";
    let Some(text) = node.text() else {
        let title = format!("`hex` must be a text, and this is {node}");
        let mut error =
            Diagnostic::error(codes::BAD_HEX, title, &node.span, "not a text").help(help);
        if let Some(scalar) = node.written().filter(|scalar| !scalar.text.is_empty()) {
            error = error.suggest(&node.span, format!("\"{}\"", scalar.text));
        }
        cx.report(error);
        return None;
    };
    let digits: Vec<char> = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let pair = |pair: &[char]| {
        let [high, low] = pair else { return None };
        u8::try_from(high.to_digit(16)? * 16 + low.to_digit(16)?).ok()
    };
    let bytes: Option<Vec<u8>> = digits.chunks(2).map(pair).collect();
    if bytes.is_none() {
        let bad = digits.iter().find(|c| !c.is_ascii_hexdigit());
        let label = match bad {
            Some(bad) => format!("`{bad}` is not a hexadecimal digit"),
            None => "an odd number of digits".into(),
        };
        let title = "these are not bytes";
        cx.report(Diagnostic::error(codes::BAD_HEX, title, &node.span, label).help(help));
    }
    bytes
}

/// A list of values with holes.
pub(super) fn templates(cx: &mut Cx, node: &Node, holes: &mut Holes<'_>) -> Option<Vec<Template>> {
    let items = cx.list(node, "`args`")?;
    let templates: Vec<_> = items.iter().map(|item| template(cx, item, holes)).collect();
    templates.into_iter().collect()
}

/// A value with holes.
fn template(cx: &mut Cx, node: &Node, holes: &mut Holes<'_>) -> Option<Template> {
    match &node.data {
        Data::Scalar(_) => scalar_template(cx, node, holes),
        Data::List(items) => {
            let items: Vec<_> = items.iter().map(|item| template(cx, item, holes)).collect();
            items.into_iter().collect::<Option<Vec<_>>>().map(array)
        }
        Data::Map(entries) => {
            if let Some(bytes) = hex_map(node) {
                return hex(cx, bytes).map(|bytes| Template::Value(Value::Binary(bytes.into())));
            }
            let members: Vec<_> = entries
                .iter()
                .map(|entry| {
                    template(cx, &entry.value, holes).map(|value| (entry.key.value.clone(), value))
                })
                .collect();
            members.into_iter().collect::<Option<Vec<_>>>().map(object)
        }
    }
}

/// An array, whole if it has no holes.
fn array(items: Vec<Template>) -> Template {
    let values: Option<Vec<Value>> = items.iter().map(|item| whole(item).cloned()).collect();
    values.map_or(Template::Array(items), |values| Template::Value(Value::Array(values)))
}

fn object(members: Vec<(String, Template)>) -> Template {
    let whole_members: Option<Vec<(String, Value)>> =
        members.iter().map(|(key, value)| Some((key.clone(), whole(value)?.clone()))).collect();
    match whole_members {
        Some(values) => Template::Value(Value::Object(Object::from_members(values))),
        None => Template::Object(members),
    }
}

const fn whole(template: &Template) -> Option<&Value> {
    match template {
        Template::Value(value) => Some(value),
        Template::Index
        | Template::Sid(_)
        | Template::Capture(_)
        | Template::Array(_)
        | Template::Object(_) => None,
    }
}

fn scalar_template(cx: &mut Cx, node: &Node, holes: &mut Holes<'_>) -> Option<Template> {
    let span = &node.span;
    match scalar(cx, node) {
        Dollar::Text(_) => plain(cx, node).map(Template::Value),
        Dollar::Index if holes.repeated => Some(Template::Index),
        Dollar::Index => {
            let title = "`$i` is the number of the repetition, and nothing is repeated here";
            let error = Diagnostic::error(codes::BAD_TEMPLATE, title, span, "always 0");
            let help = "add `times: n`, put the step into a `repeat`, or write 0";
            cx.report(error.help(help));
            None
        }
        Dollar::Sid(name) => {
            let id = holes.clients.one(cx, name, span)?;
            if let Some(namespace) = holes.namespace {
                entered(cx, holes.clients, id, namespace, span)?;
            }
            Some(Template::Sid(id))
        }
        Dollar::Name(name) if holes.captures.contains(name) => Some(Template::Capture(name.into())),
        Dollar::Name(name) => {
            let known: Vec<String> = holes.captures.iter().map(|name| format!("${name}")).collect();
            let known: Vec<&str> = known.iter().map(String::as_str).chain(["$i"]).collect();
            let title = format!("nothing is called `${name}` here");
            let label = "neither a parameter nor captured above";
            let error = Diagnostic::error(codes::BAD_TEMPLATE, title, span, label);
            let found = format!("${name}");
            let error = match super::cx::nearest(&found, &known) {
                Some(_) => did_you_mean(error, &found, span, &known, "known are"),
                None => {
                    let help = "an `expect` captures a value: `capture: { name: 0 }`; \
                                a text that begins with a dollar sign is written with two";
                    error.help(help).suggest(span, format!("\"$${name}\""))
                }
            };
            cx.report(error);
            None
        }
        Dollar::Bad(reason) => {
            let text = node.text().unwrap_or_default();
            let title = format!("`{text}` stands for no value");
            let error = Diagnostic::error(codes::BAD_TEMPLATE, title, span, reason);
            let help = "a text that begins with a dollar sign is written with two";
            let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
            cx.report(match text.starts_with("$sid") {
                true => error,
                false => error.help(help).suggest(span, format!("\"${escaped}\"")),
            });
            None
        }
    }
}

/// Reports a client that does not enter the namespace of a step.
pub(super) fn entered(
    cx: &mut Cx,
    clients: &Clients,
    id: crate::plan::ClientId,
    namespace: &str,
    span: &Span,
) -> Option<()> {
    let client = clients.client(id);
    if client.enters(namespace) {
        return Some(());
    }
    let title = format!("`{}` does not enter the namespace `{namespace}`", client.name);
    let error = Diagnostic::error(codes::NOT_IN_NAMESPACE, title, span, "not there");
    let names: Vec<String> =
        client.namespaces.iter().map(|entered| format!("`{}`", entered.name)).collect();
    let label = format!("enters {}", names.join(", "));
    let error = error.context(&client.span, label);
    let help = "give the step another `namespace`, or let the client enter this one";
    cx.report(error.help(help));
    None
}

/// A list of patterns.
pub(super) fn patterns(
    cx: &mut Cx,
    node: &Node,
    what: &str,
    holes: &mut Holes<'_>,
) -> Option<Vec<Pattern>> {
    if what == "`ack`" && node.list().is_none() {
        let title = format!("`ack` lists what the answer must be, and this is {node}");
        let error = Diagnostic::error(codes::WRONG_TYPE, title, &node.span, "not a list");
        cx.report(error.help("for example `ack: [ok]`; `_` stands for any value"));
        return None;
    }
    let items = cx.list(node, what)?;
    let patterns: Vec<_> = items.iter().map(|item| pattern(cx, item, holes)).collect();
    patterns.into_iter().collect()
}

/// A pattern: `_`, `{contains: …}` and the like, and everything else literally.
fn pattern(cx: &mut Cx, node: &Node, holes: &mut Holes<'_>) -> Option<Pattern> {
    match &node.data {
        Data::Scalar(scalar) if scalar.plain && scalar.text == "_" => Some(Pattern::Any),
        Data::Scalar(_) => scalar_template(cx, node, holes).map(Pattern::Value),
        Data::List(items) => {
            let items: Vec<_> = items.iter().map(|item| pattern(cx, item, holes)).collect();
            let items = items.into_iter().collect::<Option<Vec<_>>>()?;
            let literal: Option<Vec<Template>> = items.iter().map(literal).collect();
            Some(literal.map_or(Pattern::Array(items), |items| Pattern::Value(array(items))))
        }
        Data::Map(entries) => {
            if let Some((key, value)) = single(node)
                && let Some(special) = special(cx, key, value, holes)
            {
                return special;
            }
            let members: Vec<_> = entries
                .iter()
                .map(|entry| {
                    pattern(cx, &entry.value, holes).map(|value| (entry.key.value.clone(), value))
                })
                .collect();
            let members = members.into_iter().collect::<Option<Vec<_>>>()?;
            let literal: Option<Vec<(String, Template)>> =
                members.iter().map(|(key, value)| Some((key.clone(), literal(value)?))).collect();
            Some(
                literal.map_or(Pattern::Object(members), |members| Pattern::Value(object(members))),
            )
        }
    }
}

fn literal(pattern: &Pattern) -> Option<Template> {
    match pattern {
        Pattern::Value(template) => Some(template.clone()),
        Pattern::Any
        | Pattern::Contains(_)
        | Pattern::Matches(_)
        | Pattern::Type(_)
        | Pattern::Array(_)
        | Pattern::AnyOrder(_)
        | Pattern::Object(_) => None,
    }
}

/// A map of one entry that is a pattern.
fn special(cx: &mut Cx, key: &str, value: &Node, holes: &mut Holes<'_>) -> Option<Option<Pattern>> {
    Some(match key {
        "hex" => {
            hex(cx, value).map(|bytes| Pattern::Value(Template::Value(Value::Binary(bytes.into()))))
        }
        "contains" => cx.words(value, "`contains`").map(|text| Pattern::Contains(text.into())),
        "matches" => matches(cx, value).map(Pattern::Matches),
        "any-order" => {
            let items = cx.list(value, "`any-order`")?;
            let items: Vec<_> = items.iter().map(|item| pattern(cx, item, holes)).collect();
            items.into_iter().collect::<Option<Vec<_>>>().map(Pattern::AnyOrder)
        }
        "type" => {
            let before = cx.count();
            let word = cx.word(value, "`type`", &TYPES).map(Pattern::Type);
            if word.is_none() && cx.count() > before {
                cx.help_last("an object that has this member is meant by `{literally: {type: …}}`");
            }
            word
        }
        "literally" => template(cx, value, holes).map(Pattern::Value),
        _ => return None,
    })
}

fn matches(cx: &mut Cx, node: &Node) -> Option<Regex> {
    let text = cx.text(node, "`matches`")?;
    let inner = text.strip_prefix('/').and_then(|text| text.strip_suffix('/'));
    let Some(inner) = inner else {
        let title = "a regular expression stands between slashes";
        let error = Diagnostic::error(codes::BAD_REGEX, title, &node.span, "no slashes around it");
        let error = error.help("anchors are not implied: `^` and `$` are written");
        let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
        cx.report(error.suggest(&node.span, format!("\"/{quoted}/\"")));
        return None;
    };
    match Regex::new(inner) {
        Ok(regex) => Some(regex),
        Err(error) => {
            cx.report(bad_regex(&error, &node.span));
            None
        }
    }
}
