//! Why a decision fell as it did, in a sentence.
//!
//! First what gives the user the rights they have, then what that means for what was asked. Who
//! does not administer the repository hears nothing that depends on whether it exists, unless the
//! one they ask about may see it.

use metadata::access::{Level, Reason, Rule};
use metadata::accounts::{self, AccountKind};
use metadata::organizations;
use metadata::tables::{Damage, Read};

use super::Finding;

/// The sentence.
pub(super) fn of(read: &impl Read, finding: &Finding<'_>) -> Result<String, Damage> {
    Ok(format!("{}; {}.", basis(read, finding)?, consequence(finding)))
}

/// What gives the rights there are, or why there are none.
fn basis(read: &impl Read, finding: &Finding<'_>) -> Result<String, Damage> {
    let repository = &finding.question.repository;
    let namespace = repository.namespace();
    let user = finding.user.unwrap_or("nobody");
    let team = finding.team.as_ref().map_or("a team", |team| team.name.as_str());
    let level = finding.decision.level.word();
    Ok(match finding.decision.rule {
        Rule::SystemAdministrator => format!("{user} is a system administrator"),
        Rule::OwnNamespace => format!("{namespace} is the user's own namespace"),
        Rule::OrganizationOwner => format!("{user} owns the organization {namespace}"),
        Rule::NamespaceGrant(_) => format!(
            "{user} is in the team {team}, which was granted {level} on all repositories of \
             {namespace}"
        ),
        Rule::RepositoryGrant(_) => {
            format!("{user} is in the team {team}, which was granted {level} on {repository}")
        }
        Rule::PublicRepository => format!("{repository} is public, so everyone may read it"),
        Rule::NoGrant => return lack(read, finding),
    })
}

/// Why there are no rights.
fn lack(read: &impl Read, finding: &Finding<'_>) -> Result<String, Damage> {
    let repository = &finding.question.repository;
    let namespace = repository.namespace();
    let Some(user) = finding.user else {
        return Ok(format!("{repository} is not public, if it exists"));
    };
    if !finding.asker_administers {
        return Ok(format!("{user} was granted nothing on {repository}, if it exists"));
    }
    let Some(owner) = accounts::find(read, namespace)? else {
        return Ok(format!("there is no account {namespace}"));
    };
    if owner.kind == AccountKind::User {
        return Ok(format!("{namespace} is a user, who shares private repositories with nobody"));
    }
    let member = match accounts::find(read, user)? {
        Some(row) => organizations::member(read, &owner.id, &row.id)?,
        None => None,
    };
    Ok(match member {
        Some(_) => format!("no team of {namespace} that {user} is in was granted {repository}"),
        None => format!("{user} is not a member of the organization {namespace}"),
    })
}

/// What the rights mean for what was asked.
fn consequence(finding: &Finding<'_>) -> String {
    let (word, repository) = (finding.question.word, &finding.question.repository);
    match finding.decision.reason {
        Reason::Permitted => format!("that is enough for {word}"),
        Reason::SignInRequired => format!("{word} needs a user who signed in and has the right"),
        Reason::ReadRequired | Reason::AccountInactive => format!("{word} is refused"),
        Reason::WriteRequired => format!("{word} needs {}", Level::Write.word()),
        Reason::AdminRequired => format!("{word} needs {}", Level::Admin.word()),
        Reason::RepositoryMissing => format!("there is no repository {repository}"),
        Reason::CreateOnPushOff => format!(
            "there is no repository {repository}, and a push does not create it while the setting \
             createRepositoryOnPush is off"
        ),
    }
}
