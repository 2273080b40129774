//! A balancer as simple as they come: each new connection goes to the next replica.
//!
//! It knows nothing of TLS or HTTP, so that clients see the replicas' own certificate and answers,
//! and a client which opens a connection for each request meets another replica each time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Result, ensure};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// A balancer that listens until it goes out of scope.
#[derive(Debug)]
pub struct Balancer {
    /// `127.0.0.1:PORT`.
    pub address: String,
    taken: Arc<[AtomicU64]>,
    task: JoinHandle<()>,
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Balancer {
    /// Listens in front of these addresses, each `HOST:PORT`.
    pub async fn start(replicas: Vec<String>) -> Result<Self> {
        ensure!(!replicas.is_empty(), "there is nothing to balance");
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let taken: Arc<[AtomicU64]> = replicas.iter().map(|_| AtomicU64::new(0)).collect();
        let task = tokio::spawn(balance(listener, replicas, taken.clone()));
        Ok(Self { address, taken, task })
    }

    /// How many connections each address was given so far.
    pub fn taken(&self) -> Vec<u64> {
        self.taken.iter().map(|count| count.load(Ordering::Relaxed)).collect()
    }
}

/// Hands out connections. Those that are open end with this task.
async fn balance(listener: TcpListener, replicas: Vec<String>, taken: Arc<[AtomicU64]>) {
    let (mut open, mut next) = (JoinSet::new(), 0);
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { return };
                taken[next].fetch_add(1, Ordering::Relaxed);
                open.spawn(carry(client, replicas[next].clone()));
                next = (next + 1) % replicas.len();
            }
            Some(_ended) = open.join_next(), if !open.is_empty() => {}
        }
    }
}

/// Carries bytes both ways until both sides have ended.
async fn carry(mut client: TcpStream, replica: String) -> std::io::Result<()> {
    let mut server = TcpStream::connect(replica).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Listens, and answers whatever comes with its own name.
    async fn named(name: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut asked = [0; 3];
                stream.read_exact(&mut asked).await.unwrap();
                stream.write_all(name.as_bytes()).await.unwrap();
            }
        });
        address
    }

    #[tokio::test]
    async fn each_connection_goes_to_the_next() {
        let behind = vec![named("one").await, named("two").await, named("three").await];
        let balancer = Balancer::start(behind).await.unwrap();
        let mut answers = Vec::new();
        for _ in 0..4 {
            let mut stream = TcpStream::connect(&balancer.address).await.unwrap();
            stream.write_all(b"who").await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answers.push(answer);
        }
        assert_eq!(answers, ["one", "two", "three", "one"]);
        assert_eq!(balancer.taken(), [2, 1, 1]);
    }
}
