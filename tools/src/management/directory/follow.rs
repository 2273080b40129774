//! `holdfast directory follow`: a team, or an organization's owners, are those of the directory.

use clap::builder::FalseyValueParser;
use clap::{ArgGroup, Args};
use reqwest::Method;
use serde_json::{Value, json};

use crate::exit::Stop;
use crate::management::account;
use crate::management::name::Name;
use crate::management::remote::{Change, RemoteFlags};

// What is followed: a group, what a search finds, or nobody.
#[derive(Args)]
#[command(group = ArgGroup::new("whom").args(["group", "search_base", "nobody"]).required(true))]
pub(super) struct FollowArgs {
    /// The organization, by name or id
    organization: Name,

    /// One of its teams, by name or id; without one its owners follow
    team: Option<Name>,

    /// The members of this group
    #[arg(long, value_name = "DN", env = "HOLDFAST_GROUP")]
    group: Option<String>,

    /// Which attribute of the group names its members
    #[arg(long, value_name = "ATTRIBUTE", default_value = "member", env = "HOLDFAST_MEMBER_ATTR")]
    member_attr: String,

    /// Whoever is found below this entry
    #[arg(long, value_name = "DN", env = "HOLDFAST_SEARCH_BASE")]
    search_base: Option<String>,

    /// Which entries there
    #[arg(long, value_name = "FILTER", default_value = "", env = "HOLDFAST_SEARCH_FILTER")]
    search_filter: String,

    /// Nobody any more; whoever is in it stays
    #[arg(long, env = "HOLDFAST_NOBODY", value_parser = FalseyValueParser::new())]
    nobody: bool,

    #[command(flatten)]
    remote: RemoteFlags,
}

impl FollowArgs {
    pub(super) async fn run(&self) -> Result<(), Stop> {
        let organization = account::path(&self.organization);
        let (path, who) = match &self.team {
            Some(team) => (
                format!("{organization}/teams/{}/memberSyncConfig", team.part()),
                format!("the team {team} of {}", self.organization),
            ),
            None => (
                format!("{organization}/adminMemberSyncConfig"),
                format!("the owners of {}", self.organization),
            ),
        };
        let done = if self.nobody {
            format!("{who} follow the directory no more")
        } else {
            format!("{who} follow the directory from the next sync on")
        };
        let change = Change { method: Method::PUT, path, body: Some(self.body()), done: &done };
        self.remote.change(change).await
    }

    fn body(&self) -> Value {
        if self.nobody {
            return json!({ "enableSync": false });
        }
        match &self.group {
            Some(group) => json!({
                "enableSync": true,
                "selectGroupMembers": true,
                "groupDN": group,
                "groupMemberAttr": self.member_attr,
            }),
            None => json!({
                "enableSync": true,
                "searchBaseDN": self.search_base,
                "searchScopeSubtree": true,
                "searchFilter": self.search_filter,
            }),
        }
    }
}
