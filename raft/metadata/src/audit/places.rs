//! Deeds to repositories: what is in them, and which teams may use them.

use super::deed::Deed;
use super::people::team_name;
use crate::command::Command;
use crate::grants::Level;
use crate::repositories::Visibility;
use crate::repositories::commands::{RepositoryCreate, RepositoryUpdate};
use crate::tables::{Damage, Read};
use crate::tags::{self, TagDelete};

pub(super) fn told(read: &impl Read, command: &Command) -> Result<Option<Deed>, Damage> {
    Ok(Some(match command {
        Command::RepositoryCreate(create) => created(create),
        Command::RepositoryUpdate(update) => updated(update),
        Command::RepositoryDelete(delete) => {
            let object = ("repository", delete.repository.as_str());
            Deed::new(&delete.actor, "repository.delete", object)
        }
        Command::RepositoriesDelete(delete) => {
            Deed::new(&delete.actor, "repository.delete-many", ("account", &delete.namespace))
        }
        Command::ManifestDelete(delete) => {
            let manifest = format!("{}@{}", delete.repository, delete.digest);
            Deed::new(&delete.actor, "manifest.delete", ("manifest", &manifest))
        }
        Command::BlobUnlink(unlink) => {
            let blob = format!("{}@{}", unlink.repository, unlink.digest);
            Deed::new(&unlink.actor, "blob.delete", ("blob", &blob))
        }
        Command::TagDelete(delete) => deleted(read, delete)?,
        Command::TagUndelete(undelete) => {
            let tag = format!("{}:{}", undelete.repository, undelete.tag);
            Deed::new(&undelete.actor, "tag.undelete", ("tag", &tag))
        }
        Command::RepositoryGrantPut(put) => {
            let object = ("repository", put.repository.as_str());
            let deed = Deed::new(&put.actor, "grant.put", object);
            deed.with("team", team_name(read, &put.team)?).with("level", level(put.level))
        }
        Command::RepositoryGrantDelete(delete) => {
            let object = ("repository", delete.repository.as_str());
            let deed = Deed::new(&delete.actor, "grant.delete", object);
            deed.with("team", team_name(read, &delete.team)?)
        }
        Command::NamespaceGrantPut(put) => {
            let deed = Deed::new(&put.actor, "grant.put", ("account", &put.namespace));
            deed.with("team", team_name(read, &put.team)?).with("level", level(put.level))
        }
        Command::NamespaceGrantDelete(delete) => {
            let deed = Deed::new(&delete.actor, "grant.delete", ("account", &delete.namespace));
            deed.with("team", team_name(read, &delete.team)?)
        }
        _ => return Ok(None),
    }))
}

fn created(create: &RepositoryCreate) -> Deed {
    let object = ("repository", create.repository.as_str());
    let deed = Deed::new(&create.actor, "repository.create", object);
    let deed = deed.with("visibility", visibility(create.visibility));
    let deed = deed.with("immutableTags", create.immutable_tags);
    deed.with_given("tagLimit", Some(create.tag_limit).filter(|limit| *limit > 0))
}

fn updated(update: &RepositoryUpdate) -> Deed {
    let object = ("repository", update.repository.as_str());
    Deed::new(&update.actor, "repository.update", object)
        .with_given("visibility", update.visibility.map(visibility))
        .with_given("immutableTags", update.immutable_tags)
        .with_given("tagLimit", update.tag_limit)
        .with_given("shortDescription", update.short_description.as_ref())
        // A page of text belongs elsewhere.
        .with_given("longDescription", update.long_description.as_ref().map(|_| "set"))
}

fn deleted(read: &impl Read, delete: &TagDelete) -> Result<Deed, Damage> {
    let tag = format!("{}:{}", delete.repository, delete.tag);
    let digest = tags::find(read, &delete.repository, &delete.tag)?.map(|row| row.digest);
    let deed = Deed::new(&delete.actor, "tag.delete", ("tag", &tag));
    Ok(deed.with_given("digest", digest))
}

fn visibility(visibility: Visibility) -> &'static str {
    match visibility {
        Visibility::Private => "private",
        Visibility::Public => "public",
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::ReadOnly => "read-only",
        Level::ReadWrite => "read-write",
        Level::Admin => "admin",
    }
}
