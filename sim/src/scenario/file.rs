//! The reader of a whole file: its head, then server and clients, then steps.

use std::sync::{Arc, LazyLock};

use super::client::Around;
use super::clients::Clients;
use super::cx::{Cx, did_you_mean};
use super::fields::Fields;
use super::node::Node;
use super::server::{bounds, network, repeated, server};
use super::steps::Steps;
use super::verbs::Verbs;
use super::{Network, Preset, Scenario, Values, codes, lint, vars, yaml};
use crate::diagnostic::{Diagnostic, Sources};
use crate::plan::{Mark, ServerPlan, Unclaimed};
use crate::span::Span;

/// The keys of a scenario.
pub(super) const SCENARIO: &[&str] = &[
    "version",
    "name",
    "tags",
    "rules",
    "vars",
    "use",
    "network",
    "racks",
    "server",
    "clients",
    "steps",
    "unclaimed",
    "must-reach",
    "seeds",
    "bounds",
];

pub(super) const UNCLAIMED: [(Unclaimed, &str); 2] =
    [(Unclaimed::Error, "error"), (Unclaimed::Allow, "allow")];

/// IDs of the rules.
pub(super) static RULES: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let lines = include_str!("../../../core/RULES.md").lines();
    lines.filter_map(|line| line.strip_prefix("- **")?.split_once("**").map(|(id, _)| id)).collect()
});

/// Gives the text of a file by name.
pub(super) type Read<'a> = &'a dyn Fn(&str) -> Result<String, String>;

/// Reads a scenario; `None` if something that everything else hangs on is missing.
pub(super) fn scenario(
    cx: &mut Cx,
    (path, text): (&str, &str),
    read: Read<'_>,
    values: &Values,
    sources: &mut Sources,
) -> Option<Scenario> {
    let file: Arc<str> = path.into();
    sources.insert(Arc::clone(&file), text);
    let mut diagnostics = Vec::new();
    let root = yaml::parse(&file, text, &mut diagnostics);
    diagnostics.into_iter().for_each(|diagnostic| cx.report(diagnostic));
    let mut root = root?;
    let vars = vars::fill(cx, &mut root, values);
    if let (Some(verbs), None) = (entry_of(&root, "verbs"), root.get("steps")) {
        let title = "this is a file of verbs, and not a scenario";
        let error =
            Diagnostic::error(codes::NOT_A_SCENARIO, title, verbs, "verbs are defined here");
        cx.report(error.help("scenarios name it under `use`"));
        return None;
    }
    let start = Span { end: first_line_end(text, root.span.start), ..root.span.clone() };
    let fields = cx.fields(&root, "the scenario", &start, SCENARIO)?;
    version(cx, &fields);
    let name = fields.need(cx, "name").and_then(|node| cx.words(node, "`name`"));
    let tags = tags(cx, &fields);
    let rules = rules(cx, &fields);
    let network = match fields.entry("network") {
        Some(entry) => network(cx, &entry.value, &entry.key.span),
        None => Some(Network::preset(Preset::Lan)),
    };
    let racks = fields.get("racks").map_or(Some(1), |node| cx.integer(node, "`racks`", 1..=8));
    let server = match fields.entry("server") {
        Some(entry) => server(cx, &entry.value, &entry.key.span),
        None => Some(ServerPlan::default()),
    };
    let unclaimed = fields
        .get("unclaimed")
        .map_or(Some(Unclaimed::Error), |node| cx.word(node, "`unclaimed`", &UNCLAIMED));
    let must_reach = marks(cx, &fields);
    let seeds =
        fields.get("seeds").map_or(Some(1), |node| cx.integer(node, "`seeds`", 1..=1_000_000));
    let bounds = match fields.entry("bounds") {
        Some(entry) => bounds(cx, &entry.value, &entry.key.span),
        None => Some(crate::plan::Bounds::default()),
    };
    let verbs = verbs(cx, &fields, read, sources);
    let around = Around { racks: racks.unwrap_or(8), server: &server.clone().unwrap_or_default() };
    let clients = fields.need(cx, "clients").map(|node| Clients::read(cx, node, &around));
    let (clients, steps) = steps(cx, &fields, clients?, &verbs, around.racks)?;
    Some(Scenario {
        name: name?.to_owned(),
        file: path.to_owned(),
        tags,
        rules,
        vars,
        seeds: seeds?,
        network: network?,
        racks: racks?,
        server: server?,
        clients: clients.all,
        steps,
        unclaimed: unclaimed?,
        must_reach,
        bounds: bounds?,
    })
}

/// Reads the steps, and looks at them together.
fn steps(
    cx: &mut Cx,
    fields: &Fields<'_>,
    mut clients: Clients,
    verbs: &Verbs,
    racks: u8,
) -> Option<(Clients, Vec<crate::plan::Step>)> {
    let node = fields.need(cx, "steps")?;
    let mut reader = Steps::new(cx, &mut clients, verbs, racks);
    let steps = reader.read(node);
    let (labels, called) = (reader.labels, reader.called);
    lint::steps(cx, &steps, &labels);
    if cx.failed() {
        // What a file does not use can be said when all of it was read.
        return Some((clients, steps));
    }
    labels.lint(cx);
    clients.lint(cx);
    for file in fields.get("use").and_then(Node::list).unwrap_or_default() {
        let Some(name) = file.text() else { continue };
        let path = beside(&file.span.file, name);
        let mut own = verbs.of_file(&path).peekable();
        if own.peek().is_some() && !own.any(|verb| called.contains(verb)) {
            let title = format!("no step uses a verb of `{name}`");
            let warning = Diagnostic::warning(codes::UNUSED_VERBS, title, &file.span, "not used");
            cx.report(warning.help("remove it"));
        }
    }
    Some((clients, steps))
}

fn entry_of<'n>(root: &'n Node, key: &str) -> Option<&'n Span> {
    let entry = root.map()?.iter().find(|entry| entry.key.value == key)?;
    Some(&entry.key.span)
}

/// The end of the line that a file's content begins on.
fn first_line_end(text: &str, start: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    start + rest.find(['\n', '\r']).unwrap_or(rest.len())
}

/// Looks at `version`.
pub(super) fn version(cx: &mut Cx, fields: &Fields<'_>) {
    let Some(node) = fields.need(cx, "version") else { return };
    let Some(scalar) = node.written() else {
        cx.wrong(node, "`version`", "the number 1");
        return;
    };
    if scalar.plain && scalar.text == "1" {
        return;
    }
    let title = if scalar.plain {
        format!("there is no version {} of the format", scalar.text)
    } else {
        format!("`version` is a number, and this is {node}")
    };
    let later = scalar.text.parse::<f64>().is_ok_and(|version| version > 1.0);
    let error = Diagnostic::error(codes::VERSION, title, &node.span, "only 1 is known");
    let help = if later {
        "a later version of the format needs a later version of this tool"
    } else {
        "write `version: 1`"
    };
    cx.report(error.help(help).suggest(&node.span, "1"));
}

fn tags(cx: &mut Cx, fields: &Fields<'_>) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for node in fields.get("tags").and_then(|node| cx.list(node, "`tags`")).unwrap_or_default() {
        let Some(tag) = cx.text(node, "a tag").and_then(|tag| cx.name(tag, &node.span, "a tag"))
        else {
            continue;
        };
        if tags.iter().any(|known| known == tag) {
            cx.report(repeated(node, "`tags`"));
            continue;
        }
        tags.push(tag.to_owned());
    }
    tags
}

fn rules(cx: &mut Cx, fields: &Fields<'_>) -> Vec<String> {
    let mut rules: Vec<String> = Vec::new();
    for node in fields.get("rules").and_then(|node| cx.list(node, "`rules`")).unwrap_or_default() {
        let Some(id) = cx.text(node, "the ID of a rule") else { continue };
        if !RULES.contains(&id) {
            let title = format!("there is no rule `{id}`");
            let error =
                Diagnostic::error(codes::UNKNOWN_RULE, title, &node.span, "not in `core/RULES.md`");
            let error = match family(id) {
                None => {
                    let error = did_you_mean(error, id, &node.span, &RULES, "");
                    if error.help.is_some() {
                        error
                    } else {
                        error.help("an ID looks like `BC-TGT-06`")
                    }
                }
                Some(family) => error.help(family),
            };
            cx.report(error);
            continue;
        }
        if rules.iter().any(|known| known == id) {
            cx.report(repeated(node, "`rules`"));
            continue;
        }
        rules.push(id.to_owned());
    }
    rules
}

/// How far the numbers of a family go.
fn family(id: &str) -> Option<String> {
    let (family, _) = id.rsplit_once('-')?;
    let member = |rule: &&&str| rule.rsplit_once('-').is_some_and(|(known, _)| known == family);
    let last = RULES.iter().rfind(member)?;
    Some(format!("the last one of its family is `{last}`"))
}

fn marks(cx: &mut Cx, fields: &Fields<'_>) -> Vec<(Mark, Span)> {
    let mut marks: Vec<(Mark, Span)> = Vec::new();
    let list = fields.get("must-reach").and_then(|node| cx.list(node, "`must-reach`"));
    for node in list.unwrap_or_default() {
        let Some(mark) = cx.word(node, "a mark", &Mark::ALL) else { continue };
        if marks.iter().any(|(known, _)| *known == mark) {
            cx.report(repeated(node, "`must-reach`"));
            continue;
        }
        marks.push((mark, node.span.clone()));
    }
    marks
}

/// Reads the files under `use`.
fn verbs(cx: &mut Cx, fields: &Fields<'_>, read: Read<'_>, sources: &mut Sources) -> Verbs {
    let mut verbs = Verbs::default();
    let mut seen: Vec<String> = Vec::new();
    for node in fields.get("use").and_then(|node| cx.list(node, "`use`")).unwrap_or_default() {
        let Some(name) = cx.words(node, "the name of a file") else { continue };
        let path = beside(&node.span.file, name);
        if seen.contains(&path) {
            cx.report(repeated(node, "`use`"));
            continue;
        }
        seen.push(path.clone());
        if *path == *node.span.file {
            let title = "a file cannot use itself";
            cx.error(codes::BAD_USE, title, &node.span, "this very file");
            continue;
        }
        match read(&path) {
            Ok(text) => verbs.read(cx, &path.into(), &text, &node.span, sources),
            Err(reason) => {
                let title = format!("`{name}` cannot be read: {reason}");
                let label = format!("looked for at `{path}`");
                let error = Diagnostic::error(codes::BAD_USE, title, &node.span, label);
                cx.report(error.help("names under `use` are relative to the file that has them"));
            }
        }
    }
    verbs
}

/// The name of a file as seen from the folder of another one.
fn beside(file: &str, name: &str) -> String {
    if name.starts_with('/') {
        return name.to_owned();
    }
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let absolute = file.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(name.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    let joined = parts.join("/");
    if absolute { format!("/{joined}") } else { joined }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_beside_the_file_that_names_them() {
        assert_eq!(
            beside("scenarios/chat/a.yaml", "../verbs/chat.yaml"),
            "scenarios/verbs/chat.yaml"
        );
        assert_eq!(beside("a.yaml", "verbs/chat.yaml"), "verbs/chat.yaml");
        assert_eq!(beside("a.yaml", "../chat.yaml"), "../chat.yaml");
        assert_eq!(beside("../x/a.yaml", "../../y.yaml"), "../../y.yaml");
        assert_eq!(beside("/x/a.yaml", "./y.yaml"), "/x/y.yaml");
        assert_eq!(beside("x/a.yaml", "/y.yaml"), "/y.yaml");
    }

    #[test]
    fn all_rules_are_known() {
        assert_eq!(RULES.len(), 317);
        assert!(RULES.contains(&"BC-TGT-06"));
    }
}
