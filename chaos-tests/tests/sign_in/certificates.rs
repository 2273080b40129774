//! Client certificates as curl shows them, issued and revoked by openssl.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use chaos_tests::cluster::Cluster;
use chaos_tests::executable::text;
use chaos_tests::programs::Program;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{asked, ends_well, user};

/// A setting or a file that changed is noticed within this.
const NOTICED_MAX: Duration = Duration::from_secs(20);

/// An authority as small as openssl allows.
const CONFIG: &str = "\
[req]
distinguished_name = dn
x509_extensions = authority
prompt = no
[dn]
CN = unused
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[ca]
default_ca = here
[here]
database = index.txt
serial = serial
crlnumber = crlnumber
new_certs_dir = .
certificate = users-ca.pem
private_key = users-ca.key
default_md = sha256
default_days = 10
default_crl_days = 10
policy = any
x509_extensions = client
crl_extensions = list
unique_subject = no
[any]
commonName = supplied
[client]
basicConstraints = CA:FALSE
extendedKeyUsage = clientAuth
authorityKeyIdentifier = keyid
[list]
authorityKeyIdentifier = keyid:always
";

/// An authority and the folder it lies in.
struct Authority {
    openssl: Program,
}

impl Authority {
    async fn begin(openssl: &Program, folder: &Path) -> Self {
        fs::create_dir_all(folder).unwrap();
        for (name, text) in
            [("users.cnf", CONFIG), ("index.txt", ""), ("serial", "01\n"), ("crlnumber", "01\n")]
        {
            fs::write(folder.join(name), text).unwrap();
        }
        let authority = Self { openssl: openssl.clone().inside(folder) };
        let made = "-x509 -nodes -keyout users-ca.key -out users-ca.pem -subj /CN=users -days 10";
        authority.new_key(made).await;
        authority.list().await;
        authority
    }

    async fn new_key(&self, rest: &str) {
        let mut arguments = vec!["req", "-config", "users.cnf", "-newkey", "ec", "-pkeyopt"];
        arguments.push("ec_paramgen_curve:P-256");
        arguments.extend(rest.split(' '));
        self.openssl.run(&arguments).await.unwrap();
    }

    async fn does(&self, line: &str) {
        let arguments: Vec<&str> = line.split(' ').collect();
        self.openssl.run(&arguments).await.unwrap();
    }

    /// `NAME.pem` and `NAME.key` for whoever is called `common_name`.
    async fn issue(&self, name: &str, common_name: &str, more: &str) {
        let request = format!("-nodes -keyout {name}.key -out {name}.csr -subj /CN={common_name}");
        self.new_key(&request).await;
        let issue =
            format!("ca -batch -notext -config users.cnf -in {name}.csr -out {name}.pem{more}");
        self.does(&issue).await;
    }

    async fn revoke(&self, name: &str) {
        self.does(&format!("ca -config users.cnf -revoke {name}.pem")).await;
        self.list().await;
    }

    /// The list of what was revoked.
    async fn list(&self) {
        self.does("ca -config users.cnf -gencrl -out users.crl").await;
    }
}

/// curl with the cluster's authority.
struct Desk<'a> {
    cluster: &'a Cluster,
    curl: Program,
}

impl Desk<'_> {
    /// The status and the first error's text of a GET at the replica at `place`.
    async fn get(&self, place: usize, path: &str, more: &[&str]) -> (u16, String) {
        let url = format!("{}{path}", self.cluster.replicas[place].url);
        let mut arguments = vec!["-sS", "-w", "\n%{http_code}", &*url];
        arguments.extend(more);
        let out = self.curl.run(&arguments).await.unwrap();
        let (body, status) = out.rsplit_once('\n').unwrap();
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        let message = body["errors"][0]["message"].as_str().unwrap_or_default();
        (status.parse().unwrap(), message.to_owned())
    }

    async fn shows(&self, place: usize, folder: &Path, name: &str) -> (u16, String) {
        let [pem, key] = ["pem", "key"].map(|end| text(&folder.join(format!("{name}.{end}"))));
        self.get(place, "/v2/", &["--cert", &pem, "--key", &key]).await
    }

    /// Waits until the certificate is answered so.
    async fn until(&self, place: usize, folder: &Path, name: &str, wanted: (u16, &str)) {
        let until = Instant::now() + NOTICED_MAX;
        loop {
            let (status, said) = self.shows(place, folder, name).await;
            if status == wanted.0 && said.contains(wanted.1) {
                return;
            }
            assert!(Instant::now() < until, "replica {place}, {name}: {status} {said}");
            sleep(Duration::from_millis(100)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_signs_in_until_it_expires_or_is_revoked() {
    let (Some(openssl), Some(curl)) = (Program::new("openssl"), Program::new("curl")) else {
        return;
    };
    let mut cluster = Cluster::start(3).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
    let authority = Authority::begin(&openssl, &ours).await;
    let stranger = Authority::begin(&openssl, &theirs).await;
    for name in ["ann", "bob"] {
        authority.issue(name, name, "").await;
        user(&cluster, name).await;
    }
    authority.issue("nobody", "nobody", "").await;
    let past = " -startdate 20200101000000Z -enddate 20200102000000Z";
    authority.issue("old", "ann", past).await;
    stranger.issue("ann", "ann", "").await;

    let ca_pem = fs::read_to_string(ours.join("users-ca.pem")).unwrap();
    let on = json!({"clientCertAuthEnabled": true, "webTLSClientCA": ca_pem});
    let settings = "/api/v0/meta/settings";
    asked(&cluster, 0, (Method::POST, settings, on)).await;
    let ca_file = text(&cluster.ca_file().await.unwrap());
    let curl = curl.with(&["--cacert", &ca_file]);
    let desk = Desk { cluster: &cluster, curl: curl.clone() };
    for place in 0..3 {
        desk.until(place, &ours, "ann", (200, "")).await;
        desk.until(place, &ours, "bob", (200, "")).await;
        assert_eq!(desk.get(place, "/v2/", &[]).await.0, 401, "without one");
        for (folder, name, says) in [
            (&ours, "old", "has expired"),
            (&ours, "nobody", "is for nobody, who is no active user"),
            (&theirs, "ann", "was not issued by an authority"),
        ] {
            let (status, said) = desk.shows(place, folder, name).await;
            assert!(status == 401 && said.contains(says), "{name}: {status} {said}");
        }
    }
    tokens_and_headers(&desk, &ours).await;
    asked(&cluster, 0, (Method::PATCH, "/enzi/v0/accounts/bob", json!({"isActive": false}))).await;
    for place in 0..3 {
        assert_eq!(desk.shows(place, &ours, "bob").await.0, 401, "replica {place}");
    }

    // A replica with a list of what was revoked, which changes while it runs.
    configure_list(&cluster.replicas[0].config, &ours.join("users.crl"));
    cluster.kill(0).await.unwrap();
    cluster.restart(0).unwrap();
    cluster.wait_healthy().await.unwrap();
    let desk = Desk { cluster: &cluster, curl };
    desk.until(0, &ours, "ann", (200, "")).await;
    authority.revoke("ann").await;
    desk.until(0, &ours, "ann", (401, "was revoked")).await;
    assert_eq!(desk.shows(1, &ours, "ann").await.0, 200, "it has no list");

    let off = json!({"clientCertAuthEnabled": false});
    asked(&cluster, 2, (Method::POST, settings, off)).await;
    assert_eq!(desk.shows(1, &ours, "ann").await.0, 401, "at once");
    ends_well(&cluster);
}

fn configure_list(config: &Path, crl: &Path) {
    let before = fs::read_to_string(config).unwrap();
    let key = format!("[public]\nclient_crls = [{:?}]\n", text(crl));
    let with_list = before.replacen("[public]\n", &key, 1);
    assert_ne!(with_list, before);
    fs::write(config, with_list).unwrap();
}

/// A certificate gets tokens that last minutes, and nothing that outlives it; a header counts
/// before it.
async fn tokens_and_headers(desk: &Desk<'_>, folder: &Path) {
    let [pem, key] = ["ann.pem", "ann.key"].map(|name| text(&folder.join(name)));
    let url = format!("{}/auth/token?service=s&offline_token=true", desk.cluster.replicas[1].url);
    let out = desk.curl.run(&["-sS", "--cert", &pem, "--key", &key, &url]).await.unwrap();
    let given: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(given.get("refresh_token"), None, "{given}");
    let bearer = format!("authorization: Bearer {}", given["token"].as_str().unwrap());
    assert_eq!(desk.get(2, "/v2/", &["-H", &bearer]).await.0, 200);
    let wrong = ["--cert", &pem, "--key", &key, "-u", "ann:wrong"];
    assert_eq!(desk.get(1, "/v2/", &wrong).await.0, 401);
    let elsewhere = ["--cert", &pem, "--key", &key, "-H", "origin: https://evil.example"];
    let delete = [&elsewhere[..], &["-X", "DELETE"]].concat();
    let (status, said) = desk.get(1, "/api/v0/api_tokens", &delete).await;
    assert!(status == 403 && said.contains("another site"), "{status} {said}");
}
