//! nginx with the bytes of images as static files: what sending a file costs at least.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use oci::digest::Algorithm;
use oci::verifier::{Verifier, digest_of};
use rand::RngCore;
use serde_json::json;
use wire::certificate::self_signed;

use super::running::{Running, listens};
use crate::executable::text;
use crate::{ports, programs};

/// The repository whose images it serves, each under the name of its size as a tag.
pub const REPOSITORY: &str = "static";

const MIB: usize = 1 << 20;
const SIZES: [(&str, usize); 3] = [("1m", MIB), ("10m", 10 * MIB), ("100m", 100 * MIB)];

/// A server of files, and its two URLs.
pub struct Nginx {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    /// `https://127.0.0.1:PORT`.
    pub tls_url: String,
    /// The certificate that it shows.
    pub certificate: PathBuf,
    /// Its process, which ends when this goes.
    pub running: Running,
}

impl Nginx {
    /// Starts it in `folder`; `None` where it is not installed.
    pub fn start(folder: &Path) -> Result<Option<Self>> {
        let Some(program) = programs::find("nginx") else { return Ok(None) };
        fs::create_dir_all(folder)?;
        for (tag, size) in SIZES {
            write_image(&folder.join("files"), tag, size)?;
        }
        let certificate = folder.join("certificate.pem");
        let wall_ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        let pair = self_signed(&["127.0.0.1".to_owned()], u64::try_from(wall_ms)?)?;
        fs::write(&certificate, &pair.certificate_pem)?;
        fs::write(folder.join("key.pem"), pair.key_pem.as_bytes())?;
        let port = ports::free_base(&[0, 1])?;
        let config = folder.join("nginx.conf");
        fs::write(&config, configuration(folder, port))?;
        let mut command = Command::new(program);
        command.arg("-p").arg(folder).arg("-c").arg(&config).arg("-e").arg(folder.join("errors"));
        let mut running = Running::start("nginx", command, &folder.join("log"))?;
        running.wait(|| listens(port) && listens(port + 1))?;
        let url = format!("http://127.0.0.1:{port}");
        let tls_url = format!("https://127.0.0.1:{}", port + 1);
        Ok(Some(Self { url, tls_url, certificate, running }))
    }

    /// What it says its version is.
    pub fn version() -> Option<String> {
        let out = Command::new(programs::find("nginx")?).arg("-v").output().ok()?;
        let text = String::from_utf8_lossy(&out.stderr).into_owned();
        text.trim().rsplit_once('/').map(|(_, version)| version.to_owned())
    }
}

/// One worker a core and no log: nothing that it could be faster without.
fn configuration(folder: &Path, port: u16) -> String {
    let folder = text(folder);
    let user = if programs::is_root() { "user root;\n" } else { "" };
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|it| format!("    {it}_temp_path {folder}/temporary;\n"))
        .collect();
    format!(
        "{user}daemon off;\nworker_processes auto;\npid {folder}/pid;\n\
         events {{\n    worker_connections 1024;\n}}\n\
         http {{\n{temporary}    access_log off;\n    sendfile on;\n    tcp_nopush on;\n\
         \x20   keepalive_requests 1000000;\n    default_type application/octet-stream;\n\
         \x20   open_file_cache max=100;\n\
         \x20   server {{\n        listen 127.0.0.1:{port};\n\
         \x20       listen 127.0.0.1:{tls} ssl;\n\
         \x20       ssl_certificate {folder}/certificate.pem;\n\
         \x20       ssl_certificate_key {folder}/key.pem;\n\
         \x20       root {folder}/files;\n\
         \x20       location = /v2/ {{\n            return 200 '{{}}';\n        }}\n    }}\n}}\n",
        tls = port + 1
    )
}

/// Lays an image down where the registry protocol asks for it.
fn write_image(files: &Path, tag: &str, size: usize) -> Result<()> {
    let blobs = files.join("v2").join(REPOSITORY).join("blobs");
    let manifests = files.join("v2").join(REPOSITORY).join("manifests");
    fs::create_dir_all(&blobs)?;
    fs::create_dir_all(&manifests)?;
    let layer = write_layer(&blobs, size)?;
    let config = format!("{{\"size\": {size}}}").into_bytes();
    let config_digest = digest_of(Algorithm::Sha256, &config).to_string();
    fs::write(blobs.join(&config_digest), &config)?;
    let manifest = json!({
        "schemaVersion": 2,
        "config": {"digest": config_digest, "size": config.len()},
        "layers": [{"digest": layer, "size": size}],
    });
    let manifest = manifest.to_string().into_bytes();
    fs::write(manifests.join(digest_of(Algorithm::Sha256, &manifest).to_string()), &manifest)?;
    fs::write(manifests.join(tag), &manifest)?;
    Ok(())
}

/// 4,096 random bytes, then zeros, as the layers that are pushed to the registries.
fn write_layer(blobs: &Path, size: usize) -> Result<String> {
    let path = blobs.join("new");
    let mut file = File::create(&path)?;
    let mut hash = Verifier::new(&[Algorithm::Sha256]);
    let mut piece = vec![0; MIB];
    rand::rng().fill_bytes(&mut piece[..4_096]);
    for _ in 0..size / MIB {
        file.write_all(&piece)?;
        hash.update(&piece);
        piece[..4_096].fill(0);
    }
    let digest = hash.finish().first().context("no digest")?.to_string();
    fs::rename(&path, blobs.join(&digest))?;
    Ok(digest)
}
