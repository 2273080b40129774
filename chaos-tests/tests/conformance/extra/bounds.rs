//! Manifests at their limits, and documents that are almost manifests (2.6, 7.2).

use chaos_tests::image::{Blob, INDEX, MANIFEST};
use serde_json::{Value, json};

use super::image;
use crate::answer::{Answer, Seen, holds};
use crate::content::{Algorithm, Manifest};
use crate::manifests;
use crate::run::Run;

const MANIFEST_BYTES_MAX: usize = 4 << 20;
const REFERENCES_MAX: usize = 2_000;

pub(super) async fn all(run: &Run) {
    run.step("manifest size/4 MiB", sized(run, MANIFEST_BYTES_MAX)).await;
    run.step("manifest size/4 MiB and a byte", sized(run, MANIFEST_BYTES_MAX + 1)).await;
    run.step("manifest size/4 MiB and a byte, streamed", streamed_too_large(run)).await;
    run.step("references/2000", referring(run, REFERENCES_MAX)).await;
    run.step("references/2001", referring(run, REFERENCES_MAX + 1)).await;
    run.step("manifest/duplicate layers", duplicate_layers(run)).await;
    for (name, change) in REFUSED {
        run.step(&format!("manifest/{name}"), refused(run, *change)).await;
    }
    run.step("manifest/of another content type", another_type(run)).await;
    run.step("manifest/without a content type", without_type(run)).await;
    run.step("manifest/with parameters of its type", type_with_parameters(run)).await;
    run.step("manifest/all missing blobs are named", all_missing(run)).await;
    run.step("manifest/a child of an index is not deleted", child_of_an_index(run)).await;
    run.step("manifest/a named blob is not deleted", named_blob(run)).await;
    run.step("manifest/the same again", the_same_again(run)).await;
    run.step("manifest/Accept is not judged", any_accept(run)).await;
}

/// A change of a good manifest.
type Change = fn(&mut Value);

/// Changes after which it is refused as `MANIFEST_INVALID`.
const REFUSED: &[(&str, Change)] = &[
    ("both image and index", |it| it["manifests"] = json!([])),
    ("schema version 3", |it| it["schemaVersion"] = json!(3)),
    ("no schema version", |it| drop(it.as_object_mut().map(|it| it.remove("schemaVersion")))),
    ("another media type inside", |it| it["mediaType"] = json!(INDEX)),
    ("a wrong size", |it| it["config"]["size"] = json!(1)),
    ("a negative size", |it| it["config"]["size"] = json!(-1)),
    ("layers that are no list", |it| it["layers"] = json!({})),
    ("data of another length", |it| it["config"]["data"] = json!("e30=")),
];

/// Changes a good manifest, whose blobs are there; gives what is to be pushed.
async fn changed(run: &Run, change: impl FnOnce(&mut Value)) -> Seen<Manifest> {
    let mut manifest = image(run).await?;
    let mut document = read(&manifest.blob)?;
    change(&mut document);
    manifest.blob = Algorithm::Sha256.blob(document.to_string());
    Ok(manifest)
}

fn read(blob: &Blob) -> Seen<Value> {
    serde_json::from_slice(&blob.bytes).map_err(|error| error.to_string())
}

/// PUT under a tag that only this request uses.
async fn put(run: &Run, manifest: &Manifest, media_type: &str) -> Seen<(String, Answer)> {
    let path = format!("manifests/t{}", run.draw());
    let put = run.put(&path).header("content-type", media_type).body(&manifest.blob.bytes);
    Ok((path, put.send().await?))
}

async fn taken(run: &Run, manifest: &Manifest) -> Seen {
    manifests::pushed(run, manifest, (&manifest.blob.digest, &[])).await?;
    manifests::seen(run, manifest, (&manifest.blob.digest, false)).await
}

/// A manifest that is not taken, and whose tag does not come to be.
async fn refused(run: &Run, change: Change) -> Seen {
    let manifest = changed(run, change).await?;
    let (path, answer) = put(run, &manifest, MANIFEST).await?;
    answer.refuses(400, "MANIFEST_INVALID")?;
    run.get(&path).send().await?.refuses(404, "MANIFEST_UNKNOWN").map(|_| ())
}

/// A manifest of exactly so many bytes.
async fn of_bytes(run: &Run, bytes: usize) -> Seen<Manifest> {
    let filled =
        |it: &mut Value, length: usize| it["annotations"] = json!({"a": "x".repeat(length)});
    let mut manifest = changed(run, |it| filled(it, 0)).await?;
    let mut document = read(&manifest.blob)?;
    filled(&mut document, bytes - manifest.blob.bytes.len());
    manifest.blob = Algorithm::Sha256.blob(document.to_string());
    let came = manifest.blob.bytes.len();
    holds(came == bytes, || format!("the case itself made {came} bytes"))?;
    Ok(manifest)
}

async fn sized(run: &Run, bytes: usize) -> Seen {
    let manifest = of_bytes(run, bytes).await?;
    if bytes <= MANIFEST_BYTES_MAX {
        return taken(run, &manifest).await;
    }
    let (_, answer) = put(run, &manifest, MANIFEST).await?;
    answer.refuses(413, "MANIFEST_INVALID").map(|_| ())
}

/// Without a length it is counted while it is read.
async fn streamed_too_large(run: &Run) -> Seen {
    let manifest = of_bytes(run, MANIFEST_BYTES_MAX + 1).await?;
    let put = run.put("manifests/streamed").header("content-type", MANIFEST);
    let answer = put.stream(&manifest.blob.bytes).send().await?;
    answer.refuses(413, "MANIFEST_INVALID").map(|_| ())
}

/// The configuration and so many layers, less one, all of the same blob.
async fn referring(run: &Run, references: usize) -> Seen {
    let many = |it: &mut Value| {
        let layer = it["layers"][0].clone();
        it["layers"] = Value::Array(vec![layer; references - 1]);
    };
    let manifest = changed(run, many).await?;
    if references <= REFERENCES_MAX {
        return taken(run, &manifest).await;
    }
    let (_, answer) = put(run, &manifest, MANIFEST).await?;
    answer.refuses(400, "MANIFEST_INVALID").map(|_| ())
}

async fn duplicate_layers(run: &Run) -> Seen {
    let twice = |it: &mut Value| it["layers"] = json!([it["layers"][0], it["layers"][0]]);
    taken(run, &changed(run, twice).await?).await
}

async fn another_type(run: &Run) -> Seen {
    let manifest = image(run).await?;
    for media_type in [INDEX, "text/html"] {
        put(run, &manifest, media_type).await?.1.refuses(400, "MANIFEST_INVALID")?;
    }
    Ok(())
}

/// The type is the body's, or inferred from its fields.
async fn without_type(run: &Run) -> Seen {
    let bare = |it: &mut Value| drop(it.as_object_mut().map(|it| it.remove("mediaType")));
    for manifest in [image(run).await?, changed(run, bare).await?] {
        let path = format!("manifests/{}", manifest.blob.digest);
        run.put(&path).body(&manifest.blob.bytes).send().await?.is(201)?;
        manifests::seen(run, &manifest, (&manifest.blob.digest, false)).await?;
    }
    Ok(())
}

/// Stored without its parameters (MG1).
async fn type_with_parameters(run: &Run) -> Seen {
    let manifest = image(run).await?;
    put(run, &manifest, &format!("{MANIFEST}; charset=utf-8")).await?.1.is(201)?;
    manifests::seen(run, &manifest, (&manifest.blob.digest, true)).await
}

async fn all_missing(run: &Run) -> Seen {
    let digests = [run.digest(Algorithm::Sha256), run.digest(Algorithm::Sha512)];
    let manifest = changed(run, |it| {
        for (layer, digest) in digests.iter().enumerate() {
            it["layers"][layer]["digest"] = json!(digest);
        }
    });
    let answer = put(run, &manifest.await?, MANIFEST).await?.1;
    let body = answer.refuses(400, "MANIFEST_BLOB_UNKNOWN")?.json()?;
    let errors = body["errors"].as_array().cloned().unwrap_or_default();
    let named = |digest: &String| errors.iter().any(|it| it["detail"]["digest"] == *digest);
    let right = errors.len() == digests.len() && digests.iter().all(named);
    holds(right, || answer.but(&format!("{digests:?} are missing")))
}

/// MD3.
async fn child_of_an_index(run: &Run) -> Seen {
    let child = image(run).await?;
    manifests::pushed(run, &child, (&child.blob.digest, &[])).await?;
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [child.entry]});
    let blob = Algorithm::Sha256.blob(index.to_string());
    let parent = Manifest { media_type: INDEX, blob, ..child.clone() };
    manifests::pushed(run, &parent, (&parent.blob.digest, &[])).await?;
    let [child, parent] = [&child, &parent].map(|it| format!("manifests/{}", it.blob.digest));
    let answer = run.delete(&child).send().await?;
    let named = String::from_utf8_lossy(&answer.refuses(405, "UNSUPPORTED")?.body).into_owned();
    let digest = parent.trim_start_matches("manifests/");
    holds(named.contains(digest), || answer.but("the index is not named"))?;
    manifests::gone(run, &parent).await?;
    manifests::gone(run, &child).await
}

/// 405 while a manifest names it, 202 after that.
async fn named_blob(run: &Run) -> Seen {
    let manifest = image(run).await?;
    manifests::pushed(run, &manifest, (&manifest.blob.digest, &[])).await?;
    let config = read(&manifest.blob)?["config"]["digest"].as_str().unwrap_or("none").to_owned();
    let path = format!("blobs/{config}");
    let answer = run.delete(&path).send().await?;
    let named = String::from_utf8_lossy(&answer.refuses(405, "UNSUPPORTED")?.body).into_owned();
    holds(named.contains(&manifest.blob.digest), || answer.but("the manifest is not named"))?;
    manifests::gone(run, &format!("manifests/{}", manifest.blob.digest)).await?;
    run.delete(&path).send().await?.is(202).map(|_| ())
}

/// MP3.
async fn the_same_again(run: &Run) -> Seen {
    let manifest = image(run).await?;
    for _ in 0..3 {
        manifests::pushed(run, &manifest, ("again", &[])).await?;
    }
    manifests::seen(run, &manifest, ("again", false)).await
}

/// MG2.
async fn any_accept(run: &Run) -> Seen {
    let manifest = image(run).await?;
    manifests::pushed(run, &manifest, ("accepted", &[])).await?;
    for accept in [INDEX, "application/json", "text/html;q=0.1", "x"] {
        let get = run.get("manifests/accepted").header("accept", accept).send().await?;
        get.is(200)?.says("content-type", MANIFEST)?.carries(&manifest.blob.bytes)?;
    }
    Ok(())
}
