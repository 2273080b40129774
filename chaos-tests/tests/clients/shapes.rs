//! Shapes of content: what each is made of, pushed through one replica and read byte for byte from
//! all, then carried out by skopeo where it takes such a thing.

use std::path::Path;

use chaos_tests::cluster::Cluster;
use chaos_tests::executable::text;
use chaos_tests::history::Condition;
use chaos_tests::image::{Blob, INDEX, MANIFEST};
use chaos_tests::programs::Program;
use reqwest::Method;
use serde_json::{Value, json};

use crate::ends_well;
use crate::layout::folder_digests;
use crate::skopeo::Flags;

const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// Who else carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carrier {
    /// skopeo, whole.
    Skopeo,
    /// Nobody here: skopeo of this age knows neither artifacts nor an index in an index, and
    /// spends so much on each layer that containerd carries the image of many.
    None,
}

/// Blobs, and manifests that name them, children first; the last one gets the tag.
struct Shape {
    name: &'static str,
    blobs: Vec<Blob>,
    manifests: Vec<(Blob, &'static str)>,
    carrier: Carrier,
}

fn described(blob: &Blob, kind: &str) -> Value {
    json!({"mediaType": kind, "digest": blob.digest, "size": blob.bytes.len()})
}

/// A manifest of this type over a configuration and layers, each with its media type.
fn manifest(kind: &str, config: (&Blob, &str), layers: &[(&Blob, &str)]) -> Blob {
    let layers: Vec<Value> = layers.iter().map(|(blob, kind)| described(blob, kind)).collect();
    let manifest = json!({"schemaVersion": 2, "mediaType": kind,
        "config": described(config.0, config.1), "layers": layers});
    Blob::new(manifest.to_string())
}

/// An index of this type over these manifests, one platform each.
fn index(kind: &str, children: &[(&Blob, &str)]) -> Blob {
    let platforms = ["amd64", "arm64", "s390x", "ppc64le"];
    let entries = children.iter().zip(platforms).map(|((child, kind), architecture)| {
        let mut entry = described(child, kind);
        entry["platform"] = json!({"os": "linux", "architecture": architecture});
        entry
    });
    let entries: Vec<Value> = entries.collect();
    let index = json!({"schemaVersion": 2, "mediaType": kind, "manifests": entries});
    Blob::new(index.to_string())
}

/// A configuration that says how many layers there are; what it calls them nobody compares.
fn config(layers: usize, nonce: u64) -> Blob {
    let ids: Vec<String> = (0..layers).map(|at| Blob::random(at as u64, 8).digest).collect();
    let config = json!({"architecture": "amd64", "os": "linux",
        "config": {"Labels": {"nonce": nonce.to_string()}},
        "rootfs": {"type": "layers", "diff_ids": ids}});
    Blob::new(config.to_string())
}

/// One image whose layers all have the same media type.
fn image(name: &'static str, types: [&'static str; 3], layers: Vec<Blob>, nonce: u64) -> Shape {
    let [kind, config_kind, layer_kind] = types;
    let config = config(layers.len(), nonce);
    let named: Vec<_> = layers.iter().map(|layer| (layer, layer_kind)).collect();
    let manifest = manifest(kind, (&config, config_kind), &named);
    let blobs = layers.into_iter().chain([config]).collect();
    Shape { name, blobs, manifests: vec![(manifest, kind)], carrier: Carrier::Skopeo }
}

fn images() -> Vec<Shape> {
    let random = |seed: u64, count: u64| (0..count).map(move |at| Blob::random(seed + at, 900));
    let docker = [DOCKER_MANIFEST, DOCKER_CONFIG, DOCKER_LAYER];
    let gzip = [MANIFEST, CONFIG, "application/vnd.oci.image.layer.v1.tar+gzip"];
    let zstd = [MANIFEST, CONFIG, "application/vnd.oci.image.layer.v1.tar+zstd"];
    let tar = [MANIFEST, CONFIG, "application/vnd.oci.image.layer.v1.tar"];
    // Nothing at all, a tar of no files, and twice the same.
    let (nothing, no_files) = (Blob::new(vec![]), Blob::new(vec![0; 1_024]));
    let empty = vec![nothing.clone(), no_files, nothing];
    let many = image("many-layers", tar, random(2_000, 200).collect(), 5);
    vec![
        image("docker-image", docker, random(1_000, 3).collect(), 1),
        image("oci-image", gzip, random(1_100, 3).collect(), 2),
        image("zstd-layers", zstd, random(1_200, 2).collect(), 3),
        image("empty-layers", tar, empty, 4),
        Shape { carrier: Carrier::None, ..many },
    ]
}

/// Two images under one index, of docker's types or OCI's.
fn platforms(name: &'static str, kinds: [&'static str; 4], seed: u64) -> Shape {
    let [list_kind, kind, config_kind, layer_kind] = kinds;
    let mut shape = Shape { name, blobs: vec![], manifests: vec![], carrier: Carrier::Skopeo };
    for nonce in [seed, seed + 1] {
        let layers = vec![Blob::random(nonce * 7, 700)];
        let one = image(name, [kind, config_kind, layer_kind], layers, nonce);
        shape.blobs.extend(one.blobs);
        shape.manifests.extend(one.manifests);
    }
    let children: Vec<_> = shape.manifests.iter().map(|(blob, kind)| (blob, *kind)).collect();
    let top = index(list_kind, &children);
    shape.manifests.push((top, list_kind));
    shape
}

/// An index of two indexes of two images.
fn nested() -> Shape {
    let layer = "application/vnd.oci.image.layer.v1.tar";
    let mut shape =
        Shape { name: "nested-index", blobs: vec![], manifests: vec![], carrier: Carrier::None };
    let mut tops = Vec::new();
    for seed in [800, 810] {
        let inner = platforms("inner", [INDEX, MANIFEST, CONFIG, layer], seed);
        tops.extend(inner.manifests.last().cloned());
        shape.blobs.extend(inner.blobs);
        shape.manifests.extend(inner.manifests);
    }
    let children: Vec<_> = tops.iter().map(|(blob, kind)| (blob, *kind)).collect();
    shape.manifests.push((index(INDEX, &children), INDEX));
    shape
}

/// Artifacts whose configuration is the empty object: with a layer, and with none.
fn artifacts() -> Vec<Shape> {
    let (empty, text) = (Blob::new("{}"), Blob::new("what an artifact holds"));
    let artifact = |name, layers: Vec<Value>, blobs: Vec<Blob>| {
        let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST,
            "artifactType": "application/vnd.example.thing", "config": described(&empty, EMPTY),
            "layers": layers, "annotations": {"org.example.made": "here"}});
        let manifests = vec![(Blob::new(manifest.to_string()), MANIFEST)];
        Shape { name, blobs, manifests, carrier: Carrier::None }
    };
    vec![
        artifact(
            "artifact",
            vec![described(&text, "text/plain"), described(&empty, EMPTY)],
            vec![empty.clone(), text.clone()],
        ),
        artifact("artifact-of-nothing", vec![], vec![empty.clone()]),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn content_of_every_shape_comes_back_byte_for_byte() {
    let cluster = Cluster::start(3).await.unwrap();
    let (skopeo, folder) = (Program::new("skopeo"), tempfile::tempdir().unwrap());
    let flags = Flags::plain(&cluster);
    let docker = [DOCKER_LIST, DOCKER_MANIFEST, DOCKER_CONFIG, DOCKER_LAYER];
    let shapes = images().into_iter().chain(artifacts());
    let shapes = shapes.chain([platforms("docker-list", docker, 700), nested()]);
    for (number, shape) in shapes.enumerate() {
        let place = number % 3;
        push(&cluster, place, &shape).await;
        read(&cluster, &shape).await;
        if let (Some(skopeo), Carrier::Skopeo) = (&skopeo, shape.carrier) {
            let host = cluster.replicas[(place + 1) % 3].http.replace("http://", "");
            carry(&flags, skopeo, &host, &shape, folder.path()).await;
        }
    }
    ends_well(&cluster);
}

async fn push(cluster: &Cluster, place: usize, shape: &Shape) {
    let repository = format!("shapes/{}", shape.name);
    for blob in &shape.blobs {
        let pushed = cluster.registry.push_blob(place, &repository, blob).await;
        pushed.unwrap_or_else(|why| panic!("{}: {why}", shape.name));
    }
    let last = shape.manifests.len() - 1;
    for (number, (manifest, kind)) in shape.manifests.iter().enumerate() {
        let reference = if number == last { "v1" } else { &manifest.digest };
        let target = (repository.as_str(), reference);
        let pushed =
            cluster.registry.push_manifest(place, target, (manifest, kind), &Condition::None);
        pushed.await.unwrap_or_else(|why| panic!("{}: {why}", shape.name));
    }
}

async fn read(cluster: &Cluster, shape: &Shape) {
    let repository = format!("shapes/{}", shape.name);
    let (top, _) = shape.manifests.last().unwrap();
    for place in 0..cluster.replicas.len() {
        let named = format!("{} from replica {place}", shape.name);
        let seen = cluster.registry.look(place, &repository, "v1").await.unwrap();
        assert_eq!(seen.as_ref(), Some(&top.digest), "{named}");
        for (manifest, kind) in &shape.manifests {
            let path = format!("manifests/{}", manifest.digest);
            let get = cluster.registry.request(place, Method::GET, &repository, &path).await;
            let answer = get.unwrap().send().await.unwrap();
            assert_eq!(answer.headers()["content-type"], *kind, "{named}");
            assert_eq!(answer.bytes().await.unwrap(), manifest.bytes, "{named}");
        }
        for blob in &shape.blobs {
            let came = cluster.registry.fetch(place, &repository, "blobs", &blob.digest).await;
            assert_eq!(came.unwrap(), blob.digest, "{named}");
        }
    }
}

/// Out of one replica, into the next under another name: nothing may have changed on the way.
async fn carry(flags: &Flags, skopeo: &Program, host: &str, shape: &Shape, folder: &Path) {
    let own = folder.join(shape.name);
    let from = format!("docker://{host}/shapes/{}:v1", shape.name);
    flags.copy_out(skopeo, &from, &format!("dir:{}", text(&own))).await;
    let came: Vec<String> = folder_digests(&own).into_iter().map(|(_, digest)| digest).collect();
    let manifests = shape.manifests.iter().map(|(blob, _)| blob);
    for blob in shape.blobs.iter().chain(manifests) {
        assert!(came.contains(&blob.digest), "{}: {} did not come", shape.name, blob.digest);
    }
    let to = format!("docker://{host}/carried/{}:v1", shape.name);
    flags.copy_in(skopeo, &format!("dir:{}", text(&own)), &to).await;
    let raw = flags.run(skopeo, &["inspect", "--raw"], &[&to]).await;
    let (top, _) = shape.manifests.last().unwrap();
    assert_eq!(raw.as_bytes(), top.bytes, "{}", shape.name);
}

#[test]
fn shapes_are_what_they_say() {
    let images = images();
    let layers = |name: &str| images.iter().find(|it| it.name == name).map(|it| it.blobs.len() - 1);
    assert_eq!((layers("many-layers"), layers("empty-layers")), (Some(200), Some(3)));
    assert_eq!(nested().manifests.len(), 7);
}
