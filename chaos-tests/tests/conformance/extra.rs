//! Cases of ours, beyond both editions of the official suite.

#[path = "extra/access.rs"]
mod access;
#[path = "extra/announced.rs"]
mod announced;
#[path = "extra/bounds.rs"]
mod bounds;
#[path = "extra/by_hand.rs"]
mod by_hand;
#[path = "extra/conditions.rs"]
mod conditions;
#[path = "extra/names.rs"]
mod names;
#[path = "extra/referrers.rs"]
mod referrers;
#[path = "extra/repositories.rs"]
mod repositories;
#[path = "extra/spread.rs"]
mod spread;
#[path = "extra/tags.rs"]
mod tags;
#[path = "extra/uploads.rs"]
mod uploads;

use crate::answer::Seen;
use crate::content::{Algorithm, GZIP, Manifest, Set, unchanged};
use crate::run::Run;
use crate::uploads::post_only;

/// A part of them, with repositories of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Names,
    Uploads,
    ByHand,
    Announced,
    Conditions,
    Bounds,
    Tags,
    Referrers,
    Spread,
    Access,
    Repositories,
}

/// All parts in order.
pub(crate) const PARTS: &[Part] = &[
    Part::Names,
    Part::Uploads,
    Part::ByHand,
    Part::Announced,
    Part::Conditions,
    Part::Bounds,
    Part::Tags,
    Part::Referrers,
    Part::Spread,
    Part::Access,
    Part::Repositories,
];

impl Part {
    pub(crate) async fn cases(self, run: &Run) {
        match self {
            Self::Names => names::all(run).await,
            Self::Uploads => uploads::all(run).await,
            Self::ByHand => by_hand::all(run).await,
            Self::Announced => announced::all(run).await,
            Self::Conditions => conditions::all(run).await,
            Self::Bounds => bounds::all(run).await,
            Self::Tags => tags::all(run).await,
            Self::Referrers => referrers::all(run).await,
            Self::Spread => spread::all(run).await,
            Self::Access => access::all(run).await,
            Self::Repositories => repositories::all(run).await,
        }
    }
}

/// An image whose blobs are there and whose manifest is not yet.
async fn image(run: &Run) -> Seen<Manifest> {
    Ok(images(run, 1).await?.remove(0))
}

/// So many images of the same blobs, which differ in an annotation.
async fn images(run: &Run, count: u64) -> Seen<Vec<Manifest>> {
    let mut set = Set::new(run, Algorithm::Sha256);
    set.image(GZIP, unchanged);
    let first: serde_json::Value =
        serde_json::from_slice(&set.manifests[0].blob.bytes).map_err(|it| it.to_string())?;
    for number in 1..count {
        let numbered = serde_json::json!({"number": number.to_string()});
        set.manifest(first.clone(), |it| it["annotations"] = numbered);
    }
    for blob in &set.blobs {
        post_only(run, blob).await?;
    }
    Ok(set.manifests)
}
