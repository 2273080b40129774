//! Taking a backup of a running cluster: one consistent snapshot of this replica's tables, after a
//! read barrier, while entries go on being applied.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};

use kv::store::Store;
use metadata::backup::{Archive, Section, places, rows};
use metadata::tables::Table;
use oci::digest::Digest;

use super::manifest::{FORMAT, Manifest, WrappedKey};
use super::writing::Writer;
use crate::cluster::{Cluster, Failure, Unavailable};
use crate::seal::recovery::PassphraseKey;
use crate::tables::{OWN_TABLE, position_of};

/// Bytes written at a time.
const PIECE_BYTES: usize = 1024 * 1024;
/// Digests that were seen are remembered up to so many; beyond, a manifest that several
/// repositories have may go along more than once.
const SEEN_MAX: usize = 65_536;

/// What is wanted.
pub struct Asked {
    /// Which archive.
    pub archive: Archive,
    /// Sections that are left out.
    pub without: Vec<Section>,
    /// Who may open its secrets beside the recovery key.
    pub passphrase: Option<PassphraseKey>,
}

/// An archive whose rows are written; values of the content store follow.
pub struct Rows {
    writer: Writer<BufWriter<File>>,
    digests: File,
    /// The point of the log that it shows.
    pub log_index: u64,
}

impl Cluster {
    /// Writes the rows of an archive to `to`. `digests` is an empty file of the caller's, for what
    /// is to follow.
    ///
    /// # Errors
    ///
    /// [`Failure::Unavailable`] without a majority, or while another snapshot of the tables is read
    /// for too long; [`Failure::Fault`] where a file or a row fails.
    pub async fn archive(&self, asked: Asked, to: File, digests: File) -> Result<Rows, Failure> {
        self.barrier().await?;
        let cluster = self.clone();
        let written = tokio::task::spawn_blocking(move || cluster.write_rows(&asked, to, digests));
        written.await.map_err(|_| Failure::unavailable(Unavailable::ShuttingDown))?
    }

    fn write_rows(&self, asked: &Asked, to: File, digests: File) -> Result<Rows, Failure> {
        let broken = |error: &dyn std::fmt::Display| Failure::Fault(format!("backup: {error}"));
        let store: &Store = &self.replica.tables.store;
        let snapshot = crate::snapshots::patient(store).map_err(|error| broken(&error))?;
        let (last_applied, _) = position_of(&snapshot).map_err(|error| broken(&error))?;
        let log_index = last_applied.map_or(0, |id| id.index);
        let stored = snapshot.get(Table::Singles as u8, metadata::bootstrap::KEY);
        let cluster = stored.map_err(|error| broken(&error))?.unwrap_or_default();
        let manifest = self.manifest(asked, log_index, &cluster)?;
        let mut lists = BufWriter::new(digests);
        let mut seen = std::collections::BTreeSet::new();
        let to = BufWriter::with_capacity(PIECE_BYTES, to);
        let mut writer = Writer::begin(to, &manifest).map_err(|error| broken(&error))?;
        for row in snapshot.rows() {
            let row = row.map_err(|error| broken(&error))?;
            if row.table == OWN_TABLE {
                continue;
            }
            let table = Table::from_number(row.table).ok_or_else(|| broken(&"unknown table"))?;
            let section = places::of_row(table, &row.key).section_of(asked.archive);
            let Some(section) = section.filter(|it| !asked.without.contains(it)) else { continue };
            if table == Table::Manifests
                && let Some(digest) = row.key.get(8..).filter(|key| !seen.contains(*key))
            {
                if seen.len() < SEEN_MAX {
                    seen.insert(digest.to_vec());
                }
                note(&mut lists, digest).map_err(|error| broken(&error))?;
            }
            let pushed = writer.push(section, (row.table, &row.key, &row.value));
            pushed.map_err(|error| broken(&error))?;
        }
        let digests = lists.into_inner().map_err(|error| broken(&error.into_error()))?;
        Ok(Rows { writer, digests, log_index })
    }

    fn manifest(&self, asked: &Asked, log_index: u64, cluster: &[u8]) -> Result<Manifest, Failure> {
        let replica = &self.replica;
        let damaged = |error: &dyn std::fmt::Display| Failure::Fault(error.to_string());
        let cluster = metadata::bootstrap::ClusterRow::decode(cluster);
        let cluster_version = cluster.map_err(|error| damaged(&error))?.version;
        let recovery = crate::identity::recovery_sealed(&replica.root);
        let recovery = recovery.map_err(|error| damaged(&error))?;
        let sections = match asked.archive {
            Archive::Accounts => vec![Section::Accounts],
            Archive::Backup => {
                let all = Section::ALL.into_iter().filter(|section| *section != Section::Accounts);
                all.filter(|section| !asked.without.contains(section)).collect()
            }
        };
        // Nothing is sealed in the archive of accounts.
        let has_secrets = asked.archive == Archive::Backup;
        let passphrase = asked.passphrase.as_ref();
        let key = || WrappedKey::new(&recovery, passphrase, &replica.sealing);
        Ok(Manifest {
            format: FORMAT,
            archive: asked.archive.word().to_owned(),
            version: replica.version.clone(),
            cluster_version,
            cluster_id: replica.identity.cluster_id.clone(),
            log_index,
            taken_wall_ms: replica.clock.wall_ms(),
            sections: sections.into_iter().map(|section| section.word().to_owned()).collect(),
            sealing_key: has_secrets.then(key),
        })
    }
}

fn note(lists: &mut impl Write, digest: &[u8]) -> io::Result<()> {
    // A digest's key form has 33 or 65 bytes.
    let length = u8::try_from(digest.len()).map_err(io::Error::other)?;
    lists.write_all(&[length])?;
    lists.write_all(digest)
}

impl Rows {
    /// The digests whose bytes are to follow, each to be given to [`Rows::content`].
    ///
    /// # Errors
    ///
    /// What the file says.
    pub fn digests(&mut self) -> io::Result<Digests> {
        let mut file = self.digests.try_clone()?;
        file.seek(SeekFrom::Start(0))?;
        Ok(Digests { from: io::BufReader::new(file) })
    }

    /// Adds the bytes of a digest.
    ///
    /// # Errors
    ///
    /// What the file says.
    pub fn content(&mut self, digest: &Digest, bytes: &[u8]) -> io::Result<()> {
        self.writer.push(Section::Content, (rows::CONTENT, &digest.to_bytes(), bytes))
    }

    /// Ends the archive; its length in bytes.
    ///
    /// # Errors
    ///
    /// What the file says.
    pub fn finish(self) -> io::Result<u64> {
        let (mut to, length) = self.writer.finish()?;
        to.flush()?;
        Ok(length)
    }
}

/// The digests of an archive's rows.
pub struct Digests {
    from: io::BufReader<File>,
}

impl Iterator for Digests {
    type Item = io::Result<Digest>;

    fn next(&mut self) -> Option<Self::Item> {
        use std::io::Read;
        let mut length = [0];
        match self.from.read(&mut length) {
            Ok(0) => return None,
            Ok(_) => {}
            Err(error) => return Some(Err(error)),
        }
        let mut key = vec![0; usize::from(length[0])];
        if let Err(error) = self.from.read_exact(&mut key) {
            return Some(Err(error));
        }
        let damaged = || io::Error::other("a manifest's key holds no digest");
        Some(Digest::from_key(&key).ok_or_else(damaged))
    }
}
