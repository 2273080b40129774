//! `[public]` and `[peer]`: where this replica listens and how it is called from outside.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::pem::Pem;

/// What the plain-HTTP listener does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Http {
    /// There is none.
    #[default]
    Off,
    /// It sends browsers to HTTPS; the health pages answer, `/v2/` does not.
    Redirect,
    /// It serves everything without encryption: for registries that clients call insecure.
    Serve,
}

/// `[public]`: what clients reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Public {
    /// HTTPS listens here, `ADDRESS:PORT`.
    pub listen: String,
    /// What plain HTTP does.
    pub http: Http,
    /// Plain HTTP listens here, where `http` is not `off`.
    pub http_listen: String,
    /// `https://host[:port]` of the load balancer or of the name that all replicas share.
    pub external_url: Option<String>,
    /// PEM, mostly a file, of the server's certificate, then the intermediate ones; without it one
    /// signed by the cluster's own authority is made.
    pub certificate: Option<Pem>,
    /// PEM, mostly a file, of the key that belongs to `certificate`.
    pub key: Option<Pem>,
    /// Takes certificates of clients for their users' passwords here, whatever the cluster's
    /// setting `clientCertAuthEnabled` says.
    pub client_certificates: bool,
    /// PEM, mostly a file, of the authorities that sign them, in place of the cluster's setting
    /// `webTLSClientCA`; read again when it changes.
    pub client_ca: Option<Pem>,
    /// PEM, mostly files, of the lists of those that were revoked; read again when they change.
    pub client_crls: Vec<Pem>,
}

impl Default for Public {
    fn default() -> Self {
        Self {
            listen: "0.0.0.0:443".into(),
            http: Http::Off,
            http_listen: "0.0.0.0:80".into(),
            external_url: None,
            certificate: None,
            key: None,
            client_certificates: false,
            client_ca: None,
            client_crls: Vec::new(),
        }
    }
}

impl Public {
    /// Checks the section.
    pub fn check(&self) -> Result<(), String> {
        address("public.listen", &self.listen)?;
        if self.http != Http::Off {
            address("public.http_listen", &self.http_listen)?;
        }
        if let Some(url) = &self.external_url
            && external_host(url).is_none()
        {
            return Err(format!(
                "`public.external_url` is {url:?}: write it as https://host or https://host:port, \
                 without a path"
            ));
        }
        match (&self.certificate, &self.key) {
            (Some(_), None) => Err("`public.certificate` needs `public.key` beside it".into()),
            (None, Some(_)) => Err("`public.key` needs `public.certificate` beside it".into()),
            _ => Ok(()),
        }
    }

    /// `host[:port]` by which clients name the registry, where an external URL is set.
    pub fn external_host(&self) -> Option<String> {
        self.external_url.as_deref().and_then(external_host).map(str::to_owned)
    }
}

/// `[peer]`: what the other replicas reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Peer {
    /// The port for the other replicas listens here, `ADDRESS:PORT`.
    pub listen: String,
    /// `HOST:PORT` by which the other replicas reach it; without it the host name and the port of
    /// `listen`.
    pub advertise: Option<String>,
    /// How long this replica's certificate for the other replicas is good, in seconds; it is
    /// renewed by itself when a third of that is left.
    pub certificate_life_s: u32,
}

/// 90 days.
const CERTIFICATE_LIFE_S: u32 = 90 * 24 * 3_600;
/// Half a minute, to try it, and a year.
const CERTIFICATE_LIFE_S_BOUNDS: RangeInclusive<u32> = 30..=366 * 24 * 3_600;

impl Default for Peer {
    fn default() -> Self {
        Self {
            listen: "0.0.0.0:4443".into(),
            advertise: None,
            certificate_life_s: CERTIFICATE_LIFE_S,
        }
    }
}

impl Peer {
    /// Checks the section.
    pub fn check(&self) -> Result<(), String> {
        address("peer.listen", &self.listen)?;
        if !CERTIFICATE_LIFE_S_BOUNDS.contains(&self.certificate_life_s) {
            return Err(format!(
                "`peer.certificate_life_s` is {}: it must be {} to {}",
                self.certificate_life_s,
                CERTIFICATE_LIFE_S_BOUNDS.start(),
                CERTIFICATE_LIFE_S_BOUNDS.end()
            ));
        }
        let Some(advertise) = &self.advertise else { return Ok(()) };
        let (host, _) = address("peer.advertise", advertise)?;
        if matches!(host, "0.0.0.0" | "[::]" | "") {
            return Err(format!(
                "`peer.advertise` is {advertise:?}: other machines cannot reach that; name a host \
                 or an address of this machine"
            ));
        }
        Ok(())
    }

    /// `HOST:PORT` that the others are told, with `host_name` where none is configured.
    pub fn advertised(&self, host_name: &str) -> String {
        self.advertise.clone().unwrap_or_else(|| {
            let port = self.listen.rsplit_once(':').map_or("4443", |(_, port)| port);
            format!("{host_name}:{port}")
        })
    }
}

/// Splits `HOST:PORT`, or says which key is wrong.
pub fn address<'a>(key: &str, text: &'a str) -> Result<(&'a str, u16), String> {
    let wrong = || {
        format!("`{key}` is {text:?}: write an address and a port, such as 0.0.0.0:443 or [::]:443")
    };
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let port = port.parse().map_err(|_| wrong())?;
    let bracketed = host.starts_with('[') && host.ends_with(']');
    if host.is_empty() || (host.contains(':') && !bracketed) {
        return Err(wrong());
    }
    Ok((host, port))
}

fn external_host(url: &str) -> Option<&str> {
    let host = url.strip_prefix("https://")?;
    let host = host.strip_suffix('/').unwrap_or(host);
    let plain = !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']);
    plain.then_some(host)
}
