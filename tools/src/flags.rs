//! The configuration flags: what they set wins over the file.
//!
//! Each has the variable `HOLDFAST_<FLAG>`; the variable that Docker Trusted Registry read is taken
//! where neither is given. Flags whose old name began with `--dtr-` accept both spellings.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use clap::builder::FalseyValueParser;

use crate::config::Config;
use crate::exit::Stop;
use crate::pem::Pem;

/// Flags of `install`, `join` and `serve`.
#[derive(Args, Clone, Debug, Default)]
pub struct ConfigFlags {
    /// The configuration file of this replica (TOML)
    #[arg(long, value_name = "FILE", env = "HOLDFAST_CONFIG")]
    pub config: Option<PathBuf>,

    /// Port of HTTPS on this replica
    #[arg(long, value_name = "PORT", env = "HOLDFAST_REPLICA_HTTPS_PORT")]
    pub replica_https_port: Option<u16>,

    /// Port of plain HTTP on this replica; used where `public.http` is not "off"
    #[arg(long, value_name = "PORT", env = "HOLDFAST_REPLICA_HTTP_PORT")]
    pub replica_http_port: Option<u16>,

    /// `https://host[:port]` of the load balancer or of the name that all replicas share
    #[arg(
        long,
        visible_alias = "dtr-external-url",
        value_name = "URL",
        env = "HOLDFAST_EXTERNAL_URL"
    )]
    pub external_url: Option<String>,

    /// Server certificate, intermediates appended: PEM text, @FILE or a path
    #[arg(long, visible_alias = "dtr-cert", value_name = "PEM", env = "HOLDFAST_TLS_CERT")]
    pub tls_cert: Option<String>,

    /// Key of the server certificate: PEM text, @FILE or a path
    #[arg(
        long,
        visible_alias = "dtr-key",
        value_name = "PEM",
        env = "HOLDFAST_TLS_KEY",
        hide_env_values = true
    )]
    pub tls_key: Option<String>,

    /// Takes certificates of clients in place of passwords on this replica
    #[arg(
        long,
        env = "HOLDFAST_ENABLE_CLIENT_CERT_AUTH",
        value_parser = FalseyValueParser::new()
    )]
    pub enable_client_cert_auth: bool,

    /// Authorities that sign certificates of clients: PEM text, @FILE or a path
    #[arg(long, value_name = "PEM", env = "HOLDFAST_CLIENT_CERT_AUTH_CA")]
    pub client_cert_auth_ca: Option<String>,

    /// Certificates of clients that were revoked: PEM text, @FILE or a path; may be given again
    #[arg(long, value_name = "PEM", env = "HOLDFAST_CLIENT_CERT_AUTH_CRL")]
    pub client_cert_auth_crl: Vec<String>,

    /// Folder for image content
    #[arg(
        long,
        visible_alias = "dtr-storage-volume",
        value_name = "DIR",
        env = "HOLDFAST_STORAGE_VOLUME"
    )]
    pub storage_volume: Option<PathBuf>,

    /// What is logged: debug, info, warn, error or fatal
    #[arg(long, value_name = "LEVEL", env = "HOLDFAST_LOG_LEVEL")]
    pub log_level: Option<String>,

    /// Form of the log: human or json
    #[arg(long, value_name = "FORMAT", env = "HOLDFAST_LOG_FORMAT")]
    pub log_format: Option<String>,

    /// Where the log goes; `internal` is standard error and the only place so far
    #[arg(long, value_name = "PROTOCOL", env = "HOLDFAST_LOG_PROTOCOL", hide_short_help = true)]
    pub log_protocol: Option<String>,

    /// Ignored: there is no overlay network
    #[arg(long, value_name = "NET", env = "HOLDFAST_OVERLAY_SUBNET", hide_short_help = true)]
    pub overlay_subnet: Option<String>,
}

impl ConfigFlags {
    /// Reads the file, lays flags and variables over it and checks the whole.
    ///
    /// Warnings go to standard error.
    pub fn load(&self) -> Result<Config, Stop> {
        self.load_with(|name| std::env::var_os(name))
    }

    fn load_with(&self, variable: impl Fn(&str) -> Option<OsString>) -> Result<Config, Stop> {
        let flags = self.clone().or_variables(variable)?;
        let path = flags.config.clone().ok_or_else(|| {
            Stop::usage("--config is missing: name the configuration file of this replica")
        })?;
        let mut config = Config::load(&path).map_err(|error| Stop::usage(error.to_string()))?;
        flags.lay_over(&mut config)?;
        let named = |cause| Stop::usage(format!("{}: {cause}", path.display()));
        config.check().map_err(named)?;
        Ok(config)
    }

    /// Fills what is not given from the variables of Docker Trusted Registry.
    fn or_variables(mut self, variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, Stop> {
        let text = |name: &str| {
            variable(name)
                .and_then(|value| value.into_string().ok())
                .filter(|text| !text.is_empty())
        };
        let port = |name: &str| {
            let parse = |text: String| {
                text.parse()
                    .map_err(|_| Stop::usage(format!("${name} is {text:?}: it must be a port")))
            };
            text(name).map(parse).transpose()
        };
        self.replica_https_port = self.replica_https_port.or(port("REPLICA_HTTPS_PORT")?);
        self.replica_http_port = self.replica_http_port.or(port("REPLICA_HTTP_PORT")?);
        self.external_url = self.external_url.or_else(|| text("DTR_EXTERNAL_URL"));
        self.tls_cert = self.tls_cert.or_else(|| text("DTR_CERT"));
        self.tls_key = self.tls_key.or_else(|| text("DTR_KEY"));
        self.enable_client_cert_auth |=
            text("ENABLE_CLIENT_CERT_AUTH").is_some_and(|text| matches!(&*text, "1" | "true"));
        self.client_cert_auth_ca = self.client_cert_auth_ca.or_else(|| text("CLIENT_CA"));
        self.storage_volume =
            self.storage_volume.or_else(|| text("DTR_STORAGE_VOLUME").map(PathBuf::from));
        self.log_level = self.log_level.or_else(|| text("LOG_LEVEL"));
        self.log_protocol = self.log_protocol.or_else(|| text("LOG_PROTOCOL"));
        self.overlay_subnet = self.overlay_subnet.or_else(|| text("DTR_OVERLAY_SUBNET"));
        Ok(self)
    }

    fn lay_over(self, config: &mut Config) -> Result<(), Stop> {
        if let Some(port) = self.replica_https_port {
            set_port(&mut config.public.listen, port);
        }
        if let Some(port) = self.replica_http_port {
            set_port(&mut config.public.http_listen, port);
        }
        if let Some(url) = self.external_url {
            let has_scheme = url.contains("://");
            config.public.external_url =
                Some(if has_scheme { url } else { format!("https://{url}") });
        }
        config.public.certificate =
            self.tls_cert.map(Pem::new).or(config.public.certificate.take());
        config.public.key = self.tls_key.map(Pem::new).or(config.public.key.take());
        config.public.client_certificates |= self.enable_client_cert_auth;
        config.public.client_ca =
            self.client_cert_auth_ca.map(Pem::new).or(config.public.client_ca.take());
        if !self.client_cert_auth_crl.is_empty() {
            config.public.client_crls =
                self.client_cert_auth_crl.into_iter().map(Pem::new).collect();
        }
        if let Some(folder) = self.storage_volume {
            config.storage.folder = std::path::absolute(folder).ok();
        }
        if let Some(level) = self.log_level {
            config.log.level = level;
        }
        if let Some(format) = self.log_format {
            config.log.format = match format.as_str() {
                "human" => crate::config::log::Format::Human,
                "json" => crate::config::log::Format::Json,
                other => {
                    return Err(Stop::usage(format!(
                        "--log-format is {other:?}: write human or json"
                    )));
                }
            };
        }
        match self.log_protocol.as_deref() {
            None | Some("internal") => {}
            Some(other) => {
                return Err(Stop::usage(format!(
                    "--log-protocol is {other:?}: only `internal` (standard error) is supported; \
                     let the service manager forward the log"
                )));
            }
        }
        if self.overlay_subnet.is_some() {
            eprintln!("warning: --overlay-subnet is ignored: there is no overlay network");
        }
        Ok(())
    }
}

fn set_port(address: &mut String, port: u16) {
    let host = address.rsplit_once(':').map_or("0.0.0.0", |(host, _)| host);
    *address = format!("{host}:{port}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    fn file(text: &str) -> (tempfile::TempDir, ConfigFlags) {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("holdfast.toml");
        std::fs::write(&config, text).unwrap();
        let flags = ConfigFlags { config: Some(config), ..ConfigFlags::default() };
        (folder, flags)
    }

    #[test]
    fn a_flag_wins_over_the_file_and_over_the_old_variable() {
        let (_folder, flags) = file("data = \"/d\"\n[public]\nlisten = \"127.0.0.1:1443\"\n");
        let old = |name: &str| match name {
            "REPLICA_HTTPS_PORT" => Some("3443".into()),
            "DTR_EXTERNAL_URL" => Some("registry.example.com".into()),
            _ => None,
        };
        let config = flags.load_with(|_| None).unwrap();
        assert_eq!(config.public.listen, "127.0.0.1:1443");
        let config = flags.load_with(old).unwrap();
        assert_eq!(config.public.listen, "127.0.0.1:3443");
        assert_eq!(config.public.external_url.as_deref(), Some("https://registry.example.com"));
        let flags = ConfigFlags { replica_https_port: Some(2443), ..flags };
        assert_eq!(flags.load_with(old).unwrap().public.listen, "127.0.0.1:2443");
    }

    #[test]
    fn what_is_wrong_is_a_usage_error_with_its_name() {
        let (_folder, flags) = file("data = \"/d\"\nfrobnicate = 1\n");
        let stop = flags.load_with(|_| None).unwrap_err();
        assert_eq!(stop.exit, Exit::Usage);
        assert!(stop.text.contains("frobnicate"), "{stop}");

        let (_folder, flags) = file("data = \"/d\"\n");
        let cases = [
            (ConfigFlags { log_level: Some("loud".into()), ..flags.clone() }, "log.level"),
            (ConfigFlags { log_protocol: Some("tcp".into()), ..flags.clone() }, "--log-protocol"),
            (ConfigFlags { log_format: Some("xml".into()), ..flags.clone() }, "--log-format"),
            (ConfigFlags { tls_cert: Some("/c".into()), ..flags.clone() }, "public.key"),
            (ConfigFlags { config: None, ..flags.clone() }, "--config"),
        ];
        for (flags, name) in cases {
            let stop = flags.load_with(|_| None).unwrap_err();
            assert_eq!(stop.exit, Exit::Usage, "{name}");
            assert!(stop.text.contains(name), "{name}: {stop}");
        }
        let stop = flags.load_with(|name| (name == "REPLICA_HTTP_PORT").then(|| "x".into()));
        assert!(stop.unwrap_err().text.contains("$REPLICA_HTTP_PORT"));
    }
}
