//! A bad line to a registry: it cuts each connection after so many bytes, or is slow.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

/// What a line does to what the registry sends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    /// A connection ends after so many bytes.
    pub(crate) cut_after_bytes: u64,
    /// Before each piece of some KiB.
    pub(crate) pause: Duration,
}

/// A line that is there until it goes out of scope.
pub(crate) struct BadLine {
    /// `http://127.0.0.1:PORT`.
    pub(crate) url: String,
    cuts: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Drop for BadLine {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl BadLine {
    /// Listens in front of this URL.
    pub(crate) async fn to(url: &str, line: Line) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = format!("http://{}", listener.local_addr().unwrap());
        let (target, cuts) = (url.replace("http://", ""), Arc::new(AtomicU64::new(0)));
        let task = tokio::spawn(listen(listener, target, line, cuts.clone()));
        Self { url: own, cuts, task }
    }

    /// How many connections were cut.
    pub(crate) fn cuts(&self) -> u64 {
        self.cuts.load(Ordering::Relaxed)
    }
}

async fn listen(listener: TcpListener, target: String, line: Line, cuts: Arc<AtomicU64>) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { return };
                let (target, cuts) = (target.clone(), cuts.clone());
                open.spawn(async move { carry(client, &target, line, &cuts).await });
            }
            Some(_ended) = open.join_next(), if !open.is_empty() => {}
        }
    }
}

async fn carry(
    client: TcpStream,
    target: &str,
    line: Line,
    cuts: &AtomicU64,
) -> std::io::Result<()> {
    let server = TcpStream::connect(target).await?;
    let (mut asks, mut hears) = client.into_split();
    let (mut answers, mut takes) = server.into_split();
    let asked = async { copy(&mut asks, &mut takes).await };
    let answered = async {
        let (mut left, mut piece) = (line.cut_after_bytes, [0; 4_096]);
        loop {
            let read = answers.read(&mut piece).await?;
            if read == 0 {
                return hears.shutdown().await;
            }
            sleep(line.pause).await;
            let passed = usize::try_from(left).unwrap_or(usize::MAX).min(read);
            hears.write_all(&piece[..passed]).await?;
            left -= passed as u64;
            if left == 0 {
                cuts.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
        }
    };
    tokio::select! {
        _ = asked => Ok(()),
        ended = answered => ended,
    }
}
