//! `holdfast install`: the first replica of a new cluster.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::FalseyValueParser;
use consensus::bootstrap::{self, FailureKind, InstallOptions};
use metadata::replica::ReplicaId;
use wire::clock::{Clock, SystemClock};
use zeroize::Zeroizing;

use crate::config::Config;
use crate::exit::{Exit, Stop};
use crate::flags::ConfigFlags;
use crate::{machine, password, preflight, prompt};

/// Flags of `install`.
#[derive(Args, Clone, Debug)]
pub struct InstallArgs {
    #[command(flatten)]
    config: ConfigFlags,

    /// A file whose first line becomes the administrator's password; asked for on a terminal
    /// without it
    #[arg(long, value_name = "FILE", env = "HOLDFAST_ADMIN_PASSWORD_FILE")]
    admin_password_file: Option<PathBuf>,

    /// The administrator's name
    #[arg(long, value_name = "NAME", default_value = "admin", env = "HOLDFAST_ADMIN")]
    admin: String,

    /// Where the recovery key goes, readable by its owner only; keep it away from the replicas
    #[arg(long, value_name = "FILE", env = "HOLDFAST_RECOVERY_KEY_FILE")]
    recovery_key_file: Option<PathBuf>,

    /// Has a push create the repository it goes to, and an administrator's push the organization
    #[arg(
        long,
        env = "HOLDFAST_CREATE_REPOSITORY_ON_PUSH",
        value_parser = FalseyValueParser::new()
    )]
    create_repository_on_push: bool,

    /// The id of this replica, 12 lower-case hexadecimal digits; random without it
    #[arg(long, value_name = "ID", env = "HOLDFAST_REPLICA_ID")]
    replica_id: Option<String>,
}

/// Makes a cluster of one replica.
pub fn run(args: &InstallArgs) -> Result<(), Stop> {
    let config = args.config.load()?;
    let host_name = machine::host_name();
    let replica_id = replica_id(args.replica_id.as_deref())?;
    preflight::check(&config, preflight::Before::Forming, &host_name)?;
    let recovery_key_file = recovery_key_file(args, &config)?;
    let password = admin_password(args)?;
    let installed = bootstrap::install(InstallOptions {
        folder: config.data.clone(),
        allow_volatile: config.storage.allow_volatile,
        replica_id,
        admin: args.admin.clone(),
        admin_password_hash: password::hash(&password)?,
        create_repository_on_push: args.create_repository_on_push,
        host_names: config.public.external_host().into_iter().collect(),
        advertise: config.peer.advertised(&host_name),
        host_name,
        machine_id: machine::machine_id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        wall_ms: SystemClock::new().wall_ms(),
    })
    .map_err(|error| stop_for(error.kind(), &error))?;
    write_recovery_key(&recovery_key_file, &installed.recovery_key)?;
    println!("cluster {} with replica {}", installed.cluster_id, installed.replica_id);
    eprintln!(
        "The recovery key is in {}: it opens backups. Keep it somewhere else than here.\n\
         Next: holdfast serve --config {}",
        recovery_key_file.display(),
        args.config.config.as_deref().unwrap_or(Path::new("FILE")).display()
    );
    Ok(())
}

/// How a command that could not make a replica ends.
pub(crate) fn stop_for(kind: FailureKind, error: &dyn std::fmt::Display) -> Stop {
    let exit = match kind {
        FailureKind::Failed => Exit::Failed,
        FailureKind::Usage => Exit::Usage,
        FailureKind::Refused => Exit::Refused,
        FailureKind::Unreachable => Exit::Unreachable,
    };
    Stop::new(exit, error.to_string())
}

/// Reads `--replica-id`; Docker Trusted Registry's variable is taken where it is not given.
pub(crate) fn replica_id(given: Option<&str>) -> Result<Option<ReplicaId>, Stop> {
    let variable = std::env::var("DTR_INSTALL_REPLICA_ID").ok();
    let text = given.or(variable.as_deref()).filter(|text| !text.is_empty());
    let parse = |text: &str| {
        ReplicaId::parse(text).map_err(|error| Stop::usage(format!("--replica-id: {error}")))
    };
    text.map(parse).transpose()
}

fn admin_password(args: &InstallArgs) -> Result<Zeroizing<String>, Stop> {
    if let Some(file) = &args.admin_password_file {
        return prompt::password_file(file);
    }
    let first = prompt::password(&format!("Password for {}", args.admin), "--admin-password-file")?;
    let again = prompt::password("Once more", "--admin-password-file")?;
    if *first == *again { Ok(first) } else { Err(Stop::usage("the two passwords differ")) }
}

/// Where the recovery key goes: beside the data folder unless said otherwise. It must not be there
/// yet.
fn recovery_key_file(args: &InstallArgs, config: &Config) -> Result<PathBuf, Stop> {
    let beside = || {
        let folder = config.data.parent().unwrap_or(&config.data);
        let name = config.data.file_name().unwrap_or_default().to_string_lossy();
        folder.join(format!("{name}-recovery-key"))
    };
    let path = args.recovery_key_file.clone().unwrap_or_else(beside);
    if path.exists() {
        return Err(Stop::refused(format!(
            "{} exists: it may be the recovery key of another cluster. Move it away, or name \
             another file by --recovery-key-file",
            path.display()
        )));
    }
    Ok(path)
}

fn write_recovery_key(path: &Path, key: &str) -> Result<(), Stop> {
    let written = std::fs::File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| writeln!(file, "{key}").and_then(|()| file.sync_all()));
    written.map_err(|error| {
        eprintln!("recovery key (could not be written to a file, keep this line): {key}");
        Stop::file("write the recovery key to", path, &error)
    })
}
