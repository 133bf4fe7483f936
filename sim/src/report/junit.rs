//! JUnit XML: a suite per file, a case per scenario and seed that did not pass, and one per
//! scenario that did.

use std::collections::BTreeMap;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::check::NOT_REACHED;

use super::{End, Run, Scenario, Status, many, seed, time};

/// The whole report.
#[must_use]
pub fn report(end: &End) -> String {
    let mut report = Report::new("overheard");
    let mut suites: BTreeMap<&str, TestSuite> = BTreeMap::new();
    for invalid in &end.invalid {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        let error = invalid.errors().next();
        status.set_type(error.map_or("invalid", |error| error.code));
        status.set_message(error.map_or("", |error| error.title.as_str()));
        status.set_description(invalid.text.plain.as_str());
        let mut case = TestCase::new("the file can be read", status);
        case.set_classname(invalid.file.as_str());
        suite(&mut suites, &invalid.file).add_test_case(case);
    }
    for scenario in &end.scenarios {
        suite(&mut suites, &scenario.file).add_test_cases(cases(scenario));
    }
    report.add_test_suites(suites.into_values());
    // Text without a way to fail: the crate strips what XML cannot hold.
    report.to_string().unwrap_or_default()
}

fn suite<'a, 's>(suites: &'s mut BTreeMap<&'a str, TestSuite>, file: &'a str) -> &'s mut TestSuite {
    suites.entry(file).or_insert_with(|| TestSuite::new(file))
}

fn cases(scenario: &Scenario) -> Vec<TestCase> {
    let mut cases: Vec<TestCase> = scenario.bad().map(|run| bad_case(scenario, run)).collect();
    if cases.is_empty() {
        let status = match scenario.unreached_sentence() {
            _ if scenario.status == Status::Skip => {
                let mut status = TestCaseStatus::skipped();
                status.set_message(scenario.skipped().unwrap_or_default());
                status
            }
            Some(sentence) if scenario.status == Status::Unknown => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
                status.set_type(NOT_REACHED).set_message(sentence);
                status.set_description(scenario.told.plain.as_str());
                status
            }
            Some(_) | None => TestCaseStatus::success(),
        };
        let mut case = TestCase::new(scenario.name.as_str(), status);
        case.set_classname(scenario.file.as_str());
        case.add_property(("seeds", many(scenario.played, "seed").as_str()));
        cases.push(case);
    }
    cases
}

fn bad_case(scenario: &Scenario, run: &Run) -> TestCase {
    let kind = match run.status {
        Status::Fail | Status::Pass | Status::Skip => NonSuccessKind::Failure,
        Status::Unknown | Status::Nondeterministic | Status::Broken => NonSuccessKind::Error,
    };
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(run.code().unwrap_or_else(|| run.status.participle()));
    status.set_message(run.title().unwrap_or_default());
    status.set_description(run.story.plain.as_str());
    let name = format!("{} (seed {})", scenario.name, seed(run.seed));
    let mut case = TestCase::new(name, status);
    case.set_classname(scenario.file.as_str());
    case.add_property(("seed", seed(run.seed).as_str()));
    case.add_property(("virtual-time", time(run.t).as_str()));
    case.add_property(("replay", run.replay.as_str()));
    if let Some(trace) = &run.trace {
        case.add_property(("trace", trace.as_str()));
    }
    case
}

#[cfg(test)]
mod tests {
    use quick_junit::Report;

    use crate::report::sample;

    #[test]
    fn it_can_be_read_back() {
        let text = super::report(&sample::end());
        let report = Report::deserialize_from_str(&text).unwrap();
        assert_eq!((report.tests, report.failures, report.errors), (6, 1, 3));
        assert!(text.contains("a &lt;room&gt; | `message` (seed 0x1)"), "{text}");
        assert!(!text.contains('\u{1b}'));
    }
}
