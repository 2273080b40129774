//! Manifest errors: what is not there, and digests that are none.

use crate::answer::Seen;
use crate::content::Algorithm;
use crate::run::Run;
use crate::uploads;

const BAD_DIGEST: &str = "sha256:baddigeststring";

/// Makes the repository exist, so that only the manifest is missing.
async fn begun(run: &Run) -> Seen {
    uploads::post_only(run, &run.blob(Algorithm::Sha256, 10)).await
}

/// All cases of `missing-manifest`.
pub(crate) async fn missing_manifest(run: &Run) {
    for (name, reference) in
        [("by-digest", run.digest(Algorithm::Sha256)), ("by-tag", "none".to_owned())]
    {
        let missing = async {
            begun(run).await?;
            let path = format!("manifests/{reference}");
            run.get(&path).send().await?.refuses(404, "MANIFEST_UNKNOWN")?;
            run.head(&path).send().await?.is(404)?.carries(b"")?;
            run.delete(&path).send().await?.refuses(404, "MANIFEST_UNKNOWN")?;
            Ok(())
        };
        run.step(name, missing).await;
    }
}

/// All cases of `invalid-digest-format`.
pub(crate) async fn invalid_digest(run: &Run) {
    let path = format!("manifests/{BAD_DIGEST}");
    let put = async {
        begun(run).await?;
        let put = run.put(&path).header("content-type", chaos_tests::image::MANIFEST);
        put.body(&"{}".into()).send().await?.refuses(400, "DIGEST_INVALID").map(|_| ())
    };
    run.step("manifest-put", put).await;
    let get = async {
        run.get(&path).send().await?.refuses(400, "DIGEST_INVALID")?;
        run.head(&path).send().await?.is(400)?;
        Ok(())
    };
    run.step("manifest-get", get).await;
}
