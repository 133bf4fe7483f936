//! What is said about a user's file: a code, a sentence, the places that it is about, and a way out.
//!
//! The pure half makes [`Diagnostic`]s, [`render`] draws them beside the lines of the file.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{
    AnnotationKind, Group, Level, Patch, Renderer, Snippet, normalize_untrusted_str,
};

use crate::span::Span;
pub use crate::verdict::Label;

/// Codes and what `overheard explain` says about them, by the part of the tool that gives them.
const EXPLANATIONS: &[&[(&str, &str)]] =
    &[crate::scenario::codes::EXPLANATIONS, crate::check::EXPLAIN];

/// Whether a file can be run in spite of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can, but probably does not mean what it says.
    Warning,
}

/// Something to be said about a file.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The code, as in `OH0102`: [`explain`] says more.
    pub code: &'static str,
    /// One sentence: what is wrong.
    pub title: String,
    /// Where, and why there.
    pub primary: Label,
    /// Other places that matter.
    pub context: Vec<Label>,
    /// What to do.
    pub help: Option<String>,
    /// A change of the file that does it.
    pub suggestion: Option<Suggestion>,
}

/// A change of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// What to replace; an empty range is a place to insert at.
    pub span: Span,
    /// By what.
    pub replacement: String,
}

impl Diagnostic {
    /// An error with its one place.
    #[must_use]
    pub fn error(
        code: &'static str,
        title: impl Into<String>,
        span: &Span,
        label: impl Into<String>,
    ) -> Self {
        let primary = Label { span: span.clone(), text: label.into() };
        Self {
            severity: Severity::Error,
            code,
            title: title.into(),
            primary,
            context: Vec::new(),
            help: None,
            suggestion: None,
        }
    }

    /// A warning with its one place.
    #[must_use]
    pub fn warning(
        code: &'static str,
        title: impl Into<String>,
        span: &Span,
        label: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, title, span, label) }
    }

    /// Adds another place.
    #[must_use]
    pub fn context(mut self, span: &Span, text: impl Into<String>) -> Self {
        self.context.push(Label { span: span.clone(), text: text.into() });
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds a change that helps.
    #[must_use]
    pub fn suggest(mut self, span: &Span, replacement: impl Into<String>) -> Self {
        self.suggestion = Some(Suggestion { span: span.clone(), replacement: replacement.into() });
        self
    }
}

/// The texts of the files that diagnostics speak of, by the names in their spans.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources(BTreeMap<Arc<str>, Arc<str>>);

impl Sources {
    /// No files yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Adds a file.
    pub fn insert(&mut self, name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) {
        self.0.insert(name.into(), text.into());
    }

    /// The text of a file.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|text| &**text)
    }

    /// All files, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, text)| (&**name, &**text))
    }
}

/// What a code means, for `overheard explain`.
#[must_use]
pub fn explain(code: &str) -> Option<&'static str> {
    let mut known = EXPLANATIONS.iter().copied().flatten();
    known.find(|(name, _)| name.eq_ignore_ascii_case(code)).map(|(_, text)| text.trim())
}

/// All codes that [`explain`] knows.
pub fn codes() -> impl Iterator<Item = &'static str> {
    EXPLANATIONS.iter().copied().flatten().map(|(code, _)| *code)
}

/// Draws a diagnostic beside the lines that it is about.
#[must_use]
pub fn render(diagnostic: &Diagnostic, sources: &Sources, coloured: bool) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = normalize_untrusted_str(&diagnostic.title);
    let group = level.primary_title(title).id(diagnostic.code);
    let mut groups = vec![group.elements(snippets(diagnostic, sources))];
    let help = diagnostic.help.as_deref().map(normalize_untrusted_str);
    let patch = diagnostic.suggestion.as_ref().and_then(|suggestion| {
        let text = sources.get(&suggestion.span.file)?;
        let patch = Patch::new(within(text, &suggestion.span), &*suggestion.replacement);
        Some(Snippet::source(text).path(suggestion.span.file.to_string()).patch(patch))
    });
    match (help, patch) {
        (help, Some(patch)) => {
            let help = help.unwrap_or_else(|| String::from("like this"));
            groups.push(Level::HELP.secondary_title(help).element(patch));
        }
        (Some(help), None) => groups.push(Group::with_title(Level::HELP.secondary_title(help))),
        (None, None) => {}
    }
    let renderer = if coloured { Renderer::styled() } else { Renderer::plain() };
    renderer.render(&groups)
}

/// The places of a diagnostic, those of one file together, the primary one's file first.
fn snippets<'a>(
    diagnostic: &'a Diagnostic,
    sources: &'a Sources,
) -> Vec<Snippet<'a, annotate_snippets::Annotation<'a>>> {
    let primary = (&diagnostic.primary, AnnotationKind::Primary);
    let context = diagnostic.context.iter().map(|label| (label, AnnotationKind::Context));
    let labels: Vec<_> = std::iter::once(primary).chain(context).collect();
    let mut files: Vec<&str> = Vec::new();
    for (label, _) in &labels {
        if !files.contains(&&*label.span.file) {
            files.push(&label.span.file);
        }
    }
    let snippet = |file: &'a str| {
        let text = sources.get(file)?;
        let mut snippet = Snippet::source(text).path(file.to_owned());
        for (label, kind) in labels.iter().filter(|(label, _)| &*label.span.file == file) {
            let annotation = kind.span(within(text, &label.span));
            let label = normalize_untrusted_str(&label.text);
            snippet = snippet.annotation(annotation.label(label));
        }
        Some(snippet)
    };
    files.iter().filter_map(|file| snippet(file)).collect()
}

/// The bytes of a span, or the nearest ones that there are.
fn within(text: &str, span: &Span) -> Range<usize> {
    let mut start = span.start.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let mut end = span.end.clamp(start, text.len());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start..end
}
