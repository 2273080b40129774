//! Keys of every kind, bare and in a certificate, and what is none.

use super::{PublicKeyError, from_pem, to_pem};

macro_rules! sample {
    ($name:literal) => {
        include_str!(concat!("samples/", $name, ".pem"))
    };
}

#[test]
fn a_key_reads_as_the_bytes_it_was_written_from() {
    let fit = [
        ("RSA", sample!("rsa-2048")),
        ("P-256", sample!("p256")),
        ("P-384", sample!("p384")),
        ("Ed25519", sample!("ed25519")),
    ];
    for (kind, pem) in fit {
        let der = from_pem(pem).unwrap();
        assert_eq!(to_pem(&der), pem, "{kind}");
        assert_eq!(from_pem(&to_pem(&der)).unwrap(), der, "{kind}");
    }
}

#[test]
fn a_certificate_gives_its_bare_key() {
    let bare = from_pem(sample!("of-certificate")).unwrap();
    assert_eq!(from_pem(sample!("certificate")), Ok(bare));
}

#[test]
fn what_nobody_should_sign_with_is_refused() {
    let unfit = [
        (sample!("rsa-1024"), "1024 bits"),
        (sample!("p521"), "another curve"),
        (sample!("x25519"), "of the kind"),
    ];
    for (pem, says) in unfit {
        let Err(PublicKeyError::Unfit(text)) = from_pem(pem) else { panic!("{says}") };
        assert!(text.contains(says), "{text}");
    }
}

#[test]
fn what_is_no_public_key_is_told_so() {
    let block = |label: &str, body: &str| {
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
    };
    let whole = sample!("p256");
    let texts = [
        String::new(),
        "ssh-ed25519 AAAA ann".to_owned(),
        block("PUBLIC KEY", ""),
        block("PUBLIC KEY", "!!!!"),
        block("PUBLIC KEY", "MFkwEwYHKoZIzj0C"),
        block("CERTIFICATE", "MFkwEwYHKoZIzj0C"),
        block("X509 CRL", "MFkwEwYHKoZIzj0C"),
        sample!("rsa-old-form").to_owned(),
        whole[..whole.len() / 2].to_owned(),
    ];
    for text in texts {
        let answer = from_pem(&text);
        assert!(matches!(answer, Err(PublicKeyError::Unreadable(_))), "{text}: {answer:?}");
    }
    for label in ["PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY"] {
        assert_eq!(from_pem(&block(label, "AAAA")), Err(PublicKeyError::Private));
    }
}
