//! A page of tags, read from tables on the disk.

use criterion::Criterion;
use kv::store::{KvError, Store};
use metadata::tags;

use crate::state::{State, repository, tag};
use crate::stored::{View, fill};

/// A page has so many.
const PAGE: usize = 100;
/// Tags that one push sets.
const TAGS_PER_PUT: usize = 100;

/// A page in the middle of a thousand tags, and of a hundred thousand.
pub(crate) fn page(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tag page");
    for tags in [1_000, 100_000] {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("tables")).unwrap();
        fill(&store, &tagged(tags));
        let (name, last) = (repository("a/r"), tag(&format!("t{:06}", tags / 2)));
        group.bench_function(format!("100 of {tags}"), |bencher| {
            bencher.iter(|| {
                let read = store.read(|reader| {
                    let page = tags::page(&View(reader), &name, last.as_str(), PAGE);
                    Ok::<_, KvError>(page.unwrap())
                });
                assert_eq!(read.unwrap().items.len(), PAGE);
            });
        });
        store.close().unwrap();
    }
    group.finish();
}

fn tagged(tags: usize) -> State {
    let mut state = State::new();
    for text in ["config", "layer"] {
        let commit = state.blob_commit("a/r", text);
        state.run(commit).unwrap();
    }
    let names: Vec<String> = (0..tags).map(|number| format!("t{number:06}")).collect();
    for (number, names) in names.chunks(TAGS_PER_PUT).enumerate() {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let text = format!("m{number}");
        let put = state.manifest_put("a/r", &text, (&["config", "layer"], &names));
        state.run(put).unwrap();
    }
    state
}
