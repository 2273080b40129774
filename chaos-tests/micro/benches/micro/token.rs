//! A token for one repository: signing it with a key that is at hand, and checking it.

use std::hint::black_box;

use auth::scope::parse_all;
use auth::token::{self, Claims, PublicKey};
use criterion::Criterion;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};

const CLUSTER: &str = "6a1c1f0e-7b1c-4f5e-9a53-0d7a35a2c0de";

/// Both sides of a token.
pub(crate) fn issue_and_open(criterion: &mut Criterion) {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
    let key = PublicKey { id: "key".into(), bytes: pair.public_key().as_ref().to_vec() };
    let claims = Claims {
        sub: "user-00001".into(),
        account_id: "0123456789abcdef0123456789abcdef".into(),
        aud: CLUSTER.into(),
        exp: 1_800_000_300,
        nbf: 1_800_000_000,
        iat: 1_800_000_000,
        access: parse_all(["repository:acme/web:pull,push"]),
        narrowed: true,
        ..Claims::default()
    };
    let mut group = criterion.benchmark_group("token");
    group.bench_function("issue", |bencher| {
        bencher.iter(|| token::sign(black_box(&claims), &key.id, pkcs8.as_ref()).unwrap());
    });
    let signed = token::sign(&claims, &key.id, pkcs8.as_ref()).unwrap();
    group.bench_function("check", |bencher| {
        bencher.iter(|| token::open(black_box(&signed), &key, CLUSTER).unwrap());
    });
    group.finish();
}
