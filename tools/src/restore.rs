//! `holdfast restore`: a new cluster of one replica from a backup.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use blobs::files::DiskFiles;
use blobs::store::{BlobStore, Options};
use clap::Args;
use clap::builder::FalseyValueParser;
use consensus::backup::manifest::Opener;
use consensus::backup::restoring::{self, Archives, RestoreOptions, Restored};
use consensus::seal::recovery::RecoveryKey;
use tokio::runtime::Handle;
use wire::clock::{Clock, SystemClock};

use crate::config::Config;
use crate::exit::Stop;
use crate::flags::ConfigFlags;
use crate::install::{replica_id, stop_for};
use crate::{machine, preflight, prompt};

/// What `--help` says.
pub const HELP: &str = "\
Makes a new cluster of one replica with the state of a backup, in an empty data folder. It has \
another id than the former cluster: no replica of that one can talk to it. Stop those first, and \
keep their content folders.

  holdfast restore backup.tar --accounts accounts.tar --recovery-key-file recovery-key \
--config /etc/holdfast/holdfast.toml
  holdfast serve --config /etc/holdfast/holdfast.toml
  holdfast content adopt --url …             what is missing, by repository
  holdfast join … on the others

Without --accounts there is nobody yet: make an administrator on this machine by \
`holdfast admin-reset --create`. The content folder may hold the content of a former replica, \
before or after: what is there is hashed and taken, and nothing is collected until `holdfast \
content adopt --finish`.";

/// Flags of `restore`.
#[derive(Args, Clone)]
pub struct RestoreArgs {
    /// The backup; standard input without it, or with `-`
    file: Option<PathBuf>,

    #[command(flatten)]
    config: ConfigFlags,

    /// Users, organizations and teams: what `holdfast accounts export` wrote
    #[arg(long, value_name = "FILE", env = "HOLDFAST_ACCOUNTS")]
    accounts: Option<PathBuf>,

    /// The recovery key that `install` wrote for the cluster that was backed up
    #[arg(
        long,
        value_name = "FILE",
        env = "HOLDFAST_RECOVERY_KEY_FILE",
        conflicts_with = "passphrase_file"
    )]
    recovery_key_file: Option<PathBuf>,

    /// A file whose first line is the passphrase that the backup was made with
    #[arg(long, value_name = "FILE", env = "HOLDFAST_PASSPHRASE_FILE")]
    passphrase_file: Option<PathBuf>,

    /// Leaves access tokens behind, and lets no token of the former cluster be taken: for a backup
    /// that lay where others could read it
    #[arg(long, env = "HOLDFAST_REVOKE_TOKENS", value_parser = FalseyValueParser::new())]
    revoke_tokens: bool,

    /// Taken and not needed: where content lies is said by the configuration
    #[arg(
        long,
        visible_alias = "dtr-use-default-storage",
        env = "HOLDFAST_USE_DEFAULT_STORAGE",
        value_parser = FalseyValueParser::new()
    )]
    use_default_storage: bool,

    /// The id of this replica, 12 lower-case hexadecimal digits; random without it
    #[arg(long, value_name = "ID", env = "HOLDFAST_REPLICA_ID")]
    replica_id: Option<String>,
}

/// Makes the cluster.
pub async fn run(args: &RestoreArgs) -> Result<(), Stop> {
    let config = args.config.load()?;
    let host_name = machine::host_name();
    let replica_id = replica_id(args.replica_id.as_deref())?;
    let opener = opener(args)?;
    preflight::check(&config, preflight::Before::Forming, &host_name)?;
    let archives = Archives {
        backup: backup(args.file.as_deref(), &config.data)?,
        accounts: args.accounts.as_deref().map(open).transpose()?,
    };
    let options = RestoreOptions {
        folder: config.data.clone(),
        kept: content_in_data(&config),
        allow_volatile: config.storage.allow_volatile,
        replica_id,
        host_names: config.public.external_host().into_iter().collect(),
        advertise: config.peer.advertised(&host_name),
        host_name,
        machine_id: machine::machine_id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        wall_ms: SystemClock::new().wall_ms(),
        revoke_tokens: args.revoke_tokens,
        opener,
    };
    let (content, runtime) = (config.content_folder(), Handle::current());
    let work = tokio::task::spawn_blocking(move || work(&options, archives, &content, &runtime));
    let restored = work.await.map_err(|error| Stop::failed(error.to_string()))??;
    tell(&restored, args);
    Ok(())
}

/// Writes state and manifests. Blocks.
fn work(
    options: &RestoreOptions,
    mut archives: Archives,
    content: &Path,
    runtime: &Handle,
) -> Result<Restored, Stop> {
    let mut store: Option<Arc<BlobStore>> = None;
    let restored = restoring::restore(options, &mut archives, |digest, bytes| {
        // Opened late: nothing is made where the archive is not believed.
        let store = match &mut store {
            Some(store) => store,
            none => {
                let opened = BlobStore::open(content, Arc::new(DiskFiles), Options::default());
                none.insert(opened.map_err(|error| format!("the content folder: {error}"))?)
            }
        };
        let put = store.put(digest, bytes::Bytes::copy_from_slice(bytes));
        runtime.block_on(put).map(drop).map_err(|error| format!("{digest} is not kept: {error}"))
    });
    restored.map_err(|error| stop_for(error.kind(), &error))
}

fn opener(args: &RestoreArgs) -> Result<Opener, Stop> {
    match (&args.recovery_key_file, &args.passphrase_file) {
        (Some(file), _) => {
            let text = prompt::password_file(file)?;
            let key = RecoveryKey::parse(&text)
                .map_err(|error| Stop::usage(format!("{}: {error}", file.display())))?;
            Ok(Opener::Recovery(key))
        }
        (None, Some(file)) => Ok(Opener::Passphrase(prompt::password_file(file)?)),
        (None, None) => Err(Stop::usage(
            "give --recovery-key-file, which install wrote, or --passphrase-file where the backup \
             was made with one",
        )),
    }
}

fn open(path: &Path) -> Result<File, Stop> {
    File::open(path).map_err(|error| Stop::file("open", path, &error))
}

/// The backup as a file that can be read twice: it is believed before anything is done.
fn backup(path: Option<&Path>, data: &Path) -> Result<File, Stop> {
    if let Some(path) = path.filter(|path| *path != Path::new("-")) {
        return open(path);
    }
    let beside = data.parent().unwrap_or(data);
    let path = beside.join(format!(".holdfast-restore-{}", std::process::id()));
    let failed = |error: io::Error| Stop::file("write", &path, &error);
    let file = File::options().read(true).write(true).create_new(true).mode(0o600).open(&path);
    let mut file = file.map_err(failed)?;
    // It goes with this process, whatever becomes of it.
    std::fs::remove_file(&path).map_err(failed)?;
    io::copy(&mut io::stdin().lock(), &mut file).map_err(failed)?;
    Ok(file)
}

/// The content folder, where it lies in the data folder: it may hold a former replica's content.
fn content_in_data(config: &Config) -> Vec<String> {
    let content = config.content_folder();
    let within = content.strip_prefix(&config.data).ok();
    let name = within.and_then(|within| within.iter().next()).and_then(|name| name.to_str());
    name.map(str::to_owned).into_iter().collect()
}

fn tell(restored: &Restored, args: &RestoreArgs) {
    println!("cluster {} with replica {}", restored.cluster_id, restored.replica_id);
    let manifest = &restored.backup.manifest;
    eprintln!(
        "restored the state of cluster {} at log index {}.",
        manifest.cluster_id, manifest.log_index
    );
    if let Some(accounts) = &restored.accounts {
        let behind = accounts.manifest.cluster_id != manifest.cluster_id;
        if behind {
            eprintln!(
                "warning: the accounts are those of another cluster ({}): repositories and rights \
                 name accounts by id, and may belong to nobody",
                accounts.manifest.cluster_id
            );
        }
    } else {
        eprintln!("There are no accounts: run `holdfast admin-reset --create` after the start.");
    }
    let config = args.config.config.as_deref().unwrap_or(Path::new("FILE")).display();
    eprintln!(
        "The recovery key stays that of the former cluster.\n\
         Next: holdfast serve --config {config}\n\
         Then: holdfast content adopt --url … says what content is missing"
    );
}
