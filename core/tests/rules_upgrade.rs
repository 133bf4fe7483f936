//! The rules of upgrades that do not go as planned.

#[path = "support/rig.rs"]
mod rig;
mod support;

use overheard_core::engine::{EngineConfig, EngineQuirks};
use rig::Rig;

/// EIO-UP-05: an upgrade that is not finished in time is given up, and polling goes on.
#[test]
fn an_unfinished_upgrade_is_abandoned_and_polling_survives() {
    for probed in [false, true] {
        let mut rig = Rig::default();
        let peer = rig.polling();
        let ws = rig.ws(&peer.upgrade);
        if probed {
            rig.tx(ws, ["2probe"]);
        }
        rig.advance(9_999);
        assert!(!rig.wire.is_closed(ws), "EIO-UP-05: {probed}");
        rig.advance(1);
        assert!(rig.wire.is_closed(ws), "EIO-UP-05: {probed}");
        rig.log();
        // What the candidate still says reaches nobody.
        rig.tx(ws, ["5", "4late"]);
        assert_eq!(rig.post(&peer.query, "4still here"), (200, "ok".into()));
        assert_eq!(rig.log(), ["msg:still here"], "EIO-UP-05: {probed}");
        // And the session may try again.
        let again = rig.ws(&peer.upgrade);
        rig.tx(again, ["2probe"]);
        assert!(rig.rx(again).contains(&"3probe".to_owned()), "EIO-UP-05: {probed}");
        let get = rig.get(&peer.query);
        rig.advance(100);
        assert_eq!(rig.answer(get), Some((200, "6".into())));
        rig.tx(again, ["5"]);
        assert_eq!(rig.log(), ["upgrading", "upgraded"], "EIO-UP-05: {probed}");
    }
}

/// EIO-UP-08: the reference takes an upgrade without a probe; the default refuses the candidate
/// and leaves the session alone.
#[test]
fn an_upgrade_without_a_probe_is_refused_unless_the_quirk_is_wanted() {
    let mut rig = Rig::default();
    let peer = rig.polling();
    let ws = rig.ws(&peer.upgrade);
    rig.tx(ws, ["5"]);
    assert!(rig.wire.is_closed(ws), "EIO-UP-08, mended");
    assert_eq!(rig.post(&peer.query, "4a"), (200, "ok".into()));
    assert_eq!(rig.log(), ["msg:a"], "EIO-UP-08, mended");

    let quirks = EngineQuirks::reference();
    let mut rig = Rig::new(EngineConfig { quirks, ..EngineConfig::default() });
    let peer = rig.polling();
    let ws = rig.ws(&peer.upgrade);
    rig.tx(ws, ["5", "4a"]);
    assert!(!rig.wire.is_closed(ws), "EIO-UP-08");
    assert_eq!(rig.log(), ["upgraded", "msg:a"], "EIO-UP-08");
}
