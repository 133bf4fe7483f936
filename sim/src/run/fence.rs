//! What has to be asked where only clients are watched.
//!
//! "Never" needs a sound end.
//!
//! One connection keeps its order, both ways. When every socket has had an answer to something that
//! it asked after everybody's last word was answered, what those words led to has arrived, or never
//! will; waiting alone would prove nothing.

use std::sync::Arc;

use smol_str::SmolStr;

use super::world::World;
use crate::history::Args;
use crate::peer::{How, Wish};
use crate::plan::ClientId;

/// How long a fence may take: what is not answered by then says nothing.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

/// The word that the chat contract gives back.
const ECHO: SmolStr = SmolStr::new_static("echo");

/// The question for one's own rooms.
const ROOMS: SmolStr = SmolStr::new_static("rooms");

const ASKED: How = How { ack: true, timeout: Some(PATIENCE), volatile: false };

impl World {
    /// Asks for an echo on every socket, twice: when the first ones are back, the server has taken
    /// in everything that was said before, and the second ones come behind what it led to.
    pub(super) async fn fence(&self) {
        for _ in 0..2 {
            let mut ops = Vec::new();
            let args = Arc::new(vec!["fence".into()]);
            for (number, peer) in (0..).zip(&self.peers) {
                if self.board.is_troubled(number) {
                    continue;
                }
                for nsp in peer.connected() {
                    let op = self.recorder.new_op(None, None);
                    peer.wish(Wish::Emit { op, nsp, event: ECHO, args: args.clone(), how: ASKED });
                    ops.push(op);
                }
            }
            self.ops_done(&ops, self.patience()).await;
        }
    }

    /// Lets clients ask which rooms they are in.
    pub(super) async fn ask_rooms(&self, who: &[ClientId], namespace: &str, step: u32) {
        let mut ops = Vec::new();
        for peer in who.iter().filter_map(|client| self.peer(*client)) {
            for nsp in peer.connected().into_iter().filter(|nsp| nsp == namespace) {
                let op = self.recorder.new_op(Some(step), None);
                let (event, args) = (ROOMS, Args::default());
                peer.wish(Wish::Emit { op, nsp, event, args, how: ASKED });
                ops.push(op);
            }
        }
        self.ops_done(&ops, self.patience()).await;
    }

    fn patience(&self) -> u64 {
        self.now().saturating_add(crate::net::clock::nanos(PATIENCE))
    }
}
