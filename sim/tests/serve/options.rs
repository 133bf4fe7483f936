//! How the server is told what to do, who is believed first, and what is refused.

use crate::support::{Client, Served, command};

/// The ping interval that a server announces, in milliseconds.
fn interval(served: &Served) -> u64 {
    let open = served.get("/socket.io/?EIO=4&transport=polling").text();
    let open: serde_json::Value = serde_json::from_str(&open[1..]).unwrap();
    open["pingInterval"].as_u64().unwrap()
}

#[test]
fn flags_then_variables_then_the_object_then_the_file_then_what_is_built_in() {
    let file = "[serve]\nlisten = \"127.0.0.1:0\"\nping-interval = \"1s\"\n";
    let start = |level: usize| {
        let (mut command, folder) = command(if level > 0 { file } else { "" });
        if level < 2 {
            command.env("OVERHEARD_SERVE_LISTEN", "127.0.0.1:0");
        } else {
            command.env("OVERHEARD_SERVER", r#"{"ping-interval":2000}"#);
        }
        if level > 2 {
            command.env("OVERHEARD_SERVE_PING_INTERVAL", "3s");
        }
        if level > 3 {
            command.args(["--ping-interval", "4s"]);
        }
        interval(&Served::start(command, folder))
    };
    let found: Vec<u64> = (0..5).map(start).collect();
    assert_eq!(found, [25_000, 1_000, 2_000, 3_000, 4_000]);
}

#[test]
fn whoever_starts_it_under_test_says_all_at_once() {
    let (mut command, folder) = command("");
    let told = r#"{"ping-interval":700,"ping-timeout":900,"transports":["websocket"],"recovery":5000,
        "namespaces":{"/staff":{"token":"s3cret","seats":1}},"dynamic":["^/room-\\d+$"]}"#;
    command.env("OVERHEARD_SERVER", told).env("PORT", "0");
    let served = Served::start(command, folder);
    assert_eq!(served.get("/socket.io/?EIO=4&transport=polling").status, 400);
    let mut client = Client::new(&served);
    for (packet, answer) in [
        (r#"40/staff,{"token":"guess"}"#, r#"44/staff,{"message":"not authorized","#),
        (r#"40/staff,{"token":"s3cret"}"#, r#"40/staff,{"sid":"#),
        ("40/room-7,", r#"40/room-7,{"sid":"#),
        // Nothing else exists.
        ("40/supervisors,", r#"44/supervisors,{"message":"Invalid namespace"}"#),
    ] {
        client.send(packet);
        let got = client.next();
        assert!(got.starts_with(answer), "{packet}: {got}");
    }
    let about: serde_json::Value = serde_json::from_str(&client.ask(r#"["about"]"#)).unwrap();
    let options = &about[1]["options"];
    assert_eq!(options["ping-interval"], 700);
    // That there is a token, and not which.
    let staff = serde_json::json!({ "token": true, "seats": 1 });
    assert_eq!(options["namespaces"]["/staff"], staff);
}

#[test]
fn supervisors_have_a_token_that_was_never_there_before_unless_one_is_given() {
    let mut served = Served::new(&[]);
    let line = served.log().until("supervisors enter with the token ");
    let token = line.trim_end().rsplit(' ').next().unwrap();
    let given = Served::new(&["--supervisors-token", "s3cret", "--supervisors-seats", "1"]);
    for (served, token) in [(&served, token), (&given, "s3cret")] {
        let mut client = Client::open(served);
        client.send("40/supervisors,{\"token\":\"guess\"}");
        assert!(client.next().starts_with("44/supervisors,"));
        client.send(format!("40/supervisors,{{\"token\":\"{token}\"}}"));
        assert!(client.next().starts_with("40/supervisors,"));
    }
    let mut second = Client::open(&given);
    let mut first = Client::open(&given);
    given.until("one has left", |given| given.metric("sockets") == 0);
    for (client, answer) in [(&mut first, "40"), (&mut second, "44")] {
        client.send("40/supervisors,{\"token\":\"s3cret\"}");
        assert!(client.next().starts_with(answer));
    }
}

#[test]
fn the_path_and_the_file_of_namespaces_are_as_they_are_told() {
    let file =
        "[serve]\npath = \"/io\"\n[serve.namespaces.\"/staff\"]\nseats = 2\nauth-delay = \"1ms\"\n";
    let (mut command, folder) = command(file);
    command.args(["--listen", "127.0.0.1:0"]);
    let served = Served::start(command, folder);
    assert_eq!(served.get("/socket.io/?EIO=4&transport=polling").status, 404);
    assert_eq!(served.get("/io/?EIO=4&transport=polling").status, 200);
}

#[test]
fn variables_hold_several_namespaces_and_patterns_one_a_line() {
    let (mut command, folder) = command("");
    command.args(["--listen", "127.0.0.1:0"]);
    command.env("OVERHEARD_SERVE_NAMESPACE", "/staff,token=s3cret,seats=1\n/news");
    // Commas belong to a pattern.
    command.env("OVERHEARD_SERVE_DYNAMIC", "^/room-\\d{1,2}$\n^/desk-[a,b]$");
    let served = Served::start(command, folder);
    let mut client = Client::new(&served);
    for (packet, answer) in [
        ("40/staff,", r#"44/staff,{"message":"not authorized","#),
        (r#"40/staff,{"token":"s3cret"}"#, r#"40/staff,{"sid":"#),
        ("40/news,", r#"40/news,{"sid":"#),
        ("40/room-12,", r#"40/room-12,{"sid":"#),
        ("40/desk-b,", r#"40/desk-b,{"sid":"#),
        ("40/room-123,", r#"44/room-123,{"message":"Invalid namespace"}"#),
    ] {
        client.send(packet);
        let got = client.next();
        assert!(got.starts_with(answer), "{packet}: {got}");
    }
}

#[test]
fn what_cannot_be_is_refused_with_a_reason() {
    let refused = |file: &str, variables: &[(&str, &str)], flags: &[&str]| {
        let (mut command, _folder) = command(file);
        let done = command.envs(variables.iter().copied()).args(flags).output().unwrap();
        assert_eq!(String::from_utf8(done.stdout).unwrap(), "");
        (done.status.code().unwrap(), String::from_utf8(done.stderr).unwrap())
    };
    for (flags, reason) in [
        (&["--ping-interval", "25"][..], "a duration needs a unit"),
        (&["--ping-timeout", "0s"], "is no time at all"),
        (&["--max-connections", "0"], "zero"),
        (&["--transports", "udp"], "invalid value 'udp'"),
        (&["--dynamic", "("], "unclosed group"),
        (&["--namespace", "staff"], "does not begin with `/`"),
        (&["--path", "io"], "expected a path"),
        (&["--cors-origin", "example.com"], "is no origin"),
        (&["--cors-origin", "*", "--cors-credentials", "true"], "goes with nothing else"),
        (&["--max-header-size", "100"], "the smallest is 8192"),
        (&["--listen", "here"], "invalid socket address"),
        (&["--listen", "192.0.2.1:80"], "cannot listen on 192.0.2.1:80"),
    ] {
        let (code, stderr) = refused("", &[], flags);
        assert_eq!(code, 2, "{flags:?}");
        assert!(stderr.contains(reason), "{flags:?}: {stderr}");
    }
    let (code, stderr) = refused("[serve]\nping-intervall = \"1s\"\n", &[], &[]);
    assert!(code == 2 && stderr.contains("unknown field `ping-intervall`"), "{stderr}");
    let lines = [("OVERHEARD_SERVE_DYNAMIC", "^/a$\n")];
    let (code, stderr) = refused("", &lines, &[]);
    assert!(code == 2 && stderr.contains("would match every name"), "{stderr}");
    let (code, stderr) = refused("", &[("PORT", "http")], &[]);
    assert!(code == 2 && stderr.contains("the variable PORT"), "{stderr}");
    let (code, stderr) = refused("", &[("OVERHEARD_SERVER", r#"{"ping-interval":"1s"}"#)], &[]);
    assert!(code == 2 && stderr.contains("ping-interval"), "{stderr}");
    // As any app of the chat contract says it.
    let (code, stderr) = refused("", &[("OVERHEARD_SERVER", r#"{"shiny":true}"#)], &[]);
    assert!(code == 78 && stderr.starts_with("cannot: shiny\n"), "{stderr}");
}
