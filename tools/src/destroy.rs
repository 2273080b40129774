//! `holdfast destroy`: wipes what a replica has on this machine, without telling the cluster.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::FalseyValueParser;
use consensus::folder::FolderError;
use consensus::offline::{Standing, standing};

use crate::exit::Stop;
use crate::flags::ConfigFlags;
use crate::prompt;

/// What `--help` says.
pub const HELP: &str = "\
Deletes everything that a stopped replica has on this machine: its log, its keys, and all content \
in its folder. The cluster is not told: remove the replica first (`holdfast remove`), or it counts \
as a dead voter. There is no way back.

  holdfast destroy --config /etc/holdfast/holdfast.toml --replica-id 5eb9459a7832 --yes";

/// What is deleted in the data folder: all that a replica ever puts there. Files of the operator's
/// own stay.
const OWN: [&str; 22] = [
    // First: without it nothing starts there, however little of the rest is gone.
    "identity.toml",
    "VERSION",
    "log",
    "tables",
    "snapshots",
    "keys",
    "boot",
    "bootstrap",
    "tables.distrust",
    "repairing",
    "repaired",
    "adopt",
    "joining.toml",
    "joining-key.pem",
    "former",
    "public.pem",
    "public.key",
    "content/blobs",
    "content/uploads",
    "content/staging",
    "content",
    "LOCK",
];

/// Flags of `destroy`.
#[derive(Args, Clone)]
pub struct DestroyArgs {
    #[command(flatten)]
    config: ConfigFlags,

    /// The id of the replica whose folder this is, so that the right one is meant
    #[arg(long, value_name = "ID", env = "HOLDFAST_REPLICA_ID")]
    replica_id: Option<String>,

    /// Does not ask
    #[arg(long, short, env = "HOLDFAST_YES", value_parser = FalseyValueParser::new())]
    yes: bool,
}

/// Wipes this machine's replica.
pub fn run(args: &DestroyArgs) -> Result<(), Stop> {
    let config = args.config.load()?;
    let stands = standing(&config.data).map_err(|error| match error {
        FolderError::InUse { .. } => Stop::refused(format!("{error}: stop it first")),
        error => Stop::failed(error.to_string()),
    })?;
    let Standing::Replica { replica_id, .. } = stands else {
        return Err(Stop::usage(format!("{} holds no replica", config.data.display())));
    };
    let (own, variable) = (replica_id.to_string(), std::env::var("DTR_DESTROY_REPLICA_ID").ok());
    match args.replica_id.clone().or(variable) {
        Some(id) if id == own => {}
        Some(id) => {
            return Err(Stop::usage(format!(
                "--replica-id is {id}, and this folder is that of replica {own}"
            )));
        }
        None => {
            return Err(Stop::usage(format!(
                "--replica-id is missing: this folder is that of replica {own}"
            )));
        }
    }
    if !args.yes {
        let question = format!("Everything of replica {own} is deleted. Type its id to go on");
        if prompt::line(&question, "--yes")? != own {
            return Err(Stop::refused("nothing was deleted"));
        }
    }
    wipe(&config.data, config.storage.folder.as_deref())?;
    println!("replica {own} is deleted from this machine");
    eprintln!("The cluster was not told: holdfast remove --replica-ids {own}, if it was not yet.");
    Ok(())
}

fn wipe(data: &Path, content: Option<&Path>) -> Result<(), Stop> {
    let own = OWN.iter().map(|name| data.join(name));
    let elsewhere = content.into_iter().flat_map(|content| {
        ["blobs", "uploads", "staging", "damaged", "checked", "boot"].map(|name| content.join(name))
    });
    for path in own.chain(elsewhere).collect::<Vec<PathBuf>>() {
        let removed = match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => Err(error),
            Ok(it) if it.is_dir() => fs::remove_dir_all(&path),
            Ok(_) => fs::remove_file(&path),
        };
        removed.map_err(|error| Stop::file("delete", &path, &error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_replicas_goes_and_what_is_the_operators_stays() {
        let parent = tempfile::tempdir().unwrap();
        let (data, content) = (parent.path().join("data"), parent.path().join("content"));
        for name in ["log", "keys", "content/blobs/sha256"] {
            fs::create_dir_all(data.join(name)).unwrap();
        }
        fs::create_dir_all(content.join("blobs")).unwrap();
        for file in ["identity.toml", "VERSION", "keys/ca.pem", "holdfast.toml", "notes.log"] {
            fs::write(data.join(file), "x").unwrap();
        }
        fs::write(content.join("mine"), "x").unwrap();
        wipe(&data, Some(&content)).unwrap();
        let mut left: Vec<_> =
            fs::read_dir(&data).unwrap().map(|it| it.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["holdfast.toml", "notes.log"]);
        let left: Vec<_> =
            fs::read_dir(&content).unwrap().map(|it| it.unwrap().file_name()).collect();
        assert_eq!(left, ["mine"]);
        wipe(&data, None).unwrap();
    }
}
