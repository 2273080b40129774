//! Who somebody is: their entry, found by the name they sign in with.

use ldap3::Scope;
use metadata::accounts::FULL_NAME_BYTES_MAX;
use metadata::directory::UserSearch;
use metadata::directory::sync::SOURCE_BYTES_MAX;

use super::connection::{Connection, Entry, Query};
use super::plan::Plan;
use crate::account_name;
use crate::failure::DirectoryFailure;

/// Somebody in the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// What their account is called.
    pub name: String,
    /// What people call them; empty where that is not known.
    pub full_name: String,
    /// Their entry.
    pub dn: String,
}

/// The person who signs in as `name`; `None` where there is none, and where there are several.
pub(crate) async fn find(
    connection: &mut Connection,
    plan: &Plan,
    name: &str,
) -> Result<Option<Person>, DirectoryFailure> {
    let wanted = account_name::of(name);
    for search in &plan.row.user_searches {
        let value = account_name::in_filter(name);
        let filter = format!("(&{}({}={value}))", whole_filter(search), search.username_attribute);
        let query = Query {
            base: &search.base_dn,
            scope: scope(search.is_subtree),
            filter: &filter,
            attributes: attributes(search),
            is_paged: false,
            entries_max: 2,
        };
        let (entries, is_cut) = connection.search(query).await?;
        if let ([entry], false) = (entries.as_slice(), is_cut) {
            // The directory may take names for alike that are none here.
            let mut names = entry.values(&search.username_attribute).iter();
            let is_the_one = names.any(|name| account_name::of(name) == wanted);
            return Ok(is_the_one.then(|| person(entry, search, wanted)));
        }
        if !entries.is_empty() {
            tracing::warn!(name, base = search.base_dn, "several entries have this name");
            return Ok(None);
        }
    }
    Ok(None)
}

/// An entry as a person of that name.
pub(crate) fn person(entry: &Entry, search: &UserSearch, name: String) -> Person {
    let full_name = entry.values(&search.full_name_attribute).first();
    let full_name = full_name.map(|text| bounded(text, FULL_NAME_BYTES_MAX)).unwrap_or_default();
    Person { name, full_name, dn: bounded(&entry.dn, SOURCE_BYTES_MAX) }
}

/// What is read of each entry.
pub(crate) fn attributes(search: &UserSearch) -> Vec<String> {
    let names = [&search.username_attribute, &search.full_name_attribute];
    names.into_iter().filter(|name| !name.is_empty()).cloned().collect()
}

/// Which entries are people at all.
pub(crate) fn whole_filter(search: &UserSearch) -> String {
    wrapped(&search.filter)
}

/// A filter in parentheses; one that is empty matches every entry.
pub(crate) fn wrapped(filter: &str) -> String {
    match filter.trim() {
        "" => "(objectClass=*)".to_owned(),
        filter if filter.starts_with('(') => filter.to_owned(),
        filter => format!("({filter})"),
    }
}

pub(crate) fn scope(is_subtree: bool) -> Scope {
    if is_subtree { Scope::Subtree } else { Scope::OneLevel }
}

/// As many whole characters as fit.
fn bounded(text: &str, bytes_max: usize) -> String {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::{bounded, wrapped};

    #[test]
    fn a_filter_stands_in_parentheses_and_a_text_ends_between_characters() {
        assert_eq!(wrapped(" "), "(objectClass=*)");
        assert_eq!(wrapped("title=boss"), "(title=boss)");
        assert_eq!(wrapped("(title=boss)"), "(title=boss)");
        assert_eq!(bounded("äöü", 3), "ä");
        assert_eq!(bounded("äöü", 6), "äöü");
    }
}
