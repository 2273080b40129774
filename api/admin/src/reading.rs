//! What handlers read of the tables: in one go, and whatever is amiss there ends the request.

use consensus::cluster::{Cluster, Freshness};
use consensus::tables::View;
use edge::problem::Problem;
use metadata::access::Caller;
use metadata::refusal::Refusal;

/// Reads the tables; `work` sees one state of them and may refuse by it.
pub(crate) async fn read<T>(
    cluster: &Cluster,
    freshness: Freshness,
    work: impl FnOnce(&View<'_>) -> Result<T, Problem>,
) -> Result<T, Problem> {
    cluster.read(freshness, |view| Ok(work(view))).await?
}

/// Reads after a change. It was applied at the leader; this replica may be behind, and would show
/// what was before.
pub(crate) async fn read_changed<T>(
    cluster: &Cluster,
    work: impl FnOnce(&View<'_>) -> Result<T, Problem>,
) -> Result<T, Problem> {
    read(cluster, Freshness::Linearizable, work).await
}

/// What a caller is told who lacks the right, before what was asked for is even looked up.
pub(crate) fn not_authorized(caller: &Caller) -> Problem {
    let actor = caller.account.clone().unwrap_or_default();
    Refusal::NotAuthorized { actor }.into()
}
