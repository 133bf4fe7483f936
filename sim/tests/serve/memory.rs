//! What a crowd needed is given back when it has left.

use crate::support::{Client, Served, command};

/// Clients at a time; each is in rooms of its own and of others, and has its server keep bytes.
const CROWD: usize = 400;
const SIZE: usize = 32 << 10;

#[test]
fn a_crowd_that_has_left_leaves_its_memory() {
    let (mut command, folder) = command("");
    // It goes back at once, and not within seconds.
    command.env("_RJEM_MALLOC_CONF", "dirty_decay_ms:0,muzzy_decay_ms:0");
    command.args(["--listen", "127.0.0.1:0"]);
    let served = Served::start(command, folder);
    let mut bystander = Client::new(&served);
    bystander.notices_nothing();
    let before = served.resident();
    let text = "x".repeat(SIZE);
    for crowd in 0..2 {
        let enter = |number: usize| {
            let mut client = Client::new(&served);
            let shared = number % 7;
            for event in [
                format!(r#"["join",["own {number}","shared {shared}"]]"#),
                format!(r#"["set","kept","{text}"]"#),
            ] {
                assert_eq!(client.ask(&event), r#"["ok"]"#);
            }
            client
        };
        let clients: Vec<Client> = (0..CROWD).map(enter).collect();
        bystander.notices_nothing();
        let needed = served.resident().saturating_sub(before);
        assert!(needed > CROWD * SIZE, "crowd {crowd} needed {needed} bytes");
        drop(clients);
        served.only_one_is_left();
        let kept = served.resident().saturating_sub(before);
        assert!(kept < needed / 4, "{kept} of {needed} bytes are kept after crowd {crowd}");
    }
    bystander.notices_nothing();
}
