//! From text to nodes: the one place that knows the YAML parser.
//!
//! What a scenario does not need is refused here: anchors, aliases, tags, directives, several
//! documents, keys that are not words, keys that come twice, and files beyond the budgets below.

use std::collections::BTreeMap;
use std::sync::Arc;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span as Range, options};

use super::codes;
use super::node::{Data, Entry, Node, Scalar};
use crate::diagnostic::Diagnostic;
use crate::span::{Span, Spanned};

/// Bytes of a file: the largest sensible scenario is a hundredth of it.
const MAX_BYTES: usize = 1 << 20;

/// Collections within each other: `steps` within `repeat` within `together` need ten.
const MAX_DEPTH: usize = 48;

/// Values of a file, so that memory stays in proportion.
const MAX_NODES: usize = 200_000;

/// Reads a file, or says why it cannot be read.
pub(super) fn parse(
    file: &Arc<str>,
    text: &str,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Node> {
    let before = diagnostics.len();
    if text.len() > MAX_BYTES {
        let span = Span { file: Arc::clone(file), start: 0, end: 0, line: 1, column: 1 };
        let title = format!("the file has {} bytes, and at most {MAX_BYTES} are read", text.len());
        let help = "split it: one scenario per file is the rule";
        diagnostics.push(Diagnostic::error(codes::BUDGET, title, &span, "too long").help(help));
        return None;
    }
    let options = options! {
        disallow_directives: true,
        emit_unresolved_aliases: true,
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let parser = Parser::new_from_str_with_options(text, options);
    let mut builder = Builder { file, text, diagnostics, open: Vec::new(), root: None, nodes: 0 };
    for event in parser {
        match event {
            Ok((event, range)) => {
                if builder.event(event, range).is_none() {
                    break;
                }
            }
            Err(error) => {
                builder.scan_error(&error);
                break;
            }
        }
    }
    let root = builder.root;
    if diagnostics.len() > before {
        return None;
    }
    let Some(root) = root.filter(|root| !root.is_null()) else {
        let span = Span { file: Arc::clone(file), start: 0, end: 0, line: 1, column: 1 };
        let error = Diagnostic::error(codes::EMPTY, "the file is empty", &span, "nothing here");
        diagnostics.push(error.help("`overheard new` writes a scenario to start from"));
        return None;
    };
    Some(root)
}

/// The comments of a file, in order.
pub(super) fn comments(text: &str) -> Vec<String> {
    let parser = Parser::new_from_str_with_options(text, options! { emit_comments: true });
    let comment = |event| match event {
        Ok((Event::Comment(text, _), _)) => Some(text.trim().to_owned()),
        Ok(_) | Err(_) => None,
    };
    parser.filter_map(comment).collect()
}

struct Builder<'a> {
    file: &'a Arc<str>,
    text: &'a str,
    diagnostics: &'a mut Vec<Diagnostic>,
    open: Vec<Open>,
    root: Option<Node>,
    nodes: usize,
}

/// A collection whose end has not come yet.
enum Open {
    List { span: Span, items: Vec<Node> },
    Map { span: Span, entries: Vec<Entry>, key: Option<Spanned<String>>, seen: Seen },
}

type Seen = BTreeMap<String, Span>;

impl Builder<'_> {
    /// Takes an event; `None` ends the reading.
    fn event(&mut self, event: Event<'_>, range: Range) -> Option<()> {
        let span = self.span(range);
        let refused = match properties(&event) {
            Properties::Alias => Some(("an alias", span.clone())),
            Properties::Node { tagged: true, .. } => {
                let tag = range.tag_span().map_or_else(|| span.clone(), |tag| self.span(tag));
                Some(("a tag", tag))
            }
            Properties::Node { anchored: true, .. } => Some(("an anchor", self.anchor(&span))),
            Properties::Node { .. } | Properties::None => None,
        };
        if let Some((what, span)) = refused {
            let title = format!("{what} is not allowed in scenario files");
            let help = if what == "a tag" {
                "remove it; a value that shall be a text is quoted, and so is one that begins with `!`"
            } else {
                "repeat the value, or make a verb of what is repeated"
            };
            self.diagnostics
                .push(Diagnostic::error(codes::NOT_ALLOWED, title, &span, "here").help(help));
            return None;
        }
        match event {
            Event::Scalar(text, style, _, _) => {
                let scalar = Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain };
                self.add(Node { data: Data::Scalar(scalar), span })
            }
            Event::SequenceStart(..) => self.begin(Open::List { span, items: Vec::new() }),
            Event::MappingStart(..) => {
                let (entries, seen) = (Vec::new(), Seen::new());
                self.begin(Open::Map { span, entries, key: None, seen })
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(&span),
            Event::DocumentStart(..) if self.root.is_some() => {
                let title = "a file holds one scenario, and here a second document begins";
                let error = Diagnostic::error(codes::NOT_ALLOWED, title, &span, "second document");
                self.diagnostics.push(error.help("move it to a file of its own"));
                None
            }
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(..)
            | Event::DocumentEnd
            | Event::Alias(_)
            | Event::UnresolvedAlias(_)
            | Event::Anchor(..)
            | Event::Comment(..)
            | _ => Some(()),
        }
    }

    fn begin(&mut self, open: Open) -> Option<()> {
        let span = match &open {
            Open::List { span, .. } | Open::Map { span, .. } => span.clone(),
        };
        if self.is_key() {
            self.bad_key(&span);
            return None;
        }
        self.open.push(open);
        Some(())
    }

    /// Whether the next node is a key.
    fn is_key(&self) -> bool {
        matches!(self.open.last(), Some(Open::Map { key: None, .. }))
    }

    fn bad_key(&mut self, span: &Span) {
        let title = "a key must be a word, not a list or a map";
        let mut error = Diagnostic::error(codes::BAD_KEY, title, span, "used as a key");
        let written = self.text.get(span.start..).unwrap_or_default();
        if written.starts_with('{') {
            error = error.help("`{{name}}` means nothing here: values are put in by `$name`");
        }
        self.diagnostics.push(error);
    }

    fn end(&mut self, end: &Span) -> Option<()> {
        let node = match self.open.pop()? {
            Open::List { span, items } => {
                let last = items.last().map(|node| node.span.end);
                Node { span: self.closed(span, last, end), data: Data::List(items) }
            }
            Open::Map { span, entries, .. } => {
                let last = entries.last().map(|entry| entry.value.span.end.max(entry.key.span.end));
                Node { span: self.closed(span, last, end), data: Data::Map(entries) }
            }
        };
        self.add(node)
    }

    /// The span of a collection: up to its bracket, or to its last part if it has none.
    fn closed(&self, mut span: Span, last: Option<usize>, end: &Span) -> Span {
        let bracketed = self.text.get(span.start..).unwrap_or_default().starts_with(['[', '{']);
        let end = if bracketed { end.end } else { last.unwrap_or(span.start) };
        span.end = end.max(span.start);
        span
    }

    fn add(&mut self, node: Node) -> Option<()> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            let title = format!("the file has more than {MAX_NODES} values");
            self.diagnostics.push(
                Diagnostic::error(codes::BUDGET, title, &node.span, "the first one too many")
                    .help("use `repeat`, `times` or a `{count: …}` of clients"),
            );
            return None;
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, key, seen, .. }) => match key.take() {
                Some(key) => entries.push(Entry { key, value: node }),
                None => {
                    // `begin` refuses keys with parts.
                    let Data::Scalar(scalar) = node.data else { return None };
                    let first = seen.insert(scalar.text.clone(), node.span.clone());
                    *key = Some(Spanned::new(scalar.text, node.span.clone()));
                    self.key(first, &node.span)?;
                }
            },
        }
        Some(())
    }

    /// Looks at a key: not the second of its name, and not one that YAML gives a meaning.
    fn key(&mut self, first: Option<Span>, span: &Span) -> Option<()> {
        let text = self.text.get(span.start..span.end).unwrap_or_default();
        if let Some(first) = first {
            let title = format!("the key `{text}` stands here twice");
            let error = Diagnostic::error(codes::DUPLICATE_KEY, title, span, "again");
            self.diagnostics.push(error.context(&first, "first here").help("keep one of them"));
        } else if text == "<<" {
            let title = "merge keys are not allowed in scenario files";
            let error = Diagnostic::error(codes::NOT_ALLOWED, title, span, "here");
            self.diagnostics.push(error.help("write the entries out"));
            return None;
        }
        Some(())
    }

    fn span(&self, range: Range) -> Span {
        let place = |marker: granit_parser::Marker| marker.byte_offset().unwrap_or(0);
        let line = u32::try_from(range.start.line()).unwrap_or(u32::MAX);
        let column = u32::try_from(range.start.col() + 1).unwrap_or(u32::MAX);
        let (start, end) = (place(range.start), place(range.end).max(place(range.start)));
        Span { file: Arc::clone(self.file), start, end, line, column }
    }

    /// The anchor in front of a node.
    fn anchor(&self, node: &Span) -> Span {
        let before = self.text.get(..node.start).unwrap_or_default();
        let start = before.rfind('&').unwrap_or(node.start);
        let name = self.text.get(start..).unwrap_or_default();
        let length = name.find(char::is_whitespace).unwrap_or(name.len());
        let line = before.get(..start).unwrap_or_default().matches('\n').count() + 1;
        let line_start = before.get(..start).and_then(|text| text.rfind('\n')).map_or(0, |n| n + 1);
        let column = before.get(line_start..start).unwrap_or_default().chars().count() + 1;
        Span {
            file: Arc::clone(self.file),
            start,
            end: start + length,
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
        }
    }

    fn scan_error(&mut self, error: &ScanError) {
        let marker = *error.marker();
        let mut span = self.span(Range::empty(marker));
        let rest = self.text.get(span.start..).unwrap_or_default();
        // One character, so that there is something to point at.
        span.end += rest.chars().next().filter(|c| *c != '\n').map_or(0, char::len_utf8);
        let (title, help) = explain(error.kind());
        let code = if matches!(error.kind(), ErrorKind::DirectiveDisallowed) {
            codes::NOT_ALLOWED
        } else if matches!(error.kind(), ErrorKind::RecursionLimitExceeded) {
            codes::BUDGET
        } else {
            codes::SYNTAX
        };
        let title = title.map_or_else(|| format!("this is not YAML: {}", error.info()), Into::into);
        let mut diagnostic = Diagnostic::error(code, title, &span, "the reader stopped here");
        if let Some(help) = help {
            diagnostic = diagnostic.help(help);
        }
        self.diagnostics.push(diagnostic);
    }
}

/// What stands in front of a node.
enum Properties {
    Alias,
    Node { anchored: bool, tagged: bool },
    None,
}

const fn properties(event: &Event<'_>) -> Properties {
    match event {
        Event::Alias(_) | Event::UnresolvedAlias(_) => Properties::Alias,
        Event::Scalar(_, _, anchor, tag)
        | Event::SequenceStart(_, anchor, tag)
        | Event::MappingStart(_, anchor, tag) => {
            Properties::Node { anchored: *anchor != 0, tagged: tag.is_some() }
        }
        Event::StreamStart
        | Event::StreamEnd
        | Event::DocumentStart(..)
        | Event::DocumentEnd
        | Event::Anchor(..)
        | Event::Comment(..)
        | Event::SequenceEnd
        | Event::MappingEnd
        | _ => Properties::None,
    }
}

/// The mistakes that people make most, in our words.
fn explain(kind: &ErrorKind) -> (Option<&'static str>, Option<&'static str>) {
    let is = |kinds: &[ErrorKind]| kinds.contains(kind);
    if is(&[
        ErrorKind::TabNotAllowed,
        ErrorKind::TabInBlockIndentation,
        ErrorKind::TabInIndentation,
    ]) {
        return (Some("a tab cannot indent"), Some("use spaces, two for each level"));
    }
    if is(&[ErrorKind::UnclosedQuotedScalar]) {
        return (Some("a quote is opened and never closed"), Some("close it, with the same quote"));
    }
    if is(&[ErrorKind::UnclosedFlowCollection { open: '[' }, ErrorKind::UnexpectedEofFlowSequence])
    {
        return (Some("a `[` is never closed"), Some("close it with `]`"));
    }
    if is(&[
        ErrorKind::UnclosedFlowCollection { open: '{' },
        ErrorKind::UnexpectedEofFlowMapping,
        ErrorKind::UnexpectedEofImplicitFlowMapping,
    ]) {
        return (Some("a `{` is never closed"), Some("close it with `}`"));
    }
    if let ErrorKind::MismatchedFlowCollectionEnd { open, .. } = kind {
        let help = if *open == '[' { "close it with `]`" } else { "close it with `}`" };
        return (Some("this bracket is closed by one of the other kind"), Some(help));
    }
    if is(&[ErrorKind::MisplacedFlowCollectionEnd]) {
        return (Some("this bracket closes nothing"), Some("remove it, or open one before it"));
    }
    if is(&[ErrorKind::MappingValueNotAllowed, ErrorKind::InvalidColonPlacement]) {
        let help = "a text that contains `: ` must be quoted; otherwise look at the indentation";
        return (Some("a `:` is not expected here"), Some(help));
    }
    if is(&[ErrorKind::ExpectedFlowMappingSeparator, ErrorKind::ExpectedFlowSequenceSeparator]) {
        let help = "look for a missing comma or bracket, or quote the text before it";
        return (Some("a comma or the closing bracket is missing"), Some(help));
    }
    if is(&[ErrorKind::ExpectedBlockMappingKey, ErrorKind::ExpectedBlockSequenceEntry]) {
        let help = "entries of one list or map stand in one column";
        return (Some("this line does not belong to the lines above it"), Some(help));
    }
    if is(&[ErrorKind::SimpleKeyExpected, ErrorKind::InvalidSimpleKey]) {
        let help = "write `key: value`, with a space behind the colon";
        return (Some("a key without a `:` behind it"), Some(help));
    }
    if is(&[ErrorKind::RecursionLimitExceeded]) {
        let help = "at most 48 lists and maps within each other are read";
        return (Some("this is nested too deeply"), Some(help));
    }
    if is(&[ErrorKind::DirectiveDisallowed]) {
        let help = "remove the line; a text that starts with `%` is quoted";
        return (Some("directives are not allowed in scenario files"), Some(help));
    }
    if is(&[ErrorKind::UnknownQuotedScalarEscape]) {
        let help = "write `\\\\` for a backslash, or use single quotes, where it means itself";
        return (Some("there is no such escape in double quotes"), Some(help));
    }
    (None, None)
}
