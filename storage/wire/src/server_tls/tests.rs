//! The public port's certificate, its exchange, and which protocols are agreed on.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::certificate::{self, CertifiedKey};
use crate::client_tls::{ClientTls, Trust};

fn made(host: &str) -> CertifiedKey {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now_ms = u64::try_from(now.as_millis()).unwrap();
    certificate::self_signed(&[host.to_owned()], now_ms).unwrap()
}

async fn meet(client: &ClientTls, server: &ServerTls, host: &str) -> io::Result<Option<Vec<u8>>> {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let ask = async {
        let mut stream = client.connect(Box::new(near), host).await?;
        stream.write_all(b"?").await?;
        stream.read_u8().await
    };
    let serve = async {
        let (mut stream, protocol, _) = server.accept(Box::new(far)).await?;
        stream.read_u8().await?;
        stream.write_all(b"!").await?;
        io::Result::Ok(protocol)
    };
    let (asked, protocol) = tokio::join!(ask, serve);
    asked?;
    protocol
}

#[tokio::test]
async fn those_who_connect_after_a_reload_see_the_new_certificate() {
    let (old, new) = (made("localhost"), made("localhost"));
    let server = ServerTls::new(&old.certificate_pem, &old.key_pem).unwrap();
    let trusts_old = ClientTls::new(&Trust::Pinned(old.certificate_pem.clone())).unwrap();
    let trusts_new = ClientTls::new(&Trust::Pinned(new.certificate_pem.clone())).unwrap();
    meet(&trusts_old, &server, "localhost").await.unwrap();
    assert!(meet(&trusts_new, &server, "localhost").await.is_err());

    assert!(server.reload(&new.certificate_pem, &old.key_pem).is_err(), "another's key");
    meet(&trusts_old, &server, "localhost").await.unwrap();

    server.reload(&new.certificate_pem, &new.key_pem).unwrap();
    // A client that was there before resumes by its ticket; one that was not sees the new one.
    meet(&trusts_new, &server, "localhost").await.unwrap();
    let newcomer = ClientTls::new(&Trust::Pinned(old.certificate_pem)).unwrap();
    assert!(meet(&newcomer, &server, "localhost").await.is_err());
}

#[tokio::test]
async fn texts_that_do_not_fit_are_refused_without_quoting_them() {
    let one = made("localhost");
    for (chain, key) in [("", one.key_pem.as_str()), (&one.certificate_pem, "secret text")] {
        let error = ServerTls::new(chain, key).err().unwrap().to_string();
        assert!(!error.contains("secret text"), "{error}");
    }
}
