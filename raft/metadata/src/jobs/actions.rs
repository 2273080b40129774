//! What jobs do: every action that this version carries out.
//!
//! The work itself is done by replicas, not here; a test of theirs says that each action of this
//! list has its worker.

/// What is known of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    /// Its name, in lower case with underscores.
    pub name: &'static str,
    /// Whether only one job of it runs at a time, whichever replica does it.
    pub is_single: bool,
}

/// The directory's sync: its cron follows the directory's settings.
pub const LDAP_SYNC: &str = "ldap_sync";

/// Collection, as its cron calls it.
pub const COLLECTION: &str = "onlinegc";

/// The actions that take content out of use: one job of all of them runs at a time.
pub const COLLECTIONS: &[&str] = &["gc", COLLECTION, "onlinegc_blobs", "onlinegc_metadata"];

/// Every action.
pub const ACTIONS: &[Action] = &[
    Action { name: "false", is_single: false },
    Action { name: "gc", is_single: true },
    Action { name: LDAP_SYNC, is_single: true },
    Action { name: "license_update", is_single: false },
    Action { name: COLLECTION, is_single: true },
    Action { name: "onlinegc_blobs", is_single: true },
    Action { name: "onlinegc_events", is_single: true },
    Action { name: "onlinegc_joblogs", is_single: true },
    Action { name: "onlinegc_metadata", is_single: true },
    Action { name: "rotate_token_key", is_single: true },
    Action { name: "sleep", is_single: false },
];

/// What is known of the action of that name.
pub fn find(name: &str) -> Option<Action> {
    ACTIONS.iter().copied().find(|action| action.name == name)
}

/// Whether a job of the one action waits while one of the other runs.
pub fn exclude_each_other(one: &str, other: &str) -> bool {
    let is_single = find(one).is_some_and(|action| action.is_single);
    is_single && one == other || COLLECTIONS.contains(&one) && COLLECTIONS.contains(&other)
}

#[cfg(test)]
mod tests {
    use super::{ACTIONS, COLLECTIONS, exclude_each_other, find};

    #[test]
    fn one_collection_runs_at_a_time_under_whatever_name() {
        assert!(COLLECTIONS.iter().all(|name| find(name).is_some()));
        let cases = [
            ("gc", "onlinegc", true),
            ("onlinegc_blobs", "onlinegc_metadata", true),
            ("onlinegc", "onlinegc_joblogs", false),
            ("onlinegc_joblogs", "onlinegc_joblogs", true),
            ("sleep", "sleep", false),
        ];
        for (one, other, is_so) in cases {
            assert_eq!(exclude_each_other(one, other), is_so, "{one} {other}");
        }
    }

    #[test]
    fn actions_stand_in_order_and_once() {
        assert!(ACTIONS.is_sorted_by(|one, other| one.name < other.name));
    }
}
