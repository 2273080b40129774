//! The command line over the management API, as an administrator types it: people, teams,
//! repositories, grants and tokens, each command at the next replica.

use std::fs;
use std::path::Path;

use chaos_tests::cluster::{ADMIN, Cluster};
use chaos_tests::executable::text;
use chaos_tests::programs::Program;
use futures::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};

use self::desk::Desk;
use crate::ends_well;

#[path = "command_line/desk.rs"]
pub(crate) mod desk;
#[path = "command_line/directory.rs"]
mod directory;
#[path = "command_line/jobs.rs"]
mod jobs;
#[path = "command_line/tags.rs"]
mod tags;

/// More entries than the command line asks for at once.
const ENTRIES: usize = 1_005;
/// Entries that are created side by side.
const AT_ONCE: usize = 32;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrator_sets_up_a_company_by_commands() {
    let cluster = Cluster::start(3).await.unwrap();
    let desk = Desk::at(&cluster).await;
    people_and_teams(&desk).await;
    grants_decide(&desk).await;
    tokens_sign_in(&desk).await;
    errors_have_their_exit_status(&desk).await;
    settings_are_set(&desk).await;
    tags::come_go_and_come_back(&desk).await;
    tags::are_counted_and_bounded(&desk).await;
    jobs::are_run_followed_and_ended(&desk).await;
    what_is_deleted_is_gone(&desk).await;
    lists_are_followed_to_their_end(&desk).await;
    bash_completes(&desk).await;
    ends_well(&cluster);
}

async fn people_and_teams(desk: &Desk<'_>) {
    desk.write("ann.password", "violet-kettle-37");
    desk.write("bob.password", "marble-harbor-52");
    for line in [
        "user create ann --full-name=Ann --new-password-file ann.password",
        "user create bob --new-password-file bob.password --inactive",
        "user update bob --inactive=false --full-name=Bob",
        "org create acme --full-name=Acme",
        "org add acme ann --owner",
        "team create acme builders --description=builds",
        "team create acme readers",
        "team add acme builders bob",
        "team update acme readers --name lookers",
    ] {
        desk.done(line).await;
    }
    let users = desk.json("user list").await;
    let names: Vec<&str> = users.as_array().unwrap().iter().map(name).collect();
    assert_eq!(names, [ADMIN, "ann", "bob"]);
    let users = desk.done("user list --filter non-admins").await;
    assert_eq!(users, "ann\tAnn\tno\tyes\nbob\tBob\tno\tyes\n");
    assert_eq!(desk.done("org list").await, "acme\tAcme\t2\t2\n");
    let members = desk.json("org members acme").await;
    let mut members: Vec<(&str, bool)> = members.as_array().unwrap().iter().map(member).collect();
    members.sort_unstable();
    assert_eq!(members, [("ann", true), ("bob", false)]);
    assert_eq!(desk.done("team list acme").await, "builders\t1\tbuilds\nlookers\t0\t\n");
    assert_eq!(desk.done("team members acme builders").await, "bob\tBob\tno\n");
    let shown = desk.done("user show ann").await;
    assert!(shown.contains("full name\tAnn\n"), "{shown}");
}

fn name(account: &Value) -> &str {
    account["name"].as_str().unwrap()
}

fn member(entry: &Value) -> (&str, bool) {
    (name(&entry["member"]), entry["isAdmin"].as_bool().unwrap())
}

async fn grants_decide(desk: &Desk<'_>) {
    for line in [
        "repo create acme/web --private --description=shop",
        "repo create acme/base --private --immutable-tags",
        "repo grant acme/web builders read-only",
        "repo grant acme/web builders read-write",
        "org grant acme lookers read-only",
    ] {
        desk.done(line).await;
    }
    assert_eq!(desk.done("repo access acme/web").await, "builders\tread-write\n");
    assert_eq!(desk.done("org access acme").await, "lookers\tread-only\n");
    assert_eq!(desk.done("team access acme builders").await, "acme/web\tread-write\n");
    let all = "acme/base\tprivate\tyes\t\nacme/web\tprivate\tno\tshop\n";
    assert_eq!(desk.done("repo list acme").await, all);
    assert_eq!(desk.types("bob", "repo list").await.out, "acme/web\tprivate\tno\tshop\n");

    let asked = "access explain --user bob --repository";
    let said = desk.done(&format!("{asked} acme/web --action push")).await;
    assert!(said.starts_with("push on acme/web: allowed for bob\n"), "{said}");
    assert!(said.contains("builders") && said.contains("read-write"), "{said}");
    let said = desk.done(&format!("{asked} acme/base --action pull")).await;
    assert!(said.starts_with("pull on acme/base: not allowed for bob\n"), "{said}");
    assert!(said.contains("no such repository"), "{said}");
    let judged = desk.json(&format!("{asked} acme/web --action administer")).await;
    assert_eq!((&judged["allowed"], &judged["visible"]), (&json!(false), &json!(true)), "{judged}");
    let said = desk.done("access explain --anonymous --repository acme/web --action pull").await;
    assert!(said.contains("not allowed"), "{said}");

    desk.done("repo revoke acme/web builders").await;
    assert_eq!(desk.types("bob", "repo list").await.out, "");
    desk.done("repo update acme/web --public").await;
    assert_eq!(desk.types("bob", "repo list").await.out, "acme/web\tpublic\tno\tshop\n");
    desk.done("org revoke acme lookers").await;
    assert_eq!(desk.done("org access acme").await, "");
}

async fn tokens_sign_in(desk: &Desk<'_>) {
    let made = desk.types("bob", "token create --label=build --expires-in 30d").await;
    assert_eq!(made.status, Some(0), "{made}");
    assert!(made.out.lines().count() == 1 && made.err.contains("not shown again"), "{made}");
    desk.write("bob.password", &made.out);
    let listed = desk.json("token list --user bob").await;
    let [token] = &listed.as_array().unwrap()[..] else { panic!("{listed}") };
    assert_eq!((&token["tokenLabel"], &token["username"]), (&json!("build"), &json!("bob")));
    assert!(!token["expiresAt"].as_str().unwrap().starts_with("0001"), "{token}");
    let id = token["hashedToken"].as_str().unwrap();
    assert_eq!(desk.types("bob", "repo list acme").await.status, Some(0));
    assert!(desk.done(&format!("token show {id}")).await.contains("label\tbuild\n"));
    desk.done(&format!("token disable {id}")).await;
    assert_eq!(desk.types("bob", "repo list acme").await.status, Some(1));
    desk.done(&format!("token enable {id}")).await;
    assert_eq!(desk.types("bob", "repo list acme").await.status, Some(0));
    desk.done(&format!("token delete {id} --yes")).await;
    assert_eq!(desk.types("bob", "repo list acme").await.status, Some(1));

    // Whoever signs in with a password may change it, having shown the old one.
    desk.write("bob.password", "marble-harbor-52");
    desk.write("bob.new", "copper-lantern-64");
    let changed = desk.types("bob", "user set-password bob --new-password-file bob.new").await;
    assert_eq!(changed.status, Some(0), "{changed}");
    assert_eq!(desk.types("bob", "repo list").await.status, Some(1));
    desk.write("bob.password", "copper-lantern-64");
    assert_eq!(desk.types("bob", "repo list").await.status, Some(0));
}

async fn errors_have_their_exit_status(desk: &Desk<'_>) {
    desk.write("eve.password", "nobody-knows-me");
    let cases = [
        ("eve", "user list", 1, "NOT_AUTHENTICATED"),
        ("bob", "user create eve --new-password-file eve.password", 1, "NOT_AUTHORIZED"),
        ("bob", "settings show", 1, "NOT_AUTHORIZED"),
        ("bob", "repo show acme/base", 1, "NO_SUCH_REPOSITORY"),
        (ADMIN, "user show eve", 1, "NO_SUCH_ACCOUNT"),
        (ADMIN, "user create ann --new-password-file eve.password", 1, "ACCOUNT_EXISTS"),
        (ADMIN, "repo create acme/web", 1, "REPOSITORY_EXISTS"),
        (ADMIN, "team show acme nobody", 1, "NO_SUCH_TEAM"),
        (ADMIN, "token show 00", 1, "NO_SUCH_API_TOKEN"),
        (ADMIN, "user delete acme --yes", 2, "is an organization"),
        (ADMIN, "org update ann --full-name=A", 2, "is a user"),
        (ADMIN, "user delete ann", 2, "--yes is missing"),
        (ADMIN, "user create eve", 2, "--new-password-file is missing"),
        (ADMIN, "user update ann", 2, "say what is to change"),
        (ADMIN, "user show ..", 2, "write a name"),
        (ADMIN, "user list --url http://127.0.0.1:1", 4, "cannot reach"),
    ];
    for (user, line, status, said) in cases {
        let ended = desk.types(user, line).await;
        assert_eq!(ended.status, Some(status), "{user}: {line}\n{ended}");
        assert!(ended.err.contains(said) && ended.out.is_empty(), "{user}: {line}\n{ended}");
    }
}

async fn settings_are_set(desk: &Desk<'_>) {
    let before = desk.done("settings show").await;
    assert!(before.contains("createRepositoryOnPush=true\n"), "{before}");
    let after = desk.done("settings set createRepositoryOnPush=false").await;
    assert!(after.contains("createRepositoryOnPush=false\n"), "{after}");
    assert_eq!(desk.json("settings show").await["createRepositoryOnPush"], false);
    for (line, status, said) in [
        ("settings set replicaID=x", 1, "replicaID"),
        ("settings set createRepositoryOnPush=maybe", 2, "createRepositoryOnPush"),
        ("settings set frobnicate=1", 2, "frobnicate"),
    ] {
        let ended = desk.types(ADMIN, line).await;
        assert_eq!(ended.status, Some(status), "{line}\n{ended}");
        assert!(ended.err.contains(said), "{line}\n{ended}");
    }
    desk.done("settings set createRepositoryOnPush=true").await;
}

async fn what_is_deleted_is_gone(desk: &Desk<'_>) {
    for (line, gone) in [
        ("team remove acme builders bob", None),
        ("org remove acme bob", None),
        ("team delete acme builders --yes", Some("team show acme builders")),
        ("repo delete acme/base --yes", Some("repo show acme/base")),
        ("user delete bob --yes", Some("user show bob")),
        ("org delete acme --yes", Some("org show acme")),
    ] {
        desk.done(line).await;
        let Some(look) = gone else { continue };
        let ended = desk.types(ADMIN, look).await;
        assert_eq!(ended.status, Some(1), "{look} after {line}\n{ended}");
    }
    assert_eq!(desk.done("org list").await, "");
    assert_eq!(desk.json("repo list").await, json!([]));
}

/// Both dialects of paging, with more entries than one page has.
async fn lists_are_followed_to_their_end(desk: &Desk<'_>) {
    desk.done("org create many").await;
    let lists = [
        ("/enzi/v0/accounts/many/teams", "team list many", ""),
        ("/api/v0/repositories/many", "repo list many", "many/"),
    ];
    for (path, line, before) in lists {
        let names: Vec<String> = (0..ENTRIES).map(|number| format!("entry-{number:04}")).collect();
        let create = |(number, name): (usize, String)| {
            let place = number % desk.cluster.replicas.len();
            let request = desk.cluster.registry.basic(place, Method::POST, path);
            let request = request.json(&json!({"name": name}));
            async move { request.send().await.unwrap().error_for_status().unwrap() }
        };
        let entries = futures::stream::iter(names.clone().into_iter().enumerate());
        let made = entries.map(create).buffer_unordered(AT_ONCE).count().await;
        assert_eq!(made, ENTRIES);
        let listed = desk.done(line).await;
        let listed: Vec<&str> =
            listed.lines().map(|line| line.split('\t').next().unwrap()).collect();
        let expected: Vec<String> = names.iter().map(|name| format!("{before}{name}")).collect();
        assert_eq!(listed, expected, "{line}");
        assert_eq!(desk.json(line).await.as_array().unwrap().len(), ENTRIES, "{line}");
    }
    // A reader that has seen enough is no error to talk about.
    let Some(ended) = desk.script("holdfast repo list many | head -n 1").await else { return };
    assert_eq!((ended.status, &*ended.err), (Some(0), ""), "{ended}");
}

async fn bash_completes(desk: &Desk<'_>) {
    let script = "source <(holdfast completion bash); \
                  COMP_WORDS=(holdfast user set); COMP_CWORD=2; \
                  _holdfast holdfast set user; echo \"${COMPREPLY[@]}\"";
    let Some(ended) = desk.script(script).await else { return };
    assert_eq!((ended.status, ended.out.trim()), (Some(0), "set-password"), "{ended}");
}

/// The commands of a page of the manual, as one script.
pub(crate) fn script(page: &str) -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operate").join(page);
    let page = fs::read_to_string(page).unwrap();
    let blocks = page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let (mut script, mut named) = ("set -euo pipefail\n".to_owned(), Vec::new());
    for line in blocks.flat_map(str::lines) {
        // Where the cluster is stands in the environment already.
        match line.strip_prefix("export ").and_then(|rest| rest.split_once('=')) {
            Some((variable, _)) => named.push(variable),
            None => script += &format!("{line}\n"),
        }
    }
    let wanted = ["HOLDFAST_URL", "HOLDFAST_USERNAME", "HOLDFAST_PASSWORD_FILE", "HOLDFAST_CA"];
    assert_eq!(named, wanted);
    script
}

/// docs/operate/accounts.md, executed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_of_the_manual_does_what_it_says() {
    let (Some(_), Some(_)) = (Program::new("bash"), Program::new("jq")) else { return };
    let script = script("accounts.md");
    let cluster = Cluster::start(3).await.unwrap();
    let desk = Desk::at(&cluster).await;
    let ended = desk.script(&script).await.unwrap();
    assert_eq!(ended.status, Some(0), "{script}\n{ended}");
    for said in [
        "push on acme/web: allowed for bob",
        "pull on acme/base: not allowed for bob",
        "the user bob was deleted",
        "createRepositoryOnPush=true",
        "\nbase\nnightly\nweb\n",
    ] {
        assert!(ended.out.contains(said), "{said}\n{ended}");
    }
    let completion = desk.folder.path().join("holdfast.bash");
    assert!(fs::metadata(&completion).unwrap().len() > 1_000, "{}", text(&completion));
    ends_well(&cluster);
}
