//! Bodies that are too large, with and without their length said, and what a client hears that is
//! still sending when it is refused.

use chaos_tests::cluster::Cluster;
use chaos_tests::image::MANIFEST;
use chaos_tests::secrets::base64;
use reqwest::Method;
use tokio::io::AsyncWriteExt;

use crate::by_hand::{chunked, connect, exchange, read_head, read_to_end};
use crate::{REPOSITORY, Said, with_limits};

/// The administrator's credentials as a header line.
fn authorization(cluster: &Cluster) -> String {
    let basic = base64(format!("admin:{}", cluster.password).as_bytes());
    format!("authorization: Basic {basic}\r\n")
}

/// A request whose body comes in chunks.
fn in_chunks(line: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "{line} HTTP/1.1\r\nhost: localhost\r\n{headers}transfer-encoding: chunked\r\n\
         connection: close\r\n\r\n"
    );
    [head.into_bytes(), chunked(body)].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_too_large_is_refused_whether_or_not_it_says_so() {
    let cluster = with_limits(1, "").await;
    let (http, admin) = (&cluster.replicas[0].http, authorization(&cluster));
    let manifest = format!("{admin}content-type: {MANIFEST}\r\n");
    let form = "content-type: application/x-www-form-urlencoded\r\n";
    let put = format!("PUT /v2/{REPOSITORY}/manifests/large");
    let (large, allowed) = (vec![b' '; (4 << 20) + 1], vec![b' '; 4 << 20]);
    let settings = "POST /api/v0/meta/settings";
    let cases = [
        (
            "a manifest of 4 MiB and a byte",
            in_chunks(&put, &manifest, &large),
            "413",
            "MANIFEST_INVALID",
        ),
        ("a manifest of 4 MiB", in_chunks(&put, &manifest, &allowed), "400", "MANIFEST_INVALID"),
        (
            "settings of 100 KiB",
            in_chunks(settings, &admin, &large[..100 << 10]),
            "413",
            "INVALID_PARAMETERS",
        ),
        (
            "a form of 100 KiB",
            in_chunks("POST /auth/token", form, &large[..100 << 10]),
            "413",
            "SIZE_INVALID",
        ),
    ];
    for (name, request, status, code) in cases {
        let answer = exchange(http, &request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{name}: {answer}");
        assert!(answer.contains(code), "{name}: {answer}");
    }
    let length =
        cluster.registry.basic(0, Method::PUT, &format!("/v2/{REPOSITORY}/manifests/large"));
    let said = Said::of(length.header("content-type", MANIFEST).body(large)).await;
    assert_eq!((said.status, said.code.as_str()), (413, "MANIFEST_INVALID"));
    assert!(said.message.contains("4194304 bytes"), "{said:?}");

    let digest = format!("sha256:{}", "0".repeat(64));
    let tags: String = (0..101).map(|number| format!("&tag=t{number}")).collect();
    let path = format!("/v2/{REPOSITORY}/manifests/{digest}?{}", &tags[1..]);
    let said = Said::of(cluster.registry.basic(0, Method::PUT, &path)).await;
    assert_eq!(said.status, 414, "{said:?}");
    assert!(said.message.contains("100 tags"), "{said:?}");
}

/// Every kind of request that is refused before its body is looked at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_is_refused_while_it_sends_hears_why() {
    let cluster = with_limits(1, "").await;
    let http = &cluster.replicas[0].http;
    let cases = [
        ("no credentials", format!("PATCH /v2/{REPOSITORY}/blobs/uploads/x"), "401"),
        ("an unknown path", "PUT /there/is/nothing".to_owned(), "404"),
        ("the management API", "POST /api/v0/meta/settings".to_owned(), "401"),
        ("a wrong method", "POST /v2/_catalog".to_owned(), "405"),
        ("a line too long", format!("PUT /v2/{}", "l".repeat(17_000)), "414"),
    ];
    for (name, line, status) in cases {
        let mut stream = connect(http).await;
        let head = format!(
            "{line} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4000000\r\n\
             connection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // All of it is taken, however late the client looks for an answer.
        for _ in 0..40 {
            stream.write_all(&vec![0; 100_000]).await.unwrap_or_else(|e| panic!("{name}: {e}"));
        }
        let (answer, _) = read_to_end(&mut stream).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{name}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_is_asked_for_only_after_all_checks() {
    let cluster = with_limits(1, "uploads_per_account_max = 1").await;
    let (http, admin) = (&cluster.replicas[0].http, authorization(&cluster));
    let digest = format!("sha256:{}", "0".repeat(64));
    let path = format!("/v2/{REPOSITORY}/blobs/uploads/?digest={digest}");
    let head = |authorization: &str, path: &str, length: u64| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\
             expect: 100-continue\r\n{authorization}connection: close\r\n\r\n"
        )
    };
    let too_long = format!(
        "PUT /v2/{REPOSITORY}/manifests/x HTTP/1.1\r\nhost: localhost\r\n{admin}\
         content-length: 5000000\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n"
    );
    let three = "/v2/a/b/c/blobs/uploads/".to_owned() + &path[path.find('?').unwrap()..];
    let cases = [
        ("no credentials", head("", &path, 5), "401"),
        ("a name that may not be created", head(&admin, &three, 5), "4"),
        ("a manifest that is too large", too_long, "413"),
    ];
    for (name, head, status) in &cases {
        let answer = exchange(http, head.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{name}: {answer}");
        assert!(!answer.contains("100 Continue"), "{name}: {answer}");
    }
    // The one upload that the account may have is open: the next is refused before its body.
    let open = cluster.registry.basic(0, Method::POST, &format!("/v2/{REPOSITORY}/blobs/uploads/"));
    let place = open.send().await.unwrap().headers()["location"].to_str().unwrap().to_owned();
    let answer = exchange(http, head(&admin, &path, 5).as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 429") && !answer.contains("100 Continue"), "{answer}");
    let cancel = cluster.registry.basic(0, Method::DELETE, &place);
    assert_eq!(Said::of(cancel).await.status, 204);

    let mut stream = connect(http).await;
    stream.write_all(head(&admin, &path, 5).as_bytes()).await.unwrap();
    assert_eq!(read_head(&mut stream).await, "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"12345").await.unwrap();
    let (answer, _) = read_to_end(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("DIGEST_INVALID"), "{answer}");
}
