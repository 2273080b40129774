//! Accounts of the source: users, and organizations with their members and teams.

use futures::StreamExt;
use futures::stream;
use reqwest::Method;
use serde_json::{Value, json};

use super::api::{Api, escaped};
use super::comparing::{differing, settle, words};
use super::dtr_import::Import;
use super::tally::{Noun, Outcome};
use super::trouble::Trouble;
use crate::management::table::text;

const ACCOUNTS: &str = "/enzi/v0/accounts";
/// Where the old product kept its administrators; the name is reserved here.
/// Source: dtr-interface 11.1.
const SYSTEM_ORGANIZATION: &str = "docker-datacenter";

/// A team of an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Team {
    /// Its organization's name.
    pub organization: String,
    /// Its own.
    pub name: String,
}

/// Where an account is.
fn path_of(account: &str) -> String {
    format!("{ACCOUNTS}/{}", escaped(account))
}

impl Team {
    /// Where it is.
    fn path(&self) -> String {
        format!("{}/teams/{}", path_of(&self.organization), escaped(&self.name))
    }

    /// As it is called in a report.
    pub fn said(&self) -> String {
        format!("{}/{}", self.organization, self.name)
    }
}

/// Who is in a group of users.
struct Group {
    path: String,
    said: String,
}

impl Import {
    /// Users of the source.
    pub async fn users(&self) -> Result<(), Trouble> {
        let users = self.from.list(&format!("{ACCOUNTS}?filter=users"), "accounts").await?;
        let made = users.iter().map(|user| async move {
            let name = text(&user["name"]);
            let ended = self.account(&name, user, false).await;
            settle(&self.tally, (Noun::User, &name), ended)
        });
        let mut made = stream::iter(made).buffer_unordered(self.jobs);
        while let Some(ended) = made.next().await {
            ended?;
        }
        Ok(())
    }

    /// Organizations of the source with their members and teams; all teams that are at the
    /// destination then, or would be.
    pub async fn organizations(&self) -> Result<Vec<Team>, Trouble> {
        let list = format!("{ACCOUNTS}?filter=orgs");
        let (organizations, mut teams) = (self.from.list(&list, "accounts").await?, Vec::new());
        for organization in organizations {
            let name = text(&organization["name"]);
            if name == SYSTEM_ORGANIZATION {
                let why = "is the old product's own; administrators are made such by themselves";
                self.tally.remark(&name, why);
                continue;
            }
            let ended = self.account(&name, &organization, true).await;
            let is_there = ended.is_ok();
            settle(&self.tally, (Noun::Organization, &name), ended)?;
            if is_there {
                let path = path_of(&name);
                self.members(&Group { path, said: name.clone() }).await?;
                teams.extend(self.teams(&name).await?);
            }
        }
        Ok(teams)
    }

    /// Sees to it that there is such an account.
    async fn account(
        &self,
        name: &str,
        here: &Value,
        is_organization: bool,
    ) -> Result<Option<Outcome>, Trouble> {
        let Some(there) = self.to.get(&path_of(name)).await? else {
            return self.create(name, here, is_organization).await.map(Some);
        };
        if there["isOrg"].as_bool().unwrap_or(false) != is_organization {
            let kind = if is_organization { "a user" } else { "an organization" };
            return Err(Trouble::lasting(format!("the destination has {kind} of that name")));
        }
        // Whoever imports keeps their rights whatever the source says of its namesake.
        if self.to.account() == Some(name) {
            return Ok(Some(Outcome::Present));
        }
        let mut wanted = differing(here, &there, &["fullName", "isAdmin"]);
        if is_organization {
            wanted.remove("isAdmin");
        } else if here["isActive"] == false && there["isActive"] == true {
            // The other way round is how new users begin.
            wanted.insert("isActive".to_owned(), false.into());
        }
        let noun = if is_organization { Noun::Organization } else { Noun::User };
        let path = path_of(name);
        self.mend((noun, name), (Method::PATCH, &path), wanted.into(), &there).await
    }

    async fn create(
        &self,
        name: &str,
        here: &Value,
        is_organization: bool,
    ) -> Result<Outcome, Trouble> {
        let mut body = json!({"name": name, "fullName": text(&here["fullName"])});
        let is_active = here["isActive"] != false && self.passwords.are_known();
        if self.dry_run {
            let kind = if is_organization { "organization" } else { "user" };
            let how = match (is_organization, is_active) {
                (true, _) => "",
                (false, true) => "with a random password",
                (false, false) => "inactive",
            };
            self.tally.step(&format!("create {kind} {name}"), how);
            return Ok(Outcome::Brought);
        }
        if is_organization {
            body["isOrg"] = true.into();
        } else {
            let password = self.passwords.of(name)?;
            body["password"] = password.as_str().into();
            body["isAdmin"] = here["isAdmin"].as_bool().unwrap_or(false).into();
            body["isActive"] = is_active.into();
        }
        match self.to.change(Method::POST, ACCOUNTS, &body).await {
            // Our own request, of which the answer was lost, may have made it.
            Err(trouble) if trouble.says("ACCOUNT_EXISTS") => Ok(Outcome::Present),
            made => made.map(|_| Outcome::Brought),
        }
    }
}

/// Teams, and who is in what.
impl Import {
    async fn teams(&self, organization: &str) -> Result<Vec<Team>, Trouble> {
        let path = format!("{}/teams", path_of(organization));
        let mut teams = Vec::new();
        for here in self.from.list(&path, "teams").await? {
            let name = text(&here["name"]);
            let team = Team { organization: organization.to_owned(), name };
            let ended = self.team(&team, &here).await;
            let is_there = ended.is_ok();
            settle(&self.tally, (Noun::Team, &team.said()), ended)?;
            if is_there {
                self.members(&Group { path: team.path(), said: team.said() }).await?;
                teams.push(team);
            }
        }
        Ok(teams)
    }

    async fn team(&self, team: &Team, here: &Value) -> Result<Option<Outcome>, Trouble> {
        if let Some(there) = self.to.get(&team.path()).await? {
            let wanted = differing(here, &there, &["description"]);
            let (said, path) = (team.said(), team.path());
            let what = (Noun::Team, said.as_str());
            return self.mend(what, (Method::PATCH, &path), wanted.into(), &there).await;
        }
        if self.dry_run {
            self.tally.step(&format!("create team {}", team.said()), "");
            return Ok(Some(Outcome::Brought));
        }
        let path = format!("{}/teams", path_of(&team.organization));
        let body = json!({"name": team.name, "description": text(&here["description"])});
        match self.to.change(Method::POST, &path, &body).await {
            Err(trouble) if trouble.says("TEAM_EXISTS") => Ok(Some(Outcome::Present)),
            made => made.map(|_| Some(Outcome::Brought)),
        }
    }

    async fn members(&self, group: &Group) -> Result<(), Trouble> {
        let path = format!("{}/members", group.path);
        let here = self.from.list(&path, "members").await?;
        let there = there(&self.to, &path, "members").await?;
        let put = here.iter().map(|entry| {
            let there = &there;
            async move {
                let name = text(&entry["member"]["name"]);
                let known = there.iter().find(|it| it["member"]["name"] == name.as_str());
                let what = format!("{name} in {}", group.said);
                let ended = self.member((group, name.as_str()), &what, entry, known).await;
                settle(&self.tally, (Noun::Membership, &what), ended)
            }
        });
        let mut put = stream::iter(put).buffer_unordered(self.jobs);
        while let Some(ended) = put.next().await {
            ended?;
        }
        Ok(())
    }

    async fn member(
        &self,
        (group, name): (&Group, &str),
        what: &str,
        here: &Value,
        there: Option<&Value>,
    ) -> Result<Option<Outcome>, Trouble> {
        let is_admin = here["isAdmin"].as_bool().unwrap_or(false);
        let (path, body) =
            (format!("{}/members/{}", group.path, escaped(name)), json!({"isAdmin": is_admin}));
        if let Some(there) = there {
            let wanted = differing(here, there, &["isAdmin"]);
            let what = (Noun::Membership, what);
            return self.mend(what, (Method::PUT, &path), wanted.into(), there).await;
        }
        if self.dry_run {
            self.tally.step(&format!("add {what}"), if is_admin { "as administrator" } else { "" });
            return Ok(Some(Outcome::Brought));
        }
        match self.to.change(Method::PUT, &path, &body).await {
            Err(trouble) if trouble.is_missing() && self.no_users => {
                self.tally.remark(what, "the destination has no such user");
                Ok(None)
            }
            put => put.map(|_| Some(Outcome::Brought)),
        }
    }

    /// What is to be done about differences: nothing where there are none, told where they are to
    /// stay, else changed.
    pub async fn mend(
        &self,
        (noun, what): (Noun, &str),
        (method, path): (Method, &str),
        wanted: Value,
        there: &Value,
    ) -> Result<Option<Outcome>, Trouble> {
        let fields = wanted.as_object().cloned().unwrap_or_default();
        if fields.is_empty() {
            return Ok(Some(Outcome::Present));
        }
        let words = words(&fields, there);
        if !self.update {
            self.tally.differs(noun, what, &words);
            return Ok(None);
        }
        if self.dry_run {
            self.tally.step(&format!("change {what}"), &words);
            return Ok(Some(Outcome::Brought));
        }
        self.to.change(method, path, &wanted).await.map(|_| Some(Outcome::Brought))
    }
}

/// A list of the destination; empty where what it belongs to is not there yet.
pub async fn there(to: &Api, path: &str, field: &str) -> Result<Vec<Value>, Trouble> {
    match to.list(path, field).await {
        Err(trouble) if trouble.is_missing() => Ok(Vec::new()),
        list => list,
    }
}
