//! Who is not let in: strangers, those whose name another has, and answers that are not theirs.

use std::time::{Duration, Instant};

use reqwest::{Method, Url};
use serde_json::json;

use crate::browser::{Browser, session, sign_in};
use crate::provider::{CALLBACK, Options};
use crate::{PASSWORD, SETTINGS, ask, done, ends_well, stage, with};

/// A provider that is not there is given up by then.
const GIVEN_UP_MAX: Duration = Duration::from_secs(12);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_takes_over_an_account_and_who_is_switched_off_stays_out() {
    let Some((cluster, provider, http)) = stage(Options::default()).await else { return };
    done(&cluster, 0, (Method::PUT, SETTINGS, provider.settings())).await;
    let bob = json!({ "name": "bob", "password": PASSWORD });
    done(&cluster, 0, (Method::POST, "/enzi/v0/accounts", bob)).await;
    for (sub, name, status, said) in [
        ("s-1", "bob", 403, "belongs to another account"),
        ("s-1", "admin", 403, "belongs to another account"),
        ("s-1", "acme", 403, "belongs to another account"),
        ("s-1", "no name!", 400, "can&#39;t be an account"),
        ("s-2", "olga", 200, "signed in as <b>olga</b>"),
        ("s-1", "olga", 403, "belongs to another account"),
    ] {
        provider.person(json!({ "sub": sub, "preferred_username": name })).await;
        let page = sign_in(&cluster, &http, (0, 1)).await;
        assert_eq!(page.status, status, "{sub} {name}: {}", page.body);
        assert!(page.body.contains(said), "{sub} {name}: {}", page.body);
        assert_eq!(page.cookie.is_empty(), status != 200);
    }
    // Nobody is called nothing.
    provider.person(json!({ "sub": "s-3" })).await;
    let page = sign_in(&cluster, &http, (0, 0)).await;
    assert!(page.status == 403 && page.body.contains("preferred_username"), "{page:?}");

    provider.person(json!({ "sub": "s-2", "preferred_username": "olga" })).await;
    let page = sign_in(&cluster, &http, (0, 1)).await;
    let account = "/enzi/v0/accounts/olga";
    let active = |is_active: bool| (Method::PATCH, account, json!({ "isActive": is_active }));
    done(&cluster, 2, active(false)).await;
    assert!(session(&cluster, 1, &page.cookie).await.is_null());
    let page = sign_in(&cluster, &http, (0, 1)).await;
    assert!(page.status == 403 && page.body.contains("switched off"), "{page:?}");
    done(&cluster, 0, active(true)).await;
    assert_eq!(sign_in(&cluster, &http, (2, 1)).await.status, 200);

    let password = json!({ "newPassword": PASSWORD });
    let path = format!("{account}/changePassword");
    let (status, refused) = ask(&cluster, 0, (Method::POST, &path, password)).await;
    assert_eq!(status, 400, "{refused}");
    let closed = with(provider.settings(), &[("createAccounts", json!(false))]);
    done(&cluster, 0, (Method::PUT, SETTINGS, closed)).await;
    provider.person(json!({ "sub": "s-9", "preferred_username": "new" })).await;
    let page = sign_in(&cluster, &http, (1, 2)).await;
    assert!(page.status == 403 && page.body.contains("no account for you"), "{page:?}");
    ends_well(&cluster);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_counts_once_for_the_browser_that_asked() {
    let Some((cluster, provider, http)) = stage(Options::default()).await else { return };
    done(&cluster, 0, (Method::PUT, SETTINGS, provider.settings())).await;
    provider.person(json!({ "sub": "s-1", "preferred_username": "olga" })).await;
    let here = cluster.replicas[0].url.clone();
    let there = cluster.replicas[1].url.clone();

    // Of another browser, which carries nothing, or something of its own.
    let mut victim = Browser::new(&http);
    let mut attacker = Browser::new(&http);
    let back = attacker.leave(&here, "").await;
    let page = victim.arrive(&here, &back).await;
    assert!(page.status == 400 && page.body.contains("begin again"), "{page:?}");
    let own = victim.leave(&here, "").await;
    assert_eq!(victim.arrive(&here, &back).await.status, 400);
    // That attempt is over; what the provider gave for it is worth nothing by itself.
    assert_eq!(victim.arrive(&here, &own).await.status, 400);

    // With another state, without a code, with an issuer that is another's.
    let forged = |back: &str, name: &str, value: &str| {
        let url = Url::parse(&format!("{here}{back}")).unwrap();
        let pairs: Vec<_> = url.query_pairs().into_owned().filter(|(key, _)| key != name).collect();
        let mut url = url.clone();
        url.query_pairs_mut().clear().extend_pairs(pairs).append_pair(name, value);
        format!("{CALLBACK}?{}", url.query().unwrap())
    };
    for (name, value, status) in [
        ("state", "A".repeat(43).as_str(), 400),
        ("code", "made-up", 400),
        ("code", "", 400),
        ("iss", "https://evil.example", 403),
    ] {
        let mut browser = Browser::new(&http);
        let back = browser.leave(&here, "").await;
        let page = browser.arrive(&here, &forged(&back, name, value)).await;
        assert_eq!(page.status, status, "{name}={value}: {}", page.body);
        assert!(page.cookie.is_empty());
    }
    // Once more, with all that it was done with, at another replica.
    let mut browser = Browser::new(&http);
    let back = browser.leave(&here, "").await;
    browser.carry(&here, &there);
    assert_eq!(browser.arrive(&here, &back).await.status, 200);
    let page = browser.arrive(&there, &back).await;
    assert!(page.status == 400 && page.cookie.is_empty(), "{page:?}");
    // The settings are others by now.
    let mut browser = Browser::new(&http);
    let back = browser.leave(&here, "").await;
    done(&cluster, 2, (Method::PUT, SETTINGS, provider.settings())).await;
    assert_eq!(browser.arrive(&here, &back).await.status, 400);
    // The provider says no.
    provider.person(json!({ "deny": true })).await;
    let page = sign_in(&cluster, &http, (0, 2)).await;
    assert!(page.status == 403 && page.body.contains("access_denied"), "{page:?}");
    ends_well(&cluster);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_is_gone_is_said_to_be() {
    let Some((cluster, provider, http)) = stage(Options::default()).await else { return };
    let (settings, issuer) = (provider.settings(), provider.issuer.clone());
    done(&cluster, 0, (Method::PUT, SETTINGS, settings.clone())).await;
    let elsewhere = with(settings.clone(), &[("issuerIdentifier", json!(format!("{issuer}/x")))]);
    let (status, refused) = ask(&cluster, 0, (Method::PUT, SETTINGS, elsewhere)).await;
    assert_eq!(status, 400);
    assert!(refused.to_string().contains("openid-configuration"), "{refused}");
    drop(provider);
    let begun = Instant::now();
    let login = format!("{}/api/v0/openid/login", cluster.replicas[1].url);
    let answer = Browser::new(&http).get(&login.parse().unwrap()).await;
    assert_eq!(answer.status(), 503);
    let (status, refused) = ask(&cluster, 0, (Method::PUT, SETTINGS, settings.clone())).await;
    assert!(status == 400 && refused.to_string().contains("cannot be reached"), "{refused}");
    assert!(begun.elapsed() < GIVEN_UP_MAX, "{:?}", begun.elapsed());
    let unverified = format!("{SETTINGS}?verify=false");
    done(&cluster, 0, (Method::PUT, &unverified, settings)).await;
    ends_well(&cluster);
}
