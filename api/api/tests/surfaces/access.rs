//! Whether somebody may do something, and why: the answers, and who may ask.

use metadata::grants::Level;
use metadata::repositories::Visibility;
use serde_json::{Value, json};

use crate::harness::Registry;
use crate::people::{EVERYBODY, acme, grant, grant_all, grant_web, repository};
use crate::roles::{self, Case, credentials, text};

/// What the administrator is told about a user, `-` for nobody, on a repository.
async fn told(registry: &Registry, user: &str, repository: &str, action: &str) -> Value {
    let user = if user == "-" { "anonymous=true".to_owned() } else { format!("user={user}") };
    let path = format!("/api/v0/access/check?{user}&repository={repository}&action={action}");
    registry.ask("GET", &path).by_admin().send().await.is(200).json()
}

#[tokio::test]
async fn an_answer_names_the_level_the_rule_and_the_team() {
    let registry = acme().await;
    grant_web(&registry).await;
    grant_all(&registry, "acme", "readers", Level::ReadWrite).await;
    let cases = [
        ("admin", "acme/web", "owner", "system-administrator", ""),
        ("olga", "acme/web", "owner", "organization-owner", ""),
        ("adam", "acme/web", "admin", "repository-grant", "admins"),
        ("walt", "acme/web", "read-write", "repository-grant", "writers"),
        ("rita", "acme/web", "read-write", "namespace-grant", "readers"),
        ("rita", "acme/open", "read-write", "namespace-grant", "readers"),
        ("walt", "acme/open", "read-only", "public-repository", ""),
        ("mia", "acme/web", "none", "no-grant", ""),
        ("stan", "acme/open", "read-only", "public-repository", ""),
        ("stan", "stan/own", "owner", "own-namespace", ""),
        ("stan", "walt/own", "none", "no-grant", ""),
        ("-", "acme/open", "read-only", "public-repository", ""),
        ("-", "acme/web", "none", "no-grant", ""),
    ];
    for (user, repository, level, rule, team) in cases {
        let answer = told(&registry, user, repository, "pull").await;
        let found = ["/level", "/rule", "/team"].map(|place| text(&answer, place));
        assert_eq!(found, [level, rule, team], "{user} {repository}");
        assert_eq!(answer["user"], if user == "-" { "" } else { user });
        assert_eq!(
            (&answer["repository"], &answer["action"]),
            (&json!(repository), &json!("pull"))
        );
        assert_eq!(answer["visible"], json!(level != "none"), "{user} {repository}");
    }
}

#[tokio::test]
async fn an_explanation_says_what_gives_a_right_or_what_is_lacking() {
    let registry = acme().await;
    grant_web(&registry).await;
    grant_all(&registry, "acme", "admins", Level::ReadOnly).await;
    repository(&registry, "acme/third", Visibility::Private).await;
    let cases = [
        ("olga", "acme/web", "administer", true, "olga owns the organization acme; that is enough"),
        ("walt", "acme/web", "push", true, "granted read-write on acme/web; that is enough for"),
        ("walt", "acme/web", "administer", false, "the team writers, which was granted read-write"),
        ("walt", "acme/web", "see-all-events", false, "; see-all-events needs admin."),
        ("rita", "acme/web", "push", false, "read-only on acme/web; push needs read-write."),
        ("adam", "acme/third", "delete", false, "read-only on all repositories of acme; delete"),
        ("stan", "acme/open", "push", false, "acme/open is public, so everyone may read it; push"),
        ("stan", "acme/web", "pull", false, "stan is not a member of the organization acme; pull"),
        ("mia", "acme/web", "pull", false, "no team of acme that mia is in was granted acme/web"),
        ("mia", "stan/own", "pull", false, "stan is a user, who shares private repositories with"),
        ("mia", "none/own", "pull", false, "there is no account none; pull is refused."),
        ("stan", "stan/own", "pull", false, "own namespace; there is no repository stan/own."),
        ("stan", "stan/own", "push", true, "that is enough for push."),
        ("-", "acme/open", "push", false, "push needs a user who signed in and has the right."),
        ("-", "acme/web", "pull", false, "acme/web is not public, if it exists; pull needs a user"),
    ];
    for (user, repository, action, allowed, said) in cases {
        let answer = told(&registry, user, repository, action).await;
        let explanation = text(&answer, "/explanation");
        assert_eq!(answer["allowed"], allowed, "{user} {repository} {action}: {explanation}");
        assert!(explanation.contains(said), "{user} {repository} {action}: {explanation}");
    }
    let off = "{\"createRepositoryOnPush\":false}";
    registry.ask("POST", "/api/v0/meta/settings").by_admin().body(off).send().await.is(202);
    let answer = told(&registry, "stan", "stan/own", "push").await;
    assert!(text(&answer, "/explanation").contains("createRepositoryOnPush is off"), "{answer}");
    let off = "{\"isActive\":false}";
    registry.ask("PATCH", "/enzi/v0/accounts/walt").by_admin().body(off).send().await.is(200);
    let answer = told(&registry, "walt", "acme/web", "pull").await;
    assert_eq!((&answer["rule"], &answer["allowed"]), (&json!("account-inactive"), &json!(false)));
    assert!(text(&answer, "/explanation").contains("walt is inactive"), "{answer}");
}

const OF_MIA: &str = "/api/v0/access/check?user=mia&repository=acme/web&action=pull";
const OF_MIA_IN_OPEN: &str = "/api/v0/access/check?user=mia&repository=acme/open&action=pull";
const OF_A_MISSING: &str = "/api/v0/access/check?user=mia&repository=acme/none&action=pull";
const OF_ONESELF: &str = "/api/v0/access/check?repository=acme/web&action=pull";
const OF_NOBODY: &str = "/api/v0/access/check?anonymous=true&repository=acme/web&action=pull";
const OF_NO_USER: &str = "/api/v0/access/check?user=none&repository=acme/web&action=pull";

#[tokio::test]
async fn those_may_ask_about_others_who_administer_the_repository() {
    let registry = acme().await;
    grant_web(&registry).await;
    let cases: [Case<8>; 6] = [
        ("GET", OF_MIA, "", [200, 200, 200, 403, 403, 200, 404, 401]),
        ("GET", OF_MIA_IN_OPEN, "", [200, 200, 403, 403, 403, 200, 403, 401]),
        ("GET", OF_A_MISSING, "", [200, 200, 404, 404, 404, 200, 404, 401]),
        ("GET", OF_ONESELF, "", [200, 200, 200, 200, 200, 200, 200, 401]),
        ("GET", OF_NOBODY, "", [200, 200, 200, 200, 200, 200, 200, 401]),
        ("GET", OF_NO_USER, "", [404, 404, 404, 403, 403, 404, 404, 401]),
    ];
    roles::check(&registry, EVERYBODY, &cases).await;
    let ask = async |path: &str, name: &'static str| {
        registry.ask("GET", path).by(credentials(name)).send().await
    };
    ask(OF_MIA, "stan").await.fails(404, "NO_SUCH_REPOSITORY");
    ask(OF_NO_USER, "olga").await.fails(404, "NO_SUCH_USER");
    ask(&OF_NO_USER.replace("none", "acme"), "olga").await.fails(404, "NO_SUCH_USER");
    let unknown = ask(&OF_ONESELF.replace("pull", "fly"), "olga").await;
    let unknown = unknown.fails(400, "INVALID_PARAMETERS");
    assert!(String::from_utf8_lossy(&unknown.body).contains("see-all-events"));
    let nameless = OF_ONESELF.replace("acme/web", "acme");
    ask(&nameless, "olga").await.fails(400, "INVALID_PARAMETERS");
}

#[tokio::test]
async fn what_one_may_not_see_is_explained_as_what_does_not_exist() {
    let registry = acme().await;
    for who in ["", "anonymous=true&"] {
        for action in ["pull", "push", "administer", "create"] {
            let mut answers = Vec::new();
            for name in ["acme/web", "acme/none", "none/none", "rita/own"] {
                let path = format!("/api/v0/access/check?{who}repository={name}&action={action}");
                let ask = registry.ask("GET", &path).by(credentials("stan"));
                let answer = ask.send().await.is(200).json().to_string();
                answers.push(answer.replace(name, "X"));
            }
            let first = &answers[0];
            assert!(answers.iter().all(|answer| answer == first), "{action}: {answers:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_is_what_a_request_comes_to() {
    let registry = acme().await;
    grant_web(&registry).await;
    grant(&registry, "acme/open", "writers", Level::ReadWrite).await;
    for repository in ["acme/web", "acme/open"] {
        registry.push_image(repository, "v1", "one").await;
        for user in EVERYBODY {
            let who = if user.is_empty() { "-" } else { user };
            let requests = [
                ("pull", "GET", format!("/v2/{repository}/manifests/v1"), 200),
                ("push", "POST", format!("/v2/{repository}/blobs/uploads/"), 202),
                ("administer", "GET", format!("/api/v0/repositories/{repository}/teamAccess"), 200),
            ];
            for (action, method, path, done) in requests {
                let ask = registry.ask(method, &path);
                let ask = if user.is_empty() { ask } else { ask.by(credentials(user)) };
                let is_done = ask.send().await.status.as_u16() == done;
                let answer = told(&registry, who, repository, action).await;
                assert_eq!(answer["allowed"], is_done, "{user} {method} {path}");
            }
        }
    }
}
