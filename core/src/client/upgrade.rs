//! The move of a session from polling to WebSocket (`EIO-UP-01`).

use smol_str::SmolStr;

use super::config::Transport;
use super::engine::{Engine, Link, State, Ws};
use super::polling::Phase;
use super::shell::{Failure, News, Shell};
use crate::codec::engine::{BinaryForm, Packet};
use crate::wire::{Frame, WsEnd, WsId};

/// How far an upgrade is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The WebSocket is being opened.
    Connecting,
    /// `2probe` was sent.
    Probing,
    /// `3probe` came; the requests of polling are waited for.
    Pausing,
}

/// The candidate for the session's transport.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) ws: Ws,
    pub(super) stage: Stage,
}

impl Engine {
    /// Opens the candidate, if the server offers one and the options allow it.
    pub(super) fn start_probe(&mut self, shell: &mut Shell) {
        let wanted = self.offered
            && shell.config.upgrade
            && shell.config.transports.contains(&Transport::WebSocket)
            && self.state == State::Open
            && matches!(self.link, Link::Polling(_));
        if wanted {
            shell.websocket_worked = false;
            let ws = Ws::new(shell.open_ws(self.sid.as_deref()));
            self.probe = Some(Probe { ws, stage: Stage::Connecting });
        }
    }

    /// Whether packets are held back, because polling pauses.
    pub(super) fn is_upgrading(&self) -> bool {
        self.probe.as_ref().is_some_and(|probe| probe.stage == Stage::Pausing)
    }

    /// Tells whether it is the candidate that has opened.
    pub(super) fn on_probe_opened(&mut self, shell: &mut Shell, ws: WsId) -> bool {
        let Some(probe) = self.probe.as_mut().filter(|probe| probe.ws.id == ws) else {
            return false;
        };
        if probe.stage == Stage::Connecting {
            probe.ws.opened = true;
            probe.stage = Stage::Probing;
            probe.ws.write(shell, [Packet::ping_probe().encode(BinaryForm::Raw)].into());
        }
        true
    }

    /// Tells whether the message was one of the candidate.
    pub(super) fn on_probe_frame(&mut self, shell: &mut Shell, ws: WsId, frame: &Frame) -> bool {
        let Some(probe) = self.probe.as_mut().filter(|probe| probe.ws.id == ws) else {
            return false;
        };
        match probe.stage {
            Stage::Probing if Packet::decode(frame) == Ok(Packet::pong_probe()) => {
                probe.stage = Stage::Pausing;
                shell.websocket_worked = true;
                if let Link::Polling(polling) = &mut self.link {
                    polling.phase = Phase::Pausing;
                }
                self.switch_when_paused(shell);
            }
            Stage::Probing => {
                shell.close_ws(ws);
                self.probe_failed(shell, Failure::new("probe error"));
            }
            // Nothing is owed to a server that speaks before it is spoken to.
            Stage::Connecting | Stage::Pausing => {}
        }
        true
    }

    /// Tells whether it is the candidate that has ended.
    pub(super) fn on_probe_closed(&mut self, shell: &mut Shell, ws: WsId, end: &WsEnd) -> bool {
        let Some(probe) = self.probe.as_ref().filter(|probe| probe.ws.id == ws) else {
            return false;
        };
        let details = match end {
            WsEnd::Closed if probe.ws.opened => SmolStr::new_static("transport closed"),
            WsEnd::Closed => SmolStr::new_static("websocket error"),
            WsEnd::ProtocolError(text) => SmolStr::from(&**text),
            WsEnd::TooLarge => SmolStr::new_static("message too large"),
        };
        self.probe_failed(shell, Failure::with("probe error", details));
        true
    }

    /// Polling goes on as if nothing had been. (In the reference it stays paused when the
    /// candidate is lost after its `3probe`, and the session dies of its heartbeat.)
    fn probe_failed(&mut self, shell: &mut Shell, failure: Failure) {
        self.probe = None;
        shell.websocket_worked = false;
        shell.tell(self.number, News::UpgradeFailed(failure));
        if let Link::Polling(polling) = &mut self.link
            && polling.phase == Phase::Pausing
        {
            polling.phase = Phase::Open;
            polling.poll(shell, self.sid.as_deref());
            self.flush(shell);
            self.close_when_done(shell);
        }
    }

    /// Makes the candidate the transport, when polling has come to rest: all that the server sent
    /// by polling was handled, all that was posted has arrived.
    pub(super) fn switch_when_paused(&mut self, shell: &mut Shell) {
        let paused = matches!(&self.link, Link::Polling(polling) if polling.is_paused());
        if !paused {
            return;
        }
        let Some(probe) = self.probe.take() else { return };
        let mut ws = probe.ws;
        ws.write(shell, [Packet::upgrade().encode(BinaryForm::Raw)].into());
        self.link = Link::Ws(ws);
        shell.tell(self.number, News::Upgraded);
        self.flush(shell);
        self.close_when_done(shell);
    }
}
