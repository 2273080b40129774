//! `/api/v0/access/check`: whether somebody may do something with a repository, and why.
//!
//! It is answered by the rules that decide requests, so it says what a request would come to.
//! Everyone may ask about themselves and about nobody in particular; about others a system
//! administrator, and on their repositories those who administer them. Of a repository that the
//! asker may not see, the answer is the same as of one that does not exist.

use axum::response::Response;
use consensus::cluster::Freshness;
use edge::answer;
use edge::problem::{AccountProblem, Problem};
use edge::query::Query;
use http::StatusCode;
use metadata::access::{self, Action, Caller, Decision, Level, Reason, Rule};
use metadata::tables::{Damage, Read};
use metadata::teams::{self, Team};
use oci::name::RepositoryName;
use serde_json::{Value, json};

use crate::call::Call;
use crate::reading::read;
use crate::reference;

mod explanation;

/// About whom it is asked.
#[derive(Debug, PartialEq, Eq)]
enum Subject {
    /// Whoever asks.
    Asker,
    /// Somebody who did not sign in.
    Nobody,
    /// The user of that name or id.
    User(String),
}

/// What is asked.
#[derive(Debug, PartialEq, Eq)]
struct Question {
    subject: Subject,
    repository: RepositoryName,
    word: &'static str,
    action: Action,
}

impl Question {
    fn read(query: &Query) -> Result<Self, Problem> {
        let user = query.first("user").unwrap_or_default();
        let subject = match (user, query.first("anonymous") == Some("true")) {
            ("", true) => Subject::Nobody,
            ("", false) => Subject::Asker,
            (name, false) => Subject::User(name.to_owned()),
            (_, true) => {
                let text = "give user or anonymous=true, not both";
                return Err(Problem::Parameter(text.to_owned()));
            }
        };
        let repository = query.first("repository").unwrap_or_default();
        if !repository.contains('/') {
            let text = "repository is namespace/name";
            return Err(Problem::Parameter(text.to_owned()));
        }
        let repository = RepositoryName::parse(repository)?;
        let asked = query.first("action").unwrap_or_default();
        let known = Action::ALL.iter().find(|(word, _)| *word == asked);
        let (word, action) = *known.ok_or_else(|| {
            let words: Vec<&str> = Action::ALL.iter().map(|(word, _)| *word).collect();
            Problem::Parameter(format!("action is one of {}", words.join(", ")))
        })?;
        Ok(Self { subject, repository, word, action })
    }
}

/// What was found, with what a person needs to understand it.
struct Finding<'a> {
    question: &'a Question,
    /// The user's name; `None` for nobody.
    user: Option<&'a str>,
    decision: Decision,
    /// The team whose grant decides.
    team: Option<Team>,
    /// Whether the asker administers the repository, and may be told all.
    asker_administers: bool,
}

/// Answers it.
pub async fn check(call: Call) -> Result<Response, Problem> {
    let who = call.signed_in().await?.as_metadata();
    let question = Question::read(&call.query)?;
    let read = read(&call.context.cluster, Freshness::Local, |view| judge(view, &who, &question));
    Ok(answer::json(StatusCode::OK, &read.await?))
}

fn judge(read: &impl Read, who: &Caller, question: &Question) -> Result<Value, Problem> {
    let repository = &question.repository;
    let own = access::judge(read, who, repository, Action::Administer)?;
    let asker_administers = own.level >= Level::Admin;
    let user = subject(read, who, question, &own)?;
    let caller = match &user {
        Some(name) => access::caller(read, name)?,
        None => Some(Caller::default()),
    };
    let Some(caller) = caller else { return Ok(inactive(question, user.as_deref())) };
    let decision = access::judge(read, &caller, repository, question.action)?;
    let team = team(read, decision.rule)?;
    let user = user.as_deref();
    let finding = Finding { question, user, decision, team, asker_administers };
    shown(read, &finding).map_err(Problem::from)
}

/// The name of the user about whom it is asked, where the asker may; `None` for nobody.
fn subject(
    read: &impl Read,
    who: &Caller,
    question: &Question,
    own: &Decision,
) -> Result<Option<String>, Problem> {
    let text = match &question.subject {
        Subject::Asker => return Ok(who.account.clone()),
        Subject::Nobody => return Ok(None),
        Subject::User(text) => text,
    };
    let found = reference::user(read, text)?;
    match found {
        Ok((name, row)) if who.id == Some(row.id) || own.level >= Level::Admin => Ok(Some(name)),
        Err(_) if own.level >= Level::Admin => {
            Err(AccountProblem::UserUnknown { name: text.chars().take(128).collect() }.into())
        }
        _ if own.visible => {
            let (repository, reason) = (question.repository.clone(), Reason::AdminRequired);
            Err(Problem::Denied { repository, reason })
        }
        _ => Err(Problem::RepositoryUnknown { repository: question.repository.clone() }),
    }
}

/// The team of a grant; one that was deleted gives nobody anything.
fn team(read: &impl Read, rule: Rule) -> Result<Option<Team>, Damage> {
    match rule {
        Rule::NamespaceGrant(team) | Rule::RepositoryGrant(team) => teams::find_by_id(read, &team),
        _ => Ok(None),
    }
}

fn shown(read: &impl Read, finding: &Finding<'_>) -> Result<Value, Damage> {
    let Finding { question, user, decision, team, .. } = finding;
    let mut shown = json!({
        "user": user.unwrap_or_default(),
        "repository": question.repository.as_str(),
        "action": question.word,
        "allowed": decision.allowed,
        "visible": decision.visible,
        "level": decision.level.word(),
        "rule": word(decision.rule),
        "explanation": explanation::of(read, finding)?,
    });
    if let Some(team) = team {
        shown["team"] = team.name.as_str().into();
    }
    Ok(shown)
}

/// The answer about a user who may not sign in.
fn inactive(question: &Question, user: Option<&str>) -> Value {
    let user = user.unwrap_or_default();
    json!({
        "user": user,
        "repository": question.repository.as_str(),
        "action": question.word,
        "allowed": false,
        "visible": false,
        "level": Level::Nothing.word(),
        "rule": "account-inactive",
        "explanation": format!("{user} is inactive and may not sign in; an administrator can \
                                activate the account."),
    })
}

/// A rule's word, which stays as it is.
fn word(rule: Rule) -> &'static str {
    match rule {
        Rule::NoGrant => "no-grant",
        Rule::SystemAdministrator => "system-administrator",
        Rule::OwnNamespace => "own-namespace",
        Rule::OrganizationOwner => "organization-owner",
        Rule::NamespaceGrant(_) => "namespace-grant",
        Rule::RepositoryGrant(_) => "repository-grant",
        Rule::PublicRepository => "public-repository",
    }
}

#[cfg(test)]
mod tests {
    use edge::query::Query;
    use metadata::access::Action;

    use super::{Question, Subject};

    fn read(query: &str) -> Result<Question, String> {
        Question::read(&Query::parse(Some(query))).map_err(|problem| problem.to_string())
    }

    #[test]
    fn a_question_says_about_whom_and_what() {
        let cases = [
            ("", Subject::Asker),
            ("user=&", Subject::Asker),
            ("user=ann&", Subject::User("ann".to_owned())),
            ("anonymous=true&", Subject::Nobody),
            ("user=&anonymous=true&", Subject::Nobody),
            ("user=ann&anonymous=false&", Subject::User("ann".to_owned())),
        ];
        for (query, subject) in cases {
            let question = read(&format!("{query}repository=a/b&action=see-events")).unwrap();
            assert_eq!(question.subject, subject, "{query}");
            assert_eq!((question.word, question.action), ("see-events", Action::SeeEvents));
        }
    }

    #[test]
    fn what_does_not_read_is_refused_with_what_would() {
        let cases = [
            ("repository=a/b&action=fly", "pull, push, delete"),
            ("repository=a/b", "see-all-events"),
            ("action=pull", "namespace/name"),
            ("repository=a&action=pull", "namespace/name"),
            ("repository=A/b&action=pull", "lower-case"),
            ("repository=a/b&action=pull&user=ann&anonymous=true", "not both"),
        ];
        for (query, said) in cases {
            let refused = read(query).unwrap_err();
            assert!(refused.contains(said), "{query}: {refused}");
        }
    }
}
