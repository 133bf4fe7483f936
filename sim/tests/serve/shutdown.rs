//! Signals: the first ends the server in good order, the second at once.

use crate::support::{Client, Reply, Served};
use std::io::Write as _;

#[test]
fn the_first_signal_closes_everything_in_good_order() {
    for name in ["TERM", "INT"] {
        let mut served = Served::talkative(&[]);
        let mut log = served.log();
        let mut client = Client::new(&served);
        // A poll that waits, and a connection that nothing was asked on for a while.
        let session = served.poll();
        let mut waiting = served.tcp();
        waiting.write_all(format!("GET {session} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).unwrap();
        let mut idle = served.tcp();
        idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        served.until("both", |served| served.metric("requests") == 1);
        served.signal(name);
        log.until("stopping");
        assert_eq!(client.next_message(), Err(None));
        assert!(log.until("a socket is disconnected").contains("server shutting down"));
        assert_eq!(Reply::read(waiting).text(), "1");
        assert_eq!(Reply::read(idle).text(), "ok");
        drop(client);
        assert_eq!(served.child.wait().unwrap().code(), Some(0), "{name}");
    }
}

#[test]
fn its_health_says_that_it_is_stopping() {
    let mut served = Served::talkative(&["--shutdown-grace", "1h"]);
    let mut log = served.log();
    // A connection on which nothing was asked yet gets its answer.
    let mut asking = served.tcp();
    asking.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n").unwrap();
    served.until("both", |served| served.metric("tcp_connections") == 2);
    served.signal("TERM");
    log.until("stopping");
    asking.write_all(b"\r\n").unwrap();
    let reply = Reply::read(asking);
    assert_eq!((reply.status, reply.text().as_str()), (503, "stopping\n"));
    assert_eq!(reply.header("connection"), ["close"]);
    assert_eq!(served.child.wait().unwrap().code(), Some(0));
}

#[test]
fn who_does_not_go_is_waited_for_no_longer_than_the_grace() {
    let mut served = Served::talkative(&["--shutdown-grace", "100ms"]);
    let mut log = served.log();
    // Never answers the close.
    let _stubborn = Client::new(&served);
    served.signal("TERM");
    log.until("connections are cut");
    assert_eq!(served.child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_second_signal_ends_it_at_once() {
    let mut served = Served::talkative(&["--shutdown-grace", "1h"]);
    let mut log = served.log();
    let _stubborn = Client::new(&served);
    served.signal("INT");
    log.until("stopping");
    served.signal("TERM");
    assert_eq!(served.child.wait().unwrap().code(), Some(143));
}
