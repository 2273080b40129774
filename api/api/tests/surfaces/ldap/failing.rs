//! Directories that misbehave: each ends in a clear text, soon, and the registry goes on.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::slapd::{settings, signs_in, sync, use_directory};
use crate::harness::{ADMIN, Registry};

/// A server that does `with` each connection; its URL.
async fn server<F>(with: impl Fn(TcpStream) -> F + Send + 'static) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ldap://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(with(stream));
        }
    });
    url
}

/// Reads what is asked, and answers all of it with these bytes.
async fn answering(mut stream: TcpStream, bytes: Vec<u8>) {
    let mut asked = [0; 4096];
    let _ = stream.read(&mut asked).await;
    let _ = stream.write_all(&bytes).await;
    tokio::time::sleep(Duration::from_mins(1)).await;
}

/// Elements within elements, deeper than a reader that calls itself could go.
fn nested() -> Vec<u8> {
    const DEPTH: usize = 400_000;
    let mut heads = Vec::new();
    for level in (1..=DEPTH).rev() {
        let length = u32::try_from(level * 6 - 6).unwrap().to_be_bytes();
        heads.extend_from_slice(&[0x30, 0x84]);
        heads.extend_from_slice(&length);
    }
    heads
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_misbehaves_is_named_and_hurts_nobody() {
    let silent = server(|stream| async move {
        tokio::time::sleep(Duration::from_mins(5)).await;
        drop(stream);
    });
    let closing = server(|stream| async move { drop(stream) });
    let page = b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec();
    let web = server(move |stream| answering(stream, page.clone()));
    let endless = server(|stream| answering(stream, b"\x30\x84\x7f\xff\xff\xff".to_vec()));
    let deep = server(|stream| answering(stream, nested()));
    // Whole messages, and none that belongs there.
    let odd = server(|stream| answering(stream, b"\x30\x03\x02\x01\x01".to_vec()));
    let cases = [
        ("silent", silent.await, "did not answer within"),
        ("closing", closing.await, "cannot be reached"),
        ("a web server", web.await, "not LDAP"),
        ("endless", endless.await, "more than"),
        ("deep", deep.await, "not LDAP"),
        ("odd", odd.await, "cannot be reached"),
    ];
    let registry = Registry::start().await;
    for (name, url, said) in cases {
        use_directory(&registry, &settings(&url)).await;
        let begun = Instant::now();
        let answer = signs_in(&registry, ("ann", "violet-kettle-37")).await.is(503);
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(text.contains(said), "{name}: {text}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{name}: {:?}", begun.elapsed());
        signs_in(&registry, ADMIN).await.is(200);
        if name != "silent" {
            let failed = sync(&registry).await;
            let error = failed["report"]["error"].as_str().unwrap_or_default().to_owned();
            assert!(failed["state"] == "failed" && error.contains(said), "{name}: {failed}");
        }
    }
}
