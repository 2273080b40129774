//! The flags of both imports: the source, what of it, and how.

use std::path::PathBuf;

use clap::Args;
use clap::builder::FalseyValueParser;
use wire::client_tls::Trust;

use super::content::Manner;
use super::mapping::Pattern;
use super::registry::Address;
use crate::client::Credentials;
use crate::exit::Stop;
use crate::pem::Pem;
use crate::prompt;

/// A list of repositories is not read beyond this.
const LIST_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Where it comes from, and as whom it is asked.
#[derive(Args, Clone)]
pub struct SourceFlags {
    /// The registry to import from: `https://HOST[:PORT]`; without a scheme https is meant
    #[arg(long, value_name = "URL", env = "HOLDFAST_FROM")]
    from: String,

    /// The account there; without it only what is public is seen
    #[arg(long, value_name = "NAME", env = "HOLDFAST_FROM_USERNAME")]
    from_username: Option<String>,

    /// A file whose first line is that account's password or access token
    #[arg(
        long,
        value_name = "FILE",
        env = "HOLDFAST_FROM_PASSWORD_FILE",
        requires = "from_username"
    )]
    from_password_file: Option<PathBuf>,

    /// The authority that signed the source's certificate: PEM text, @FILE or a path
    #[arg(long, value_name = "PEM", env = "HOLDFAST_FROM_CA")]
    from_ca: Option<String>,

    /// Does not verify the source's certificate
    #[arg(
        long,
        env = "HOLDFAST_FROM_INSECURE_TLS",
        value_parser = FalseyValueParser::new()
    )]
    from_insecure_tls: bool,

    /// Speaks HTTP without TLS to the source, and sends it a password so
    #[arg(
        long,
        env = "HOLDFAST_FROM_PLAIN_HTTP",
        value_parser = FalseyValueParser::new()
    )]
    from_plain_http: bool,
}

impl SourceFlags {
    /// Whom to ask, as whom; asks for a missing password on a terminal.
    pub fn address(&self) -> Result<Address, Stop> {
        let url = self.url()?;
        Ok(Address { url, trust: self.trust()?, credentials: self.credentials()? })
    }

    fn url(&self) -> Result<String, Stop> {
        let given = self.from.trim_end_matches('/');
        let url = match (given.contains("://"), self.from_plain_http) {
            (true, _) => given.to_owned(),
            (false, true) => format!("http://{given}"),
            (false, false) => format!("https://{given}"),
        };
        let (address, path) = crate::bench::address::Address::with_path(&url).map_err(|_| {
            Stop::usage(format!("--from is {given:?}: write https://host or https://host:port"))
        })?;
        if !path.is_empty() {
            return Err(Stop::usage(format!(
                "--from is {given:?}: leave out {path:?}; --repository chooses what is imported"
            )));
        }
        if !address.tls && !self.from_plain_http && self.from_username.is_some() {
            return Err(Stop::usage(
                "--from is plain http, which would show the password to everybody on the way: \
                 write https://, or add --from-plain-http",
            ));
        }
        Ok(url)
    }

    fn credentials(&self) -> Result<Option<Credentials>, Stop> {
        let Some(name) = self.from_username.clone().filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        if let Some(file) = &self.from_password_file {
            return Ok(Some((name, prompt::password_file(file)?)));
        }
        let question = format!("Password of {name} at {}", self.from);
        let password = prompt::password(&question, "--from-password-file")?;
        Ok(Some((name, password)))
    }

    fn trust(&self) -> Result<Trust, Stop> {
        if self.from_insecure_tls {
            return Ok(Trust::None);
        }
        let Some(ca) = self.from_ca.clone().filter(|ca| !ca.is_empty()) else {
            return Ok(Trust::System);
        };
        let text = Pem::new(ca)
            .read()
            .map_err(|error| Stop::usage(format!("--from-ca cannot be read: {error}")))?;
        Ok(Trust::Pinned(text))
    }
}

/// What of it.
#[derive(Args, Clone)]
pub struct ChoiceFlags {
    /// Only these repositories, by the source's names; one `*` stands for anything. May be repeated
    #[arg(long, value_name = "PATTERN", env = "HOLDFAST_REPOSITORY", value_delimiter = ',')]
    repository: Vec<Pattern>,

    /// The same from a file: a pattern a line, `#` begins a remark
    #[arg(long, value_name = "FILE", env = "HOLDFAST_REPOSITORIES_FROM")]
    repositories_from: Option<PathBuf>,

    /// Not these repositories. May be repeated
    #[arg(long, value_name = "PATTERN", env = "HOLDFAST_EXCLUDE", value_delimiter = ',')]
    exclude: Vec<Pattern>,
}

/// Which repositories, read and checked.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Those that fit one of these; all where there are none.
    patterns: Vec<Pattern>,
    exclude: Vec<Pattern>,
    is_all: bool,
}

impl ChoiceFlags {
    /// Reads the file, where there is one.
    pub fn read(&self) -> Result<Choice, Stop> {
        let mut patterns = self.repository.clone();
        if let Some(path) = &self.repositories_from {
            let unusable = |error| Stop::file("read the list of repositories", path, &error);
            let length = std::fs::metadata(path).map_err(unusable)?.len();
            if length > LIST_BYTES_MAX {
                return Err(Stop::usage(format!("{} is too long a list", path.display())));
            }
            let text = std::fs::read_to_string(path).map_err(unusable)?;
            for (number, line) in text.lines().enumerate() {
                let line = line.split('#').next().unwrap_or_default().trim();
                if line.is_empty() {
                    continue;
                }
                let pattern = line.parse().map_err(|why| {
                    Stop::usage(format!("{}:{}: {line:?}: {why}", path.display(), number + 1))
                })?;
                patterns.push(pattern);
            }
        }
        let is_all = patterns.is_empty() && self.repositories_from.is_none();
        Ok(Choice { patterns, exclude: self.exclude.clone(), is_all })
    }
}

impl Choice {
    /// Whether this repository is brought.
    pub fn takes(&self, name: &str) -> bool {
        let fits = |patterns: &[Pattern]| patterns.iter().any(|it| it.matched(name).is_some());
        (self.is_all || fits(&self.patterns)) && !fits(&self.exclude)
    }

    /// The names, where each is said in full: the source need not be asked for all it has.
    pub fn names(&self) -> Option<Vec<String>> {
        if self.is_all {
            return None;
        }
        let names = self.patterns.iter().map(|pattern| pattern.name().map(str::to_owned));
        let mut names = names.collect::<Option<Vec<String>>>()?;
        names.retain(|name| self.takes(name));
        names.sort();
        names.dedup();
        Some(names)
    }
}

/// How it is done.
#[derive(Args, Clone)]
pub struct WorkFlags {
    /// Tags, and blobs, on their way at once
    #[arg(
        long,
        value_name = "N",
        env = "HOLDFAST_JOBS",
        default_value = "8",
        value_parser = clap::value_parser!(u16).range(1..=256)
    )]
    jobs: u16,

    /// A file that remembers what is done: run again with it, an import that was cut short goes on
    #[arg(long, value_name = "FILE", env = "HOLDFAST_STATE")]
    state: Option<PathBuf>,

    /// A tag that the destination has stays where it is, whatever the source says
    #[arg(long, env = "HOLDFAST_KEEP_TAGS", value_parser = FalseyValueParser::new())]
    keep_tags: bool,

    /// Says what would be done and does nothing
    #[arg(long, env = "HOLDFAST_DRY_RUN", value_parser = FalseyValueParser::new())]
    dry_run: bool,
}

impl WorkFlags {
    /// How content is brought.
    pub fn manner(&self) -> Manner {
        Manner { jobs: self.jobs.into(), dry_run: self.dry_run, keep_tags: self.keep_tags }
    }

    /// The state file, unless nothing is to be done.
    pub fn state(&self) -> Option<&PathBuf> {
        self.state.as_ref().filter(|_| !self.dry_run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(from: &str, plain: bool, username: Option<&str>) -> SourceFlags {
        SourceFlags {
            from: from.to_owned(),
            from_username: username.map(str::to_owned),
            from_password_file: None,
            from_ca: None,
            from_insecure_tls: false,
            from_plain_http: plain,
        }
    }

    #[test]
    fn a_password_goes_over_plain_http_only_where_that_was_said() {
        let cases = [
            ("registry.example", false, None, Some("https://registry.example")),
            ("registry.example:5000", true, None, Some("http://registry.example:5000")),
            ("https://registry.example/", false, Some("a"), Some("https://registry.example")),
            ("http://127.0.0.1:5000", false, None, Some("http://127.0.0.1:5000")),
            ("http://127.0.0.1:5000", false, Some("a"), None),
            ("http://127.0.0.1:5000", true, Some("a"), Some("http://127.0.0.1:5000")),
            ("https://registry.example/acme", false, None, None),
            ("ftp://registry.example", false, None, None),
            ("https://ann:secret@registry.example", false, None, None),
        ];
        for (from, plain, username, expected) in cases {
            let url = source(from, plain, username).url().ok();
            assert_eq!(url.as_deref(), expected, "{from} {plain} {username:?}");
        }
    }

    #[test]
    fn repositories_are_chosen_by_patterns_and_lists() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("list");
        std::fs::write(&list, "# ours\nacme/web  # the shop\n\nacme/base\n").unwrap();
        let flags = |repository: &[&str], list: Option<&PathBuf>, exclude: &[&str]| {
            let read = |texts: &[&str]| texts.iter().map(|it| it.parse().unwrap()).collect();
            ChoiceFlags {
                repository: read(repository),
                repositories_from: list.cloned(),
                exclude: read(exclude),
            }
        };
        let all = flags(&[], None, &["old/*"]).read().unwrap();
        assert!(all.takes("a/b") && !all.takes("old/b"));
        assert_eq!(all.names(), None);
        let listed = flags(&["x/y"], Some(&list), &["acme/base"]).read().unwrap();
        assert_eq!(listed.names().unwrap(), ["acme/web", "x/y"]);
        assert_eq!(flags(&["x/*"], Some(&list), &[]).read().unwrap().names(), None);
        std::fs::write(&list, "").unwrap();
        assert!(!flags(&[], Some(&list), &[]).read().unwrap().takes("a/b"));
        std::fs::write(&list, "a b\n").unwrap();
        let stop = flags(&[], Some(&list), &[]).read().unwrap_err();
        assert!(stop.text.contains(":1:"), "{stop}");
    }
}
