//! The first command of a cluster: its id, its keys, its administrator and its first member.

use crate::accounts::{self, AccountKind, AccountRow};
use crate::certificates::{self, CaRow, TokenKeyRow};
use crate::codec::message;
use crate::members::{self, MemberRow};
use crate::membership;
use crate::moment::Moment;
use crate::outcome::Answer;
use crate::refusal::Refusal;
use crate::row;
use crate::ruling::Ruling;
use crate::settings::{self, SettingsRow};
use crate::tables::{Damage, Read, Table, Write};

/// Where [`ClusterRow`] stands among the rows there is one of.
pub const KEY: &[u8] = b"cluster";

/// The version of commands and rows this binary writes.
pub const CLUSTER_VERSION: u32 = 1;

message! {
    /// The administrator that `install` makes.
    pub struct Administrator {
        /// Account name.
        1 name: String,
        /// A hash in PHC text form.
        2 password_hash: String,
    }
}

message! {
    /// Begins a cluster. Comes once, without a session.
    pub struct Bootstrap {
        /// Names the cluster in every peer call.
        1 cluster_id: String,
        /// Certificate of the cluster's authority.
        2 ca_certificate_pem: String,
        /// Its private key, sealed.
        3 sealed_ca_key: Vec<u8>,
        /// The private key of tokens, sealed.
        4 sealed_token_key: Vec<u8>,
        /// Id of the key of tokens.
        5 token_key_id: String,
        /// Its public half.
        6 token_public_key: Vec<u8>,
        /// The first account.
        7 admin: Administrator,
        /// As in [`SettingsRow`].
        8 create_repository_on_push: bool,
        /// The first replica; its number is given here.
        9 member: MemberRow,
        /// Names under which clients reach the cluster.
        10 host_names: Vec<String>,
    }
}

message! {
    /// What the cluster is called.
    pub struct ClusterRow {
        /// Names the cluster in every peer call.
        1 cluster_id: String,
        /// The lowest version that all members support; newer commands and fields wait for it.
        2 version: u32,
        /// Names under which clients reach the cluster.
        3 host_names: Vec<String>,
        /// Milliseconds since 1970.
        4 created_wall_ms: u64,
    }
}

impl Bootstrap {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        if let Some(cluster) = cluster(tables)? {
            // The same command again: its answer was lost.
            if cluster.cluster_id == self.cluster_id {
                return Ok(Answer::Done);
            }
            return Err(Refusal::ClusterExists { cluster_id: cluster.cluster_id }.into());
        }
        accounts::check_name(&self.admin.name)?;
        let cluster = ClusterRow {
            cluster_id: self.cluster_id.clone(),
            version: CLUSTER_VERSION,
            host_names: self.host_names.clone(),
            created_wall_ms: moment.wall_ms,
        };
        put_cluster(tables, &cluster);
        let ca = CaRow {
            certificate_pem: self.ca_certificate_pem.clone(),
            sealed_key: self.sealed_ca_key.clone(),
        };
        certificates::put_ca(tables, &ca);
        let token_key = TokenKeyRow {
            id: self.token_key_id.clone(),
            public_key: self.token_public_key.clone(),
            sealed_key: self.sealed_token_key.clone(),
            created_wall_ms: moment.wall_ms,
        };
        certificates::put_token_key(tables, &token_key);
        let create_repository_on_push = self.create_repository_on_push;
        settings::put(tables, &SettingsRow { create_repository_on_push, ..SettingsRow::default() });
        let administrator = AccountRow {
            password_hash: self.admin.password_hash.clone(),
            is_admin: true,
            ..accounts::new(AccountKind::User, moment)
        };
        accounts::put(tables, &self.admin.name, &administrator)?;
        members::enter(tables, self.member.clone(), moment)?;
        membership::refresh(tables)?;
        Ok(Answer::Done)
    }
}

pub(crate) fn put_cluster(tables: &mut impl Write, cluster: &ClusterRow) {
    row::put(tables, Table::Singles, KEY.to_vec(), cluster);
}

/// What the cluster is called; `None` before its first command.
pub fn cluster(read: &impl Read) -> Result<Option<ClusterRow>, Damage> {
    row::find(read, Table::Singles, KEY)
}

/// Raises the version of the state to the lowest that all members know. It never falls: what was
/// written under it stays.
pub(crate) fn settle_version(tables: &mut impl Write) -> Result<(), Damage> {
    let Some(cluster) = cluster(tables)? else { return Ok(()) };
    let known = members::list(tables)?.into_iter().map(|member| member.supports.max(1)).min();
    let version = known.unwrap_or(1).max(cluster.version);
    if version > cluster.version {
        put_cluster(tables, &ClusterRow { version, ..cluster });
    }
    Ok(())
}

/// Refuses a newcomer that would not know what it is sent.
pub(crate) fn require_known(read: &impl Read, supports: u32) -> Ruling<()> {
    let version = cluster(read)?.map_or(1, |cluster| cluster.version);
    if supports.max(1) >= version {
        return Ok(());
    }
    Err(Refusal::VersionUnknown { supports: supports.max(1), version }.into())
}
