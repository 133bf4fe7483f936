//! The rules of delivery hold in random stories, and a planted bug does not survive them.

use overheard::generate::{Options, Story, stories};
use overheard::plan::Sabotage;
use overheard::testing::Check;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

/// A runner that draws the same stories each time; new ones are for the night.
fn runner(cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

/// The file that replays a story, behind what is wrong with it.
fn judged(check: Check, story: &Story) -> Result<(), TestCaseError> {
    let file = story.to_yaml();
    check.text(&file).map_err(|failure| TestCaseError::fail(format!("{failure}\n{file}")))
}

#[test]
fn the_rules_hold_in_any_story() {
    for faults in [false, true] {
        let options = Options { faults, ..Options::default() };
        let held = runner(150).run(&stories(options), |story| judged(Check::default(), &story));
        if let Err(error) = held {
            panic!("{error}");
        }
    }
}

#[test]
fn a_planted_bug_is_found_and_shrunk_to_a_short_file() {
    let check = Check { sabotage: Some(Sabotage::ExceptIgnored), ..Check::default() };
    let found = runner(300).run(&stories(Options::default()), |story| judged(check, &story));
    let Err(TestError::Fail(_, story)) = found else { panic!("except-ignored was not found") };
    let file = story.to_yaml();
    let steps = file.lines().filter(|line| line.starts_with("  - ")).count();
    assert!(steps <= 4, "{steps} steps are left:\n{file}");
    // The file alone shows it again, and only with the bug.
    let failure = check.text(&file).unwrap_err();
    assert!(failure.story.contains("OH03"), "{failure}");
    Check::default().text(&file).unwrap();
}
