//! The real provider: oidc-provider, run by node on a port that nobody uses.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use chaos_tests::cluster::Cluster;
use chaos_tests::executable::text;
use chaos_tests::programs::find_unpacked;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use wire::certificate;

/// It makes keys of RSA before it listens.
const START_MAX: Duration = Duration::from_secs(30);
pub(crate) const CALLBACK: &str = "/api/v0/openid/callback";
/// Longer than what a search for secrets in logs passes over.
pub(crate) const SECRET: &str = "a-secret-of-the-client-0123456789";

/// How a provider is started.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    /// Over HTTPS, with a certificate of its own.
    pub(crate) tls: bool,
    /// Claims stand in the token, and need not be asked for once more.
    pub(crate) claims_in_token: bool,
}

/// A provider that ends with its owner.
pub(crate) struct Provider {
    pub(crate) issuer: String,
    /// The certificate it shows; empty without TLS.
    pub(crate) certificate: String,
    http: reqwest::Client,
    _process: Child,
    _folder: TempDir,
}

impl Provider {
    /// One that knows this cluster as `registry`, with a secret and RSA, and as `public`, without
    /// one and with P-256. `None`, with a notice, where it is not installed.
    pub(crate) async fn start(cluster: &Cluster, options: Options) -> Option<Self> {
        let program = find_unpacked("oidc-provider")?;
        let folder = tempfile::tempdir().unwrap();
        let back: Vec<String> =
            cluster.replicas.iter().map(|replica| format!("{}{CALLBACK}", replica.url)).collect();
        let mut config = json!({
            "claimsInToken": options.claims_in_token,
            "clients": [
                { "client_id": "registry", "client_secret": SECRET, "redirect_uris": back },
                {
                    "client_id": "public", "redirect_uris": back,
                    "token_endpoint_auth_method": "none",
                    "id_token_signed_response_alg": "ES256",
                },
            ],
        });
        let mut certificate = String::new();
        if options.tls {
            let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
            let wall_ms = u64::try_from(wall.as_millis()).unwrap();
            let pair = certificate::self_signed(&["127.0.0.1".to_owned()], wall_ms).unwrap();
            config["tls"] = json!({ "cert": pair.certificate_pem, "key": pair.key_pem.as_str() });
            certificate.clone_from(&pair.certificate_pem);
        }
        let file = folder.path().join("config.json");
        fs::write(&file, config.to_string()).unwrap();
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/openid/provider.mjs");
        let mut command = Command::new(program);
        command.args([text(&script), text(&file)]).stdin(Stdio::null()).kill_on_drop(true);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let issuer = timeout(START_MAX, lines.next_line()).await.unwrap().unwrap().unwrap();
        let http = crate::browser::client(&[&certificate]);
        Some(Self { issuer, certificate, http, _process: process, _folder: folder })
    }

    /// Who signs in from now on: `sub`, and what is said of them.
    pub(crate) async fn person(&self, claims: Value) {
        self.post("person", claims).await;
    }

    /// Exchanges its keys.
    pub(crate) async fn exchange_keys(&self) {
        self.post("keys", json!({})).await;
    }

    async fn post(&self, what: &str, body: Value) {
        let url = format!("{}/test/{what}", self.issuer);
        let answer = self.http.post(url).body(body.to_string()).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }

    /// What the registry is told of it.
    pub(crate) fn settings(&self) -> Value {
        json!({
            "issuerIdentifier": self.issuer,
            "clientID": "registry",
            "clientSecret": SECRET,
            "rootCerts": self.certificate,
            "scopes": ["openid", "profile", "groups"],
        })
    }
}
