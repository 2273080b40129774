//! `holdfast directory`: an administrator has people sign in by a real slapd, each command at the
//! next replica of three.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::process::Stdio;
use std::time::{Duration, Instant};

use chaos_tests::cluster::Cluster;
use chaos_tests::ports;
use chaos_tests::programs;
use serde_json::json;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::desk::Desk;
use crate::ends_well;

const PEOPLE: &str = "\
dn: dc=example
objectClass: domain
dc: example

dn: uid=ann,dc=example
objectClass: inetOrgPerson
uid: ann
cn: Ann Lee
sn: Lee
userPassword: violet-kettle-37

dn: uid=bob,dc=example
objectClass: inetOrgPerson
uid: bob
cn: Bob Ray
sn: Ray
userPassword: marble-harbor-52

dn: cn=builders,dc=example
objectClass: groupOfNames
cn: builders
member: uid=bob,dc=example
";

/// A slapd whose root reads; ends with its owner.
struct Slapd {
    _process: Child,
    url: String,
    _folder: TempDir,
}

impl Slapd {
    async fn start() -> Option<Self> {
        let (program, add) = (programs::find("slapd")?, programs::find("slapadd")?);
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().display();
        let conf = format!(
            "include /etc/ldap/schema/core.schema\ninclude /etc/ldap/schema/cosine.schema\n\
             include /etc/ldap/schema/inetorgperson.schema\nmodulepath /usr/lib/ldap\n\
             moduleload back_mdb\ndatabase mdb\nsuffix dc=example\nrootdn cn=root,dc=example\n\
             rootpw quiet-harbor-11\ndirectory {at}\n"
        );
        fs::write(folder.path().join("slapd.conf"), conf).unwrap();
        fs::write(folder.path().join("people.ldif"), PEOPLE).unwrap();
        let mut adding = Command::new(add);
        let adding = adding.current_dir(&folder).args(["-f", "slapd.conf", "-l", "people.ldif"]);
        assert!(adding.stderr(Stdio::null()).status().await.unwrap().success());
        let address = (Ipv4Addr::LOCALHOST, ports::free_base(&[0]).unwrap());
        let url = format!("ldap://{}:{}", address.0, address.1);
        let mut command = Command::new(program);
        command.current_dir(&folder).args(["-d", "0", "-f", "slapd.conf", "-h", &url]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let process = command.spawn().unwrap();
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "slapd does not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Some(Self { _process: process, url, _folder: folder })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrator_has_people_sign_in_by_a_directory() {
    let Some(slapd) = Slapd::start().await else { return };
    let cluster = Cluster::start(3).await.unwrap();
    let desk = Desk::at(&cluster).await;
    desk.write("reader.password", "quiet-harbor-11");
    desk.write("ann.password", "violet-kettle-37");
    desk.write("bob.password", "marble-harbor-52");
    assert_eq!(desk.done("directory show").await, "backend\tmanaged\n");
    let refused = desk.types("admin", "directory use ldap").await;
    assert_eq!(refused.status, Some(1), "{refused}");
    assert!(refused.err.contains("say first how it is reached"), "{refused}");

    let set = format!(
        "directory ldap set --server-url {} --reader-dn cn=root,dc=example \
         --reader-password-file reader.password --recovery-admin admin --base-dn dc=example \
         --username-attr uid --full-name-attr cn --filter objectClass=inetOrgPerson",
        slapd.url
    );
    desk.done(&set).await;
    let shown = desk.json("directory ldap show").await;
    assert_eq!(shown["userSearchConfigs"][0]["fullNameAttr"], "cn");
    assert_eq!(shown["readerPassword"], json!(null));
    let tried = desk.done("directory ldap test ann --user-password-file ann.password").await;
    assert!(tried.contains("full name\tAnn Lee\n"), "{tried}");
    let wrong = desk.types("admin", "directory ldap test ann --user-password-file bob.password");
    let wrong = wrong.await;
    assert!(wrong.status == Some(1) && wrong.err.contains("does not let them in"), "{wrong}");

    desk.done("directory use ldap").await;
    assert_eq!(desk.types("ann", "user show ann").await.status, Some(0));
    desk.done("org create acme").await;
    desk.done("team create acme builders").await;
    desk.done("directory follow acme builders --group cn=builders,dc=example").await;
    let synced = desk.done("directory ldap sync").await;
    assert!(synced.contains("state\tdone\n") && synced.contains("people found\t2\n"), "{synced}");
    assert!(synced.contains("acme builders: 1 added, 0 removed\n"), "{synced}");
    assert_eq!(desk.done("team members acme builders").await, "bob\tBob Ray\tno\n");
    let status = desk.json("directory ldap status").await;
    assert_eq!(status["report"]["usersFound"], 2, "{status}");

    desk.done("directory ldap set --base-dn ou=nowhere,dc=example").await;
    let failed = desk.types("admin", "directory ldap sync").await;
    assert!(failed.status == Some(1) && failed.err.contains("result 32"), "{failed}");
    desk.done("directory use managed").await;
    assert_eq!(desk.types("ann", "user show ann").await.status, Some(1));
    ends_well(&cluster);
}

/// `* * * * *`: every minute, and whatever a busy machine takes to do it.
const SYNCED_WITHIN: Duration = Duration::from_secs(100);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cluster_syncs_with_the_directory_by_its_schedule() {
    let Some(slapd) = Slapd::start().await else { return };
    let cluster = Cluster::start(3).await.unwrap();
    let desk = Desk::at(&cluster).await;
    desk.write("reader.password", "quiet-harbor-11");
    let set = format!(
        "directory ldap set --server-url {} --reader-dn cn=root,dc=example \
         --reader-password-file reader.password --recovery-admin admin --base-dn dc=example \
         --username-attr uid --full-name-attr cn --filter objectClass=inetOrgPerson",
        slapd.url
    );
    desk.done(&set).await;
    desk.done("directory use ldap").await;
    assert_eq!(desk.json("cron list").await[0]["schedule"], "@hourly");
    let every_minute = "holdfast directory ldap set --sync-schedule '* * * * *'";
    let Some(ended) = desk.script(every_minute).await else { return };
    assert_eq!(ended.status, Some(0), "{ended}");
    let refused = desk.types("admin", "cron set ldap_sync @daily").await;
    assert!(refused.status == Some(1) && refused.err.contains("syncSchedule"), "{refused}");
    let begun = Instant::now();
    loop {
        let jobs = desk.json("job list --action ldap_sync --status done").await;
        if let Some(job) = jobs.as_array().unwrap().first() {
            assert!(job["message"].as_str().unwrap().starts_with("2 people found"), "{job}");
            break;
        }
        let all = desk.json("job list").await;
        assert!(begun.elapsed() < SYNCED_WITHIN, "{all:#}");
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    // Nobody has signed in or asked for a sync.
    let users = desk.done("user list --filter non-admins").await;
    assert_eq!(users, "ann\tAnn Lee\tno\tyes\nbob\tBob Ray\tno\tyes\n");
    assert_eq!(desk.json("directory ldap status").await["state"], "done");
    ends_well(&cluster);
}
