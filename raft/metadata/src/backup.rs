//! Backups: which row belongs to which archive, and what a restored cluster begins with.
//!
//! Two archives save the state, apart, as people who run a registry expect it: the *backup* holds
//! configuration, repositories, rights and keys; the *accounts* archive users, organizations and
//! teams. What belongs to one cluster's life (members, sessions, jobs under way) is in neither, and
//! image content lies in files, not in tables.

use crate::adoption::{self, AdoptionRow};
use crate::blobs::BlobRow;
use crate::bootstrap::{self, ClusterRow};
use crate::certificates::{self, TokenKeyRow};
use crate::members::{self, MemberRow};
use crate::membership;
use crate::moment::Moment;
use crate::row;
use crate::ruling::Stop;
use crate::tables::{Damage, Memory, Table};

mod note;
pub mod places;
pub mod rows;

pub use note::{BackupNote, LastBackup, last};
pub use places::{Archive, Place, Section};

/// What a restored cluster begins with, beside the rows of its archives.
#[derive(Clone, Debug)]
pub struct Beginning {
    /// The new cluster's id.
    pub cluster_id: String,
    /// The cluster row of the backup.
    pub former: ClusterRow,
    /// Names under which clients reach the cluster; those of the backup where there are none.
    pub host_names: Vec<String>,
    /// The one replica.
    pub member: MemberRow,
    /// The log index of the backup, where the new log begins.
    pub log_index: u64,
    /// Milliseconds since 1970.
    pub wall_ms: u64,
    /// Signs tokens from now on, where those of the backup are to be worth nothing.
    pub token_key: Option<TokenKeyRow>,
}

/// What [`Beginning::rows`] gives, and what an archive's rows are.
pub type TableRow = (Table, Vec<u8>, Vec<u8>);

impl Beginning {
    /// The rows of a cluster of one replica that nobody has used; they replace rows of the archives
    /// that have the same keys.
    ///
    /// # Errors
    ///
    /// [`Damage`] never, unless this crate is wrong: the tables it works on are empty.
    pub fn rows(&self) -> Result<Vec<TableRow>, Damage> {
        let mut tables = Memory::default();
        let cluster = ClusterRow {
            cluster_id: self.cluster_id.clone(),
            version: self.former.version,
            host_names: match self.host_names.as_slice() {
                [] => self.former.host_names.clone(),
                names => names.to_vec(),
            },
            created_wall_ms: self.wall_ms,
        };
        bootstrap::put_cluster(&mut tables, &cluster);
        let moment =
            Moment { index: self.log_index, cluster_ms: 0, wall_ms: self.wall_ms, random: [0; 16] };
        let entered = members::enter(&mut tables, self.member.clone(), &moment);
        let member = entered.map_err(|stop| match stop {
            Stop::Damaged(damage) => damage,
            Stop::Refused(refusal) => Damage(refusal.to_string()),
        })?;
        membership::voters_changed(&mut tables, &[member.replica_id], &[])?;
        if let Some(key) = &self.token_key {
            certificates::put_token_key(&mut tables, key);
        }
        let begun = AdoptionRow {
            former_cluster_id: self.former.cluster_id.clone(),
            log_index: self.log_index,
            begun_wall_ms: self.wall_ms,
        };
        adoption::put(&mut tables, &begun);
        let rows = tables.rows();
        Ok(rows.map(|(table, key, value)| (table, key.to_vec(), value.to_vec())).collect())
    }
}

/// What becomes of an archive's row in a restored cluster; `None` where it is left out.
///
/// Nobody holds a blob until its bytes were found and hashed. With `revoke_tokens` access tokens,
/// and the keys that verified tokens of the former cluster, stay behind.
///
/// # Errors
///
/// [`Damage`] where the row does not read.
pub fn restored(
    table: Table,
    key: &[u8],
    value: Vec<u8>,
    revoke_tokens: bool,
) -> Result<Option<Vec<u8>>, Damage> {
    match table {
        Table::Blobs => {
            let blob: BlobRow = row::decode(table, &value)?;
            let unknown = BlobRow { holders: Vec::new(), ..blob };
            Ok(Some(crate::codec::encode(&unknown)))
        }
        Table::AccessTokens | Table::AccountTokens if revoke_tokens => Ok(None),
        Table::Certificates if revoke_tokens && certificates::is_former_token_keys(key) => Ok(None),
        _ => Ok(Some(value)),
    }
}
