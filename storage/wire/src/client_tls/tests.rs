//! What a client takes for the server it wanted.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::certificate;
use crate::server_tls::ServerTls;

#[tokio::test]
async fn a_client_trusts_whom_it_was_told_to_and_nobody_else() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now_ms = u64::try_from(now.as_millis()).unwrap();
    let ca = certificate::make_ca("c1", now_ms).unwrap();
    let other_ca = certificate::make_ca("c1", now_ms).unwrap();
    let hosts = ["registry.example".to_owned()];
    let issued = certificate::issue_server(&ca, &hosts, now_ms).unwrap();
    let old = certificate::issue_server(&ca, &hosts, now_ms - 900 * 24 * 3600 * 1000).unwrap();
    let own = certificate::self_signed(&hosts, now_ms).unwrap();
    let pinned = |pem: &str| Trust::Pinned(pem.to_owned());
    let cases = [
        (
            "issued by the pinned one",
            &issued,
            pinned(&ca.certificate_pem),
            "registry.example",
            true,
        ),
        (
            "issued by another",
            &issued,
            pinned(&other_ca.certificate_pem),
            "registry.example",
            false,
        ),
        ("for another name", &issued, pinned(&ca.certificate_pem), "other.example", false),
        ("out of date", &old, pinned(&ca.certificate_pem), "registry.example", false),
        ("pinned itself", &own, pinned(&own.certificate_pem), "registry.example", true),
        ("anybody", &own, Trust::None, "whatever.example", true),
    ];
    for (name, served, trust, host, trusted) in cases {
        let server = ServerTls::new(&served.certificate_pem, &served.key_pem).unwrap();
        let client = ClientTls::new(&trust).unwrap();
        let (near, far) = tokio::io::duplex(64 * 1024);
        let ask = async {
            let mut stream = client.connect(Box::new(near), host).await?;
            stream.write_all(b"?").await?;
            stream.read_u8().await
        };
        let serve = async {
            let (mut stream, _, _) = server.accept(Box::new(far)).await?;
            stream.read_u8().await?;
            stream.write_all(b"!").await
        };
        let (asked, _) = tokio::join!(ask, serve);
        assert_eq!(asked.is_ok(), trusted, "{name}: {asked:?}");
    }
}

#[test]
fn what_reqwest_takes_is_a_client_configuration() {
    let client = ClientTls::new(&Trust::None).unwrap().for_reqwest();
    assert!((&client as &dyn Any).is::<ClientConfig>());
}

#[test]
fn a_pinned_text_without_a_certificate_is_an_error() {
    assert!(ClientTls::new(&Trust::Pinned("nothing".to_owned())).is_err());
}
