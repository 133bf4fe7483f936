//! Histories without the ids that a server draws by chance.

use super::{History, What, read, write};

/// The same history with the ids of sockets replaced by their turn: what is left is alike in two
/// runs of a server that differ in nothing but its ids. The history itself if its text cannot be
/// read once more.
#[must_use]
pub fn without_ids(history: &History) -> History {
    let mut text = write(history);
    let mut turn = 0;
    for event in &history.events {
        if let What::Connected { sid, .. } = &event.what
            && text.contains(sid.as_str())
        {
            turn += 1;
            text = text.replace(sid.as_str(), &format!("socket-{turn}"));
        }
    }
    read(&text).unwrap_or_else(|_| history.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Event, Header, VERSION};

    fn history(sid: &str) -> History {
        let header = Header {
            overheard_history: VERSION,
            scenario: "a".into(),
            file: "a.yaml".into(),
            seed: "0x1".into(),
            network: "turmoil".into(),
            clients: vec!["alice".into()],
        };
        let (nsp, reason) = ("/".into(), sid.into());
        let connected = What::Connected { nsp, sid: sid.into(), recovered: false };
        let gone = What::Disconnected { nsp: "/".into(), reason };
        let event =
            |n, what| Event { n, t: n, who: "alice".into(), what, parent: None, step: None };
        History { header, events: vec![event(0, connected), event(1, gone)] }
    }

    #[test]
    fn ids_are_not_compared_and_everything_else_is() {
        let (one, other) = (history("kFTR_nYchmvA437d"), history("QI2Kvi3CqXKD_pHp"));
        assert_ne!(one, other);
        assert_eq!(without_ids(&one), without_ids(&other));
        let mut late = other;
        late.events[1].t += 1;
        assert_ne!(without_ids(&one), without_ids(&late));
    }
}
