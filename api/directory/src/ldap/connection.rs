//! One connection to the directory. Referrals to other servers are not followed.

use std::collections::HashMap;
use std::time::Duration;

use ldap3::adapters::{Adapter, EntriesOnly, PagedResults};
use ldap3::{
    Ldap, LdapConnAsync, LdapConnSettings, LdapError, LdapResult, Scope, SearchEntry,
    SearchOptions, StdStream,
};
use tokio::task::AbortHandle;
use tokio::time::timeout;
use wire::dial::{Dial, TcpDial};

use super::carrier::{self, Carrier};
use super::plan::Plan;
use crate::failure::DirectoryFailure;

/// Until a connection stands, TLS included.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Entries of one page: no more than common servers give at once.
const PAGE_ENTRIES: i32 = 500;

/// Codes of the protocol. Source: RFC 4511, A.1.
const SUCCESS: u32 = 0;
const TIME_LIMIT: u32 = 3;
const SIZE_LIMIT: u32 = 4;
const REFERRAL: u32 = 10;
const ADMIN_LIMIT: u32 = 11;
/// What a directory says to somebody whom it does not let in: a wrong password, an account that is
/// locked, ended or without a password, or no such entry.
const NOT_LET_IN: &[u32] = &[19, 32, 48, 49, 53];

/// An open connection.
pub(crate) struct Connection {
    ldap: Ldap,
    server: String,
    /// Until an answer begins, or goes on.
    answer_max: Duration,
    driver: AbortHandle,
    carrier: Carrier,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// What is searched.
pub(crate) struct Query<'a> {
    pub(crate) base: &'a str,
    pub(crate) scope: Scope,
    pub(crate) filter: &'a str,
    pub(crate) attributes: Vec<String>,
    /// Whether the results come in pages.
    pub(crate) is_paged: bool,
    /// More entries than this end the search, as they do where the directory has its own bound.
    pub(crate) entries_max: usize,
}

/// An entry that was found.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) dn: String,
    attributes: HashMap<String, Vec<String>>,
}

impl Entry {
    /// Its values, where they are text; the attribute's name is written in any case.
    pub(crate) fn values(&self, attribute: &str) -> &[String] {
        let attribute = attribute.to_ascii_lowercase();
        self.attributes.get(&attribute).map(Vec::as_slice).unwrap_or_default()
    }

    /// Attributes in the order of their names.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.attributes.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    /// The library's reader ends the task where an entry is none: this is run in a task of its own.
    fn of(entry: ldap3::ResultEntry) -> Self {
        let SearchEntry { dn, attrs, .. } = SearchEntry::construct(entry);
        let lower = attrs.into_iter().map(|(name, values)| (name.to_ascii_lowercase(), values));
        Self { dn, attributes: lower.collect() }
    }
}

impl Connection {
    /// Connects, and begins TLS where that is wanted. Nobody is signed in yet.
    async fn open(plan: &Plan, answer_max: Duration) -> Result<Self, DirectoryFailure> {
        let server = plan.url.address();
        let unreachable = |cause: String| {
            let server = server.clone();
            DirectoryFailure::Unreachable { server, cause }
        };
        let stream = timeout(CONNECT_MAX, Self::secured(plan)).await;
        let stream = stream.map_err(|_| DirectoryFailure::Silent {
            server: server.clone(),
            limit_s: CONNECT_MAX.as_secs(),
        })?;
        let stream = stream.map_err(|error| unreachable(error.to_string()))?;
        let begun = Carrier::begin(stream).map_err(|error| unreachable(error.to_string()))?;
        let (carrier, far) = begun;
        let settings = LdapConnSettings::new().set_std_stream(StdStream::Unix(far));
        let opened = LdapConnAsync::with_settings(settings, "ldapi://carrier").await;
        let (driver, ldap) = opened.map_err(|error| unreachable(error.to_string()))?;
        let driver = tokio::spawn(async move {
            // Whoever asked hears of it: their answer does not come.
            let _ = driver.drive().await;
        });
        Ok(Self { ldap, server, answer_max, driver: driver.abort_handle(), carrier })
    }

    async fn secured(plan: &Plan) -> std::io::Result<wire::stream::BoxStream> {
        let dial = TcpDial { connect_max: CONNECT_MAX };
        let mut stream = dial.dial(&plan.url.address()).await?;
        let Some(tls) = &plan.tls else { return Ok(stream) };
        if plan.start_tls {
            carrier::ask_for_tls(&mut stream).await?;
        }
        tls.connect(stream, &plan.url.host).await
    }

    /// Connects and signs the reader in, where one is named; every answer has so long.
    pub(crate) async fn open_as_reader(
        plan: &Plan,
        answer_max: Duration,
    ) -> Result<Self, DirectoryFailure> {
        let mut connection = Self::open(plan, answer_max).await?;
        let dn = &plan.row.reader_dn;
        if !dn.is_empty() && !connection.bind(dn, &plan.reader_password).await? {
            return Err(DirectoryFailure::Refused {
                what: format!("to let the reader {dn} in"),
                cause: "readerDN or readerPassword is wrong".to_owned(),
            });
        }
        Ok(connection)
    }
}

/// What is asked over it.
impl Connection {
    /// Whether the directory lets this entry in with this password.
    ///
    /// Neither may be empty: the protocol takes that for nobody in particular, and lets them in.
    /// Source: RFC 4513, 5.1.2.
    pub(crate) async fn bind(
        &mut self,
        dn: &str,
        password: &str,
    ) -> Result<bool, DirectoryFailure> {
        if dn.is_empty() || password.is_empty() {
            return Ok(false);
        }
        self.ldap.with_timeout(self.answer_max);
        let answer = self.ldap.simple_bind(dn, password).await;
        let answer = answer.map_err(|error| self.failure(&error))?;
        match answer.rc {
            SUCCESS => Ok(true),
            code if NOT_LET_IN.contains(&code) => Ok(false),
            _ => Err(refused(&format!("to let {dn} in"), &answer)),
        }
    }

    /// Every entry that is found, and whether the directory, or the bound, cut them short.
    pub(crate) async fn search(
        &mut self,
        query: Query<'_>,
    ) -> Result<(Vec<Entry>, bool), DirectoryFailure> {
        let Query { base, scope, filter, attributes, is_paged, entries_max } = query;
        let mut adapters: Vec<Box<dyn Adapter<'static, String, Vec<String>>>> =
            vec![Box::new(EntriesOnly::new())];
        if is_paged {
            adapters.push(Box::new(PagedResults::new(PAGE_ENTRIES)));
        } else {
            let limit = i32::try_from(entries_max).unwrap_or(i32::MAX);
            self.ldap.with_search_options(SearchOptions::new().sizelimit(limit));
        }
        self.ldap.with_timeout(self.answer_max);
        let begun = self.ldap.streaming_search_with(adapters, base, scope, filter, attributes);
        let mut stream = match begun.await {
            Ok(stream) => stream,
            Err(error) => return Err(self.failure(&error)),
        };
        let mut entries = Vec::new();
        loop {
            match stream.next().await {
                Ok(Some(entry)) if entries.len() < entries_max => entries.push(Entry::of(entry)),
                Ok(Some(_)) => return Ok((entries, true)),
                Ok(None) => break,
                Err(error) => return Err(self.failure(&error)),
            }
        }
        let answer = stream.finish().await;
        match answer.rc {
            SUCCESS => Ok((entries, false)),
            SIZE_LIMIT => Ok((entries, true)),
            _ => Err(refused(&format!("the search below {base:?} for {filter}"), &answer)),
        }
    }

    /// Takes leave.
    pub(crate) async fn close(mut self) {
        let _ = timeout(Duration::from_secs(1), self.ldap.unbind()).await;
    }

    fn failure(&self, error: &LdapError) -> DirectoryFailure {
        let server = self.server.clone();
        match error {
            LdapError::Timeout { .. } => {
                DirectoryFailure::Silent { server, limit_s: self.answer_max.as_secs() }
            }
            LdapError::FilterParsing => {
                DirectoryFailure::Settings("a filter does not read".to_owned())
            }
            _ => {
                let cause = self.carrier.ended().unwrap_or_else(|| "it broke off".to_owned());
                DirectoryFailure::Unreachable { server, cause }
            }
        }
    }
}

fn refused(what: &str, answer: &LdapResult) -> DirectoryFailure {
    let hint = match answer.rc {
        REFERRAL => "; it refers to another server, which is not followed: name that one",
        TIME_LIMIT | ADMIN_LIMIT => "; raise the reader's limits there",
        8 | 13 => "; it wants TLS: use ldaps:// or startTLS",
        _ => "",
    };
    let text: String = answer.text.chars().filter(|it| !it.is_control()).take(200).collect();
    let cause = format!("result {} {}{hint}", answer.rc, text.trim());
    DirectoryFailure::Refused { what: what.to_owned(), cause: cause.trim_end().to_owned() }
}
