//! Applying the commands that a busy registry sees most.

use criterion::{BatchSize, Criterion};
use metadata::access::{self, Action, judge};
use metadata::blobs::commands::{BlobMount, BlobUnlink};
use metadata::command::Command;
use metadata::holders::{HolderAdd, HolderDrop, HolderLost};
use metadata::leases::LeaseRenew;
use metadata::manifests::delete::ManifestDelete;
use metadata::tags::TagDelete;

use crate::state::{State, digest, id, repository, tag};

/// What there is in the repository before.
const IMAGES: u64 = 1_000;

fn filled() -> State {
    let mut state = State::new();
    for text in ["config", "layer", "loose"] {
        let commit = state.blob_commit("a/r", text);
        state.run(commit).unwrap();
    }
    for number in 0..IMAGES {
        let (text, name) = (format!("m{number}"), format!("t{number}"));
        let put = state.manifest_put("a/r", &text, (&["config", "layer"], &[&name]));
        state.run(put).unwrap();
    }
    state
}

type Made = fn(&State, u64) -> Command;

/// Each is made anew for every run, on a copy of the same state.
const COMMANDS: &[(&str, Made)] = &[
    ("BlobCommit, new", |state, n| state.blob_commit("a/r", &format!("new {n}")).into()),
    ("BlobCommit, known", |state, _| state.blob_commit("a/r", "layer").into()),
    ("BlobMount", |_, _| {
        let from = Some(repository("a/r"));
        let actor = "admin".into();
        BlobMount { repository: repository("a/other"), from, digest: digest("layer"), actor }.into()
    }),
    ("BlobUnlink", |_, _| {
        let actor = "admin".into();
        BlobUnlink { repository: repository("a/r"), digest: digest("loose"), actor }.into()
    }),
    ("ManifestPut, new tag", |state, n| {
        let (text, name) = (format!("new {n}"), format!("new-{n}"));
        state.manifest_put("a/r", &text, (&["config", "layer"], &[&name])).into()
    }),
    ("ManifestPut, tag moves", |state, n| {
        state.manifest_put("a/r", &format!("new {n}"), (&["config", "layer"], &["t0"])).into()
    }),
    ("ManifestDelete", |_, _| {
        let actor = "admin".into();
        ManifestDelete { repository: repository("a/r"), digest: digest("m1"), actor }.into()
    }),
    ("TagDelete", |_, _| {
        let (tag, actor) = (tag("t2"), "admin".into());
        TagDelete { repository: repository("a/r"), tag, precondition: None, actor }.into()
    }),
    ("LeaseRenew", |_, _| {
        LeaseRenew { repository: repository("a/r"), digests: vec![digest("loose")] }.into()
    }),
    ("HolderAdd", |state, _| {
        HolderAdd { digest: digest("layer"), receipt: state.receipt(3) }.into()
    }),
    ("HolderDrop, refused", |_, _| {
        HolderDrop { digest: digest("layer"), replica_id: id(2) }.into()
    }),
    ("HolderLost", |_, _| HolderLost { digest: digest("layer"), replica_id: id(2) }.into()),
];

/// A command decoded and applied to tables in memory: what the disk costs is not in it.
pub(crate) fn apply(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("apply");
    let mut state = filled();
    let base = state.tables.clone();
    let mut number = 0;
    for (name, made) in COMMANDS {
        group.bench_function(*name, |bencher| {
            bencher.iter_batched(
                || {
                    number += 1;
                    let command = made(&state, number);
                    (base.clone(), state.entry(command))
                },
                |(mut tables, (position, entry))| {
                    let outcomes = metadata::apply::apply(&mut tables, position, &entry).unwrap();
                    // The tables are dropped outside of the measured time.
                    (tables, outcomes)
                },
                BatchSize::PerIteration,
            );
        });
    }
    let caller = access::caller(&state.tables, "alice").unwrap().unwrap();
    let name = repository("a/r");
    group.bench_function("the right to pull", |bencher| {
        bencher.iter(|| judge(&state.tables, &caller, &name, Action::Pull).unwrap());
    });
    group.finish();
}
