//! `holdfast access`: what somebody may do, and why.

use clap::builder::{FalseyValueParser, PossibleValuesParser};
use clap::{Args, Subcommand};
use metadata::access::Action;
use reqwest::Method;
use serde_json::Value;

use super::name::Repository;
use super::remote::{RemoteFlags, say};
use super::table::{cell, text};
use crate::exit::Stop;

const PATH: &str = "/api/v0/access/check";

/// `access explain`.
#[derive(Args)]
pub struct AccessArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Says whether a user may do something with a repository, and what decides it
    ///
    /// Exit status 0 whatever the answer is; a program reads `allowed` of --json.
    #[command(after_help = example!(
        "holdfast access explain --user bob --repository acme/web --action push",
        "holdfast access explain --anonymous --repository acme/web --action pull"
    ))]
    Explain {
        /// Who; without it, the account that asks
        #[arg(long, value_name = "NAME", env = "HOLDFAST_USER")]
        user: Option<String>,

        /// Who did not sign in, instead of a user
        #[arg(
            long,
            conflicts_with = "user",
            env = "HOLDFAST_ANONYMOUS",
            value_parser = FalseyValueParser::new()
        )]
        anonymous: bool,

        /// With which, NAMESPACE/NAME; it need not exist
        #[arg(long, value_name = "REPOSITORY", env = "HOLDFAST_REPOSITORY")]
        repository: Repository,

        /// What
        #[arg(
            long,
            env = "HOLDFAST_ACTION",
            value_parser = PossibleValuesParser::new(Action::ALL.iter().map(|(word, _)| *word))
        )]
        action: String,

        #[command(flatten)]
        remote: RemoteFlags,
    },
}

impl AccessArgs {
    /// Does what was asked for.
    pub async fn run(&self) -> Result<(), Stop> {
        let Verb::Explain { user, anonymous, repository, action, remote } = &self.verb;
        let client = remote.client()?;
        let mut query = vec![("repository", repository.to_string()), ("action", action.clone())];
        query.extend(user.clone().map(|user| ("user", user)));
        query.extend(anonymous.then(|| ("anonymous", "true".to_owned())));
        let request = client.request(Method::GET, PATH).query(&query);
        let answer = client.json(request).await?;
        if remote.is_json() {
            return remote.print(&answer, &[]);
        }
        say(&words(&answer))
    }
}

/// An answer in sentences.
fn words(answer: &Value) -> String {
    let said = |key: &str| cell(&text(&answer[key]));
    let (action, repository, user) = (said("action"), said("repository"), said("user"));
    let is_anonymous = user.is_empty();
    let user = if is_anonymous { "somebody who did not sign in" } else { &user };
    let judged = if answer["allowed"] == true { "allowed" } else { "not allowed" };
    let mut words = format!("{action} on {repository}: {judged} for {user}");
    let explanation = said("explanation");
    if !explanation.is_empty() {
        words += &format!("\n{explanation}");
    }
    // Whoever did not sign in, or cannot, is told just that.
    if answer["visible"] == false && !is_anonymous && answer["rule"] != "account-inactive" {
        words += "\nThey are told that there is no such repository.";
    }
    words
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_reads_as_sentences() {
        let answer = json!({
            "user": "bob", "repository": "acme/web", "action": "push", "allowed": true,
            "visible": true, "level": "read-write", "rule": "repository-grant",
            "team": "builders", "explanation": "bob is in the team builders.",
        });
        assert_eq!(
            words(&answer),
            "push on acme/web: allowed for bob\nbob is in the team builders."
        );
        let answer = json!({
            "user": "eve", "repository": "acme/web", "action": "pull", "allowed": false,
            "visible": false, "rule": "no-grant",
        });
        assert_eq!(
            words(&answer),
            "pull on acme/web: not allowed for eve\n\
             They are told that there is no such repository."
        );
        let answer = json!({
            "user": "", "repository": "acme/web", "action": "pull", "allowed": false,
            "visible": false, "rule": "no-grant",
        });
        assert_eq!(
            words(&answer),
            "pull on acme/web: not allowed for somebody who did not sign in"
        );
    }
}
