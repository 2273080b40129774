//! What leaves through a [`FileSender`] is what was written, from files and from memory.

use std::io::Write;
use std::sync::{Arc, LazyLock};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

const LENGTH: usize = 3_000_017;

/// Stands for a map: what lies in this memory is "part of" [`FILE`], whose bytes are others, so
/// that a test sees where they came from.
static MEMORY: LazyLock<Vec<u8>> = LazyLock::new(|| vec![b'm'; LENGTH]);
static FILE: LazyLock<Arc<fs::File>> = LazyLock::new(|| {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&from_file()).unwrap();
    Arc::new(file)
});

fn from_file() -> Vec<u8> {
    (0..LENGTH).map(|n| b'A' + u8::try_from(n / 1000 % 26).unwrap()).collect()
}

fn within(bytes: &[u8]) -> Option<usize> {
    let at = bytes.as_ptr().addr().checked_sub(MEMORY.as_ptr().addr())?;
    (at + bytes.len() <= LENGTH).then_some(at)
}

fn find(bytes: &[u8]) -> Option<(Arc<fs::File>, u64)> {
    within(bytes).map(|at| (Arc::clone(&FILE), at as u64))
}

/// The kernel refuses to send from such a file.
fn find_unsendable(bytes: &[u8]) -> Option<(Arc<fs::File>, u64)> {
    static REFUSED: LazyLock<Arc<fs::File>> =
        LazyLock::new(|| Arc::new(fs::File::open("/proc/self/ns/net").unwrap()));
    within(bytes).map(|at| (Arc::clone(&REFUSED), at as u64))
}

async fn pair(find_file: FindFile) -> (FileSender, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let theirs = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (ours, _) = listener.accept().await.unwrap();
    (FileSender::new(ours, find_file), theirs)
}

async fn received(mut ours: FileSender, theirs: TcpStream, pieces: Vec<&'static [u8]>) -> Vec<u8> {
    let reader = tokio::spawn(async move {
        let (mut theirs, mut bytes) = (theirs, Vec::new());
        theirs.read_to_end(&mut bytes).await.unwrap();
        bytes
    });
    let mut slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
    let mut rest = &mut slices[..];
    while rest.iter().any(|piece| !piece.is_empty()) {
        let written = ours.write_vectored(rest).await.unwrap();
        assert_ne!(written, 0);
        IoSlice::advance_slices(&mut rest, written);
    }
    ours.shutdown().await.unwrap();
    reader.await.unwrap()
}

#[tokio::test]
async fn parts_of_files_come_from_the_file_and_all_else_from_memory() {
    let (ours, theirs) = pair(find).await;
    let memory = MEMORY.as_slice();
    let pieces: Vec<&'static [u8]> =
        vec![b"head ", b"", &memory[5..2_000_000], b" between ", &memory[100..200], &memory[1..]];
    let bytes = received(ours, theirs, pieces).await;
    let file = from_file();
    let expected =
        [b"head ", &file[5..2_000_000], b" between ", &memory[100..200], &file[1..]].concat();
    // The tail of a part that is nearly sent is below the bound, and comes from the map.
    assert_eq!(bytes.len(), expected.len());
    for (at, (came, wanted)) in bytes.iter().zip(&expected).enumerate() {
        assert!(came == wanted || *came == b'm', "byte {at}: {came}, not {wanted}");
    }
    let copied: usize = bytes.iter().map(|byte| usize::from(*byte == b'm')).sum();
    assert!(copied <= 100 + 2 * FILE_BYTES_MIN, "{copied} bytes were copied");
}

#[tokio::test]
async fn a_plain_write_is_sent_from_its_file_too() {
    let (mut ours, mut theirs) = pair(find).await;
    let written = ours.write(&MEMORY[1_000..1_000 + FILE_BYTES_MIN]).await.unwrap();
    drop(ours);
    let mut bytes = Vec::new();
    theirs.read_to_end(&mut bytes).await.unwrap();
    assert_eq!(bytes, from_file()[1_000..1_000 + written]);
}

#[tokio::test]
async fn a_file_that_cannot_be_sent_from_is_copied() {
    let (ours, theirs) = pair(find_unsendable).await;
    let bytes = received(ours, theirs, vec![b"head ", &MEMORY[..1_000_000]]).await;
    assert_eq!(bytes.len(), 1_000_005);
    assert!(bytes[5..].iter().all(|byte| *byte == b'm'));
}

#[tokio::test]
async fn a_file_that_is_cut_ends_the_connection_with_an_error() {
    fn beyond(bytes: &[u8]) -> Option<(Arc<fs::File>, u64)> {
        within(bytes).map(|_| (Arc::clone(&FILE), LENGTH as u64))
    }
    let (mut ours, _theirs) = pair(beyond).await;
    let error = ours.write(&MEMORY[..100_000]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn what_is_longer_than_a_turn_goes_on_after_it() {
    let (mut ours, theirs) = pair(find).await;
    ours.turn_bytes = TURN_BYTES_MAX;
    let sent = received(ours, theirs, vec![MEMORY.as_slice(); 8]);
    let bytes = tokio::time::timeout(std::time::Duration::from_secs(20), sent).await.unwrap();
    assert_eq!(bytes.len(), 8 * LENGTH);
    let file = from_file();
    for part in bytes.chunks(LENGTH) {
        // But for a tail below the bound, which comes from the map.
        assert!(part[..LENGTH - FILE_BYTES_MIN] == file[..LENGTH - FILE_BYTES_MIN]);
    }
}
