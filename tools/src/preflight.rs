//! Looking at the machine before install, join and serve, so that what is wrong is said in words.
//!
//! Every check runs; all that fail are told at once, each with what it found, to what, and what to
//! do.

use std::path::Path;

use crate::config::Config;
use crate::config::listeners::Http;
use crate::exit::{Exit, Stop};

pub mod clock;
pub mod disk;
pub mod network;

/// What is about to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// `install` or `join`: the ports are looked at although nothing will listen yet.
    Forming,
    /// `serve`.
    Serving,
}

/// Checks the machine for `config`; warnings go to standard error.
///
/// # Errors
///
/// Exit 1 with every failure, one a line.
pub fn check(config: &Config, before: Before, host_name: &str) -> Result<(), Stop> {
    let mut failures = Vec::new();
    let mut keep = |result: Result<(), String>| failures.extend(result.err());

    let advertised = config.peer.advertised(host_name);
    keep(network::is_ours(&advertised));
    for (key, address) in listeners(config) {
        keep(network::port_is_free(key, address));
    }
    keep(clock::is_sane());
    if before == Before::Forming {
        // A data folder that is not there yet is made, so that what follows can look at its disk.
        keep(disk::make_folder(&config.data));
    }
    for folder in folders(config) {
        keep(disk::check(&folder, config.storage.allow_volatile));
    }
    stop_for(failures)
}

fn listeners(config: &Config) -> Vec<(&'static str, &str)> {
    let mut listeners =
        vec![("public.listen", &*config.public.listen), ("peer.listen", &*config.peer.listen)];
    if config.public.http != Http::Off {
        listeners.push(("public.http_listen", &config.public.http_listen));
    }
    listeners
}

fn folders(config: &Config) -> Vec<std::path::PathBuf> {
    let content = config.content_folder();
    let content = nearest_that_exists(&content).to_path_buf();
    let mut folders = vec![config.data.clone(), content];
    folders.dedup();
    folders
}

fn nearest_that_exists(path: &Path) -> &Path {
    path.ancestors().find(|path| path.exists()).unwrap_or(path)
}

fn stop_for(failures: Vec<String>) -> Result<(), Stop> {
    if failures.is_empty() {
        return Ok(());
    }
    let mut text = String::from("this machine is not ready:");
    for failure in failures {
        text.push_str("\n  - ");
        text.push_str(&failure);
    }
    Err(Stop::new(Exit::Failed, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(folder: &Path) -> Config {
        let mut config = Config { data: folder.to_path_buf(), ..Config::default() };
        config.public.listen = "127.0.0.1:0".into();
        config.peer.listen = "127.0.0.1:0".into();
        config.peer.advertise = Some("127.0.0.1:4443".into());
        config.storage.allow_volatile = true;
        config
    }

    #[test]
    fn a_machine_that_is_ready_passes() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        assert_eq!(check(&config(&data), Before::Forming, "localhost"), Ok(()));
        assert!(data.is_dir());
    }

    #[test]
    fn every_failure_is_told_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let mut config = config(&file);
        config.public.listen.clone_from(&address);
        config.peer.advertise = Some("nobody.invalid:4443".into());
        let stop = check(&config, Before::Forming, "localhost").unwrap_err();
        assert_eq!(stop.exit, Exit::Failed);
        for part in [&*address, "public.listen", "nobody.invalid", &file.display().to_string()] {
            assert!(stop.text.contains(part), "{part}: {stop}");
        }
    }
}
