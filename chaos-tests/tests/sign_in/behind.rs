//! A replica that stood still for longer than a majority is waited for does not take itself for cut
//! off: when it goes on it lets nobody in by what it knew before.

use std::time::{Duration, Instant};

use chaos_tests::cluster::Cluster;
use chaos_tests::image::Image;
use futures::future::join_all;
use reqwest::Method;
use rustix::process::Signal;
use serde_json::json;
use tokio::time::sleep;

use super::{ACCOUNTS_PATH, PING_PATH, asked, ends_well, of_user, user};

/// Longer than the ten seconds after which a silent majority counts as lost.
const STANDSTILL: Duration = Duration::from_secs(12);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_stood_still_lets_nobody_in_by_what_it_knew() {
    let mut cluster = Cluster::start(3).await.unwrap();
    let leader = cluster.leader().await.unwrap();
    for (name, place) in [("ann", (leader + 1) % 3), ("bob", leader)] {
        let elsewhere = (place + 1) % 3;
        user(&cluster, name).await;
        let (repository, image) = (format!("{name}/app"), Image::random(7));
        cluster.registry.push(elsewhere, &repository, &image, "v1").await.unwrap();
        let made = (Method::POST, "/api/v0/api_tokens", json!({}));
        let made = of_user(&cluster, elsewhere, name, made).await;
        let (token, id) = (made["token"].clone(), made["hashedToken"].clone());
        let (token, id) = (token.as_str().unwrap(), id.as_str().unwrap());
        let by_digest = format!("/v2/{repository}/manifests/{}", image.manifest.digest);
        let catalog = "/auth/token?service=s&scope=registry:catalog:*";
        let paths =
            [PING_PATH, ACCOUNTS_PATH, by_digest.as_str(), catalog, "/api/v0/meta/features"];
        let ask = |path: &str| {
            let request = cluster.registry.bare(place, Method::GET, path);
            let sent = request.basic_auth(name, Some(token)).send();
            async move { sent.await.map(|answer| answer.status().as_u16()) }
        };
        let before = join_all(paths[..4].iter().map(|path| ask(path))).await;
        assert!(before.iter().all(|it| matches!(it, Ok(200))), "{name}: {before:?}");

        cluster.replicas[place].signal(Signal::STOP).unwrap();
        let began = Instant::now();
        let path = format!("/api/v0/api_tokens/{id}");
        asked(&cluster, elsewhere, (Method::DELETE, &path, json!({}))).await;
        sleep(STANDSTILL.saturating_sub(began.elapsed())).await;
        // Some lie before the replica when it goes on, some come while it catches up.
        let waiting = join_all(paths.iter().map(|path| ask(path)));
        let going_on = async {
            sleep(Duration::from_millis(200)).await;
            cluster.replicas[place].signal(Signal::CONT).unwrap();
            let mut answers = Vec::new();
            for _ in 0..10 {
                answers.extend(join_all(paths.iter().map(|path| ask(path))).await);
            }
            answers
        };
        let (waited, after) = tokio::join!(waiting, going_on);
        for answer in waited.iter().chain(&after) {
            let refused = matches!(answer, Ok(401 | 503)) || answer.is_err();
            assert!(refused, "{name}: {waited:?} {after:?}");
        }
        let last = &after[after.len() - paths.len()..];
        assert!(last.iter().all(|it| matches!(it, Ok(401))), "{name}: {last:?}");
        cluster.wait_healthy().await.unwrap();
    }
    ends_well(&cluster);
}
