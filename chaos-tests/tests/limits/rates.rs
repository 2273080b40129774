//! Requests per second: each account has its own, those without an account share their address's.

use std::time::{Duration, Instant};

use chaos_tests::registry::Registry;
use reqwest::Method;
use tokio::time::sleep;

use crate::{Said, account, with_limits};

const LINES: &str = "requests_per_second = 5\nrequests_burst = 20";

/// Asks until it is too much; gives how often it went well, and the refusal.
async fn until_refused(registry: &Registry, path: &str) -> (usize, Said) {
    for passed in 0..200 {
        let said = Said::of(registry.basic(0, Method::GET, path)).await;
        if said.status == 429 {
            return (passed, said);
        }
        assert!(said.status < 500, "{said:?}");
    }
    panic!("two hundred requests in a row were let through");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_asks_too_often_is_told_so_and_disturbs_nobody_else() {
    let cluster = with_limits(1, LINES).await;
    let (ann, bob) = (account(&cluster, "ann").await, account(&cluster, "bob").await);
    let begun = Instant::now();
    let (passed, said) = until_refused(&ann, "/v2/").await;
    let more = usize::try_from(begun.elapsed().as_secs() + 1).unwrap() * 5;
    assert!((20..=20 + more).contains(&passed), "{passed} in {:?}", begun.elapsed());
    assert_eq!(
        (said.code.as_str(), said.reason.as_str()),
        ("TOOMANYREQUESTS", "TOO_MANY_REQUESTS")
    );
    assert!(said.message.contains("the account ann may send 5 requests a second"), "{said:?}");
    let wait_s = said.retry_after_s.expect("a refusal says when to try again");
    assert!((1..=2).contains(&wait_s), "{said:?}");

    let (_, said) = until_refused(&ann, "/api/v0/repositories").await;
    assert_eq!(said.code, "TOO_MANY_REQUESTS", "on the management API");
    let (_, said) = until_refused(&ann, "/auth/token?service=holdfast").await;
    assert_eq!(said.code, "TOOMANYREQUESTS", "at the token endpoint");

    assert_eq!(Said::of(bob.basic(0, Method::GET, "/v2/")).await.status, 200);
    for _ in 0..50 {
        for path in ["/_ping", "/load_balancer_status", "/nginx_status", "/metrics"] {
            let status = Said::of(ann.basic(0, Method::GET, path)).await.status;
            assert_ne!(status, 429, "{path}: health pages are for everyone");
        }
    }
    sleep(Duration::from_secs(u64::from(wait_s))).await;
    assert_eq!(Said::of(ann.basic(0, Method::GET, "/v2/")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_account_the_address_pays_and_so_it_does_for_wrong_passwords() {
    let cluster = with_limits(1, LINES).await;
    let ann = account(&cluster, "ann").await;
    let addresses = vec![cluster.replicas[0].http.clone()];
    let nobody = Registry::new(addresses, None, None).unwrap();
    let (passed, said) = until_refused(&nobody, "/v2/").await;
    assert!(passed >= 20, "{passed}");
    assert!(said.message.starts_with("127.0.0.1 may send 5 requests a second"), "{said:?}");
    let forged = nobody.bare(0, Method::GET, "/v2/").bearer_auth("a.b.c");
    assert_eq!(Said::of(forged).await.status, 429, "a forged token is no way around");
    assert_eq!(Said::of(ann.basic(0, Method::GET, "/v2/")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_counted_where_nothing_is_configured() {
    let cluster = with_limits(1, "").await;
    for _ in 0..300 {
        let said = Said::of(cluster.registry.basic(0, Method::GET, "/v2/")).await;
        assert_eq!(said.status, 200, "{said:?}");
    }
}
