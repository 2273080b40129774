//! Names that look like parts of a path, forms of a path, and methods that are not served (H1–H4).

use serde_json::Value;

use crate::answer::{Seen, holds};
use crate::blobs;
use crate::content::{Algorithm, GZIP, Set, unchanged};
use crate::run::{Run, Who};
use crate::uploads;

pub(super) async fn all(run: &Run) {
    let names = ["blobs/uploads", "manifests/manifests", "tags/list", "referrers/uploads"];
    for name in names {
        run.step(&format!("names/{name}"), named(run, name)).await;
    }
    run.step("names/escaped digest", escaped(run)).await;
    for (name, repository) in
        [("upper case", "Conformance/x"), ("encoded slash", "conformance%2Fx"), ("dots", "a/b..c")]
    {
        let refused = async {
            let path = format!("/v2/{repository}/blobs/uploads/");
            let post = run.post(&path).who(Who::Basic).send().await?;
            post.refuses(400, "NAME_INVALID").map(|_| ())
        };
        run.step(&format!("names/{name}"), refused).await;
    }
    run.step("paths/ping without the last slash", ping(run)).await;
    run.step("paths/upload without the last slash", without_slash(run)).await;
    run.step("methods/405 with Allow", methods(run)).await;
    run.step("catalog/pages", catalog(run)).await;
    run.step("catalog/anonymous", catalog_of_nobody(run)).await;
    run.step("ranges/several", several_ranges(run)).await;
    run.step("ranges/another unit", another_unit(run)).await;
    run.step("ranges/of an empty blob", range_of_nothing(run)).await;
}

/// A repository of this name takes a blob and a manifest and gives them back (H2).
async fn named(run: &Run, name: &str) -> Seen {
    let mut set = Set::new(run, Algorithm::Sha256);
    set.image(GZIP, unchanged);
    let path = |rest: &str| format!("/v2/{name}/{rest}");
    for blob in &set.blobs {
        let post = run.post(&path(&format!("blobs/uploads/?digest={}", blob.digest)));
        post.who(Who::Basic).body(&blob.bytes).send().await?.is(201)?;
        let get = run.get(&path(&format!("blobs/{}", blob.digest))).who(Who::Basic).send().await?;
        get.is(200)?.carries(&blob.bytes)?;
    }
    let manifest = &set.manifests[0];
    let put = run.put(&path("manifests/manifests")).who(Who::Basic);
    let put = put.header("content-type", manifest.media_type).body(&manifest.blob.bytes);
    put.send().await?.is(201)?;
    let get = run.get(&path("manifests/manifests")).who(Who::Basic).send().await?;
    get.is(200)?.carries(&manifest.blob.bytes)?;
    let list = run.get(&path("tags/list")).who(Who::Basic).send().await?;
    let body = list.is(200)?.json()?;
    let right = body["name"] == name && body["tags"][0] == "manifests";
    holds(right, || list.but("it is not this repository's list"))
}

/// `sha256%3A…` is `sha256:…` (H3).
async fn escaped(run: &Run) -> Seen {
    let blob = run.blob(Algorithm::Sha256, 100);
    let digest = blob.digest.replace(':', "%3A");
    let post = run.post(&format!("blobs/uploads/?digest={digest}")).body(&blob.bytes);
    uploads::created(run, &post.send().await?, &blob.digest)?;
    let get = run.get(&format!("blobs/{digest}")).send().await?;
    get.is(200)?.announces(&blob.digest, 100)?.carries(&blob.bytes)?;
    Ok(())
}

async fn ping(run: &Run) -> Seen {
    run.get("/v2").send().await?.is(200)?;
    run.get("/v2").who(Who::Anonymous).send().await?.refuses(401, "UNAUTHORIZED")?;
    Ok(())
}

async fn without_slash(run: &Run) -> Seen {
    let place = uploads::opened(run, &run.post("blobs/uploads").send().await?)?;
    uploads::stands(run, &place, 0).await
}

async fn methods(run: &Run) -> Seen {
    for path in ["manifests/latest", "tags/list"] {
        run.patch(path).send().await?.refuses(405, "UNSUPPORTED")?.needs("allow")?;
    }
    run.put("blobs/uploads/").send().await?.refuses(405, "UNSUPPORTED")?.says("allow", "POST")?;
    Ok(())
}

/// The catalog lists in byte order; its `Link` leads to what comes next (section 9).
async fn catalog(run: &Run) -> Seen {
    let answer = run.get("/v2/_catalog?n=1").who(Who::Basic).send().await?;
    let body = answer.is(200)?.json()?;
    let one = body["repositories"].as_array().is_some_and(|all| all.len() == 1);
    holds(one, || answer.but("one repository was asked for"))?;
    let link = answer.needs("link")?.to_owned();
    let path = link.trim_start_matches('<').split('>').next().unwrap_or_default();
    let next = run.get(path).who(Who::Basic).send().await?;
    let after = next.is(200)?.json()?;
    let first = |page: &Value| page["repositories"][0].as_str().unwrap_or_default().to_owned();
    let sorted = first(&after) > first(&body);
    holds(sorted, || next.but("it does not come after the page before"))?;
    let all = run.get("/v2/_catalog").who(Who::Basic).send().await?;
    let body = all.is(200)?.json()?;
    let listed = body["repositories"]
        .as_array()
        .is_some_and(|list| list.iter().any(|it| *it == run.repository));
    holds(listed, || all.but(&format!("{} is not in it", run.repository)))
}

async fn catalog_of_nobody(run: &Run) -> Seen {
    let answer = run.get("/v2/_catalog").who(Who::Anonymous).send().await?;
    let challenge = answer.refuses(401, "UNAUTHORIZED")?.needs("www-authenticate")?;
    let whole = challenge.contains("scope=\"registry:catalog:*\"");
    holds(whole, || answer.but(&format!("the challenge is {challenge:?}")))
}

/// Several ranges come as one multipart body (BL5).
async fn several_ranges(run: &Run) -> Seen {
    let blob = run.blob(Algorithm::Sha256, 1_000);
    uploads::post_only(run, &blob).await?;
    let get = run.get(&format!("blobs/{}", blob.digest)).header("range", "bytes=0-9,500-509");
    let answer = get.send().await?;
    let kind = answer.is(206)?.needs("content-type")?;
    let whole = kind.starts_with("multipart/byteranges; boundary=");
    holds(whole, || answer.but(&format!("it is {kind}")))?;
    for (range, from) in [("bytes 0-9/1000", 0), ("bytes 500-509/1000", 500)] {
        let has = |part: &[u8]| answer.body.windows(part.len()).any(|it| it == part);
        let there = has(range.as_bytes()) && has(&blob.bytes[from..from + 10]);
        holds(there, || answer.but(&format!("{range} is not in it")))?;
    }
    Ok(())
}

/// Units other than bytes are ignored (BL4).
async fn another_unit(run: &Run) -> Seen {
    let blob = run.blob(Algorithm::Sha256, 100);
    uploads::post_only(run, &blob).await?;
    let get = run.get(&format!("blobs/{}", blob.digest)).header("range", "lines=0-9");
    get.send().await?.is(200)?.carries(&blob.bytes)?;
    Ok(())
}

async fn range_of_nothing(run: &Run) -> Seen {
    let blob = Algorithm::Sha256.blob("");
    uploads::post_only(run, &blob).await?;
    blobs::get(run, &blob).await?;
    let get = run.get(&format!("blobs/{}", blob.digest)).header("range", "bytes=0-9");
    get.send().await?.refuses(416, "SIZE_INVALID")?.says("content-range", "bytes */0")?;
    Ok(())
}
