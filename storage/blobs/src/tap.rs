//! A tap on an upload: its bytes as they arrive, for whoever can keep up.
//!
//! An upload never waits for its tap. A reader that falls behind loses the stream, is told so, and
//! reads the sealed blob instead.

use bytes::Bytes;
use tokio::sync::mpsc;

/// The reading end.
#[derive(Debug)]
pub struct Tap {
    /// Where in the upload the first piece stands, in bytes.
    start: u64,
    pieces: mpsc::Receiver<Piece>,
}

/// The writing end, kept by the upload.
#[derive(Debug)]
pub(crate) struct TapSource {
    pieces: Option<mpsc::Sender<Piece>>,
}

#[derive(Debug)]
enum Piece {
    Bytes(Bytes),
    End,
}

/// What comes out of a tap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tapped {
    /// The next bytes.
    Bytes(Bytes),
    /// The upload was sealed; every byte since the start was delivered.
    Sealed,
    /// Bytes were dropped, or the upload ended otherwise: what was read is worth nothing.
    Lost,
}

/// Makes a tap that holds at most `pieces_max` pieces.
pub(crate) fn tap(start: u64, pieces_max: usize) -> (TapSource, Tap) {
    let (sender, receiver) = mpsc::channel(pieces_max.max(1));
    (TapSource { pieces: Some(sender) }, Tap { start, pieces: receiver })
}

impl Tap {
    /// Where in the upload the first piece stands, in bytes.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Waits for what comes next.
    pub async fn next(&mut self) -> Tapped {
        match self.pieces.recv().await {
            Some(Piece::Bytes(bytes)) => Tapped::Bytes(bytes),
            Some(Piece::End) => Tapped::Sealed,
            None => Tapped::Lost,
        }
    }
}

impl TapSource {
    /// Offers a piece; where the reader has no room, the tap runs dry for good.
    pub(crate) fn offer(&mut self, bytes: &Bytes) {
        self.send(Piece::Bytes(bytes.clone()));
    }

    /// Says that everything was delivered.
    pub(crate) fn end(&mut self) {
        self.send(Piece::End);
    }

    fn send(&mut self, piece: Piece) {
        if self.pieces.as_ref().is_some_and(|pieces| pieces.try_send(piece).is_err()) {
            self.pieces = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reader_that_keeps_up_gets_everything_and_one_that_does_not_is_told() {
        let piece = |n: u8| Bytes::from(vec![n]);
        let (mut source, mut reader) = tap(7, 2);
        source.offer(&piece(1));
        source.offer(&piece(2));
        assert_eq!(reader.next().await, Tapped::Bytes(piece(1)));
        source.end();
        assert_eq!(reader.next().await, Tapped::Bytes(piece(2)));
        assert_eq!(reader.next().await, Tapped::Sealed);
        assert_eq!(reader.start(), 7);

        let (mut source, mut reader) = tap(0, 1);
        source.offer(&piece(1));
        source.offer(&piece(2));
        assert_eq!(reader.next().await, Tapped::Bytes(piece(1)));
        source.offer(&piece(3));
        source.end();
        assert_eq!(reader.next().await, Tapped::Lost, "no later piece follows a gap");
    }
}
