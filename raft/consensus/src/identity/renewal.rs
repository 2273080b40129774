//! Renewing this replica's certificate, long before its end or as soon after it as can be.
//!
//! Every replica can do it alone: it has the sealing key, and the authority's private key lies
//! sealed in the tables.

use std::sync::Arc;
use std::time::Duration;

use metadata::certificates::CaRow;
use metadata::{certificates, members};
use wire::certificate::{self, CertifiedKey, ReplicaNames};
use zeroize::Zeroizing;

use crate::bootstrap::host_of;
use crate::folder::write_file;
use crate::identity::{PEER_CERTIFICATE, PEER_KEY};
use crate::replica::Replica;
use crate::seal::{CA_KEY, SealingKey};

/// How often the date is looked at; oddly short lives are looked at ten times in theirs.
const EVERY: Duration = Duration::from_secs(600);
/// Before the tables are there nothing can be issued: look again soon.
const SOON: Duration = Duration::from_secs(1);

/// Runs until the replica stops.
pub(crate) async fn run(replica: Arc<Replica>) {
    let every = EVERY.min(Duration::from_millis(replica.tuning.certificate_life_ms / 10));
    let mut at_once = false;
    loop {
        let pause = match renew(&replica, at_once).await {
            Ok(true) => {
                at_once = false;
                every
            }
            Ok(false) => SOON,
            Err(cause) => {
                tracing::error!(cause, "this replica's certificate could not be renewed");
                every
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = replica.renewal.notified() => at_once = true,
            () = replica.stopping() => return,
        }
    }
}

/// Renews the certificate if it is time to, or `at_once`; false where the tables do not say enough
/// yet.
async fn renew(replica: &Replica, at_once: bool) -> Result<bool, String> {
    let now_ms = replica.clock.wall_ms();
    let life_ms = replica.tuning.certificate_life_ms;
    if !at_once && !is_due(replica.certificate_expires_wall_ms(), now_ms, life_ms) {
        return Ok(true);
    }
    let own = replica.identity.replica_id;
    let read = replica.tables.read(|view| Ok((certificates::ca(view)?, members::find(view, own)?)));
    let (Some(ca), Some(member)) = read.await.map_err(|error| error.to_string())? else {
        return Ok(false);
    };
    let said = |error: &dyn std::fmt::Display| error.to_string();
    let ca = opened_ca(&replica.sealing, &ca)?;
    let key_file = replica.root.join(PEER_KEY);
    let key_pem = Zeroizing::new(std::fs::read_to_string(&key_file).map_err(|error| said(&error))?);
    let csr = certificate::csr(&key_pem).map_err(|error| said(&error))?;
    let host = host_of(&member.address).map_err(|error| said(&error))?;
    let names = ReplicaNames {
        cluster_id: &replica.identity.cluster_id,
        replica_id: &own.to_string(),
        hosts: &[host, member.host_name],
    };
    let life = now_ms..now_ms + life_ms;
    let pem = certificate::issue_for(&ca, &csr, &names, life).map_err(|error| said(&error))?;
    let facts = certificate::parse(&pem).map_err(|error| said(&error))?;
    write_file(&replica.root.join(PEER_CERTIFICATE), pem.as_bytes())
        .map_err(|error| said(&error))?;
    replica.peers.tls().reload(&pem, &key_pem).map_err(|error| said(&error))?;
    replica.set_certificate_expires_wall_ms(facts.not_after_ms);
    tracing::info!(until_wall_ms = facts.not_after_ms, "this replica's certificate was renewed");
    Ok(true)
}

/// In the last third of its life; also where it was made for a longer life than is wanted now.
fn is_due(expires_wall_ms: u64, now_ms: u64, life_ms: u64) -> bool {
    let left_ms = expires_wall_ms.saturating_sub(now_ms);
    left_ms < life_ms / 3 || left_ms > life_ms + life_ms / 10
}

/// The authority with its private key in the clear, for as long as it is needed.
pub(crate) fn opened_ca(sealing: &SealingKey, ca: &CaRow) -> Result<CertifiedKey, String> {
    let key = sealing
        .open(CA_KEY, &ca.sealed_key)
        .map_err(|error| format!("the key of the cluster's authority: {error}"))?;
    let key = std::str::from_utf8(&key).map_err(|_| "the authority's key is no text".to_owned())?;
    Ok(CertifiedKey {
        certificate_pem: ca.certificate_pem.clone(),
        key_pem: Zeroizing::new(key.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_renewed_in_the_last_third_of_its_life_and_after_it() {
        let day_ms: u64 = 24 * 3600 * 1000;
        let now_ms = 1000 * day_ms;
        let (life_ms, longer) = (90 * day_ms, (200, true));
        let cases =
            [(90, false), (31, false), (30, false), (29, true), (0, true), (-400, true), longer];
        for (days_left, due) in cases {
            let expires_ms = (1000 * day_ms).saturating_add_signed(days_left * 86_400_000);
            assert_eq!(is_due(expires_ms, now_ms, life_ms), due, "{days_left} days left");
        }
    }
}
