//! What a token grants: what is due of what was asked.

use auth::scope::Scope;
use consensus::cluster::Freshness;
use edge::caller::Caller;
use edge::context::Context;
use edge::problem::Problem;
use metadata::access::{self, Action};
use oci::name::RepositoryName;

const ACTIONS: [(&str, Action); 4] = [
    ("pull", Action::Pull),
    ("push", Action::Push),
    ("delete", Action::Delete),
    ("*", Action::Administer),
];

/// What the caller's rights hold of what was asked, and the access token that they signed in with,
/// where it was made for something in particular.
pub(super) async fn granted(
    context: &Context,
    caller: &Caller,
    scopes: Vec<Scope>,
) -> Result<Vec<Scope>, Problem> {
    let who = caller.as_metadata();
    let read = context.cluster.read(Freshness::Local, |view| {
        let mut granted = Vec::new();
        for mut scope in scopes {
            if scope.kind == "registry" {
                scope.actions.retain(|_| scope.name == "catalog" && who.account.is_some());
            } else if let Ok(repository) = RepositoryName::parse(&scope.name) {
                let mut held = Vec::new();
                for (word, action) in ACTIONS {
                    let decision = access::judge(view, &who, &repository, action)?;
                    if decision.allowed || decision.visible && is_for_missing(decision.reason) {
                        held.push(word);
                    }
                }
                scope.actions = due(&scope.actions, &held);
            } else {
                scope.actions.clear();
            }
            let covers = |action: &String| caller.identity.covers(&scope.kind, &scope.name, action);
            scope.actions.retain(covers);
            if !scope.actions.is_empty() {
                granted.push(scope);
            }
        }
        Ok(granted)
    });
    Ok(read.await?)
}

/// A repository that does not exist yet is no reason to withhold what its owner will have.
fn is_for_missing(reason: access::Reason) -> bool {
    matches!(reason, access::Reason::RepositoryMissing | access::Reason::CreateOnPushOff)
}

/// The asked actions that are held; `*` asks for all that is.
fn due(asked: &[String], held: &[&str]) -> Vec<String> {
    let asks_all = asked.iter().any(|asked| asked == "*");
    let is_due = |held: &&&str| asks_all || asked.iter().any(|asked| asked == **held);
    held.iter().filter(is_due).map(|held| (*held).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::due;

    #[test]
    fn a_token_grants_what_is_held_of_what_was_asked() {
        let cases: [(&[&str], &[&str], &[&str]); 5] = [
            (&["pull", "push"], &["pull"], &["pull"]),
            (&["pull"], &["pull", "push", "delete", "*"], &["pull"]),
            (&["*"], &["pull", "push"], &["pull", "push"]),
            (&["*"], &["pull", "push", "delete", "*"], &["pull", "push", "delete", "*"]),
            (&["push"], &[], &[]),
        ];
        for (asked, held, expected) in cases {
            let asked: Vec<String> = asked.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(due(&asked, held), expected, "{asked:?} of {held:?}");
        }
    }
}
