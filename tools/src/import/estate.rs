//! Repositories of the source with their settings, and what teams were granted.

use futures::StreamExt;
use futures::stream;
use oci::name::RepositoryName;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::api::escaped;
use super::comparing::{differing, settle, words};
use super::content::Place;
use super::destination;
use super::dtr_import::Import;
use super::people::{Team, there};
use super::tally::{Noun, Outcome};
use super::trouble::Trouble;
use crate::management::table::text;

/// What of a repository is brought.
const SETTINGS: &[&str] = &[
    "visibility",
    "shortDescription",
    "longDescription",
    "immutableTags",
    "scanOnPush",
    "tagLimit",
];
/// What the destination may not take yet, or not beside the rest.
const OPTIONAL: &[&str] = &["scanOnPush", "tagLimit"];

impl Import {
    /// Repositories of the source; those that are at the destination then, or would be. Where only
    /// content is brought, settings of what is there already are not looked at.
    pub async fn repositories(&self, with_settings: bool) -> Result<Vec<Place>, Trouble> {
        let all = self.from.list("/api/v0/repositories", "repositories").await?;
        let chosen = all.iter().filter_map(|it| {
            let name = format!("{}/{}", text(&it["namespace"]), text(&it["name"]));
            self.choice.takes(&name).then_some(name)
        });
        let made = chosen.map(|name| async move {
            let ended = self.repository(&name, with_settings).await;
            let is_there = ended.is_ok();
            settle(&self.tally, (Noun::Repository, &name), ended)?;
            Ok::<_, Trouble>(is_there.then(|| Place { from: name.clone(), to: name }))
        });
        let mut made = stream::iter(made).buffer_unordered(self.jobs);
        let mut places = Vec::new();
        while let Some(place) = made.next().await {
            places.extend(place?);
        }
        places.sort_by(|one, other| one.from.cmp(&other.from));
        Ok(places)
    }

    async fn repository(
        &self,
        name: &str,
        with_settings: bool,
    ) -> Result<Option<Outcome>, Trouble> {
        let parsed = RepositoryName::parse(name).map_err(|e| Trouble::lasting(e.to_string()))?;
        let (_, path) = destination::path_of(&parsed);
        let there = self.to.get(&path).await?;
        if let (Some(_), false) = (&there, with_settings) {
            return Ok(Some(Outcome::Present));
        }
        // A list has not all that is said of one.
        let here = self.from.get(&path).await?;
        let here = here.ok_or_else(|| Trouble::lasting("was deleted at the source meanwhile"))?;
        match there {
            Some(there) => self.settings(name, &here, &there).await,
            None => self.create_repository(&parsed, &here).await,
        }
    }

    async fn create_repository(
        &self,
        name: &RepositoryName,
        here: &Value,
    ) -> Result<Option<Outcome>, Trouble> {
        let said = SETTINGS.iter().filter(|field| !here[**field].is_null());
        let mut settings: Map<String, Value> =
            said.map(|field| ((*field).to_owned(), here[*field].clone())).collect();
        if self.dry_run {
            let what = format!("create repository {}", name.as_str());
            self.tally.step(&what, &text(&here["visibility"]));
            return Ok(Some(Outcome::Brought));
        }
        let made = destination::create(&self.to, name, settings.clone().into()).await;
        match made {
            Ok(_) => Ok(Some(Outcome::Brought)),
            Err(trouble) => {
                let left = take_optional(&mut settings, &trouble);
                if left.is_empty() {
                    return Err(advised(trouble, name));
                }
                destination::create(&self.to, name, settings.into()).await?;
                let how = format!("{}; {}", words(&left, &Value::Null), trouble.text);
                self.tally.differs(Noun::Repository, name.as_str(), &how);
                Ok(None)
            }
        }
    }

    async fn settings(
        &self,
        name: &str,
        here: &Value,
        there: &Value,
    ) -> Result<Option<Outcome>, Trouble> {
        let mut wanted = differing(here, there, SETTINGS);
        let path = format!("/api/v0/repositories/{name}");
        let what = (Noun::Repository, name);
        let changed = self.mend(what, (Method::PATCH, &path), wanted.clone().into(), there).await;
        let Err(trouble) = changed else { return changed };
        let left = take_optional(&mut wanted, &trouble);
        if left.is_empty() {
            return Err(trouble);
        }
        self.mend(what, (Method::PATCH, &path), wanted.into(), there).await?;
        let how = format!("{}; {}", words(&left, there), trouble.text);
        self.tally.differs(Noun::Repository, name, &how);
        Ok(None)
    }
}

/// Grants.
impl Import {
    /// What these teams were granted at the source.
    pub async fn grants(&self, teams: &[Team]) -> Result<(), Trouble> {
        let granted = teams.iter().map(|team| self.grants_of(team));
        let mut granted = stream::iter(granted).buffer_unordered(self.jobs);
        while let Some(ended) = granted.next().await {
            ended?;
        }
        Ok(())
    }

    async fn grants_of(&self, team: &Team) -> Result<(), Trouble> {
        let (organization, name) = (escaped(&team.organization), escaped(&team.name));
        let all = format!("/api/v0/repositoryNamespaces/{organization}/teamAccess/{name}");
        if let Some(here) = self.from.get(&all).await? {
            let there = self.to.get(&all).await?;
            let said = format!("{} on all of {}", team.name, team.organization);
            let ended = self.grant(&said, &all, &here["accessLevel"], there.as_ref()).await;
            settle(&self.tally, (Noun::Grant, &said), ended)?;
        }
        let list = format!("/api/v0/accounts/{organization}/teams/{name}/repositoryAccess");
        let here = self.from.list(&list, "repositoryAccessList").await?;
        let known = there(&self.to, &list, "repositoryAccessList").await?;
        for entry in here {
            let repository = full_name(&entry["repository"]);
            if !self.choice.takes(&repository) {
                continue;
            }
            let said = format!("{} on {repository}", team.name);
            let path = format!("/api/v0/repositories/{repository}/teamAccess/{name}");
            let there = known.iter().find(|it| full_name(&it["repository"]) == repository);
            let ended = match RepositoryName::parse(&repository) {
                Ok(_) => self.grant(&said, &path, &entry["accessLevel"], there).await,
                Err(error) => Err(Trouble::lasting(error.to_string())),
            };
            settle(&self.tally, (Noun::Grant, &said), ended)?;
        }
        Ok(())
    }

    async fn grant(
        &self,
        said: &str,
        path: &str,
        level: &Value,
        there: Option<&Value>,
    ) -> Result<Option<Outcome>, Trouble> {
        let here = json!({"accessLevel": level});
        if let Some(there) = there {
            let wanted = differing(&here, there, &["accessLevel"]);
            let what = (Noun::Grant, said);
            return self.mend(what, (Method::PUT, path), wanted.into(), there).await;
        }
        if self.dry_run {
            self.tally.step(&format!("grant {said}"), &text(level));
            return Ok(Some(Outcome::Brought));
        }
        self.to.change(Method::PUT, path, &here).await.map(|_| Some(Outcome::Brought))
    }
}

/// Takes out what the destination may have refused the whole for; nothing where that is not it.
fn take_optional(settings: &mut Map<String, Value>, trouble: &Trouble) -> Map<String, Value> {
    let mut left = Map::new();
    let is_named = OPTIONAL.iter().any(|field| trouble.text.contains(field));
    if !is_named || trouble.may_pass() {
        return left;
    }
    for field in OPTIONAL {
        let is_set = |value: &Value| *value == true || value.as_u64().is_some_and(|it| it > 0);
        if let Some(value) = settings.remove(*field).filter(is_set) {
            left.insert((*field).to_owned(), value);
        }
    }
    left
}

fn full_name(repository: &Value) -> String {
    format!("{}/{}", text(&repository["namespace"]), text(&repository["name"]))
}

fn advised(trouble: Trouble, name: &RepositoryName) -> Trouble {
    if !trouble.says("NO_SUCH_ACCOUNT") {
        return trouble;
    }
    let namespace = name.namespace();
    Trouble {
        text: format!(
            "the destination has no account {namespace}: create it, or leave out --no-users and \
             --content-only"
        ),
        ..trouble
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_destination_does_not_take_is_left_out_and_told() {
        let settings = |limit: u64| {
            let all = json!({"visibility": "public", "tagLimit": limit, "scanOnPush": false});
            all.as_object().cloned().unwrap()
        };
        let refused = Trouble::lasting("400: INVALID_PARAMETERS: tagLimit is not there yet");
        let mut one = settings(7);
        let left = take_optional(&mut one, &refused);
        assert_eq!(Value::from(left), json!({"tagLimit": 7}));
        assert_eq!(Value::from(one), json!({"visibility": "public"}));
        assert!(take_optional(&mut settings(0), &refused).is_empty());
        let other = Trouble::lasting("400: INVALID_PARAMETERS: shortDescription is too long");
        assert!(take_optional(&mut settings(7), &other).is_empty());
    }
}
