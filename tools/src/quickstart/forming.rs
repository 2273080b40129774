//! Forming the cluster of a quick start, or bringing the recorded one up again.

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::cluster::Cluster;
use super::folder::write_secret;
use super::process::{last_lines, run_verb};
use super::proof;
use super::record::ReplicaRecord;
use super::report::Progress;
use crate::config::Config;
use crate::config::listeners::Http;
use crate::exit::Stop;
use crate::password;
use crate::preflight::disk;
use crate::preflight::network::in_words;
use crate::status::{ReplicaView, View};

/// How long a replica may take until it answers.
const READY_MAX: Duration = Duration::from_secs(90);

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(150);

/// How long replicas get to end their requests when a quick start stops, in seconds.
const DRAIN_MAX_S: u32 = 5;

/// Brings every replica up, publishes the record, and proves that the cluster works.
pub async fn bring_up(cluster: &mut Cluster, progress: &Progress) -> Result<(), Stop> {
    check_machine(cluster)?;
    let count = cluster.record.replicas.len();
    write_secret(&cluster.record.password_file, &format!("{}\n", password::random()))?;
    for replica in &cluster.record.replicas {
        write_config(replica)?;
    }

    let is_new = !(0..count).all(|at| is_member(&cluster.record.replicas[at]));
    if is_new {
        form(cluster, progress).await?;
    } else {
        progress.step(format!("starting {count} replicas"));
        for at in 0..count {
            cluster.start(at)?;
        }
    }
    write_ca(cluster)?;
    for at in 0..count {
        wait_until_ready(cluster, at, progress).await?;
    }
    read_ids(cluster).await?;
    cluster.folder.publish(&cluster.record)?;
    progress.done(&format!("{count} replicas are up"));

    progress.step("pushing an image through one replica and pulling it through another");
    let (to, from) = (cluster.client(0)?, cluster.client(1.min(count - 1))?);
    proof::push_and_pull(&to, &from).await?;
    progress.done(&format!(
        "{} was pushed through {} and pulled through {} with the same digests",
        proof::REPOSITORY,
        to.url(),
        from.url()
    ));
    Ok(())
}

/// Everything that can be said before the first file is written.
fn check_machine(cluster: &Cluster) -> Result<(), Stop> {
    let folder = cluster.folder.path();
    disk::check(folder, true).map_err(Stop::failed)?;
    let mut taken = Vec::new();
    for (replica, process) in cluster.record.replicas.iter().zip(&cluster.processes) {
        if process.pid().is_some() {
            continue;
        }
        for address in replica.listens_on() {
            if let Err(error) = std::net::TcpListener::bind(address) {
                taken.push(format!("\n  - {address}: {}", in_words(&error)));
            }
        }
    }
    if taken.is_empty() {
        return Ok(());
    }
    Err(Stop::failed(format!(
        "the quick start cannot listen where it should; choose another --base-port (a recorded \
         quick start keeps its ports: use another --dir, or --fresh):{}",
        taken.concat()
    )))
}

fn write_config(replica: &ReplicaRecord) -> Result<(), Stop> {
    let home = replica.home();
    std::fs::create_dir_all(home).map_err(|error| Stop::file("make", home, &error))?;
    if replica.config.exists() {
        // What somebody changed in it stays.
        return Ok(());
    }
    let mut config =
        Config { data: replica.data.clone(), allow_same_machine: true, ..Config::default() };
    replica.url.trim_start_matches("https://").clone_into(&mut config.public.listen);
    if let Some(http) = &replica.http {
        config.public.http = Http::Serve;
        http.trim_start_matches("http://").clone_into(&mut config.public.http_listen);
    }
    config.peer.listen.clone_from(&replica.peer);
    config.peer.advertise = Some(replica.peer.clone());
    config.limits.drain_max_s = DRAIN_MAX_S;
    // A try-out may run anywhere; `install` and `serve` without it are strict.
    config.storage.allow_volatile = true;
    let text = config.to_toml().map_err(Stop::failed)?;
    std::fs::write(&replica.config, text)
        .map_err(|error| Stop::file("write", &replica.config, &error))
}

/// Whether `install` or `join` came to its end in the replica's data folder.
fn is_member(replica: &ReplicaRecord) -> bool {
    replica.data.join("identity.toml").is_file()
}

/// Installs the first replica and has the others join, as far as that was not done before.
async fn form(cluster: &mut Cluster, progress: &Progress) -> Result<(), Stop> {
    let first = cluster.record.replicas[0].clone();
    if !is_member(&first) {
        progress.step("installing the first replica");
        clear_attempt(&first.data)?;
        install(cluster, &first).await?;
        progress.done("installed the first replica");
    }
    write_ca(cluster)?;
    cluster.start(0)?;
    wait_until_ready(cluster, 0, progress).await?;

    let newcomers: Vec<usize> = (1..cluster.record.replicas.len()).collect();
    for at in &newcomers {
        let replica = cluster.record.replicas[*at].clone();
        if !is_member(&replica) {
            progress.step(format!("replica {} joins", at + 1));
            let token = join_token(cluster).await?;
            join(&replica, &first.peer, &token).await?;
        }
        cluster.start(*at)?;
        wait_until_voter(cluster, *at, progress).await?;
        progress.done(&format!("replica {} joined", at + 1));
    }
    Ok(())
}

async fn install(cluster: &Cluster, first: &ReplicaRecord) -> Result<(), Stop> {
    let recovery = cluster.folder.path().join("recovery-key");
    let arguments = [
        "install",
        "--config",
        &text(&first.config)?,
        "--admin-password-file",
        &text(&cluster.record.password_file)?,
        "--recovery-key-file",
        &text(&recovery)?,
        "--create-repository-on-push",
    ];
    run_verb(&arguments, &[]).await.map(drop)
}

async fn join_token(cluster: &Cluster) -> Result<String, Stop> {
    let arguments = [
        "join-token",
        "create",
        "--url",
        &cluster.record.replicas[0].url,
        "--username",
        &cluster.record.admin,
        "--password-file",
        &text(&cluster.record.password_file)?,
        "--ca",
        &text(&cluster.record.ca)?,
    ];
    Ok(run_verb(&arguments, &[]).await?.trim().to_owned())
}

async fn join(replica: &ReplicaRecord, peer: &str, token: &str) -> Result<(), Stop> {
    let arguments = ["join", "--config", &text(&replica.config)?, "--peer", peer];
    // By a variable, since other users see a process's arguments.
    run_verb(&arguments, &[("HOLDFAST_JOIN_TOKEN", token)]).await.map(drop)
}

/// Removes what an `install` that was cut short left in a data folder of ours.
fn clear_attempt(data: &Path) -> Result<(), Stop> {
    match std::fs::remove_dir_all(data) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Stop::file("clear", data, &error))
        }
        _ => Ok(()),
    }
}

fn write_ca(cluster: &Cluster) -> Result<(), Stop> {
    let from = cluster.record.replicas[0].data.join("keys/ca.pem");
    let to = &cluster.record.ca;
    std::fs::copy(&from, to)
        .map(drop)
        .map_err(|error| Stop::file("copy the authority to", to, &error))
}

async fn wait_until_ready(
    cluster: &mut Cluster,
    at: usize,
    progress: &Progress,
) -> Result<(), Stop> {
    progress.step(format!("waiting for replica {} to answer", at + 1));
    let began = Instant::now();
    loop {
        if cluster.is_ready(at).await {
            return Ok(());
        }
        check_alive(cluster, at, began)?;
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Waits until a newcomer answers and votes: only then may the next one join.
async fn wait_until_voter(
    cluster: &mut Cluster,
    at: usize,
    progress: &Progress,
) -> Result<(), Stop> {
    wait_until_ready(cluster, at, progress).await?;
    progress.step(format!("waiting for replica {} to become a voter", at + 1));
    let peer = cluster.record.replicas[at].peer.clone();
    let began = Instant::now();
    loop {
        let answer = cluster.status(0).await;
        let votes = answer.is_ok_and(|answer| {
            let id = proof::id_of(&answer, &peer);
            let view = View::of(&answer);
            id.zip(view.ok()).is_some_and(|(id, view)| {
                let settled = |seen: &ReplicaView| seen.health == "OK" && seen.role == "follower";
                view.is_voter(&id) && view.replica(&id).is_some_and(settled)
            })
        });
        if votes {
            return Ok(());
        }
        check_alive(cluster, at, began)?;
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn check_alive(cluster: &mut Cluster, at: usize, began: Instant) -> Result<(), Stop> {
    let replica = &cluster.record.replicas[at];
    let how = cluster.processes[at].ended(replica);
    let late = began.elapsed() > READY_MAX;
    let what = match how {
        Some(how) => how,
        None if late => format!("it does not answer after {} s", READY_MAX.as_secs()),
        None => return Ok(()),
    };
    Err(Stop::failed(format!(
        "replica {} did not come up: {what}. The end of its log, {}:\n{}",
        at + 1,
        replica.log().display(),
        last_lines(&replica.log(), 12)
    )))
}

/// Fills the ids in that the cluster knows the replicas by.
async fn read_ids(cluster: &mut Cluster) -> Result<(), Stop> {
    let answer = cluster.status(0).await?;
    for replica in &mut cluster.record.replicas {
        replica.id = proof::id_of(&answer, &replica.peer).ok_or_else(|| {
            Stop::failed(format!("no member of the cluster is at {}", replica.peer))
        })?;
    }
    Ok(())
}

fn text(path: &Path) -> Result<String, Stop> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        Stop::usage(format!("{} is not UTF-8: choose another --dir", path.display()))
    })
}
