//! Variables of files get their values from outside, and secrets are written nowhere.

use crate::support::{Sandbox, words};

const FILE: &str = "\
version: 1
name: whoever has the token hears, and says it again
vars: { token: sesame, greeting: hi, times: 1 }
server:
  namespaces: { /ops: { token: $var(token) } }
clients:
  alice: { namespace: /ops, auth: { token: $var(token) } }
  bob: { namespace: /ops, auth: { token: $var(token) } }
steps:
  - emit: { from: alice, event: broadcast, args: [{ event: word, args: [$var(greeting)] }], ack: [ok], times: $var(times) }
  - emit: { from: alice, event: echo, args: [$var(token)], ack: [ok, $var(token)] }
  - expect: { at: bob, event: word, args: [hello], exactly: 2 }
";

fn sandbox() -> Sandbox {
    Sandbox::new(&[("a", FILE)])
}

#[test]
fn the_command_line_comes_before_a_variable_and_that_before_a_file_of_values() {
    let sandbox = sandbox();
    assert_eq!(sandbox.run(&words("run --trace off")).code, 1, "the file says hi, and once");
    assert_eq!(sandbox.run(&words("run --var greeting=hello --var times=2")).code, 0);
    sandbox.write("values.yaml", "greeting: no\ntimes: 2\n");
    assert_eq!(sandbox.run(&words("run --vars-file values.yaml")).code, 1);
    let with = |line, name: &str, value: &str| sandbox.run_with(&words(line), &[(name, value)]);
    let greeting = "OVERHEARD_VAR_greeting";
    assert_eq!(with("run --vars-file values.yaml", greeting, "hello").code, 0);
    assert_eq!(with("run --vars-file values.yaml --var greeting=hello", greeting, "x").code, 0);
    assert_eq!(with("run --var greeting=x --var times=2", greeting, "hello").code, 1);
    // The other process is given the same.
    assert_eq!(sandbox.run(&words("run --var greeting=hello --var times=2 --isolate")).code, 0);
}

#[test]
fn a_failure_is_played_again_with_its_values() {
    let done = sandbox().run(&words("run --var times=2 --var greeting=hullo"));
    assert_eq!(done.code, 1);
    let replay = "replay scenarios/a.yaml --seed 0x1 --var times=2 --var greeting=hullo";
    assert!(done.stderr.contains(replay), "{}", done.stderr);
}

#[test]
fn a_value_that_no_file_wants_is_a_mistake() {
    let done = sandbox().run(&words("run --var greting=hello"));
    assert_eq!(done.code, 2);
    assert!(
        done.stderr.contains("no selected scenario has a variable `greting`"),
        "{}",
        done.stderr
    );
    let done = sandbox().run(&words("run --var greting"));
    assert_eq!(done.code, 2, "{}", done.stderr);
    let done = sandbox().run(&words("run --vars-file nowhere.yaml"));
    assert!(done.code == 2 && done.stderr.contains("nowhere.yaml"), "{}", done.stderr);
    let done = sandbox().run(&words("run --secret token=e"));
    assert!(done.code == 2 && done.stderr.contains("fewer than 4 characters"), "{}", done.stderr);
}

#[test]
fn a_secret_is_in_no_output() {
    let secret = "correct-horse-battery-staple-and-some-more-words-to-be-long-enough";
    let line = "run --var greeting=hello --trace on --report json=r.json \
                --report junit=r.xml --report md=r.md";
    for isolate in ["off", "on"] {
        let sandbox = sandbox();
        let line = format!("{line} --isolate={isolate}");
        let done = sandbox.run_with(&words(&line), &[("OVERHEARD_SECRET_token", secret)]);
        assert_eq!(done.code, 1, "it was said once only: {}", done.stderr);
        let mut told = vec![done.stdout, done.stderr];
        let traces = std::fs::read_dir(sandbox.path(".overheard/traces")).unwrap();
        let mut files: Vec<_> = traces.map(|file| file.unwrap().path()).collect();
        assert!(!files.is_empty(), "a trace was kept");
        files.extend(["r.json", "r.xml", "r.md"].map(|name| sandbox.path(name)));
        told.extend(files.iter().map(|file| std::fs::read_to_string(file).unwrap()));
        assert!(told.iter().any(|text| text.contains("***")), "it would be in some");
        for text in told {
            assert!(!text.contains("correct"), "{text}");
        }
        let line = format!("run --isolate={isolate} --secret token={secret}");
        let done = sandbox.run(&words(&line));
        assert!(
            done.stderr.contains("--secret token=\"$OVERHEARD_SECRET_token\""),
            "{}",
            done.stderr
        );
        assert!(!done.stderr.contains("correct"), "{}", done.stderr);
    }
}
