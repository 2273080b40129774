//! Repositories with immutable tags, and public ones, as the administrator makes them.

use bytes::Bytes;
use serde_json::{Value, json};

use super::access::{Endpoint, ask, endpoints, stranger};
use super::{image, images};
use crate::answer::{Answer, Seen, holds};
use crate::content::Manifest;
use crate::manifests;
use crate::run::{Run, Who};

pub(super) async fn all(run: &Run) {
    let Some(image) = run.step("immutable tag/prepared", prepared(run)).await else { return };
    run.step("immutable tag/another digest", another_digest(run, &image)).await;
    run.step("immutable tag/same digest", same_digest(run, &image)).await;
    run.step("immutable tag/one among ten", one_among_ten(run, &image)).await;
    run.step("immutable tag/a signature is appended to", signature(run)).await;
    run.step("immutable tag/deleted and free again", deleted(run, &image)).await;
    run.step("immutable tag/no longer", no_longer(run)).await;
    public(run).await;
}

fn body(value: &Value) -> Bytes {
    value.to_string().into()
}

async fn change(run: &Run, change: Value) -> Seen {
    let patch = run.patch(&format!("/api/v0/repositories/{}", run.repository)).who(Who::Basic);
    let patch = patch.header("content-type", "application/json");
    patch.body(&body(&change)).send().await?.is(200).map(|_| ())
}

async fn prepared(run: &Run) -> Seen<Manifest> {
    // The first push makes the namespace too.
    let manifest = image(run).await?;
    manifests::pushed(run, &manifest, ("v1", &[])).await?;
    change(run, json!({"immutableTags": true})).await?;
    Ok(manifest)
}

async fn put(run: &Run, manifest: &Manifest, reference: &str) -> Seen<Answer> {
    let put = run.put(&format!("manifests/{reference}"));
    let put = put.header("content-type", manifest.media_type);
    put.body(&manifest.blob.bytes).send().await
}

/// H6.
async fn another_digest(run: &Run, before: &Manifest) -> Seen {
    let answer = put(run, &image(run).await?, "v1").await?;
    let text = answer.refuses(409, "DENIED")?.json()?["errors"][0]["message"].to_string();
    let whole = text.contains("tag=v1 cannot be overwritten because ")
        && text.contains(&format!("/{} is an immutable repository", run.repository));
    holds(whole, || answer.but("the text is another"))?;
    manifests::seen(run, before, ("v1", true)).await
}

/// MP3.
async fn same_digest(run: &Run, image: &Manifest) -> Seen {
    put(run, image, "v1").await?.is(201)?;
    let tags: Vec<String> = vec!["v1".to_owned(), "v2".to_owned()];
    manifests::pushed(run, image, (&image.blob.digest, &tags)).await
}

/// MP5: all or none.
async fn one_among_ten(run: &Run, before: &Manifest) -> Seen {
    let other = image(run).await?;
    let tags: Vec<String> = (0..9).map(|number| format!("tag=new{number}")).collect();
    let path = format!("{}?{}&tag=v1", other.blob.digest, tags.join("&"));
    put(run, &other, &path).await?.refuses(409, "DENIED")?;
    run.get("manifests/new0").send().await?.refuses(404, "MANIFEST_UNKNOWN")?;
    manifests::seen(run, before, ("v1", true)).await
}

/// MP4: cosign rewrites the tag it keeps signatures under.
async fn signature(run: &Run) -> Seen {
    let two = images(run, 2).await?;
    let tag = format!("{}.sig", two[0].blob.digest.replace(':', "-"));
    for manifest in &two {
        manifests::pushed(run, manifest, (&tag, &[])).await?;
        manifests::seen(run, manifest, (&tag, true)).await?;
    }
    Ok(())
}

/// MD1.
async fn deleted(run: &Run, before: &Manifest) -> Seen {
    run.delete("manifests/v2").send().await?.is(202)?;
    manifests::seen(run, before, (&before.blob.digest, true)).await?;
    let other = image(run).await?;
    manifests::pushed(run, &other, ("v2", &[])).await
}

async fn no_longer(run: &Run) -> Seen {
    change(run, json!({"immutableTags": false})).await?;
    let other = image(run).await?;
    manifests::pushed(run, &other, ("v1", &[])).await
}

/// The first column of the table in 2.3: anybody reads; to write one signs in, and may.
async fn public(run: &Run) {
    let Some(stranger) = run.step("public repository/prepared", stranger(run)).await else {
        return;
    };
    run.step("public repository/made so", change(run, json!({"visibility": "public"}))).await;
    for (id, method, rest, writes) in endpoints(run) {
        let endpoint: Endpoint = (id, method, rest, writes);
        let answers = async {
            let nobody = ask(run, &run.repository, &endpoint).who(Who::Anonymous).send().await?;
            let other = ask(run, &run.repository, &endpoint);
            let other = other.who(Who::Account(stranger.clone())).send().await?;
            if writes {
                nobody.refuses(401, "UNAUTHORIZED")?.needs("www-authenticate")?;
                other.refuses(403, "DENIED")?;
                return Ok(());
            }
            // What the repository has not is the same to both: not found, and nothing about rights.
            for answer in [&nobody, &other] {
                let text = String::from_utf8_lossy(&answer.body);
                let open = !text.contains("NAME_UNKNOWN") && !text.contains("UNAUTHORIZED");
                holds(open, || answer.but("it may be read"))?;
                answer.is_one_of(&[200, 404])?;
            }
            holds(nobody.status == other.status, || other.but("nobody sees something else"))
        };
        run.step(&format!("public repository/{id}"), answers).await;
    }
    let hidden = async {
        change(run, json!({"visibility": "private"})).await?;
        let get = run.get("manifests/v1").who(Who::Anonymous).send().await?;
        get.refuses(401, "UNAUTHORIZED")?;
        Ok(())
    };
    run.step("public repository/private again", hidden).await;
}
