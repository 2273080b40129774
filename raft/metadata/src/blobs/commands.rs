//! Taking blobs into a repository and out of it: commit, mount, unlink.

use oci::digest::Digest;
use oci::name::RepositoryName;

use super::{
    BlobRow, find, is_kept, linked_in, missing_copies, readable_anywhere, save, with_holders,
};
use crate::access::{self, Action};
use crate::codec::message;
use crate::leases;
use crate::links;
use crate::manifests;
use crate::moment::Moment;
use crate::outcome::Answer;
use crate::quorum;
use crate::quotas;
use crate::receipts::{self, Receipt};
use crate::refusal::Refusal;
use crate::repositories;
use crate::ruling::Ruling;
use crate::tables::Write;

/// A refusal names so many manifests, at most.
const NAMED_MAX: usize = 10;

message! {
    /// Keeps a blob whose bytes W voters have on disk, and links it to a repository under a lease.
    pub struct BlobCommit {
        /// Where it was uploaded.
        1 repository: RepositoryName,
        /// What was uploaded.
        2 digest: Digest,
        /// In bytes.
        3 size: u64,
        /// From those who have it.
        4 receipts: Vec<Receipt>,
        /// The account that pushed.
        5 actor: String,
    }
}

message! {
    /// Links a blob that is kept already.
    pub struct BlobMount {
        /// Where it is wanted.
        1 repository: RepositoryName,
        /// Where it is linked; `None` for any repository that the actor may read.
        2 from: Option<RepositoryName>,
        /// Which blob.
        3 digest: Digest,
        /// The account that pushes.
        4 actor: String,
    }
}

message! {
    /// Takes a blob out of a repository; no manifest there may name it.
    pub struct BlobUnlink {
        /// Where.
        1 repository: RepositoryName,
        /// Which blob.
        2 digest: Digest,
        /// The account that asks.
        3 actor: String,
    }
}

impl BlobCommit {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        let (actor, action) = (&self.actor, Action::Push);
        let repository = repositories::permitted(tables, actor, &self.repository, action, moment)?;
        let before = find(tables, &self.digest)?;
        let blob = received(tables, &self.digest, self.size, &self.receipts, moment)?;
        // What a lease holds is not idle.
        let blob = BlobRow { idle_since_ms: None, ..blob };
        save(tables, &self.digest, before.as_ref(), &blob)?;
        let until_ms = leases::until_ms(tables, moment)?;
        let namespace = self.repository.namespace();
        let used = quotas::used(tables, namespace)?.bytes;
        links::lease(tables, repository.number(), &self.digest, until_ms)?;
        quotas::check_growth(tables, namespace, used)?;
        let missing = missing_copies(tables, &self.digest, &blob)?;
        Ok(Answer::BlobCommitted { missing })
    }
}

impl BlobMount {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        let digest = &self.digest;
        let (actor, action) = (&self.actor, Action::Push);
        let repository = repositories::permitted(tables, actor, &self.repository, action, moment)?;
        // Not there, not readable or not enough copies: the client uploads, and learns no more.
        let unknown = || Refusal::BlobUnknown { digest: digest.clone() };
        let caller = access::caller(tables, actor)?.unwrap_or_default();
        let source = match &self.from {
            Some(from) if access::judge(tables, &caller, from, Action::Pull)?.allowed => {
                repositories::find(tables, from)?
            }
            Some(_) => None,
            None => match readable_anywhere(tables, &caller, digest)? {
                Some(from) => repositories::find(tables, &from)?,
                None => None,
            },
        };
        let source = source.ok_or_else(unknown)?;
        let blob = find(tables, digest)?;
        if !linked_in(tables, source.number(), digest, moment.cluster_ms)?
            || !is_kept(tables, blob.as_ref(), quorum::of(tables)?.write)?
        {
            return Err(unknown().into());
        }
        let until_ms = leases::until_ms(tables, moment)?;
        let namespace = self.repository.namespace();
        let used = quotas::used(tables, namespace)?.bytes;
        links::lease(tables, repository.number(), digest, until_ms)?;
        quotas::check_growth(tables, namespace, used)?;
        Ok(Answer::Done)
    }
}

impl BlobUnlink {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        let digest = &self.digest;
        let (actor, action) = (&self.actor, Action::Delete);
        let repository = repositories::permitted(tables, actor, &self.repository, action, moment)?;
        let link = links::find(tables, repository.number(), digest)?;
        let link = link.filter(|link| link.stands(moment.cluster_ms));
        let link = link.ok_or_else(|| Refusal::BlobUnknown { digest: digest.clone() })?;
        if link.refs > 0 {
            let manifests = manifests::naming(tables, repository.number(), digest, NAMED_MAX)?;
            return Err(Refusal::BlobReferenced { digest: digest.clone(), manifests }.into());
        }
        links::remove(tables, repository.number(), digest, moment)?;
        Ok(Answer::Done)
    }
}

/// The blob with the holders whose receipts count: at least W voters, or a refusal.
pub(crate) fn received(
    tables: &mut impl Write,
    digest: &Digest,
    size: u64,
    receipts: &[Receipt],
    moment: &Moment,
) -> Ruling<BlobRow> {
    let counted = receipts::count(tables, digest, receipts, moment.index)?;
    let needed = quorum::of(tables)?.write;
    if counted.voters < needed {
        let counted = u32::try_from(counted.voters).unwrap_or(u32::MAX);
        let needed = u32::try_from(needed).unwrap_or(u32::MAX);
        return Err(Refusal::ReceiptsTooFew { counted, needed }.into());
    }
    let before = find(tables, digest)?;
    if let Some(stored) = before.as_ref().filter(|blob| blob.size != size) {
        let (digest, stored) = (digest.clone(), stored.size);
        return Err(Refusal::SizeMismatch { digest, stored, stated: size }.into());
    }
    Ok(with_holders(before.as_ref(), size, &counted.holders, moment))
}
