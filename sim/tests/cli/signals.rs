//! A signal ends a run in good order.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::support::{GOOD, Sandbox, words};

fn signalled(name: &str) -> i32 {
    let sandbox = Sandbox::new(&[("good", GOOD)]);
    let line = "run --seeds 1000000 --network memory --reporter tap --report junit=out.xml";
    let mut child = sandbox
        .command(&words(line))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut read = String::new();
    while !read.contains("ok 1 - ") {
        assert!(stdout.read_line(&mut read).unwrap() > 0, "{read}");
    }
    let reader = std::thread::Builder::new().spawn(move || {
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut stdout, &mut rest).map(|_| rest)
    });
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    let code = child.wait().unwrap().code().unwrap();
    let rest = reader.unwrap().join().unwrap().unwrap();
    assert!(rest.ends_with(&format!("Bail out! by SIG{name}\n")), "{rest}");
    let report = quick_junit::Report::deserialize_from_str(&sandbox.read("out.xml")).unwrap();
    assert_eq!(report.tests, 1);
    code
}

#[test]
fn reports_are_written_before_130_and_143() {
    assert_eq!(signalled("INT"), 130);
    assert_eq!(signalled("TERM"), 143);
}
