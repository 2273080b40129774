//! Endpoints broken one at a time, and the test that each breakage is noticed.

use std::time::Instant;

use bytes::Bytes;
use chaos_tests::cluster::{ADMIN, Cluster};
use chaos_tests::registry::{Credentials, Registry};
use futures::StreamExt;
use futures::stream;
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderValue};

use crate::content::Algorithm;
use crate::extra::Part;
use crate::groups::{self, Group};
use crate::proxy::{Breakage, Change, Proxy, Question, Reply};
use crate::run::Record;
use crate::target::Target;

/// Groups that ask every endpoint; the same for each breakage.
const GROUPS: [Group; 7] = [
    Group::Ping,
    Group::Blobs(Algorithm::Sha256),
    Group::Data("artifacts-with-subject"),
    Group::Data("tag-param-sha256"),
    Group::InvalidDigest,
    Group::Legacy,
    Group::Extra(Part::Announced),
];

/// Breakages tried at the same time.
const BESIDE_EACH_OTHER: usize = 3;

fn is(question: &Question, method: &Method, part: &str) -> bool {
    question.method == *method && question.path.contains(part)
}

fn reads(question: &Question, part: &str) -> bool {
    is(question, &Method::GET, part) || is(question, &Method::HEAD, part)
}

fn blob(question: &Question) -> bool {
    question.path.contains("/blobs/") && !question.path.contains("/blobs/uploads/")
}

fn opens(question: &Question) -> bool {
    is(question, &Method::POST, "/blobs/uploads/")
}

fn set(headers: &mut HeaderMap, name: &'static str, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}

/// The last byte of a range, one too far or one too short.
fn shifted(reply: &mut Reply, by: i64) {
    let range = reply.headers.get("range").and_then(|it| it.to_str().ok()).unwrap_or("0-0");
    let last: i64 = range.trim_start_matches("0-").parse().unwrap_or(0);
    if let Ok(value) = HeaderValue::try_from(format!("0-{}", (last + by).max(0))) {
        reply.headers.insert("range", value);
    }
}

fn done_not(status: u16) -> Reply {
    let mut reply = Reply { status, ..Reply::default() };
    set(&mut reply.headers, "docker-distribution-api-version", "registry/2.0");
    reply
}

fn without(question: &mut Question, parameter: &str) {
    let kept = question.query.split('&').filter(|it| !it.starts_with(parameter));
    question.query = kept.collect::<Vec<_>>().join("&");
}

fn without_digest(reply: &mut Reply) {
    reply.headers.remove("docker-content-digest");
}

fn nothing(reply: &mut Reply) {
    if reply.status == 200 {
        reply.body = Bytes::new();
    }
}

/// Reading: end-1, 2, 3, 8, 12, 13.
const READING: &[Breakage] = &[
    Breakage {
        name: "end-1: nobody is asked for credentials",
        at: |it| it.path == "/v2/",
        change: Change::Reply(|reply| reply.status = 200),
    },
    Breakage {
        name: "end-2: a blob comes without its digest",
        at: |it| reads(it, "/blobs/sha"),
        change: Change::Reply(without_digest),
    },
    Breakage {
        name: "end-2: a blob is 200 and empty",
        at: |it| is(it, &Method::GET, "/blobs/sha"),
        change: Change::Reply(nothing),
    },
    Breakage {
        name: "end-2: a range is ignored",
        at: |it| is(it, &Method::GET, "/blobs/sha"),
        change: Change::Question(|it| drop(it.headers.remove("range"))),
    },
    Breakage {
        name: "end-2: every blob is there",
        at: |it| is(it, &Method::HEAD, "/blobs/sha"),
        change: Change::Reply(|reply| reply.status = 200),
    },
    Breakage {
        name: "end-3: a manifest comes without its digest",
        at: |it| reads(it, "/manifests/"),
        change: Change::Reply(without_digest),
    },
    Breakage {
        name: "end-3: a manifest is of another type",
        at: |it| reads(it, "/manifests/"),
        change: Change::Reply(|it| set(&mut it.headers, "content-type", "application/json")),
    },
    Breakage {
        name: "end-8a: a list of tags is always empty",
        at: |it| it.path.ends_with("/tags/list"),
        change: Change::Reply(|it| it.body = Bytes::from_static(b"{\"name\":\"x\",\"tags\":[]}")),
    },
    Breakage {
        name: "end-8b: n is ignored",
        at: |it| it.path.ends_with("/tags/list"),
        change: Change::Question(|it| without(it, "n=")),
    },
    Breakage {
        name: "end-8b: last is ignored",
        at: |it| it.path.ends_with("/tags/list"),
        change: Change::Question(|it| without(it, "last=")),
    },
    Breakage {
        name: "end-12a: nothing refers to anything",
        at: |it| it.path.contains("/referrers/"),
        change: Change::Reply(|it| {
            it.body = Bytes::from_static(
                b"{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\
                  \"manifests\":[]}",
            );
        }),
    },
    Breakage {
        name: "end-12b: artifactType is ignored",
        at: |it| it.path.contains("/referrers/"),
        change: Change::Question(|it| without(it, "artifactType=")),
    },
    Breakage {
        name: "end-13: an upload is said to be one byte shorter",
        at: |it| is(it, &Method::GET, "/blobs/uploads/"),
        change: Change::Reply(|it| shifted(it, -1)),
    },
];

/// Writing: end-4 to 7, 9 to 11, 14.
const WRITING: &[Breakage] = &[
    Breakage {
        name: "end-4a: a new upload has the range 0--1",
        at: opens,
        change: Change::Reply(|it| set(&mut it.headers, "range", "0--1")),
    },
    Breakage {
        name: "end-4b: a POST of a whole blob only opens an upload",
        at: opens,
        change: Change::Question(|it| without(it, "digest=")),
    },
    Breakage {
        name: "end-4c: an announced algorithm is refused",
        at: |it| opens(it) && it.query.contains("digest-algorithm="),
        change: Change::Instead(|_| done_not(400)),
    },
    Breakage {
        name: "end-5: the range of a chunk is one too far",
        at: |it| is(it, &Method::PATCH, "/blobs/uploads/"),
        change: Change::Reply(|it| shifted(it, 1)),
    },
    Breakage {
        name: "end-5: chunks are taken in any order",
        at: |it| is(it, &Method::PATCH, "/blobs/uploads/"),
        change: Change::Question(|it| drop(it.headers.remove("content-range"))),
    },
    Breakage {
        name: "end-6: the closing chunk is taken in any order",
        at: |it| is(it, &Method::PUT, "/blobs/uploads/"),
        change: Change::Question(|it| drop(it.headers.remove("content-range"))),
    },
    Breakage {
        name: "end-6: an upload is closed without its digest",
        at: |it| is(it, &Method::PUT, "/blobs/uploads/"),
        change: Change::Reply(without_digest),
    },
    Breakage {
        name: "end-7a: a subject is not confirmed",
        at: |it| is(it, &Method::PUT, "/manifests/"),
        change: Change::Reply(|it| drop(it.headers.remove("oci-subject"))),
    },
    Breakage {
        name: "end-7b: the tags of a PUT are ignored",
        at: |it| is(it, &Method::PUT, "/manifests/"),
        change: Change::Question(|it| without(it, "tag=")),
    },
    Breakage {
        name: "end-9: a manifest is not deleted",
        at: |it| is(it, &Method::DELETE, "/manifests/"),
        change: Change::Instead(|_| done_not(202)),
    },
    Breakage {
        name: "end-10: a blob is not deleted",
        at: |it| it.method == Method::DELETE && blob(it),
        change: Change::Instead(|_| done_not(202)),
    },
    Breakage {
        name: "end-11: nothing is ever mounted",
        at: opens,
        change: Change::Question(|it| without(it, "mount=")),
    },
    Breakage {
        name: "end-11: everything is mounted",
        at: |it| opens(it) && it.query.contains("mount="),
        change: Change::Reply(|reply| reply.status = 201),
    },
    Breakage {
        name: "end-14: an upload is not cancelled",
        at: |it| is(it, &Method::DELETE, "/blobs/uploads/"),
        change: Change::Instead(|_| done_not(204)),
    },
];

/// Runs the groups through a proxy in front of the first replica.
async fn through(cluster: &Cluster, breakage: Option<Breakage>, number: usize) -> Vec<Record> {
    let proxy = Proxy::start(cluster.replicas[0].http.clone(), breakage).await.unwrap();
    let who = Credentials { name: ADMIN.to_owned(), password: cluster.password.clone() };
    let registry = Registry::new(vec![proxy.address.clone()], Some(who), None).unwrap();
    let target = Target::new(registry, vec![0], vec![]);
    groups::run(&GROUPS, &target, &format!("broken-{number}-")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_broken_endpoint_is_noticed() {
    let cluster = Cluster::start(1).await.unwrap();
    let began = Instant::now();
    let sound = through(&cluster, None, 0).await;
    let failed: Vec<_> = sound.iter().filter(|it| it.seen.is_err()).collect();
    assert!(failed.is_empty(), "with nothing broken: {failed:#?}");
    let tried = READING.iter().chain(WRITING).zip(1..).map(|(breakage, number)| {
        let cluster = &cluster;
        async move { (breakage.name, through(cluster, Some(*breakage), number).await) }
    });
    let tried: Vec<_> = stream::iter(tried).buffered(BESIDE_EACH_OTHER).collect().await;
    let mut unnoticed = Vec::new();
    for (name, records) in &tried {
        let failed: Vec<&Record> = records.iter().filter(|it| it.seen.is_err()).collect();
        println!("{name}: {} of {} cases fail", failed.len(), records.len());
        if let Some(first) = failed.first() {
            println!("  {}: {}", first.name, first.seen.as_ref().unwrap_err());
        } else {
            unnoticed.push(*name);
        }
    }
    println!("{} breakages in {:?}", tried.len(), began.elapsed());
    assert!(unnoticed.is_empty(), "no case notices: {unnoticed:#?}");
}
