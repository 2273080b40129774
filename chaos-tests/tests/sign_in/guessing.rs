//! One address that tries account after account is slowed down; others, and whoever has signed in
//! from there before, are not.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use chaos_tests::cluster::{ADMIN, Cluster};
use futures::future::join_all;
use reqwest::{Client, StatusCode};

use super::{PASSWORD, PING_PATH, ends_well, user};

/// More than cost nothing, and so many at once that some would have to wait too long.
const TRIED: usize = 110;
const AT_ONCE: usize = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_tries_many_accounts_is_slowed_down_alone() {
    let cluster = Cluster::start(1).await.unwrap();
    user(&cluster, "ann").await;
    let ask = |name: String, password: String| {
        let request = cluster.registry.bare(0, reqwest::Method::GET, PING_PATH);
        let request = request.basic_auth(name, Some(password)).timeout(Duration::from_mins(1));
        async move {
            let answer = request.send().await.unwrap();
            let header =
                |name: &str| answer.headers().get(name)?.to_str().ok()?.parse::<u32>().ok();
            (answer.status(), header("retry-after"))
        }
    };
    // The administrator has signed in from here, when the cluster was made; ann has not.
    let (mine, admin) = (cluster.password.clone(), ADMIN.to_owned());
    assert_eq!(ask(admin.clone(), mine.clone()).await.0, StatusCode::OK);
    for chunk in (0..TRIED).collect::<Vec<_>>().chunks(10) {
        let tries = chunk.iter().map(|number| ask(format!("user-{number}"), "guess".to_owned()));
        for (status, _) in join_all(tries).await {
            assert!([401, 429].contains(&status.as_u16()), "{status}");
        }
    }
    let many = (0..AT_ONCE).map(|number| ask(format!("other-{number}"), "guess".to_owned()));
    let answers = join_all(many).await;
    let refused: Vec<_> =
        answers.iter().filter(|(status, _)| *status == StatusCode::TOO_MANY_REQUESTS).collect();
    assert!(refused.len() > AT_ONCE / 2, "{answers:?}");
    let waits_s = refused.iter().map(|(_, retry_after)| retry_after.unwrap_or(0));
    assert!(waits_s.clone().all(|wait_s: u32| (1..=600).contains(&wait_s)), "{answers:?}");

    let began = Instant::now();
    assert_eq!(ask(admin, mine).await.0, StatusCode::OK, "who signed in from here before");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    // From another address, though the account was never seen there.
    let ca = fs::read(cluster.ca_file().await.unwrap()).unwrap();
    let other = Client::builder().local_address(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)));
    let other = other.add_root_certificate(reqwest::Certificate::from_pem(&ca).unwrap());
    let url = cluster.registry.bare(0, reqwest::Method::GET, PING_PATH).build().unwrap();
    let request = other.build().unwrap().get(url.url().clone()).basic_auth("ann", Some(PASSWORD));
    let began = Instant::now();
    assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    ends_well(&cluster);
}
