//! A thousand clients that come at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use wire::client_tls::{ClientTls, Trust};

use crate::by_hand::connect;
use crate::with_limits;

const CLIENTS: usize = 1_000;
/// A debug build on two busy cores, with the clients on the same ones.
const ALL_ANSWERED_MAX: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_clients_at_once_are_all_answered() {
    let cluster = with_limits(1, "").await;
    let tls = Arc::new(ClientTls::new(&Trust::None).unwrap());
    for name in ["HTTP", "HTTPS"] {
        let begun = Instant::now();
        let clients = (0..CLIENTS).map(|_| {
            let (tls, replica) = (Arc::clone(&tls), &cluster.replicas[0]);
            let (http, https) = (replica.http.clone(), replica.url.clone());
            tokio::spawn(async move {
                let mut stream: wire::stream::BoxStream = if name == "HTTP" {
                    Box::new(connect(&http).await)
                } else {
                    tls.connect(Box::new(connect(&https).await), "localhost").await.unwrap()
                };
                let request = b"GET /v2/ HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
                stream.write_all(request).await.unwrap();
                let mut answer = [0; 12];
                stream.read_exact(&mut answer).await.unwrap();
                assert_eq!(&answer, b"HTTP/1.1 401");
            })
        });
        let clients: Vec<_> = clients.collect();
        let all = async {
            for client in clients {
                client.await.unwrap();
            }
        };
        timeout(ALL_ANSWERED_MAX, all).await.expect("all are answered in time");
        println!("{CLIENTS} clients over {name} in {:?}", begun.elapsed());
    }
}
