//! Read-only mode: users push and delete nothing, whoever asked first; the cluster goes on.

use metadata::blobs::commands::{BlobMount, BlobUnlink};
use metadata::command::Command;
use metadata::holders::HolderLost;
use metadata::manifests::delete::ManifestDelete;
use metadata::outcome::Answer;
use metadata::refusal::Refusal;
use metadata::repositories::Visibility;
use metadata::repositories::commands::{RepositoryCreate, RepositoryDelete, RepositoryUpdate};
use metadata::settings::SettingsSet;
use metadata::tags::TagDelete;
use metadata::tags::undelete::TagUndelete;

use crate::cluster::{Cluster, digest, id, repository, tag};

fn admin() -> String {
    "admin".to_owned()
}

/// What users may ask that pushes or deletes; all of it is permitted and well formed.
fn pushes_and_deletes(cluster: &Cluster) -> Vec<Command> {
    let here = || repository("a/r");
    let mount = repository("a/q");
    vec![
        cluster.manifest_put("a/r", "n", &["x"], &["v1"]).into(),
        // Nothing would change; a push is refused all the same.
        cluster.manifest_put("a/r", "m", &["x"], &["v1"]).into(),
        ManifestDelete { repository: here(), digest: digest("m"), actor: admin() }.into(),
        TagDelete { repository: here(), tag: tag("v1"), precondition: None, actor: admin() }.into(),
        TagUndelete { repository: here(), tag: tag("gone"), actor: admin() }.into(),
        RepositoryUpdate {
            repository: here(),
            actor: admin(),
            visibility: None,
            immutable_tags: None,
            short_description: None,
            long_description: None,
            tag_limit: Some(1),
        }
        .into(),
        cluster.blob_commit("a/r", "y", &[1, 2]).into(),
        BlobMount { repository: mount, from: Some(here()), digest: digest("x"), actor: admin() }
            .into(),
        BlobUnlink { repository: here(), digest: digest("loose"), actor: admin() }.into(),
        RepositoryCreate {
            repository: repository("a/new"),
            actor: admin(),
            visibility: Visibility::Private,
            on_push: false,
            immutable_tags: false,
            short_description: String::new(),
            long_description: String::new(),
            tag_limit: 0,
        }
        .into(),
        RepositoryDelete { repository: here(), actor: admin() }.into(),
    ]
}

fn set_read_only(cluster: &mut Cluster, read_only: bool) {
    cluster.does(SettingsSet { read_only: Some(read_only), ..SettingsSet::default() });
}

#[test]
fn while_read_only_every_push_and_every_delete_is_refused_inside_apply() {
    let mut cluster = Cluster::new(3);
    cluster.push("a/r", "m", &["x"], &["v1", "gone"]);
    let (repository, tag) = (repository("a/r"), tag("gone"));
    cluster.does(TagDelete { repository, tag, precondition: None, actor: admin() });
    cluster.commit("a/r", "loose");
    set_read_only(&mut cluster, true);
    for command in pushes_and_deletes(&cluster) {
        let name = command.name();
        assert_eq!(cluster.run(command), Err(Refusal::ReadOnly), "{name}");
    }
    set_read_only(&mut cluster, false);
    for command in pushes_and_deletes(&cluster) {
        let name = command.name();
        let outcome = cluster.clone().run(command);
        assert!(outcome.is_ok(), "{name}: {outcome:?}");
    }
}

#[test]
fn while_read_only_the_cluster_keeps_its_own_house() {
    let mut cluster = Cluster::new(3);
    cluster.push("a/r", "m", &["x"], &["v1"]);
    set_read_only(&mut cluster, true);
    let lost = HolderLost { digest: digest("x"), replica_id: id(2) };
    assert_eq!(cluster.does(lost), Answer::Done);
    let settings = SettingsSet { grace_s: Some(60), ..SettingsSet::default() };
    assert_eq!(cluster.does(settings), Answer::Done);
}
