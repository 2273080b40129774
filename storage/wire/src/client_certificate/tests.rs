//! Which certificates of clients are good, and that only their holders can show them.

use rcgen::{
    CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, Issuer, KeyIdMethod, KeyPair, PKCS_ECDSA_P256_SHA256,
    RevokedCertParams, SerialNumber,
};
use rustls::ClientConfig;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use super::*;
use crate::certificate::{CertifiedKey, make_ca, self_signed};
use crate::server_tls::ServerTls;

const NOW_MS: u64 = 1_750_000_000_000;
const DAY_MS: u64 = 24 * 3600 * 1000;

fn at(wall_ms: u64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(i64::try_from(wall_ms / 1000).unwrap()).unwrap()
}

fn issuer(ca: &CertifiedKey) -> Issuer<'static, KeyPair> {
    let key = KeyPair::from_pem(&ca.key_pem).unwrap();
    Issuer::from_ca_cert_pem(&ca.certificate_pem, key).unwrap()
}

/// A certificate for these common names, good for ten days from yesterday on.
fn client(ca: &CertifiedKey, names: &[&str], serial: u8, now_ms: u64) -> CertifiedKey {
    let mut params = CertificateParams::default();
    params.serial_number = Some(SerialNumber::from(vec![serial]));
    params.not_before = at(now_ms - DAY_MS);
    params.not_after = at(now_ms + 9 * DAY_MS);
    params.distinguished_name = DistinguishedName::new();
    for name in names {
        params.distinguished_name.push(DnType::CommonName, *name);
    }
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let certificate_pem = params.signed_by(&key, &issuer(ca)).unwrap().pem();
    CertifiedKey { certificate_pem, key_pem: key.serialize_pem().into() }
}

fn revoking(ca: &CertifiedKey, serial: u8) -> String {
    let revoked = RevokedCertParams {
        serial_number: SerialNumber::from(vec![serial]),
        revocation_time: at(NOW_MS),
        reason_code: None,
        invalidity_date: None,
    };
    let list = CertificateRevocationListParams {
        this_update: at(NOW_MS - DAY_MS),
        next_update: at(NOW_MS + DAY_MS),
        crl_number: SerialNumber::from(vec![1]),
        issuing_distribution_point: None,
        revoked_certs: vec![revoked],
        key_identifier_method: KeyIdMethod::Sha256,
    };
    list.signed_by(&issuer(ca)).unwrap().pem().unwrap()
}

fn shown(pem: &str) -> ShownCertificate {
    ShownCertificate::of(Some(&pem::chain(pem).unwrap())).unwrap()
}

#[test]
fn a_certificate_of_the_authority_is_good_until_it_expires_or_is_revoked() {
    let (ours, theirs) = (make_ca("c1", NOW_MS).unwrap(), make_ca("c2", NOW_MS).unwrap());
    let lists = [revoking(&ours, 7), revoking(&theirs, 8)];
    let authority = ClientAuthority::new(&ours.certificate_pem, &lists).unwrap();
    let ann = shown(&client(&ours, &["ann"], 1, NOW_MS).certificate_pem);
    let refused = |shown: &ShownCertificate| authority.judge(shown, NOW_MS).unwrap_err();
    assert_eq!(authority.judge(&ann, NOW_MS), Ok("ann".to_owned()));
    assert_eq!(authority.judge(&ann, NOW_MS + 10 * DAY_MS), Err(CertificateRefusal::Expired));
    assert_eq!(authority.judge(&ann, NOW_MS - 2 * DAY_MS), Err(CertificateRefusal::NotYet));
    let revoked = shown(&client(&ours, &["ann"], 7, NOW_MS).certificate_pem);
    assert_eq!(refused(&revoked), CertificateRefusal::Revoked);
    let foreign = shown(&client(&theirs, &["ann"], 1, NOW_MS).certificate_pem);
    assert_eq!(refused(&foreign), CertificateRefusal::Foreign);
    for names in [&[][..], &[""]] {
        let nameless = shown(&client(&ours, names, 2, NOW_MS).certificate_pem);
        assert_eq!(refused(&nameless), CertificateRefusal::Nameless, "{names:?}");
    }
    let server = self_signed(&["ann".to_owned()], NOW_MS).unwrap();
    // Of a stranger, and for servers: which of the two is said first is the library's choice.
    let refusal = refused(&shown(&server.certificate_pem));
    let is_refused_as =
        matches!(refusal, CertificateRefusal::Foreign | CertificateRefusal::Unfit(_));
    assert!(is_refused_as, "{refusal:?}");
    for (ca, crl) in [("", None), ("no PEM", None), (&*ours.certificate_pem, Some("no PEM"))] {
        let lists: Vec<String> = crl.into_iter().map(str::to_owned).collect();
        assert!(ClientAuthority::new(ca, &lists).is_err(), "{ca} {crl:?}");
    }
}

#[test]
fn of_two_authorities_both_are_taken_and_one_may_have_a_list() {
    let (one, two) = (make_ca("c1", NOW_MS).unwrap(), make_ca("c2", NOW_MS).unwrap());
    let both = format!("{}{}", one.certificate_pem, two.certificate_pem);
    let authority = ClientAuthority::new(&both, &[revoking(&one, 7)]).unwrap();
    for (ca, serial, expected) in [
        (&one, 1, Ok("ann".to_owned())),
        (&one, 7, Err(CertificateRefusal::Revoked)),
        (&two, 7, Ok("ann".to_owned())),
    ] {
        let certificate = shown(&client(ca, &["ann"], serial, NOW_MS).certificate_pem);
        assert_eq!(authority.judge(&certificate, NOW_MS), expected);
    }
}

/// Connects with `certificate`, with the key of `key`; what the server saw.
async fn meet(
    server: &ServerTls,
    trusted: &str,
    shows: Option<(&CertifiedKey, &CertifiedKey)>,
) -> io::Result<Option<ShownCertificate>> {
    let mut roots = RootCertStore::empty();
    roots.add(pem::chain(trusted)?.remove(0)).unwrap();
    let builder = ClientConfig::builder_with_provider(provider::ring())
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .unwrap()
        .with_root_certificates(roots);
    let config = match shows {
        Some((certificate, key)) => {
            let chain = pem::chain(&certificate.certificate_pem)?;
            let key: PrivateKeyDer<'static> = pem::private_key(&key.key_pem)?;
            let signer = provider::ring().key_provider.load_private_key(key).unwrap();
            let shown = rustls::sign::CertifiedKey::new(chain, signer);
            let resolver = rustls::sign::SingleCertAndKey::from(shown);
            builder.with_client_cert_resolver(Arc::new(resolver))
        }
        None => builder.with_no_client_auth(),
    };
    let (near, far) = tokio::io::duplex(64 * 1024);
    let ask = async {
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, near).await?;
        stream.write_all(b"?").await?;
        stream.read_u8().await
    };
    let serve = async {
        let (mut stream, _, shown) = server.accept(Box::new(far)).await?;
        stream.read_u8().await?;
        stream.write_all(b"!").await?;
        stream.flush().await?;
        io::Result::Ok(shown)
    };
    let (asked, served) = tokio::join!(ask, serve);
    let served = served?;
    asked?;
    Ok(served)
}

#[tokio::test]
async fn a_certificate_is_shown_where_one_is_asked_for_and_only_by_its_holder() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let now_ms = u64::try_from(now.as_millis()).unwrap();
    let served = self_signed(&["localhost".to_owned()], now_ms).unwrap();
    let ca = make_ca("c1", now_ms).unwrap();
    let (ann, bob) = (client(&ca, &["ann"], 1, now_ms), client(&ca, &["bob"], 2, now_ms));
    let server = ServerTls::new(&served.certificate_pem, &served.key_pem).unwrap();
    let trusted = &served.certificate_pem;
    assert!(meet(&server, trusted, Some((&ann, &ann))).await.unwrap().is_none(), "not asked");
    server.ask_for_certificates(true).unwrap();
    assert!(meet(&server, trusted, None).await.unwrap().is_none(), "none need be shown");
    let shown = meet(&server, trusted, Some((&ann, &ann))).await.unwrap().unwrap();
    let authority = ClientAuthority::new(&ca.certificate_pem, &[]).unwrap();
    assert_eq!(authority.judge(&shown, now_ms), Ok("ann".to_owned()));
    assert!(meet(&server, trusted, Some((&ann, &bob))).await.is_err(), "without its key");
    // A foreign one is shown as well: what is wrong with it is told in words.
    let foreign = client(&make_ca("c2", now_ms).unwrap(), &["ann"], 1, now_ms);
    let shown = meet(&server, trusted, Some((&foreign, &foreign))).await.unwrap().unwrap();
    assert_eq!(authority.judge(&shown, now_ms), Err(CertificateRefusal::Foreign));
    server.reload(&served.certificate_pem, &served.key_pem).unwrap();
    assert!(meet(&server, trusted, Some((&ann, &ann))).await.unwrap().is_some(), "after a reload");
    server.ask_for_certificates(false).unwrap();
    assert!(meet(&server, trusted, Some((&ann, &ann))).await.unwrap().is_none(), "no more");
}
