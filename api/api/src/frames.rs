//! The heads of HTTP/2 frames as they come, without their payload.
//!
//! Source: RFC 9113, sections 3.4, 4.1 and 6.

/// What a client sends before its first frame.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const HEAD_BYTES: usize = 9;
const END_STREAM: u8 = 1;

/// What a frame is, as far as anything here cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A piece of a body, padding included.
    Data {
        /// Bytes.
        length: usize,
        /// Whether the body goes on.
        is_last: bool,
    },
    /// The client gives a request up.
    Reset,
    /// PING, SETTINGS or PRIORITY: sent at any time, and mostly to be answered.
    Control,
    /// Anything else.
    Other,
}

/// Reads the heads of frames in pieces of any size.
#[derive(Debug)]
pub struct FrameHeads {
    preface_left: usize,
    head: [u8; HEAD_BYTES],
    head_filled: usize,
    payload_left: usize,
}

impl Default for FrameHeads {
    fn default() -> Self {
        Self { preface_left: PREFACE.len(), head: [0; HEAD_BYTES], head_filled: 0, payload_left: 0 }
    }
}

impl FrameHeads {
    /// Calls `note` for each frame whose head ends within `bytes`, which follow those of before.
    pub fn scan(&mut self, mut bytes: &[u8], mut note: impl FnMut(Frame)) {
        skip(&mut self.preface_left, &mut bytes);
        while !bytes.is_empty() {
            skip(&mut self.payload_left, &mut bytes);
            let (head, rest) = bytes.split_at(bytes.len().min(HEAD_BYTES - self.head_filled));
            self.head[self.head_filled..][..head.len()].copy_from_slice(head);
            self.head_filled += head.len();
            bytes = rest;
            if self.head_filled == HEAD_BYTES {
                let [high, middle, low, kind, flags, ..] = self.head;
                let length = u32::from_be_bytes([0, high, middle, low]) as usize;
                self.head_filled = 0;
                self.payload_left = length;
                note(frame(kind, flags, length));
            }
        }
    }
}

fn frame(kind: u8, flags: u8, length: usize) -> Frame {
    match kind {
        0 => Frame::Data { length, is_last: flags & END_STREAM != 0 },
        3 => Frame::Reset,
        2 | 4 | 6 => Frame::Control,
        _ => Frame::Other,
    }
}

/// Takes up to `left` bytes off the front.
fn skip(left: &mut usize, bytes: &mut &[u8]) {
    let skipped = bytes.len().min(*left);
    *left -= skipped;
    *bytes = &bytes[skipped..];
}

#[cfg(test)]
mod tests {
    use super::{Frame, FrameHeads, PREFACE};

    fn sample() -> (Vec<u8>, Vec<Frame>) {
        let frames: [(u8, u8, usize, Frame); 7] = [
            (4, 0, 12, Frame::Control),
            (1, 4, 300, Frame::Other),
            (0, 0, 70_000, Frame::Data { length: 70_000, is_last: false }),
            (0, 0, 1, Frame::Data { length: 1, is_last: false }),
            (0, 1, 0, Frame::Data { length: 0, is_last: true }),
            (3, 0, 4, Frame::Reset),
            (6, 0, 8, Frame::Control),
        ];
        let mut bytes = PREFACE.to_vec();
        for (kind, flags, length, _) in frames {
            bytes.extend_from_slice(&u32::try_from(length).unwrap().to_be_bytes()[1..]);
            bytes.extend_from_slice(&[kind, flags, 0, 0, 0, 1]);
            bytes.extend(vec![0; length]);
        }
        (bytes, frames.map(|(_, _, _, frame)| frame).to_vec())
    }

    #[test]
    fn frames_are_found_however_the_bytes_are_cut() {
        let (bytes, expected) = sample();
        for piece in [1, 2, 7, 9, 10, 24, 1_000, 1_000_000] {
            let (mut heads, mut found) = (FrameHeads::default(), Vec::new());
            for bytes in bytes.chunks(piece) {
                heads.scan(bytes, |frame| found.push(frame));
            }
            assert_eq!(found, expected, "in pieces of {piece}");
        }
    }
}
