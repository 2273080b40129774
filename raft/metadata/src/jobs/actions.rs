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

/// Every action.
pub const ACTIONS: &[Action] = &[
    Action { name: "false", is_single: false },
    Action { name: LDAP_SYNC, is_single: true },
    Action { name: "license_update", is_single: false },
    Action { name: "onlinegc_events", is_single: true },
    Action { name: "onlinegc_joblogs", is_single: true },
    Action { name: "rotate_token_key", is_single: true },
    Action { name: "sleep", is_single: false },
];

/// What is known of the action of that name.
pub fn find(name: &str) -> Option<Action> {
    ACTIONS.iter().copied().find(|action| action.name == name)
}

#[cfg(test)]
mod tests {
    use super::ACTIONS;

    #[test]
    fn actions_stand_in_order_and_once() {
        assert!(ACTIONS.is_sorted_by(|one, other| one.name < other.name));
    }
}
