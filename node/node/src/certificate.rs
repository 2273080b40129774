//! The certificate of the public port: the operator's own, or one that the cluster's authority
//! signs.

use std::io;
use std::path::Path;
use std::time::Duration;

use consensus::cluster::{Cluster, Freshness};
use consensus::seal;
use metadata::certificates;
use tools::config::listeners::{Peer, Public};
use wire::certificate::{CertifiedKey, issue_server, parse};
use zeroize::Zeroizing;

/// Between two looks for the cluster's authority, which a newcomer does not have at once.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A certificate of ours is made anew when less than this is left of it, in milliseconds.
const LEFT_MIN_MS: u64 = 30 * 24 * 3_600 * 1_000;

/// Reads the operator's own certificate and key, where they are configured.
pub fn own(public: &Public) -> io::Result<Option<CertifiedKey>> {
    let (Some(certificate), Some(key)) = (&public.certificate, &public.key) else {
        return Ok(None);
    };
    Ok(Some(CertifiedKey {
        certificate_pem: certificate.read()?,
        key_pem: Zeroizing::new(key.read()?),
    }))
}

/// The names under which clients may reach this replica.
pub fn host_names(public: &Public, peer: &Peer, host_name: &str) -> Vec<String> {
    let advertised = peer.advertised(host_name);
    let external = public.external_host();
    let mut names = vec![host_name.to_owned()];
    for address in [external.as_deref(), Some(&*advertised)].into_iter().flatten() {
        names.push(without_port(address).to_owned());
    }
    names.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
    let mut seen = Vec::new();
    names.retain(|name| {
        let new = !seen.contains(name);
        seen.push(name.clone());
        new
    });
    names
}

/// A certificate for `hosts` signed by the cluster's authority: the one kept in `folder`, or a new
/// one.
///
/// A newcomer waits here until it has received the cluster's state.
pub async fn by_the_cluster(
    cluster: &Cluster,
    folder: &Path,
    hosts: &[String],
) -> io::Result<CertifiedKey> {
    let ca = authority(cluster).await?;
    let wall_ms = cluster.clock().wall_ms();
    if let Some(kept) = kept(folder, &ca, hosts, wall_ms) {
        return Ok(kept);
    }
    let made = issue_server(&ca, hosts, wall_ms).map_err(io::Error::other)?;
    keep(folder, &made)?;
    Ok(made)
}

/// The certificate of the cluster's authority, as soon as this replica has received it.
pub async fn authority_pem(cluster: &Cluster) -> io::Result<String> {
    Ok(authority(cluster).await?.certificate_pem)
}

async fn authority(cluster: &Cluster) -> io::Result<CertifiedKey> {
    loop {
        let row = cluster.read(Freshness::Local, |view| certificates::ca(view)).await;
        if let Some(row) = row.map_err(io::Error::other)? {
            let opened = cluster.open_sealed(seal::CA_KEY, &row.sealed_key);
            let key = opened.map_err(io::Error::other)?;
            let key = String::from_utf8(key.to_vec()).map_err(io::Error::other)?;
            return Ok(CertifiedKey {
                certificate_pem: row.certificate_pem,
                key_pem: Zeroizing::new(key),
            });
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

const CERTIFICATE: &str = "public.pem";
const KEY: &str = "public.key";

/// The certificate made before, if it is still good for the same names.
fn kept(folder: &Path, ca: &CertifiedKey, hosts: &[String], wall_ms: u64) -> Option<CertifiedKey> {
    let certificate_pem = std::fs::read_to_string(folder.join(CERTIFICATE)).ok()?;
    let key_pem = std::fs::read_to_string(folder.join(KEY)).ok()?;
    let facts = parse(&certificate_pem).ok()?;
    let fits = certificate_pem.ends_with(&ca.certificate_pem)
        && hosts.iter().all(|host| facts.hosts.contains(host))
        && facts.not_after_ms.saturating_sub(wall_ms) > LEFT_MIN_MS;
    fits.then(|| CertifiedKey { certificate_pem, key_pem: Zeroizing::new(key_pem) })
}

fn keep(folder: &Path, made: &CertifiedKey) -> io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let write = |name: &str, text: &str| {
        let beside = folder.join(format!("{name}.new"));
        let mut file = std::fs::File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside)?;
        file.write_all(text.as_bytes())?;
        std::fs::rename(&beside, folder.join(name))
    };
    write(KEY, &made.key_pem)?;
    write(CERTIFICATE, &made.certificate_pem)
}

fn without_port(address: &str) -> &str {
    let host = match address.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => address,
    };
    host.trim_matches(['[', ']'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::certificate::make_ca;

    #[test]
    fn names_are_told_once_and_without_ports() {
        let public = Public {
            external_url: Some("https://registry.example.com:5000".into()),
            ..Public::default()
        };
        let peer = Peer { advertise: Some("[fd00::1]:4443".into()), ..Peer::default() };
        let names = host_names(&public, &peer, "localhost");
        assert_eq!(names, ["localhost", "registry.example.com", "fd00::1", "127.0.0.1", "::1"]);
    }

    #[test]
    fn a_kept_certificate_is_used_while_it_fits() {
        let folder = tempfile::tempdir().unwrap();
        let now_ms = 1_800_000_000_000;
        let ca = make_ca("c", now_ms).unwrap();
        let hosts = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = issue_server(&ca, &hosts, now_ms).unwrap();
        keep(folder.path(), &made).unwrap();
        let found = kept(folder.path(), &ca, &hosts, now_ms).unwrap();
        assert_eq!(found.certificate_pem, made.certificate_pem);
        let more = ["localhost".to_owned(), "new.example.com".to_owned()];
        assert!(kept(folder.path(), &ca, &more, now_ms).is_none(), "another name");
        assert!(kept(folder.path(), &make_ca("d", now_ms).unwrap(), &hosts, now_ms).is_none());
        let late = now_ms + 800 * 24 * 3_600 * 1_000;
        assert!(kept(folder.path(), &ca, &hosts, late).is_none(), "nearly over");
    }
}
