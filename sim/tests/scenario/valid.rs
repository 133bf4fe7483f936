//! Files that are right.

use overheard::diagnostic::render;

use crate::support::{messages, read, valid_files};

#[test]
fn every_scenario_is_read_without_a_warning() {
    for path in valid_files() {
        match read(&path) {
            Ok(loaded) => {
                let warnings: Vec<_> =
                    loaded.warnings.iter().map(|one| render(one, &loaded.sources, false)).collect();
                assert!(warnings.is_empty(), "{path}:\n{}", warnings.join("\n"));
            }
            Err(rejected) => panic!("{path}:\n{}", messages(&rejected)),
        }
    }
}
