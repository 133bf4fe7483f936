//! The examples of SCENARIOS.md.

use overheard::scenario::load;

use crate::support::{messages, text_of};

#[test]
fn the_examples_are_valid() {
    let text = text_of("SCENARIOS.md").unwrap();
    let blocks: Vec<&str> =
        text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 2);
    let read = |name: &str| match name {
        "scenarios/verbs/chat.yaml" => text_of(name),
        _ => Err("no such file".into()),
    };
    for block in blocks {
        if block.contains("\nverbs:") {
            let caller = "version: 1\nname: x\nuse: [verbs.yaml]\nclients: [alice]\nsteps:\n  - join: { who: alice, room: tea }\n";
            let read = |_: &str| Ok(block.to_owned());
            let loaded = load("x.yaml", caller, &read);
            assert!(loaded.is_ok(), "{}", messages(&loaded.unwrap_err()));
            continue;
        }
        let loaded = load("scenarios/example.yaml", block, &read);
        assert!(loaded.is_ok(), "{}", messages(&loaded.unwrap_err()));
    }
}
