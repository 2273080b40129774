//! Hashing, and taking in an upload.

use std::hint::black_box;
use std::sync::Arc;

use blobs::files::DiskFiles;
use blobs::store::{BlobStore, Options};
use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput};
use oci::digest::Algorithm;
use oci::verifier::Verifier;
use tokio::runtime::Runtime;

const MIB: usize = 1 << 20;
/// An upload has so many pieces of a MiB.
const PIECES: usize = 16;

/// A MiB through the verifier of each algorithm.
pub(crate) fn digest_verification(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("digest verification");
    group.throughput(Throughput::Bytes(MIB as u64));
    let bytes = vec![0x5a; MIB];
    for (name, algorithm) in [("sha256", Algorithm::Sha256), ("sha512", Algorithm::Sha512)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut verifier = Verifier::new(&[algorithm]);
                verifier.update(black_box(&bytes));
                verifier.finish()
            });
        });
    }
    group.finish();
}

/// An upload of 16 MiB, written and hashed, not sealed: no fsync is in it.
pub(crate) fn upload_append(criterion: &mut Criterion) {
    let (folder, runtime) = (tempfile::tempdir().unwrap(), Runtime::new().unwrap());
    let store = BlobStore::open(folder.path(), Arc::new(DiskFiles), Options::default()).unwrap();
    let piece = Bytes::from(vec![0x5a; MIB]);
    let mut group = criterion.benchmark_group("upload append");
    group.throughput(Throughput::Bytes((MIB * PIECES) as u64));
    let mut number = 0_u32;
    group.bench_function("16 MiB in pieces of a MiB", |bencher| {
        bencher.iter_batched(
            || {
                number += 1;
                let id = format!("00000000-0000-8000-8000-{number:012x}");
                runtime.block_on(store.create_upload(&id, &[Algorithm::Sha256])).unwrap()
            },
            |mut upload| {
                runtime.block_on(async {
                    for _ in 0..PIECES {
                        upload.append(piece.clone()).await.unwrap();
                    }
                    upload.save().await.unwrap();
                    upload.cancel().await.unwrap();
                });
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}
