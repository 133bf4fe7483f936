//! Replays the corpora of all fuzz targets through the same functions that the fuzzer runs.

#![expect(clippy::wildcard_enum_match_arm, reason = "the bodies look at few of many kinds")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

#[path = "../fuzz/bodies/mod.rs"]
mod bodies;

/// P19: see the bodies for the rules.
#[test]
fn every_file_of_the_corpora_passes_its_target() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let names = |folder: &Path| -> BTreeSet<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let corpora = names(&root.join("corpus"));
    let targets: BTreeSet<String> =
        bodies::TARGETS.iter().map(|(name, _)| (*name).into()).collect();
    assert_eq!(corpora, targets, "each target has a corpus, each corpus a target");
    for (target, run) in bodies::TARGETS {
        assert!(root.join(format!("fuzz_targets/{target}.rs")).exists(), "{target} is not built");
        let corpus = root.join("corpus").join(target);
        let files = names(&corpus);
        assert!(files.len() >= 10, "the corpus of {target} is gone");
        for file in files {
            let data = fs::read(corpus.join(&file)).unwrap();
            println!("{target}/{file}");
            run(&data);
            // A cut file stands for a connection that ends at a bad moment.
            for len in 0..data.len() {
                run(&data[..len]);
            }
        }
    }
}
