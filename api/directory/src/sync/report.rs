//! What a sync did, in numbers and examples.

use metadata::directory::sync::REPORT_BYTES_MAX;
use serde::Serialize;

/// Examples of entries that were left out.
const SKIPPED_MAX: usize = 20;
/// Groups that are told one by one.
const GROUPS_MAX: usize = 30;
/// Bytes of an example.
const TEXT_CHARACTERS_MAX: usize = 100;

/// What a sync did; kept in the cluster as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    /// Why it ended early; what was done until then stays.
    pub(crate) error: Option<String>,
    pub(crate) users_found: usize,
    pub(crate) users_created: usize,
    pub(crate) users_changed: usize,
    pub(crate) users_deactivated: usize,
    pub(crate) users_skipped: usize,
    pub(crate) administrators_added: usize,
    pub(crate) administrators_removed: usize,
    pub(crate) groups_synced: usize,
    pub(crate) groups_failed: usize,
    /// The first entries that were left out.
    pub(crate) skipped: Vec<Skipped>,
    /// The first groups that changed or could not be read.
    pub(crate) groups: Vec<Group>,
}

/// An entry that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Skipped {
    pub(crate) name: String,
    pub(crate) reason: &'static str,
}

/// A team, or the owners of an organization.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Group {
    pub(crate) organization: String,
    /// Absent for the organization's owners.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) team: Option<String>,
    pub(crate) added: usize,
    pub(crate) removed: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

impl Report {
    /// Nothing was done, and why.
    pub(crate) fn failed(why: &str) -> Self {
        Self { error: Some(why.to_owned()), ..Self::default() }
    }

    /// Notes an entry that was left out.
    pub(crate) fn skip(&mut self, name: &str, reason: &'static str) {
        self.users_skipped += 1;
        if self.skipped.len() < SKIPPED_MAX {
            self.skipped.push(Skipped { name: shortened(name), reason });
        }
    }

    /// Notes a group, one by one where something came of it.
    pub(crate) fn group(&mut self, mut group: Group) {
        let is_failed = group.error.is_some();
        self.groups_synced += usize::from(!is_failed);
        self.groups_failed += usize::from(is_failed);
        let is_worth_telling = is_failed || group.added + group.removed > 0;
        if is_worth_telling && self.groups.len() < GROUPS_MAX {
            group.error = group.error.map(|error| shortened(&error));
            self.groups.push(group);
        }
    }

    /// What it did, for the log of a job.
    pub(crate) fn in_a_line(&self) -> String {
        format!(
            "{} people found, {} users made, {} changed, {} made inactive, {} entries left out; {} \
             groups synced, {} failed",
            self.users_found,
            self.users_created,
            self.users_changed,
            self.users_deactivated,
            self.users_skipped,
            self.groups_synced,
            self.groups_failed,
        )
    }

    /// As it is kept: bounded, whatever names are in it.
    pub(crate) fn as_text(&self) -> String {
        let whole = serde_json::to_string(self).unwrap_or_default();
        if whole.len() <= REPORT_BYTES_MAX {
            return whole;
        }
        let error = self.error.as_ref().map(|error| shortened(error));
        let short = Self { error, skipped: Vec::new(), groups: Vec::new(), ..self.clone() };
        serde_json::to_string(&short).unwrap_or_default()
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(TEXT_CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use metadata::directory::sync::REPORT_BYTES_MAX;

    use super::{GROUPS_MAX, Group, Report, SKIPPED_MAX};

    #[test]
    fn a_report_stays_small_and_counts_what_it_does_not_tell() {
        let mut report = Report::default();
        for number in 0..1_000_usize {
            report.skip(&"\u{1}".repeat(300), "no reason");
            let error = number.is_multiple_of(3).then(|| "\u{1}".repeat(300));
            let organization = "o".repeat(100);
            report.group(Group { organization, added: number % 2, error, ..Group::default() });
        }
        assert_eq!((report.skipped.len(), report.groups.len()), (SKIPPED_MAX, GROUPS_MAX));
        assert_eq!((report.users_skipped, report.groups_failed), (1_000, 334));
        assert_eq!(report.groups_synced, 666);
        assert!(report.as_text().len() <= REPORT_BYTES_MAX);
        assert!(report.as_text().contains("\"usersSkipped\":1000"));
    }
}
