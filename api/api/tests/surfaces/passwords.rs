//! `changePassword`: one's own and another's.

use futures::future::{join_all, select_all};
use serde_json::json;

use crate::harness::{ADMIN, Ask, Registry};
use crate::roles::ask;

fn change<'a>(registry: &'a Registry, who: (&str, &str), body: &str) -> Ask<'a> {
    let path = format!("/enzi/v0/accounts/{}/changePassword", who.0);
    registry.ask("POST", &path).by(who).body(body)
}

#[tokio::test]
async fn a_user_changes_their_password_by_the_old_one() {
    let registry = Registry::start().await;
    registry.user("lovelace").await;
    let who = ("lovelace", "pw");
    let refused = [
        (r#"{"newPassword":"long-enough"}"#, 400, "INVALID_PARAMETERS"),
        (r#"{"oldPassword":null,"newPassword":"long-enough"}"#, 400, "INVALID_PARAMETERS"),
        (r#"{"oldPassword":"wrong","newPassword":"long-enough"}"#, 403, "PASSWORD_INCORRECT"),
        (r#"{"oldPassword":"","newPassword":"long-enough"}"#, 403, "PASSWORD_INCORRECT"),
        (r#"{"oldPassword":"pw"}"#, 400, "INVALID_PARAMETERS"),
        (r#"{"oldPassword":"pw","newPassword":"short-1"}"#, 400, "INVALID_PARAMETERS"),
        (r#"{"oldPassword":"pw","newPassword":"iloveyou"}"#, 400, "INVALID_PARAMETERS"),
        (r#"{"oldPassword":"pw","newPassword":"LoveLace"}"#, 400, "INVALID_PARAMETERS"),
        (r#"{"oldPassword":"pw","newPassword":true}"#, 400, "INVALID_JSON"),
        ("{", 400, "INVALID_JSON"),
    ];
    for (body, status, code) in refused {
        change(&registry, who, body).send().await.fails(status, code);
    }
    let body = r#"{"oldPassword":"pw","newPassword":"long-enough"}"#;
    let changed = change(&registry, who, body).send().await.is(200).json();
    assert_eq!((&changed["name"], &changed["isOrg"]), (&json!("lovelace"), &json!(false)));
    registry.ask("GET", "/v2/").by(who).send().await.is(401);
    registry.ask("GET", "/v2/").by(("lovelace", "long-enough")).send().await.is(200);
}

#[tokio::test]
async fn an_administrator_changes_anothers_password_without_it_and_not_their_own() {
    let registry = Registry::start().await;
    registry.user("ann").await;
    registry.organization("org").await;
    let body = r#"{"newPassword":"long-enough"}"#;
    let path = |name: &str| format!("/enzi/v0/accounts/{name}/changePassword");
    ask(&registry, "POST", &path("ann"), body).await.is(200);
    registry.ask("GET", "/v2/").by(("ann", "long-enough")).send().await.is(200);
    ask(&registry, "POST", &path("org"), body).await.fails(404, "NO_SUCH_USER");
    ask(&registry, "POST", &path("none"), body).await.fails(404, "NO_SUCH_ACCOUNT");
    change(&registry, ADMIN, body).send().await.fails(400, "INVALID_PARAMETERS");
    let body = format!(r#"{{"oldPassword":"{}","newPassword":"long-enough"}}"#, ADMIN.1);
    change(&registry, ADMIN, &body).send().await.is(200);
    registry.ask("GET", "/v2/").by((ADMIN.0, "long-enough")).send().await.is(200);
}

#[tokio::test]
async fn of_two_changes_by_the_same_old_password_one_is_refused() {
    let registry = Registry::start().await;
    registry.user("ann").await;
    let bodies = ["one-is-enough", "two-is-too-many"]
        .map(|new| format!(r#"{{"oldPassword":"pw","newPassword":"{new}"}}"#));
    let [one, two] = bodies.each_ref().map(|body| change(&registry, ("ann", "pw"), body).send());
    let (one, two) = tokio::join!(one, two);
    // Both may have compared before either changed, or one was let in no more.
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses[0], 200);
    assert!(matches!(statuses[1], 401 | 403), "{statuses:?}");
}

#[tokio::test]
async fn guessing_the_old_password_is_slowed_down_as_signing_in_is() {
    let registry = Registry::start().await;
    registry.user("ann").await;
    // Signed in once, ann is let in without another look at her password.
    registry.ask("GET", "/v2/").by(("ann", "pw")).send().await.is(200);
    let body = r#"{"oldPassword":"wrong","newPassword":"long-enough"}"#;
    let guesses = || (0..12).map(|_| Box::pin(change(&registry, ("ann", "pw"), body).send()));
    for answer in join_all(guesses()).await {
        assert!(matches!(answer.status.as_u16(), 403 | 429), "{answer:?}");
    }
    // Those that still get a turn wait for it; the first answer is to one that gets none.
    let (first, _, _) = select_all(guesses()).await;
    let refused = first.fails(429, "TOO_MANY_REQUESTS");
    assert!(refused.header("retry-after").parse::<u32>().unwrap() > 0);
}
