//! The data sets of the official suite, by its names.

use chaos_tests::image::MANIFEST;
use serde_json::{Value, json};

use crate::content::{Algorithm, EMPTY, GZIP, Set, TAR, unchanged};
use crate::run::Run;

/// Their names in the order in which the official suite goes through them.
pub(crate) const NAMES: &[&str] = &[
    "image",
    "image-uncompressed",
    "large-manifest",
    "index",
    "nested-index",
    "empty-index",
    "artifact",
    "artifact-index",
    "artifact-without-layers",
    "artifacts-with-subject",
    "index-with-subject",
    "missing-subject",
    "data-field",
    "non-distributable-layers",
    "custom-fields",
    "no-layers",
    "sha512",
    "tag-param-sha256",
    "tag-param-sha512",
];

/// An artifact type, and the one that a filter must leave out.
pub(crate) const KIND: &str = "application/vnd.example.conformance.one";
const OTHER_KIND: &str = "application/vnd.example.conformance.two";

const DISTRIBUTABLE_NOT: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar";

/// What the set of this name is made of.
pub(crate) fn of<'a>(run: &'a Run, name: &str) -> Set<'a> {
    let is_512 = name.ends_with("sha512");
    let algorithm = if is_512 { Algorithm::Sha512 } else { Algorithm::Sha256 };
    let mut set = Set::new(run, algorithm);
    match name {
        "image"
        | "image-uncompressed"
        | "large-manifest"
        | "no-layers"
        | "data-field"
        | "non-distributable-layers" => images(&mut set, name),
        "artifact" | "artifact-index" | "artifact-without-layers" => artifacts(&mut set, name),
        "artifacts-with-subject" | "index-with-subject" | "missing-subject" => {
            subjects(&mut set, name);
        }
        _ => indexes(&mut set, name),
    }
    set
}

fn images(set: &mut Set<'_>, name: &str) {
    let urls = |digest: &str| json!([format!("https://store.example.com/blobs/{digest}")]);
    match name {
        "image-uncompressed" => set.image(TAR, unchanged),
        "large-manifest" => set.image(GZIP, |it| {
            let large = |at| (format!("large-annotation-{at}"), Value::from("A".repeat(10_000)));
            it["annotations"] = (0..390).map(large).collect();
        }),
        "no-layers" => set.image(GZIP, |it| it["layers"] = json!([])),
        "data-field" => {
            let mut config = set.blob("{}", EMPTY);
            // "e30=" is `{}` in base64.
            config["data"] = json!("e30=");
            set.image(GZIP, |it| it["config"] = config)
        }
        "non-distributable-layers" => {
            let absent = [GZIP, TAR].map(|kind| {
                let digest =
                    set.algorithm.digest(format!("{name} {kind} {}", set.draw()).as_bytes());
                let suffix = if kind == GZIP { "+gzip" } else { "" };
                json!({"mediaType": format!("{DISTRIBUTABLE_NOT}{suffix}"), "size": 12_345,
                    "digest": digest, "urls": urls(&digest)})
            });
            set.image(GZIP, |it| {
                let present = it["layers"][0].clone();
                it["layers"] = absent.into_iter().chain([present]).collect();
            })
        }
        _ => set.image(GZIP, unchanged),
    };
    set.tag(name);
}

fn artifacts(set: &mut Set<'_>, name: &str) {
    match name {
        "artifact-index" => {
            let children = [set.artifact(KIND, unchanged), set.artifact(KIND, unchanged)];
            set.index(&children, |it| it["artifactType"] = json!(KIND));
        }
        "artifact-without-layers" => {
            let empty = set.blob("{}", EMPTY);
            let document = json!({"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": KIND,
                "config": empty, "layers": [empty], "annotations": {"nonce": set.draw()
                .to_string()}});
            set.manifest(document, unchanged);
        }
        _ => {
            set.artifact(KIND, unchanged);
        }
    }
    set.tag(name);
}

fn subjects(set: &mut Set<'_>, name: &str) {
    let annotations = json!({"org.opencontainers.conformance": "hello conformance test"});
    let on = |subject: Value, annotations: &Value| {
        let annotations = annotations.clone();
        move |it: &mut Value| {
            it["subject"] = subject;
            it["annotations"] = annotations;
        }
    };
    match name {
        "index-with-subject" => {
            let children = [set.image(GZIP, unchanged), set.image(GZIP, unchanged)];
            let index = set.index(&children, unchanged);
            set.tag("index");
            let children = [set.artifact(KIND, unchanged), set.artifact(KIND, unchanged)];
            set.index(&children, |it| {
                it["artifactType"] = json!(KIND);
                on(index, &annotations)(it);
            });
            set.tag("tagged-artifact");
        }
        "missing-subject" => {
            let digest = set.algorithm.digest(format!("never pushed {}", set.draw()).as_bytes());
            let subject = json!({"mediaType": MANIFEST, "digest": digest, "size": 123});
            set.artifact(KIND, on(subject, &annotations));
            set.tag("tagged-artifact");
        }
        _ => {
            let image = set.image(GZIP, unchanged);
            set.tag("image");
            let plain = image.clone();
            set.image(GZIP, |it| it["subject"] = plain);
            set.artifact(KIND, on(image.clone(), &annotations));
            set.tag("tagged-artifact1");
            set.artifact(OTHER_KIND, on(image, &annotations));
            set.tag("tagged-artifact2");
        }
    }
}

fn indexes(set: &mut Set<'_>, name: &str) {
    let unknown = |it: &mut Value| it["org.example.unknown"] = json!({"kept": [1, "two", null]});
    match name {
        "empty-index" => {
            let nonce = set.draw().to_string();
            set.index(&[], |it| it["annotations"] = json!({"nonce": nonce}));
        }
        "nested-index" => {
            let mut inner = || {
                let children = [set.image(GZIP, unchanged), set.image(GZIP, unchanged)];
                set.index(&children, unchanged)
            };
            let indexes = [inner(), inner()];
            set.index(&indexes, unchanged);
        }
        "custom-fields" => {
            let mut child = || {
                let config = set.config("org.example.unknown");
                set.image(GZIP, |it| {
                    it["config"] = config;
                    unknown(it);
                })
            };
            let children = [child(), child()];
            set.index(&children, unknown);
        }
        _ => {
            let children = [set.image(GZIP, unchanged), set.image(GZIP, unchanged)];
            set.index(&children, unchanged);
        }
    }
    match name {
        // A tag as reference means sha256: these have none.
        "sha512" => {}
        "tag-param-sha256" | "tag-param-sha512" => {
            set.by_parameter = true;
            for (at, manifest) in set.manifests.iter_mut().enumerate() {
                manifest.tags.push(format!("{name}-{at}"));
            }
            set.tag(name);
        }
        _ => set.tag(name),
    }
}
