//! Passwords that are not kept here: those of the directory. And hashes that others made, replaced
//! at the first sign-in.

use std::net::IpAddr;

use consensus::cluster::{Cluster, Freshness};
use directory::account_name;
use directory::directory::Directory;
use directory::ldap::people::Person;
use metadata::accounts::commands::PasswordSet;
use metadata::accounts::{self, AccountRow};
use metadata::directory::{self as kept, LdapRow, UserLink};
use oci::digest::Algorithm;
use oci::verifier::digest_of;
use zeroize::Zeroizing;

use super::{Auth, AuthFailure, Identity};
use crate::imported_hash;
use crate::password::{self, PasswordFailure};

impl Auth {
    /// The directory that people may sign in by.
    pub fn directory(&self) -> &Directory {
        &self.shared.directory
    }

    /// Who signs in by the directory. The account is made at their first sign-in.
    pub(super) async fn by_directory(
        &self,
        (name, password): (&str, &Zeroizing<String>),
        address: IpAddr,
        ldap: &LdapRow,
    ) -> Result<Identity, AuthFailure> {
        if password.is_empty() {
            return Err(PasswordFailure::Wrong.into());
        }
        let name = account_name::of(name);
        // Other settings may mean another directory: they end what is remembered.
        let stored = digest_of(Algorithm::Sha256, &ldap.encode()).to_string();
        // Remembered is only who has an account: it may become theirs a moment later.
        let ask = async {
            let found = self.shared.directory.sign_in(ldap, (&name, password)).await?;
            let Some(person) = found else { return Ok(false) };
            self.admit(&person).await?;
            let (_, link) = self.linked(&name).await?;
            let name = name.clone();
            link.map(|_| true).ok_or(AuthFailure::NotOfDirectory { name })
        };
        let asked = (name.as_str(), password, Some(stored.as_str()));
        self.shared.passwords.check_by(asked, address, ask).await?;
        let (account, link) = self.linked(&name).await?;
        if link.is_none() {
            return Err(AuthFailure::NotOfDirectory { name });
        }
        let account = account.filter(AccountRow::signs_in).ok_or(AuthFailure::AccountGone)?;
        Ok(Identity::of(&(name, account)))
    }

    /// Makes their account, or notes what changed.
    async fn admit(&self, person: &Person) -> Result<(), AuthFailure> {
        let (account, link) = self.linked(&person.name).await?;
        let is_as_known = link.is_some_and(|link| link.source == person.dn && !link.is_gone);
        let is_called_so = person.full_name.is_empty()
            || account.is_some_and(|account| account.full_name == person.full_name);
        if !is_as_known || !is_called_so {
            self.shared.directory.admit(person).await?;
        }
        Ok(())
    }

    async fn linked(
        &self,
        name: &str,
    ) -> Result<(Option<AccountRow>, Option<UserLink>), AuthFailure> {
        let read = self.shared.cluster.read(Freshness::Local, |view| {
            let account = accounts::find(view, name)?;
            let link = match &account {
                Some(account) => kept::link(view, &account.id)?,
                None => None,
            };
            Ok((account, link))
        });
        Ok(read.await?)
    }
}

/// Replaces a hash that another product made, now that its password is known. Signing in does not
/// depend on it.
pub(super) async fn renew_hash(
    cluster: &Cluster,
    name: &str,
    account: &AccountRow,
    password: &Zeroizing<String>,
) {
    if imported_hash::parse(&account.password_hash).is_none() {
        return;
    }
    let password_hash = match password::hash(password.clone()).await {
        Ok(hash) => hash,
        Err(error) => return tracing::warn!(name, error, "an imported hash stays"),
    };
    let set = PasswordSet {
        name: name.to_owned(),
        actor: name.to_owned(),
        password_hash,
        former_hash: Some(account.password_hash.clone()),
        is_rehash: true,
    };
    if let Err(failure) = cluster.propose(set.into()).await {
        tracing::warn!(name, %failure, "an imported hash stays");
    }
}
