//! Stories in which nothing breaks.

use overheard::history::What;
use overheard::run::NetworkKind;

use crate::support::{Story, object, text};

fn first_story() -> Story {
    Story::new(&["alice", "bob", "carol"])
        .emit(0, "join", &[text("tea")])
        .emit(1, "join", &[text("tea")])
        .emit(0, "chat", &[text("hi"), object(&[("to", "tea")])])
        .expect(&[1], "chat")
        .never(&[0, 2], "chat")
}

#[test]
fn a_message_reaches_the_room_and_nobody_else() {
    let told = first_story().run(NetworkKind::Memory);
    if std::env::args().any(|arg| arg == "--nocapture") {
        println!("{}", told.lines());
    }
    told.is_complete();
    assert_eq!(told.received("bob").len(), 1);
    assert!(told.received("bob")[0].starts_with("chat [\"hi\",{\"from\":"));
    assert!(told.received("alice").is_empty() && told.received("carol").is_empty());
    assert_eq!(told.count("server", |what| matches!(what, What::Accepted { .. })), 3);
    assert_eq!(
        told.count("server", |what| matches!(what, What::Entered { client: Some(_), .. })),
        3
    );
}

#[test]
fn the_same_plan_gives_the_same_history() {
    let story = first_story();
    assert_eq!(story.run(NetworkKind::Memory).lines(), story.run(NetworkKind::Memory).lines());
}
