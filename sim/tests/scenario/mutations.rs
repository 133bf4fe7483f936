//! Files that nobody would write: whatever stands in one, reading it ends, and says something.

use std::sync::LazyLock;

use overheard::diagnostic::{Severity, render};
use overheard::scenario::{PlanOptions, format, load};
use proptest::prelude::*;

use crate::support::{files, text_of};

static TEXTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let names = files("scenarios").into_iter();
    let names = names.filter(|name| name.contains("/chat") || name.contains("/invalid/with/"));
    names.map(|name| text_of(&name).unwrap()).collect()
});

/// Pieces that mean something to the reader.
const PIECES: [&str; 44] = [
    "{", "}", "[", "]", ",", ": ", "\n", "\n  ", "- ", "\"", "'", "#", "&a ", "*a", "!!str ", "|",
    ">", "%", "$", "$$", "$i", "$sid(", ")", "_", "~", "0", "012", "1e999", ".nan", "5ms..",
    "true", "yes", "<<: ", "---\n", "\t", "\u{feff}", "é", "\u{0}", "all", "c*", "hex: ", "id: x",
    "since: x", "🦀",
];

#[derive(Clone, Debug)]
enum Change {
    Remove(prop::sample::Index, usize),
    Insert(prop::sample::Index, &'static str),
    Copy(prop::sample::Index, prop::sample::Index, usize),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<prop::sample::Index>(), 1..40_usize)
            .prop_map(|(at, length)| Change::Remove(at, length)),
        (any::<prop::sample::Index>(), prop::sample::select(&PIECES[..]))
            .prop_map(|(at, piece)| Change::Insert(at, piece)),
        (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 1..60_usize)
            .prop_map(|(from, to, length)| Change::Copy(from, to, length)),
    ]
}

fn changed(text: &str, changes: &[Change]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for change in changes {
        let length = chars.len();
        match change {
            Change::Remove(at, count) => {
                let at = at.index(length + 1);
                chars.drain(at..(at + count).min(length));
            }
            Change::Insert(at, piece) => {
                let at = at.index(length + 1);
                chars.splice(at..at, piece.chars());
            }
            Change::Copy(from, to, count) => {
                let (from, to) = (from.index(length + 1), to.index(length + 1));
                let copied: Vec<char> = chars[from..(from + count).min(length)].to_vec();
                chars.splice(to..to, copied);
            }
        }
    }
    chars.into_iter().collect()
}

/// Reads a text; what is said of it must be printable.
fn check(text: &str) -> Result<(), TestCaseError> {
    let read = |name: &str| match name {
        "verbs/chat.yaml" => text_of("scenarios/verbs/chat.yaml"),
        "chat/with.yaml" => Ok(text.to_owned()),
        _ => Err("no such file".into()),
    };
    match load("chat/x.yaml", text, &read) {
        Ok(loaded) => {
            prop_assert!(loaded.warnings.iter().all(|one| one.severity == Severity::Warning));
            let plan = loaded.scenario.plan(1, &PlanOptions::default());
            prop_assert_eq!(plan.clients.len(), loaded.scenario.clients().count());
        }
        Err(rejected) => {
            prop_assert!(rejected.diagnostics.iter().any(|one| one.severity == Severity::Error));
            for diagnostic in &rejected.diagnostics {
                let labels = std::iter::once(&diagnostic.primary).chain(&diagnostic.context);
                for span in labels.map(|label| &label.span) {
                    let text = rejected.sources.get(&span.file);
                    let text = text.and_then(|text| text.get(span.start..span.end));
                    prop_assert!(text.is_some(), "{} points at {:?}", diagnostic.code, span);
                }
                let rendered = render(diagnostic, &rejected.sources, false);
                prop_assert!(rendered.contains(diagnostic.code));
            }
        }
    }
    if let Ok(formatted) = format("chat/x.yaml", text) {
        let again = format("chat/x.yaml", &formatted);
        prop_assert!(again.is_ok_and(|again| again == formatted), "not settled");
    }
    Ok(())
}

/// Files that would cost without end, if nothing were counted.
#[test]
fn work_is_bounded() {
    let head = "version: 1\nname: x\nuse: [v.yaml]\nclients: [alice]\nsteps:\n";
    let verb = |verb: usize, params: &str, body: &str| {
        format!("  v{verb}: {{ params: {{ {params} }}, steps: [{body}] }}\n")
    };
    let laughs = (1..12).map(|number| {
        let ten = ["$x"; 10].join(", ");
        verb(number, "x: value", &format!("{{ v{}: {{ x: [{ten}] }} }}", number - 1))
    });
    let first = verb(0, "x: value", "{ emit: { from: alice, event: x, args: $x } }");
    let laughs = format!("version: 1\nverbs:\n{first}{}", laughs.collect::<String>());
    let calls = (1..12)
        .map(|number| verb(number, "", &vec![format!("{{ v{}: }}", number - 1); 10].join(", ")));
    let first = verb(0, "", "{ emit: { from: alice, event: x } }");
    let calls = format!("version: 1\nverbs:\n{first}{}", calls.collect::<String>());
    let nobody: String = (0..20_000).map(|number| format!("nobody{number}, ")).collect();
    let many: String = (0..10_000).map(|number| format!("client{number}, ")).collect();
    let nevers = "  - never: { at: alice, event: x }\n".repeat(5_000);
    let cases = [
        (format!("{head}  - v11: {{ x: 1 }}\n"), &laughs),
        (format!("{head}  - v11:\n"), &calls),
        (format!("{head}  - emit: {{ from: [{nobody}], event: x }}\n"), &calls),
        (
            format!(
                "version: 1\nname: x\nclients: [{many}]\nsteps: [{{ cut: {{ who: nobody }} }}]\n"
            ),
            &calls,
        ),
        (format!("{head}  - advance: {{ by: 1s }}\n{nevers}"), &calls),
        (
            format!(
                "{head}  - repeat: {{ times: 100000, steps: [{{ emit: {{ from: alice, event: x, args: [[{}]] }} }}] }}\n",
                "1, ".repeat(20_000)
            ),
            &calls,
        ),
    ];
    for (text, verbs) in cases {
        let read = |_: &str| Ok(verbs.clone());
        let rejected = load("x.yaml", &text, &read).unwrap_err();
        assert!((1..=5_001).contains(&rejected.diagnostics.len()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400.max(ProptestConfig::default().cases), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_files_never_panic(
        text in prop::sample::select(TEXTS.clone()),
        changes in prop::collection::vec(change(), 1..6),
    ) {
        check(&changed(&text, &changes))?;
    }

    #[test]
    fn changed_verbs_never_panic(changes in prop::collection::vec(change(), 1..4)) {
        let caller = text_of("sim/tests/scenario/files/answers.yaml").unwrap();
        let verbs = changed(&text_of("scenarios/verbs/chat.yaml").unwrap(), &changes);
        let read = |_: &str| Ok(verbs.clone());
        if let Err(rejected) = load("x.yaml", &caller, &read) {
            prop_assert!(!rejected.diagnostics.is_empty());
            for diagnostic in &rejected.diagnostics {
                prop_assert!(!render(diagnostic, &rejected.sources, true).is_empty());
            }
        }
    }

    #[test]
    fn rubbish_never_panics(text in "(\\PC|[\\n\\t{}\\[\\]:,#&*!|>'\"%@`-]){0,80}") {
        check(&text)?;
    }
}
