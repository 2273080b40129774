//! The listeners, over real sockets.

use std::sync::Arc;
use std::time::Duration;

use api::bounds::Bounds;
use api::plain::Plain;
use api::public::{Public, PublicOptions};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wire::certificate;
use wire::client_tls::{ClientTls, Trust};
use wire::listen::{Listen, TcpListen};
use wire::server_tls::ServerTls;

use crate::harness::{ADMIN, Registry};

struct Ports {
    public: Public,
    https: u16,
    http: u16,
}

async fn open(registry: &Registry, redirects: bool) -> Ports {
    let made = certificate::self_signed(&["localhost".to_owned()], 1_700_000_000_000).unwrap();
    let tls = Arc::new(ServerTls::new(&made.certificate_pem, &made.key_pem).unwrap());
    let listen = Arc::new(TcpListen::bind("127.0.0.1:0").await.unwrap());
    let plain_listen = Arc::new(TcpListen::bind("127.0.0.1:0").await.unwrap());
    let https = listen.local_addr().unwrap().port();
    let http = plain_listen.local_addr().unwrap().port();
    let plain = if redirects {
        Plain::Redirect { external_url: None, https_port: https }
    } else {
        Plain::Serve
    };
    let public = Public::start(PublicOptions {
        runtime: tokio::runtime::Handle::current(),
        context: Arc::clone(&registry.context),
        surfaces: Arc::clone(&registry.surfaces),
        listen,
        tls,
        plain: Some((plain_listen, plain)),
        bounds: Bounds { connections_max: 16, ..Bounds::default() },
    });
    Ports { public, https, http }
}

/// Sends a request and reads until the server closes.
async fn exchange(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
}

#[tokio::test]
async fn tls_answers_with_security_headers_and_the_realm_of_the_client() {
    let registry = Registry::start().await;
    let ports = open(&registry, true).await;
    let stream = TcpStream::connect(("127.0.0.1", ports.https)).await.unwrap();
    let client = ClientTls::new(&Trust::None).unwrap();
    let mut stream = client.connect(Box::new(stream), "localhost").await.unwrap();
    let request = get("/v2/").replace("localhost", &format!("localhost:{}", ports.https));
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    // A close without a goodbye of TLS is fine here.
    let _ = stream.read_to_string(&mut answer).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    let realm = format!("realm=\"https://localhost:{}/auth/token\"", ports.https);
    assert!(answer.contains(&realm), "{answer}");
    assert!(answer.contains("strict-transport-security: max-age=31536000"), "{answer}");
}

#[tokio::test]
async fn plain_http_redirects_all_but_health_and_refuses_the_registry() {
    let registry = Registry::start().await;
    let ports = open(&registry, true).await;
    assert!(exchange(ports.http, &get("/_ping")).await.starts_with("HTTP/1.1 200"));
    let moved = exchange(ports.http, &get("/some/page?q=1")).await;
    assert!(moved.starts_with("HTTP/1.1 308"), "{moved}");
    let target = format!("location: https://localhost:{}/some/page?q=1", ports.https);
    assert!(moved.contains(&target), "{moved}");
    let refused = exchange(ports.http, &get("/v2/")).await;
    assert!(refused.starts_with("HTTP/1.1 426"), "{refused}");
}

#[tokio::test]
async fn a_body_is_asked_for_only_after_the_caller_was_let_in() {
    let registry = Registry::start().await;
    let ports = open(&registry, false).await;
    let head = |authorization: &str| {
        format!(
            "POST /v2/a/b/blobs/uploads/?digest=sha256:{} HTTP/1.1\r\nhost: localhost\r\n\
             content-length: 5\r\nexpect: 100-continue\r\nconnection: close\r\n{authorization}\r\n",
            "0".repeat(64)
        )
    };
    let answer = exchange(ports.http, &head("")).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert!(!answer.contains("100 Continue"), "{answer}");

    let basic = STANDARD.encode(format!("{}:{}", ADMIN.0, ADMIN.1));
    let mut stream = TcpStream::connect(("127.0.0.1", ports.http)).await.unwrap();
    let head = head(&format!("authorization: Basic {basic}\r\n"));
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut first = [0; 25];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"12345").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(answer.contains("DIGEST_INVALID"), "{answer}");
}

#[tokio::test]
async fn heads_beyond_the_limits_are_refused_in_words() {
    let registry = Registry::start().await;
    let ports = open(&registry, false).await;
    let long = exchange(ports.http, &get(&format!("/v2/{}", "a".repeat(17_000)))).await;
    assert!(long.starts_with("HTTP/1.1 414"), "{long}");
    let filler = format!("x-filler: {}\r\n", "f".repeat(8_000)).repeat(5);
    let wide = get("/v2/").replace("connection:", &format!("{filler}connection:"));
    let wide = exchange(ports.http, &wide).await;
    assert!(wide.starts_with("HTTP/1.1 431"), "{wide}");
}

#[tokio::test]
async fn a_refused_body_does_not_break_the_pipe_before_the_reason_is_read() {
    let registry = Registry::start().await;
    let ports = open(&registry, false).await;
    let mut stream = TcpStream::connect(("127.0.0.1", ports.http)).await.unwrap();
    let head = "PATCH /v2/a/b/blobs/uploads/x HTTP/1.1\r\nhost: localhost\r\n\
                content-length: 900000\r\nconnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..9 {
        stream.write_all(&vec![0; 100_000]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
}

#[tokio::test]
async fn draining_lets_a_request_end_and_takes_no_new_ones() {
    let registry = Registry::start().await;
    let ports = open(&registry, false).await;
    let mut stream = TcpStream::connect(("127.0.0.1", ports.http)).await.unwrap();
    let basic = STANDARD.encode(format!("{}:{}", ADMIN.0, ADMIN.1));
    let digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let head = format!(
        "POST /v2/a/b/blobs/uploads/?digest=sha256:{digest} HTTP/1.1\r\nhost: localhost\r\n\
         authorization: Basic {basic}\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut first = [0; 25];
    stream.read_exact(&mut first).await.unwrap();
    let draining = tokio::spawn(ports.public.drain(Duration::from_secs(30)));
    while !registry.context.is_draining() {
        tokio::task::yield_now().await;
    }
    stream.write_all(b"hello").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    draining.await.unwrap();
    assert!(TcpStream::connect(("127.0.0.1", ports.http)).await.is_err());
}
