//! Accounts from another product, with the hashes of their passwords, and accounts that stay.

use consensus::cluster::Freshness;
use metadata::accounts;
use serde_json::{Value, json};

use crate::harness::{ADMIN, Registry};
use crate::roles::ask;

const IMPORT: &str = "/enzi/v0/admin/importAccounts";
const SYSTEM: &str = "/enzi/v0/config/accounts";
/// Of `violet-kettle-37`, made by crypt(3) and by Python's hashlib.
const BCRYPT: &str = "$2b$04$abcdefghijklmnopqrstuujb.HQN.5Q7GRIWCpvMsmOZEmuk6cPA.";
const PBKDF2: &str = "pbkdf2_sha256$60000$pinchofsalt$85cjYvJFiu0xtbPVVDFagGxsSTpZy3/A0G98K5nfN+k=";

async fn hash_of(registry: &Registry, name: &str) -> String {
    let row = registry.cluster.read(Freshness::Local, |view| accounts::find(view, name)).await;
    row.unwrap().unwrap().password_hash
}

#[tokio::test]
async fn imported_hashes_sign_in_once_and_become_ours() {
    let registry = Registry::start().await;
    let list = json!({ "accounts": [
        { "name": "ann", "fullName": "Ann Lee", "isAdmin": true, "passwordHash": BCRYPT },
        { "name": "bob", "passwordHash": PBKDF2 },
        { "name": "carl", "isActive": false, "passwordHash": BCRYPT },
        { "name": "dora" },
        { "name": "acme", "isOrg": true, "fullName": "Acme Corporation" },
    ]});
    let made = ask(&registry, "POST", IMPORT, &list.to_string()).await.is(201).json();
    let name = |account: &Value| account["name"].as_str().unwrap().to_owned();
    let names: Vec<String> = made["accounts"].as_array().unwrap().iter().map(name).collect();
    assert_eq!(names, ["ann", "bob", "carl", "dora", "acme"]);
    assert_eq!(made["accounts"][0]["isImported"], true);
    assert!(!made.to_string().contains("$2b$"));
    for name in ["ann", "bob"] {
        let before = hash_of(&registry, name).await;
        registry.ask("GET", "/v2/").by((name, "wrong")).send().await.is(401);
        assert_eq!(hash_of(&registry, name).await, before);
        for _ in 0..2 {
            registry.ask("GET", "/v2/").by((name, "violet-kettle-37")).send().await.is(200);
        }
        assert!(hash_of(&registry, name).await.starts_with("$argon2id$"), "{name}");
        registry.ask("GET", "/v2/").by((name, "wrong")).send().await.is(401);
    }
    for name in ["carl", "dora", "acme"] {
        for password in ["violet-kettle-37", ""] {
            registry.ask("GET", "/v2/").by((name, password)).send().await.is(401);
        }
    }
}

#[tokio::test]
async fn a_list_with_a_mistake_changes_nothing() {
    let registry = Registry::start().await;
    let good = json!({ "name": "ann", "passwordHash": BCRYPT });
    let costly = BCRYPT.replace("$04$", "$31$");
    for (second, said) in [
        (json!({ "name": "Bob" }), "is no name"),
        (json!({ "name": "bob", "passwordHash": "secret" }), "passwordHash"),
        (json!({ "name": "bob", "passwordHash": costly }), "passwordHash"),
        (json!({ "name": "bob", "fullName": "x".repeat(2000) }), "fullName"),
        (json!({ "name": "org", "isOrg": true, "passwordHash": BCRYPT }), "organization"),
        (json!({ "name": "ann" }), "twice"),
    ] {
        let list = json!({ "accounts": [good, second] });
        let answer = ask(&registry, "POST", IMPORT, &list.to_string()).await;
        let answer = answer.fails(400, "INVALID_PARAMETERS");
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(text.contains(said) && !text.contains("$2b$04$abc"), "{second}: {text}");
    }
    let taken = json!({ "accounts": [good, { "name": ADMIN.0 }] });
    ask(&registry, "POST", IMPORT, &taken.to_string()).await.fails(400, "ACCOUNT_EXISTS");
    for list in [json!({ "accounts": [] }), json!({ "accounts": vec![&good; 501] })] {
        let answer = ask(&registry, "POST", IMPORT, &list.to_string()).await;
        answer.fails(400, "INVALID_PARAMETERS");
    }
    ask(&registry, "POST", IMPORT, "{}").await.fails(400, "INVALID_JSON");
    ask(&registry, "GET", "/enzi/v0/accounts/ann", "").await.fails(404, "NO_SUCH_ACCOUNT");
}

#[tokio::test]
async fn system_accounts_stay() {
    let registry = Registry::start().await;
    registry.user("robot").await;
    let shown = ask(&registry, "GET", SYSTEM, "").await.is(200).json();
    assert_eq!(shown, json!({ "systemAccounts": [], "usersCount": 2, "orgsCount": 0 }));
    let set = json!({ "systemAccounts": ["robot", "admin"] }).to_string();
    let set = ask(&registry, "PUT", SYSTEM, &set).await.is(200).json();
    assert_eq!(set["systemAccounts"], json!(["admin", "robot"]));
    let kept = ask(&registry, "DELETE", "/enzi/v0/accounts/robot", "").await;
    let kept = kept.fails(405, "NOT_ALLOWED");
    assert!(String::from_utf8_lossy(&kept.body).contains("system account"));
    let unknown = json!({ "systemAccounts": ["nobody"] }).to_string();
    ask(&registry, "PUT", SYSTEM, &unknown).await.fails(404, "NO_SUCH_ACCOUNT");
    let many = json!({ "systemAccounts": vec!["admin"; 101] }).to_string();
    ask(&registry, "PUT", SYSTEM, &many).await.fails(400, "INVALID_PARAMETERS");
    ask(&registry, "PUT", SYSTEM, r#"{"systemAccounts":[]}"#).await.is(200);
    ask(&registry, "DELETE", "/enzi/v0/accounts/robot", "").await.is(204);
}
