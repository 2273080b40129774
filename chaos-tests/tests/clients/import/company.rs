//! A company moves from one cluster to another: people, teams, grants, settings and images, by the
//! API that the old product had.

use chaos_tests::cluster::{ADMIN, Cluster};
use chaos_tests::executable::text;
use chaos_tests::image::Image;
use reqwest::Method;
use serde_json::{Value, json};

use super::note_about;
use super::stage::Stage;
use crate::ends_well;

/// Where the company was: its cluster, its files, and its images.
struct Home {
    cluster: Cluster,
    password: String,
    ca: String,
    web: Image,
    base: Image,
}

impl Home {
    async fn new(stage: &Stage) -> Self {
        let cluster = Cluster::start(1).await.unwrap();
        let ca = text(&cluster.ca_file().await.unwrap());
        std::fs::write(stage.path("home.password"), &cluster.password).unwrap();
        let password = stage.path("home.password");
        let home =
            Self { cluster, password, ca, web: Image::random(501), base: Image::random(502) };
        home.people().await;
        home.estate().await;
        home
    }

    async fn asks(&self, method: Method, path: &str, body: Value) {
        let request = self.cluster.registry.basic(0, method, path).json(&body);
        let response = request.send().await.unwrap();
        let status = response.status();
        assert!(status.is_success(), "{path}: {status} {}", response.text().await.unwrap());
    }

    async fn people(&self) {
        let accounts = "/enzi/v0/accounts";
        for (name, is_admin, is_active) in
            [("ann", false, true), ("bob", false, true), ("eve", false, false), ("zoe", true, true)]
        {
            let body = json!({"name": name, "fullName": name.to_uppercase(), "isAdmin": is_admin,
                "isActive": is_active, "password": "violet-kettle-37"});
            self.asks(Method::POST, accounts, body).await;
        }
        let body = json!({"name": "acme", "isOrg": true, "fullName": "Acme Corporation"});
        self.asks(Method::POST, accounts, body).await;
        for (name, description) in [("builders", "builds"), ("readers", "")] {
            let body = json!({"name": name, "description": description});
            self.asks(Method::POST, "/enzi/v0/accounts/acme/teams", body).await;
        }
        for (path, is_admin) in [
            ("acme/members/ann", true),
            ("acme/teams/builders/members/bob", true),
            ("acme/teams/readers/members/eve", false),
        ] {
            let path = format!("{accounts}/{path}");
            self.asks(Method::PUT, &path, json!({"isAdmin": is_admin})).await;
        }
    }

    async fn estate(&self) {
        let repositories = "/api/v0/repositories";
        let web = json!({"name": "web", "visibility": "private", "shortDescription": "the shop",
            "longDescription": "# The shop\nSells things."});
        self.asks(Method::POST, &format!("{repositories}/acme"), web).await;
        let base = json!({"name": "base", "visibility": "public", "immutableTags": true});
        self.asks(Method::POST, &format!("{repositories}/acme"), base).await;
        let own = json!({"name": "play", "visibility": "private"});
        self.asks(Method::POST, &format!("{repositories}/bob"), own).await;
        let level = |level: &str| json!({"accessLevel": level});
        let path = format!("{repositories}/acme/web/teamAccess/builders");
        self.asks(Method::PUT, &path, level("read-write")).await;
        let path = "/api/v0/repositoryNamespaces/acme/teamAccess/readers";
        self.asks(Method::PUT, path, level("read-only")).await;
        let registry = &self.cluster.registry;
        registry.push(0, "acme/web", &self.web, "v1").await.unwrap();
        registry.push(0, "acme/base", &self.base, "v1").await.unwrap();
        // A note refers to the image and hangs on no tag: only the API tells of it.
        let (note, empty) = note_about(&self.web.manifest, self.web.media_type);
        registry.push_blob(0, "acme/web", &empty).await.unwrap();
        let target = ("acme/web", note.digest.as_str());
        let kind = chaos_tests::image::MANIFEST;
        let pushed = registry.push_manifest(
            0,
            target,
            (&note, kind),
            &chaos_tests::history::Condition::None,
        );
        pushed.await.unwrap();
    }

    fn words<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let from = ["--from", &self.cluster.replicas[0].url, "--from-username", ADMIN];
        let more_from = ["--from-password-file", &self.password, "--from-ca", &self.ca];
        [&from[..], &more_from[..], more].concat()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_company_moves_with_its_people_and_its_images() {
    let stage = Stage::new().await;
    let home = Home::new(&stage).await;
    let passwords = stage.path("new.passwords");
    a_dry_run_changes_nothing(&stage, &home).await;

    let words = home.words(&["--new-passwords", &passwords]);
    let report = stage.report("dtr", &words, 0).await;
    for (noun, brought) in [
        ("users", 4),
        ("organizations", 1),
        ("teams", 2),
        // Three of the organization, since who is in a team is in it, and two of teams.
        ("memberships", 5),
        ("repositories", 3),
        ("grants", 2),
        ("tags", 2),
        ("manifests", 3),
    ] {
        assert_eq!(report[noun]["brought"], brought, "{noun}: {report:#}");
    }
    people_arrived(&stage).await;
    estate_arrived(&stage, &home).await;
    they_sign_in_with_their_new_passwords(&stage, &passwords).await;
    let report = stage.report("dtr", &words, 0).await;
    for noun in ["users", "organizations", "teams", "memberships", "repositories", "grants"] {
        assert_eq!(report[noun]["brought"], 0, "{noun}: {report:#}");
    }
    what_differs_is_told_and_changed_only_where_that_is_wanted(&stage, &home).await;
    ends_well(&stage.cluster);
}

async fn a_dry_run_changes_nothing(stage: &Stage, home: &Home) {
    let passwords = stage.path("planned.passwords");
    let more = ["--dry-run", "--new-passwords", &passwords, "--state", &passwords];
    let report = stage.report("dtr", &home.words(&more), 0).await;
    let steps = report["steps"].to_string();
    for step in ["create user bob", "create team acme/builders", "grant builders on acme/web"] {
        assert!(steps.contains(step), "{step}: {report:#}");
    }
    assert!(!std::path::Path::new(&passwords).exists());
    assert_eq!(stage.json("/enzi/v0/accounts").await["accounts"].as_array().unwrap().len(), 1);
    assert_eq!(stage.json("/api/v0/repositories").await["repositories"], json!([]));
}

async fn people_arrived(stage: &Stage) {
    for (name, is_admin, is_active) in
        [("ann", false, true), ("bob", false, true), ("eve", false, false), ("zoe", true, true)]
    {
        let user = stage.json(&format!("/enzi/v0/accounts/{name}")).await;
        assert_eq!(user["fullName"], name.to_uppercase(), "{user}");
        assert_eq!((&user["isAdmin"], &user["isActive"]), (&json!(is_admin), &json!(is_active)));
    }
    let acme = stage.json("/enzi/v0/accounts/acme").await;
    assert_eq!((&acme["isOrg"], &acme["fullName"]), (&json!(true), &json!("Acme Corporation")));
    let team = stage.json("/enzi/v0/accounts/acme/teams/builders").await;
    assert_eq!(team["description"], "builds", "{team}");
    let bob = stage.json("/enzi/v0/accounts/acme/teams/builders/members/bob").await;
    assert_eq!(bob["isAdmin"], true, "{bob}");
    let ann = stage.json("/enzi/v0/accounts/acme/members/ann").await;
    assert_eq!(ann["isAdmin"], true, "{ann}");
}

async fn estate_arrived(stage: &Stage, home: &Home) {
    let web = stage.json("/api/v0/repositories/acme/web").await;
    assert_eq!(
        (&web["visibility"], &web["shortDescription"]),
        (&json!("private"), &json!("the shop"))
    );
    assert_eq!(web["longDescription"], "# The shop\nSells things.", "{web}");
    let base = stage.json("/api/v0/repositories/acme/base").await;
    assert_eq!((&base["visibility"], &base["immutableTags"]), (&json!("public"), &json!(true)));
    let granted = stage.json("/api/v0/repositories/acme/web/teamAccess").await;
    assert_eq!(granted["teamAccessList"][0]["accessLevel"], "read-write", "{granted}");
    let granted = stage.json("/api/v0/repositoryNamespaces/acme/teamAccess/readers").await;
    assert_eq!(granted["accessLevel"], "read-only", "{granted}");
    stage.has("acme/web", "v1", &home.web).await;
    stage.has("acme/base", "v1", &home.base).await;
    let (note, _) = note_about(&home.web.manifest, home.web.media_type);
    stage.holds("acme/web", &[], &[&note]).await;
}

async fn they_sign_in_with_their_new_passwords(stage: &Stage, passwords: &str) {
    let text = std::fs::read_to_string(passwords).unwrap();
    let of = |user: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{user}\t")));
        line.unwrap_or_else(|| panic!("{user} has no password in {text}")).to_owned()
    };
    for (user, password, status) in [
        ("bob", of("bob"), 200),
        ("bob", of("ann"), 401),
        ("bob", "violet-kettle-37".to_owned(), 401),
        // Was inactive, and is.
        ("eve", of("eve"), 401),
    ] {
        let request = stage.cluster.registry.bare(0, Method::GET, "/v2/");
        let answer = request.basic_auth(user, Some(password)).send().await.unwrap();
        assert_eq!(answer.status(), status, "{user}");
    }
}

async fn what_differs_is_told_and_changed_only_where_that_is_wanted(stage: &Stage, home: &Home) {
    let registry = &stage.cluster.registry;
    for (method, path, body) in [
        (Method::PATCH, "/enzi/v0/accounts/bob", json!({"fullName": "Robert"})),
        (Method::PATCH, "/api/v0/repositories/acme/web", json!({"visibility": "public"})),
        (
            Method::PUT,
            "/api/v0/repositories/acme/web/teamAccess/builders",
            json!({"accessLevel": "admin"}),
        ),
        (Method::PUT, "/enzi/v0/accounts/acme/members/ann", json!({"isAdmin": false})),
    ] {
        let answer = registry.basic(0, method, path).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
    }
    let full_name = async || stage.json("/enzi/v0/accounts/bob").await["fullName"].clone();
    let report = stage.report("dtr", &home.words(&["--accounts-only"]), 1).await;
    let said = report["differences"].to_string();
    for what in ["bob", "acme/web", "builders on acme/web", "ann in acme"] {
        assert!(said.contains(&format!("\"what\":\"{what}\"")), "{what}: {report:#}");
    }
    assert!(said.contains("visibility is \\\"public\\\", at the source \\\"private\\\""), "{said}");
    assert_eq!(full_name().await, "Robert");
    assert_eq!(report["tags"]["present"], 0, "no content was asked for: {report:#}");

    let report = stage.report("dtr", &home.words(&["--content-only"]), 0).await;
    assert_eq!((&report["tags"]["present"], &report["users"]["present"]), (&json!(2), &json!(0)));
    stage.report("dtr", &home.words(&["--accounts-only", "--update"]), 0).await;
    assert_eq!(full_name().await, "BOB");
    let web = stage.json("/api/v0/repositories/acme/web").await;
    assert_eq!(web["visibility"], "private", "{web}");
    assert_eq!(stage.json("/enzi/v0/accounts/acme/members/ann").await["isAdmin"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_users_only_what_needs_none_is_brought() {
    let stage = Stage::new().await;
    let home = Home::new(&stage).await;
    // Whoever has an organization where the source has a user is told.
    let clash = json!({"name": "zoe", "isOrg": true});
    let asked = stage.cluster.registry.basic(0, Method::POST, "/enzi/v0/accounts").json(&clash);
    assert_eq!(asked.send().await.unwrap().status(), 201);
    let words = home.words(&["--accounts-only", "--exclude", "bob/*"]);
    let report = stage.report("dtr", &words, 1).await;
    assert!(report["failures"].to_string().contains("has an organization of that name"));
    let ann = stage.json("/enzi/v0/accounts/ann").await;
    assert_eq!(ann["isActive"], false, "nobody knows her password: {ann}");

    let other = Stage::new().await;
    let report = other.report("dtr", &home.words(&["--no-users"]), 1).await;
    assert_eq!(report["users"]["brought"], 0, "{report:#}");
    assert_eq!(report["remarks"].as_array().unwrap().len(), 5, "{report:#}");
    let failures = report["failures"].to_string();
    assert!(failures.contains("no account bob"), "{report:#}");
    other.has("acme/web", "v1", &home.web).await;
    ends_well(&other.cluster);
    // Tokens and passwords of the source are not in its log either.
    ends_well(&home.cluster);
}
