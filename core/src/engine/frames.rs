//! Encoded frames, shared by all the sessions that have yet to send them.
//!
//! A session queues handles of four bytes: a broadcast costs each recipient no allocation and no
//! reference count of its own, and each wire form is made once (`BC-10`).

use alloc::vec::Vec;

use bytestring::ByteString;

use crate::codec::engine::{BinaryForm, Packet};
use crate::wire::Frame;

/// A frame in the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHandle(u32);

#[derive(Debug)]
struct Shared {
    /// The form of a WebSocket.
    frame: Frame,
    /// The form of a polling payload, once somebody needed it and it differs.
    text: Option<ByteString>,
    /// Queued places that refer to it, and whoever sends it as long as it is being sent.
    references: u32,
    compress: bool,
}

/// The pool.
#[derive(Debug, Default)]
pub(crate) struct FramePool {
    shared: Vec<Option<Shared>>,
    free: Vec<u32>,
}

impl FramePool {
    /// Adds a frame. The caller holds a reference and gives it up with [`Self::release`] once all
    /// recipients are served: one that is served at once must not end it for the others.
    pub(crate) fn insert(&mut self, frame: Frame, compress: bool) -> FrameHandle {
        let shared = Some(Shared { frame, text: None, references: 1, compress });
        if let Some(index) = self.free.pop() {
            self.shared[index as usize] = shared;
            return FrameHandle(index);
        }
        let index = u32::try_from(self.shared.len()).unwrap_or(u32::MAX);
        self.shared.push(shared);
        FrameHandle(index)
    }

    fn get(&self, handle: FrameHandle) -> Option<&Shared> {
        self.shared.get(handle.0 as usize)?.as_ref()
    }

    /// Bytes of the frame in its WebSocket form.
    pub(crate) fn size(&self, handle: FrameHandle) -> usize {
        self.get(handle).map_or(0, |shared| shared.frame.len())
    }

    pub(crate) fn retain(&mut self, handle: FrameHandle) {
        if let Some(Some(shared)) = self.shared.get_mut(handle.0 as usize) {
            shared.references += 1;
        }
    }

    /// Gives up one reference; the frame goes with the last one.
    pub(crate) fn release(&mut self, handle: FrameHandle) {
        let Some(place) = self.shared.get_mut(handle.0 as usize) else { return };
        let Some(shared) = place else { return };
        shared.references -= 1;
        if shared.references == 0 {
            *place = None;
            self.free.push(handle.0);
        }
    }

    /// Gives up one reference for the frame in its WebSocket form; `base64` as `b64=1` asks
    /// (`EIO-PKT-03`).
    pub(crate) fn take_frame(&mut self, handle: FrameHandle, base64: bool) -> Option<Frame> {
        let frame = match &self.get(handle)?.frame {
            Frame::Binary(_) if base64 => Frame::Text(self.text(handle)?),
            frame @ (Frame::Binary(_) | Frame::Text(_)) => frame.clone(),
        };
        self.release(handle);
        Some(frame)
    }

    /// Gives up one reference for the frame in its polling form, and whether it may be
    /// compressed.
    pub(crate) fn take_text(&mut self, handle: FrameHandle) -> Option<(ByteString, bool)> {
        let text = self.text(handle)?;
        let compress = self.get(handle)?.compress;
        self.release(handle);
        Some((text, compress))
    }

    fn text(&mut self, handle: FrameHandle) -> Option<ByteString> {
        let shared = self.shared.get_mut(handle.0 as usize)?.as_mut()?;
        match &shared.frame {
            Frame::Text(text) => Some(text.clone()),
            Frame::Binary(data) => {
                let encode = || match Packet::binary(data.clone()).encode(BinaryForm::Base64) {
                    Frame::Text(text) => text,
                    Frame::Binary(_) => ByteString::new(),
                };
                Some(shared.text.get_or_insert_with(encode).clone())
            }
        }
    }

    /// Frames that somebody still refers to.
    pub(crate) fn len(&self) -> usize {
        self.shared.len() - self.free.len()
    }
}
