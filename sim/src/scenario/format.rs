//! The one way in which scenario files are laid out, as `overheard fmt` writes them.

use std::sync::Arc;

use pretty_yaml::config::{FormatOptions, LanguageOptions, LayoutOptions};

use super::{Rejected, codes, yaml};
use crate::diagnostic::{Diagnostic, Sources};
use crate::span::Span;

/// Columns of a line.
const WIDTH: usize = 100;

/// Passes after which the layout must have settled.
const PASSES: usize = 4;

/// Formats a file of scenarios or verbs; comments stay, and so does what the file says.
///
/// # Errors
/// The file is not YAML as scenarios use it, or cannot be laid out without a change of meaning.
pub fn format(path: &str, text: &str) -> Result<String, Rejected> {
    let file: Arc<str> = path.into();
    let mut diagnostics = Vec::new();
    let rejected = |diagnostics| {
        let mut sources = Sources::new();
        sources.insert(path, text);
        Rejected { diagnostics, sources }
    };
    let Some(before) = yaml::parse(&file, text, &mut diagnostics) else {
        return Err(rejected(diagnostics));
    };
    let formatted = settle(text).filter(|formatted| {
        let after = yaml::parse(&file, formatted, &mut diagnostics);
        let same = after.is_some_and(|after| before.same(&after));
        same && yaml::comments(text) == yaml::comments(formatted)
    });
    formatted.ok_or_else(|| {
        let start = Span { end: before.span.start, ..before.span.clone() };
        let title = "this file cannot be formatted without changing it";
        let label = "left as it is";
        let error = Diagnostic::error(codes::FORMAT, title, &start, label);
        let help = "simplify its layout; unusual places of comments are the most likely reason";
        rejected(vec![error.help(help)])
    })
}

/// Lays a file out until nothing changes any more.
fn settle(text: &str) -> Option<String> {
    let language = LanguageOptions {
        trailing_comma: false,
        flow_map_prefer_single_line: Some(true),
        flow_sequence_prefer_single_line: Some(true),
        ..LanguageOptions::default()
    };
    let layout = LayoutOptions { print_width: WIDTH, ..LayoutOptions::default() };
    let options = FormatOptions { layout, language };
    let mut text = text.to_owned();
    for _ in 0..PASSES {
        let next = pretty_yaml::format_text(&text, &options).ok()?;
        if next == text {
            return Some(text);
        }
        text = next;
    }
    None
}
