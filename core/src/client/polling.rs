//! The polling transport: one GET that waits, one POST that carries (`EIO-POLL-01`,
//! `EIO-POLL-02`).

use smol_str::SmolStr;

use super::shell::Shell;
use crate::codec::engine::{Packet, payload};
use crate::wire::{Frame, RequestId};

/// How far a polling transport is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The handshake is awaited.
    Opening,
    Open,
    /// No request begins any more, because the session moves to WebSocket (`EIO-UP-01`).
    Pausing,
    /// The server has closed it.
    Closed,
}

#[derive(Debug)]
pub(super) struct Polling {
    pub(super) phase: Phase,
    pub(super) get: Option<RequestId>,
    pub(super) post: Option<RequestId>,
}

impl Polling {
    pub(super) fn open(shell: &mut Shell) -> Self {
        Self { phase: Phase::Opening, get: Some(shell.get(None)), post: None }
    }

    pub(super) const fn owns(&self, request: RequestId) -> bool {
        is(self.get, request) || is(self.post, request)
    }

    /// Whether a POST may begin. It says nothing about a GET, unlike the server's idea of it.
    pub(super) fn writable(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::Pausing) && self.post.is_none()
    }

    /// Whether both requests have come back (`EIO-UP-01`).
    pub(super) const fn is_paused(&self) -> bool {
        matches!(self.phase, Phase::Pausing) && self.get.is_none() && self.post.is_none()
    }

    /// Asks for packets, when nothing is asked for yet.
    pub(super) fn poll(&mut self, shell: &mut Shell, sid: Option<&str>) {
        if self.phase == Phase::Open && self.get.is_none() {
            self.get = Some(shell.get(sid));
        }
    }

    /// Writes frames with one POST.
    pub(super) fn write(&mut self, shell: &mut Shell, sid: Option<&str>, frames: &[Frame]) {
        self.post = Some(shell.post(sid, payload::encode_frames(frames)));
    }

    /// Closes the transport as far as that is its own affair; what is left to do needs answers.
    pub(super) fn close(&mut self, shell: &mut Shell, sid: Option<SmolStr>) -> Option<Farewell> {
        let phase = core::mem::replace(&mut self.phase, Phase::Closed);
        let mut farewell =
            Farewell { sid, get: self.get.take(), post: self.post.take(), sent: false };
        match phase {
            Phase::Opening => {
                farewell.cut(shell);
                None
            }
            Phase::Open | Phase::Pausing => {
                farewell.say(shell);
                Some(farewell)
            }
            Phase::Closed => None,
        }
    }
}

/// The end of a polling session: the packet `1` in a POST, behind the one that may be on its way
/// (the reference starts a second one beside it, which makes the server close the session as
/// broken, `EIO-POLL-02`). Then the GET is of no use.
#[derive(Debug)]
pub(super) struct Farewell {
    sid: Option<SmolStr>,
    get: Option<RequestId>,
    post: Option<RequestId>,
    sent: bool,
}

impl Farewell {
    fn say(&mut self, shell: &mut Shell) {
        if self.post.is_none() && !self.sent {
            self.sent = true;
            let body = payload::encode([&Packet::close()]);
            self.post = Some(shell.post(self.sid.as_deref(), body));
        }
    }

    pub(super) const fn owns(&self, request: RequestId) -> bool {
        is(self.get, request) || is(self.post, request)
    }

    /// A request has come back, with or without success. Tells whether nothing is left to do.
    pub(super) fn came_back(&mut self, shell: &mut Shell, request: RequestId) -> bool {
        if is(self.get, request) {
            self.get = None;
        } else {
            self.post = None;
            self.say(shell);
        }
        if self.post.is_none() {
            self.cut(shell);
        }
        self.post.is_none()
    }

    /// Cancels what is left.
    pub(super) fn cut(&mut self, shell: &mut Shell) {
        shell.abort(&mut self.get);
        shell.abort(&mut self.post);
    }
}

const fn is(pending: Option<RequestId>, request: RequestId) -> bool {
    matches!(pending, Some(RequestId(id)) if id == request.0)
}
