//! A slapd of our own: its folder, its people, its certificates, and a registry that asks it.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use wire::certificate;
use wire::clock::{Clock, SystemClock};

use crate::harness::{ADMIN, Answer, Registry};
use crate::roles::ask;

const PROGRAM: &str = "/usr/sbin/slapd";
pub(crate) const READER: (&str, &str) = ("cn=reader,dc=example", "quiet-harbor-11");
pub(crate) const LDAP: &str = "/enzi/v0/config/auth/ldap";
pub(crate) const BACKEND: &str = "/enzi/v0/config/auth";
pub(crate) const SYNC: &str = "/enzi/v0/config/auth/ldap/sync";

/// How long slapd may take to answer.
const STARTS_WITHIN: Duration = Duration::from_secs(20);

/// Lines for a slapd that counts what it is asked.
pub(crate) const MONITORED: &str = "database monitor\naccess to * by * read";

/// What a slapd differs in.
pub(crate) struct Options {
    /// Further entries, as LDIF.
    pub(crate) ldif: String,
    /// Further lines of the database's configuration.
    pub(crate) lines: &'static str,
}

/// A running slapd; ends with its owner.
pub(crate) struct Slapd {
    process: Child,
    pub(crate) plain: SocketAddr,
    pub(crate) tls: SocketAddr,
    /// The authority that signed its certificate.
    pub(crate) ca: String,
    folder: TempDir,
    /// How often it was asked for its own counts.
    asked: AtomicU64,
}

impl Drop for Slapd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Somebody as LDIF, below an entry's name that need not be what they sign in as.
pub(crate) fn person(uid: &str, dn_uid: &str, full_name: &str, password: &str) -> String {
    let plain = dn_uid.replace("\\2c", ",").replace("\\\\", "\\");
    // An entry has the value that its name begins with.
    let also =
        if plain.eq_ignore_ascii_case(uid) { String::new() } else { format!("uid: {plain}\n") };
    format!(
        "dn: uid={dn_uid},ou=people,dc=example\nobjectClass: inetOrgPerson\nuid: {uid}\n{also}\
         cn: {full_name}\nsn: {full_name}\nuserPassword: {password}\n\n"
    )
}

/// A group of these entries, as LDIF.
pub(crate) fn group(name: &str, members: &[&str]) -> String {
    let mut text =
        format!("dn: cn={name},ou=groups,dc=example\nobjectClass: groupOfNames\ncn: {name}\n");
    for member in members {
        let _ = writeln!(text, "member: uid={member},ou=people,dc=example");
    }
    text + "\n"
}

fn base() -> String {
    let (reader, password) = READER;
    format!(
        "dn: dc=example\nobjectClass: domain\ndc: example\n\n\
         dn: ou=people,dc=example\nobjectClass: organizationalUnit\nou: people\n\n\
         dn: ou=groups,dc=example\nobjectClass: organizationalUnit\nou: groups\n\n\
         dn: {reader}\nobjectClass: person\nobjectClass: simpleSecurityObject\n\
         objectClass: top\ncn: reader\nsn: reader\nuserPassword: {password}\n\n"
    )
}

fn free_port() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

impl Slapd {
    /// Starts one with these people; `None` where slapd is not installed.
    pub(crate) fn start(ldif: &str) -> Option<Self> {
        Self::start_with(&Options { ldif: ldif.to_owned(), lines: "" })
    }

    /// The same with further settings.
    pub(crate) fn start_with(options: &Options) -> Option<Self> {
        if !Path::new(PROGRAM).exists() {
            eprintln!("notice: skipped, since slapd is not installed");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let ca = write(folder.path(), options);
        let added = Command::new("/usr/sbin/slapadd")
            .args(["-q", "-f"])
            .arg(folder.path().join("slapd.conf"))
            .arg("-l")
            .arg(folder.path().join("people.ldif"))
            .output();
        let added = added.unwrap();
        assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
        let (plain, tls) = (free_port(), free_port());
        let process = Command::new(PROGRAM)
            .args(["-d", "0", "-h", &format!("ldap://{plain} ldaps://{tls}"), "-f"])
            .arg(folder.path().join("slapd.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let asked = AtomicU64::new(0);
        let slapd = Self { process: process.unwrap(), plain, tls, ca, folder, asked };
        slapd.until_it_answers();
        Some(slapd)
    }

    fn until_it_answers(&self) {
        let begun = Instant::now();
        while TcpStream::connect(self.plain).is_err() || TcpStream::connect(self.tls).is_err() {
            assert!(begun.elapsed() < STARTS_WITHIN, "slapd does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Changes entries, as LDIF says, as whoever may do everything.
    pub(crate) fn change(&self, ldif: &str) {
        let file = self.folder.path().join("change.ldif");
        fs::write(&file, ldif).unwrap();
        let url = format!("ldap://{}", self.plain);
        let changed = Command::new("ldapmodify")
            .args(["-x", "-H", &url, "-D", "cn=root,dc=example", "-w", "root-password", "-f"])
            .arg(&file)
            .output();
        let changed = changed.unwrap();
        assert!(changed.status.success(), "{}", String::from_utf8_lossy(&changed.stderr));
    }

    /// How many BINDs it has answered, that of this question left out; for one with [`MONITORED`].
    pub(crate) fn binds(&self) -> u64 {
        let url = format!("ldap://{}", self.plain);
        let base = "cn=Bind,cn=Operations,cn=Monitor";
        let found = Command::new("ldapsearch")
            .args(["-x", "-LLL", "-H", &url, "-s", "base", "-b", base, "monitorOpCompleted"])
            .output();
        let found = String::from_utf8(found.unwrap().stdout).unwrap();
        let count = found.lines().find_map(|line| line.strip_prefix("monitorOpCompleted: "));
        let asked = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        count.unwrap_or_else(|| panic!("{found}")).parse::<u64>().unwrap() - asked
    }

    /// Settings that reach it over plain TCP.
    pub(crate) fn settings(&self) -> Value {
        settings(&format!("ldap://{}", self.plain))
    }
}

/// Settings that reach the people of [`Slapd`] at this address.
pub(crate) fn settings(url: &str) -> Value {
    json!({
        "serverURL": url,
        "readerDN": READER.0,
        "readerPassword": READER.1,
        "recoveryAdminUsername": ADMIN.0,
        "userSearchConfigs": [{
            "baseDN": "ou=people,dc=example",
            "usernameAttr": "uid",
            "fullNameAttr": "cn",
            "filter": "objectClass=inetOrgPerson",
        }],
    })
}

/// Writes configuration, certificates and people; the authority's certificate.
fn write(folder: &Path, options: &Options) -> String {
    let now_ms = SystemClock::new().wall_ms();
    let ca = certificate::make_ca("directory", now_ms).unwrap();
    let hosts = ["127.0.0.1".to_owned()];
    let server = certificate::issue_server(&ca, &hosts, now_ms).unwrap();
    fs::write(folder.join("server.pem"), &server.certificate_pem).unwrap();
    fs::write(folder.join("server.key"), server.key_pem.as_bytes()).unwrap();
    fs::write(folder.join("ca.pem"), &ca.certificate_pem).unwrap();
    fs::write(folder.join("people.ldif"), base() + &options.ldif).unwrap();
    fs::create_dir(folder.join("data")).unwrap();
    let at = folder.display();
    let text = format!(
        "include /etc/ldap/schema/core.schema\ninclude /etc/ldap/schema/cosine.schema\n\
         include /etc/ldap/schema/inetorgperson.schema\nmodulepath /usr/lib/ldap\n\
         moduleload back_mdb\npidfile {at}/pid\n\
         TLSCACertificateFile {at}/ca.pem\nTLSCertificateFile {at}/server.pem\n\
         TLSCertificateKeyFile {at}/server.key\n\
         access to attrs=userPassword by anonymous auth by * none\n\
         access to * by users read by * none\n\
         database mdb\nsuffix dc=example\nrootdn cn=root,dc=example\nrootpw root-password\n\
         directory {at}/data\nmaxsize 1073741824\ndbnosync\nindex objectClass,uid,member eq\n{}\n",
        options.lines
    );
    fs::write(folder.join("slapd.conf"), text).unwrap();
    ca.certificate_pem
}

/// Keeps these settings and has people sign in by them.
pub(crate) async fn use_directory(registry: &Registry, settings: &Value) {
    ask(registry, "PUT", LDAP, &settings.to_string()).await.is(200);
    ask(registry, "PUT", BACKEND, r#"{"backend":"ldap"}"#).await.is(200);
}

/// Signs in as docker does.
pub(crate) async fn signs_in(registry: &Registry, who: (&str, &str)) -> Answer {
    registry.ask("GET", "/v2/").by(who).send().await
}

/// Syncs and waits for the end; the state and the report.
pub(crate) async fn sync(registry: &Registry) -> Value {
    ask(registry, "POST", SYNC, "").await.is(202);
    sync_ended(registry).await
}

/// What comes of the sync that goes on.
pub(crate) async fn sync_ended(registry: &Registry) -> Value {
    loop {
        let now = ask(registry, "GET", SYNC, "").await.is(200).json();
        if now["state"] != "running" {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
