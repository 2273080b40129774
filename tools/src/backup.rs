//! `holdfast backup` and `holdfast accounts export`: the state of a running cluster as a file.

mod download;
mod verify;

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand};
use consensus::seal::recovery::PassphraseKey;

use crate::connection::ConnectionFlags;
use crate::exit::Stop;
use crate::prompt;

/// What `backup --help` says.
pub const HELP: &str = "\
Saves everything but accounts and image content, at one point of the log, while the cluster \
serves: configuration, repositories, tags and manifests, rights, tokens, events, the audit log, \
certificates and keys. Secrets lie in it sealed: the recovery key that install wrote opens them, \
and a passphrase where --passphrase-file is given.

  holdfast backup --url https://node1 --username admin --password-file F --ca ca.pem > backup.tar
  holdfast backup --url … --output backup.tar
  holdfast backup verify backup.tar             needs no cluster

Accounts are saved by `holdfast accounts export`. Image content lies in the content folders of \
the replicas.";

/// What `accounts --help` says.
pub const ACCOUNTS_HELP: &str = "\
Users, organizations and teams are saved in an archive of their own, apart from the backup. It \
holds hashes of passwords: keep it as you keep them.

  holdfast accounts export --url https://node1 --username admin --password-file F > accounts.tar
  holdfast restore backup.tar --accounts accounts.tar …";

/// Flags of `backup`.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct BackupArgs {
    #[command(subcommand)]
    verb: Option<BackupVerb>,

    #[command(flatten)]
    take: TakeArgs,
}

#[derive(Subcommand)]
enum BackupVerb {
    /// Checks every byte of an archive and reads every record; needs no cluster
    Verify {
        /// The archive; `-` is standard input
        file: PathBuf,
    },
}

#[derive(Args)]
struct TakeArgs {
    #[command(flatten)]
    connection: ConnectionFlags,

    /// Where the archive goes; standard output without it. A file has its name once it is whole
    /// and was verified
    #[arg(long, short, value_name = "FILE", env = "HOLDFAST_OUTPUT")]
    output: Option<PathBuf>,

    /// A file whose first line is a passphrase that opens the secrets too
    #[arg(long, value_name = "FILE", env = "HOLDFAST_PASSPHRASE_FILE")]
    passphrase_file: Option<PathBuf>,

    /// Leaves events out
    #[arg(long, env = "HOLDFAST_IGNORE_EVENTS_TABLE", value_parser = FalseyValueParser::new())]
    ignore_events_table: bool,

    /// Leaves results of scans out
    #[arg(long, env = "HOLDFAST_IGNORE_SCAN_DATA", value_parser = FalseyValueParser::new())]
    ignore_scan_data: bool,
}

/// Flags of `accounts`.
#[derive(Args)]
pub struct AccountsArgs {
    #[command(subcommand)]
    verb: AccountsVerb,
}

#[derive(Subcommand)]
enum AccountsVerb {
    /// Saves users, organizations and teams
    Export {
        #[command(flatten)]
        connection: ConnectionFlags,

        /// Where the archive goes; standard output without it. A file has its name once it is
        /// whole and was verified
        #[arg(long, short, value_name = "FILE", env = "HOLDFAST_OUTPUT")]
        output: Option<PathBuf>,
    },
}

impl BackupArgs {
    /// Takes a backup, or verifies one.
    pub async fn run(self) -> Result<(), Stop> {
        if let Some(BackupVerb::Verify { file }) = self.verb {
            return verify::run(&file);
        }
        let take = self.take;
        let mut query = vec![("archive", "backup")];
        if take.ignore_events_table {
            query.push(("ignoreEventsTable", "true"));
        }
        if take.ignore_scan_data {
            query.push(("ignoreScanData", "true"));
        }
        let passphrase = match &take.passphrase_file {
            Some(file) => Some(passphrase_key(&prompt::password_file(file)?)?),
            None => None,
        };
        let client = take.connection.client()?;
        download::run(&client, &query, passphrase.as_ref(), take.output.as_deref()).await
    }
}

impl AccountsArgs {
    /// Saves the accounts.
    pub async fn run(self) -> Result<(), Stop> {
        let AccountsVerb::Export { connection, output } = self.verb;
        let query = [("archive", "accounts")];
        download::run(&connection.client()?, &query, None, output.as_deref()).await
    }
}

/// What is sent of a passphrase: a key that is made of it.
fn passphrase_key(passphrase: &str) -> Result<PassphraseKey, Stop> {
    const BYTES_MIN: usize = 12;
    if passphrase.len() < BYTES_MIN {
        return Err(Stop::usage(format!(
            "the passphrase is too short to keep secrets: give one of {BYTES_MIN} letters or more"
        )));
    }
    Ok(PassphraseKey::new(passphrase))
}
