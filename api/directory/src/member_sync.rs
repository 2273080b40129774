//! How a group of ours follows the directory, as the API writes it.
//!
//! Source: dtr-interface 4, `MemberSyncOpts`.

use metadata::directory::MemberSync;
use serde::{Deserialize, Serialize};

use crate::dn;
use crate::ldap::people::wrapped;

/// `MemberSyncOpts`: the group fields are needed where members are those of a group, the search
/// fields otherwise; all are passed over where nothing is synced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MemberSyncOpts {
    /// Whether the group follows the directory.
    pub enable_sync: bool,
    /// By the members of a group there.
    pub select_group_members: bool,
    /// The group.
    #[serde(rename = "groupDN")]
    pub group_dn: String,
    /// Which of its attributes names members.
    pub group_member_attr: String,
    /// Where else members are searched.
    #[serde(rename = "searchBaseDN")]
    pub search_base_dn: String,
    /// However deep below it.
    pub search_scope_subtree: bool,
    /// Which entries are members.
    pub search_filter: String,
}

impl MemberSyncOpts {
    /// What is kept of it.
    ///
    /// # Errors
    ///
    /// In words: which field does not do.
    pub fn into_row(self) -> Result<MemberSync, String> {
        if self.enable_sync && self.select_group_members {
            dn::normalized(&self.group_dn).map_err(|error| format!("groupDN: {error}"))?;
            attribute("groupMemberAttr", &self.group_member_attr)?;
        } else if self.enable_sync {
            dn::normalized(&self.search_base_dn)
                .map_err(|error| format!("searchBaseDN: {error}"))?;
            filter("searchFilter", &self.search_filter)?;
        }
        Ok(MemberSync {
            is_enabled: self.enable_sync,
            is_by_group: self.select_group_members,
            group_dn: self.group_dn,
            group_member_attribute: self.group_member_attr,
            base_dn: self.search_base_dn,
            is_subtree: self.search_scope_subtree,
            filter: self.search_filter,
        })
    }

    /// What was kept.
    pub fn of_row(row: &MemberSync) -> Self {
        let row = row.clone();
        Self {
            enable_sync: row.is_enabled,
            select_group_members: row.is_by_group,
            group_dn: row.group_dn,
            group_member_attr: row.group_member_attribute,
            search_base_dn: row.base_dn,
            search_scope_subtree: row.is_subtree,
            search_filter: row.filter,
        }
    }
}

/// The name of an attribute, perhaps with options.
pub(crate) fn attribute(field: &str, name: &str) -> Result<(), String> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-;.".contains(letter);
    let starts_well = name.starts_with(|first: char| first.is_ascii_alphanumeric());
    if starts_well && name.len() <= 100 && name.chars().all(is_plain) {
        Ok(())
    } else {
        Err(format!("{field} is the name of an attribute, such as uid or member"))
    }
}

/// A filter, with parentheses around it or without; empty for all.
pub(crate) fn filter(field: &str, text: &str) -> Result<(), String> {
    let is_one = text.len() <= metadata::directory::commands::TEXT_BYTES_MAX
        && ldap3::parse_filter(wrapped(text)).is_ok();
    if is_one {
        Ok(())
    } else {
        Err(format!("{field} does not read as a filter such as (objectClass=person)"))
    }
}

#[cfg(test)]
mod tests {
    use super::MemberSyncOpts;

    #[test]
    fn the_fields_that_are_needed_are_checked_and_others_are_not() {
        let group = MemberSyncOpts {
            enable_sync: true,
            select_group_members: true,
            group_dn: "cn=qa,dc=x".into(),
            group_member_attr: "member".into(),
            ..MemberSyncOpts::default()
        };
        let search = MemberSyncOpts {
            enable_sync: true,
            search_base_dn: "dc=x".into(),
            search_filter: "(title=boss)".into(),
            ..MemberSyncOpts::default()
        };
        let with = |filter: &str| MemberSyncOpts { search_filter: filter.into(), ..search.clone() };
        let cases = [
            (MemberSyncOpts::default(), true),
            (group.clone(), true),
            (MemberSyncOpts { group_dn: "qa".into(), ..group.clone() }, false),
            (MemberSyncOpts { group_member_attr: String::new(), ..group.clone() }, false),
            (MemberSyncOpts { group_member_attr: "a)(b".into(), ..group.clone() }, false),
            (MemberSyncOpts { group_dn: String::new(), enable_sync: false, ..group }, true),
            (search.clone(), true),
            (with(""), true),
            (with("title=boss"), true),
            (with("(title=boss"), false),
            (with("(&(a=b)(c=d)"), false),
            (MemberSyncOpts { search_base_dn: String::new(), ..search }, false),
        ];
        for (opts, is_good) in cases {
            let row = opts.clone().into_row();
            assert_eq!(row.is_ok(), is_good, "{opts:?}: {row:?}");
            if let Ok(row) = row {
                assert_eq!(MemberSyncOpts::of_row(&row), opts);
            }
        }
    }
}
