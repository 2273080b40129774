//! Secrets: everything that must never be logged, gathered from a run, and the search for it.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};

use crate::cluster::Cluster;
use crate::image;

/// Shorter texts would be found by chance.
const SECRET_BYTES_MIN: usize = 12;

/// A secret and what it is.
#[derive(Clone, Debug)]
pub struct Secret {
    /// What it is, for a complaint.
    pub name: String,
    /// Forms in which it could stand in a log.
    pub forms: Vec<String>,
}

/// Passwords, tokens and keys of a cluster: those that its client used, and those in its folders.
pub fn of(cluster: &Cluster) -> Result<Vec<Secret>> {
    let mut secrets = vec![Secret::text("the administrator's password", &cluster.password)];
    let pair = format!("{}:{}", crate::cluster::ADMIN, cluster.password);
    secrets.push(Secret::text("the administrator's Basic credentials", &base64(pair.as_bytes())));
    for token in &cluster.join_tokens {
        let secret = token.rsplit('.').next().unwrap_or_default();
        secrets.push(Secret::text("the secret of a join token", secret));
    }
    for token in cluster.registry.tokens() {
        let signature = token.rsplit('.').next().unwrap_or_default();
        secrets.push(Secret::text("a bearer token", signature));
    }
    // `install` writes it beside the data folder of the first replica.
    let recovery = cluster.replicas[0].data.with_file_name("data-recovery-key");
    secrets.push(Secret::text("the recovery key", fs::read_to_string(recovery)?.trim()));
    for replica in &cluster.replicas {
        keys(&replica.data.join("keys"), &mut secrets)?;
    }
    ensure!(secrets.len() > 4, "only {} secrets were found", secrets.len());
    Ok(secrets)
}

/// Private keys: of a PEM its lines, of anything else its text, and its bytes in hex, base64 and as
/// a list of numbers, which is how Rust would show them.
fn keys(folder: &Path, secrets: &mut Vec<Secret>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let bytes = fs::read(&path)?;
        let name = path.display().to_string();
        let text = String::from_utf8_lossy(&bytes);
        if text.contains("PRIVATE KEY") {
            let lines = text.lines().filter(|line| line.len() > 40 && !line.starts_with("---"));
            secrets.extend(lines.map(|line| Secret::text(&name, line)));
        } else if !text.contains("BEGIN CERTIFICATE") {
            secrets.push(Secret::text(&name, text.trim()));
            let numbers = format!("{bytes:?}").trim_matches(['[', ']']).to_owned();
            let forms = vec![image::hex(&bytes), base64(&bytes), numbers];
            secrets.push(Secret { name, forms });
        }
    }
    Ok(())
}

/// Every secret that stands in this text, by its name.
pub fn found_in(text: &str, secrets: &[Secret]) -> Vec<String> {
    let stands = |form: &String| form.len() >= SECRET_BYTES_MIN && text.contains(form.as_str());
    let found = secrets.iter().filter(|secret| secret.forms.iter().any(stands));
    found.map(|secret| secret.name.clone()).collect()
}

impl Secret {
    fn text(name: &str, text: &str) -> Self {
        Self { name: name.to_owned(), forms: vec![text.to_owned()] }
    }
}

/// Standard base64 with padding.
pub fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits =
            (0..3).fold(0_u32, |bits, at| bits << 8 | u32::from(*chunk.get(at).unwrap_or(&0)));
        for at in 0..4 {
            let six = usize::try_from(bits >> (18 - 6 * at) & 63).unwrap_or(0);
            let filled = at <= chunk.len();
            text.push(if filled { char::from(ALPHABET[six]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_the_known_one() {
        let cases =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (plain, encoded) in cases {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
    }

    #[test]
    fn a_secret_in_a_log_is_found_and_a_short_one_is_not_looked_for() {
        let secrets = [Secret::text("password", "pass-0123456789"), Secret::text("short", "log")];
        assert_eq!(found_in("a log line with pass-0123456789 in it", &secrets), ["password"]);
        assert!(found_in("a log line", &secrets).is_empty());
    }
}
