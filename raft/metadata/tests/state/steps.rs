//! Random steps, and the commands they become.

use metadata::accounts::commands::AccountUpdate;
use metadata::blobs::commands::{BlobCommit, BlobMount, BlobUnlink};
use metadata::collection::{Condemn, Delete};
use metadata::command::Command;
use metadata::events::pulls::{Pull, PullsNote};
use metadata::events::retention::RetentionSet;
use metadata::holders::{Forget, HolderDrop};
use metadata::leases::LeaseRenew;
use metadata::manifests::delete::ManifestDelete;
use metadata::manifests::put::ManifestPut;
use metadata::repositories::commands::{RepositoryDelete, RepositoryUpdate};
use metadata::settings::SettingsSet;
use metadata::tags::undelete::TagUndelete;
use metadata::tags::{Precondition, TagDelete};
use oci::digest::Digest;
use oci::manifest::Role;
use oci::name::RepositoryName;
use proptest::prelude::*;

use crate::cluster::{SIZE, digest, id, reference, repository, tag};
use crate::world::World;

/// Longer than the history of a tag is kept that is gone.
const MONTH: u64 = 31 * 24 * 3_600_000;

pub(crate) const REPLICAS: u64 = 5;
pub(crate) const REPOSITORIES: [&str; 3] = ["alice/one", "alice/two", "bob/one"];
pub(crate) const TEXTS: [&str; 8] = ["l0", "l1", "l2", "l3", "m0", "m1", "m2", "i0"];

/// What `text` names, if it is a manifest: fixed, as bytes fix it.
pub(crate) fn named(text: &str) -> (&'static [&'static str], Role) {
    match text {
        "m0" => (&["l0", "l1"], Role::Layer),
        "m1" => (&["l1", "l2", "l1"], Role::Layer),
        "m2" => (&[], Role::Layer),
        "i0" => (&["m0", "m1"], Role::Child),
        _ => (&["l3"], Role::Layer),
    }
}

/// One step; the numbers choose among what there is.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Replicas write a file each and give receipts, which are used later.
    Upload {
        text: usize,
        replicas: u8,
    },
    /// A whole push by a client: all that the manifest names, then the manifest.
    Push {
        repository: usize,
        text: usize,
        tags: u8,
    },
    Commit {
        repository: usize,
        text: usize,
    },
    Put {
        repository: usize,
        text: usize,
        tags: u8,
        condition: u8,
    },
    ManifestDelete {
        repository: usize,
        text: usize,
    },
    TagDelete {
        repository: usize,
        tag: u8,
    },
    Mount {
        repository: usize,
        from: Option<usize>,
        text: usize,
    },
    Unlink {
        repository: usize,
        text: usize,
    },
    Renew {
        repository: usize,
        text: usize,
    },
    RepositoryUpdate {
        repository: usize,
        public: bool,
        immutable: bool,
        limit: u64,
    },
    /// A tag that was deleted comes back, `at_once` after a deletion of its own.
    TagUndelete {
        repository: usize,
        tag: u8,
        at_once: bool,
    },
    /// So many blobs of a namespace, at most; 0 for any number.
    Quota {
        repository: usize,
        blobs: u64,
    },
    RepositoryDelete {
        repository: usize,
    },
    Pulls {
        repository: usize,
        text: usize,
    },
    Settings {
        read_only: bool,
        grace_s: u64,
        undelete_s: u64,
    },
    Pass {
        ms: u64,
    },
    Collect,
    CondemnAny {
        text: usize,
    },
    DeleteAny {
        text: usize,
        generation: u64,
    },
    Add {
        text: usize,
        replica: u64,
    },
    Drop {
        text: usize,
        replica: u64,
    },
    Lose {
        text: usize,
        replica: u64,
    },
    Forget {
        text: usize,
        replica: u64,
    },
    Voters {
        voters: u8,
    },
    /// A replica applies what it lags behind.
    CatchUp {
        replica: u64,
    },
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let repository = 0..REPOSITORIES.len();
    let text = 0..TEXTS.len();
    let replica = 1..=REPLICAS;
    let place = (repository.clone(), text.clone());
    let held = (text.clone(), replica.clone());
    prop_oneof![
        12 => (text.clone(), 1..32_u8).prop_map(|(text, replicas)| Step::Upload { text, replicas }),
        12 => place.clone().prop_map(|(repository, text)| Step::Commit { repository, text }),
        12 => (place.clone(), 0..16_u8)
            .prop_map(|((repository, text), tags)| Step::Push { repository, text, tags }),
        14 => (place.clone(), 0..16_u8, 0..6_u8).prop_map(|((repository, text), tags, condition)| {
            Step::Put { repository, text, tags, condition }
        }),
        3 => place.clone().prop_map(|(repository, text)| Step::ManifestDelete { repository, text }),
        2 => (repository.clone(), 0..4_u8)
            .prop_map(|(repository, tag)| Step::TagDelete { repository, tag }),
        3 => (place.clone(), proptest::option::of(repository.clone()))
            .prop_map(|((repository, text), from)| Step::Mount { repository, from, text }),
        3 => place.clone().prop_map(|(repository, text)| Step::Unlink { repository, text }),
        2 => place.clone().prop_map(|(repository, text)| Step::Renew { repository, text }),
        4 => place.prop_map(|(repository, text)| Step::Pulls { repository, text }),
        1 => (repository.clone(), any::<bool>(), any::<bool>(), 0..4_u64).prop_map(|settings| {
            let (repository, public, immutable, limit) = settings;
            Step::RepositoryUpdate { repository, public, immutable, limit }
        }),
        6 => (repository.clone(), 0..4_u8, any::<bool>()).prop_map(|(repository, tag, at_once)| {
            Step::TagUndelete { repository, tag, at_once }
        }),
        1 => (repository.clone(), 0..12_u64)
            .prop_map(|(repository, blobs)| Step::Quota { repository, blobs }),
        1 => repository.prop_map(|repository| Step::RepositoryDelete { repository }),
        1 => (proptest::bool::weighted(0.1), 0..10_u64, prop_oneof![0..1_u64, 0..300_u64])
            .prop_map(|(read_only, grace_s, undelete_s)| {
                Step::Settings { read_only, grace_s, undelete_s }
            }),
        4 => prop_oneof![8 => 0..10_u64, 8 => Just(100_000), 1 => Just(3_600_000), 1 => Just(MONTH)]
            .prop_map(|ms| Step::Pass { ms }),
        6 => Just(Step::Collect),
        1 => text.clone().prop_map(|text| Step::CondemnAny { text }),
        1 => (text.clone(), 0..80_u64)
            .prop_map(|(text, generation)| Step::DeleteAny { text, generation }),
        4 => held.clone().prop_map(|(text, replica)| Step::Add { text, replica }),
        3 => held.clone().prop_map(|(text, replica)| Step::Drop { text, replica }),
        2 => held.clone().prop_map(|(text, replica)| Step::Lose { text, replica }),
        2 => held.clone().prop_map(|(text, replica)| Step::Forget { text, replica }),
        1 => (1..32_u8).prop_map(|voters| Step::Voters { voters }),
        8 => replica.prop_map(|replica| Step::CatchUp { replica }),
    ]
}

impl World {
    /// A push of a manifest with whatever receipts its bytes have.
    pub(crate) fn manifest_put(
        &self,
        (place, text): (usize, usize),
        tags: u8,
        condition: u8,
    ) -> Command {
        let (layers, role) = named(TEXTS[text]);
        let references = layers.iter().map(|layer| reference(layer, role)).collect();
        let tags = (0..4).filter(|bit| tags >> bit & 1 == 1).map(|bit| tag(&format!("v{bit}")));
        let precondition = match condition {
            0 => Some(Precondition::Exists),
            1 => Some(Precondition::Missing),
            2 => Some(Precondition::PointsAt { digests: vec![digest("m0")] }),
            _ => None,
        };
        let subject = (text % 2 == 0).then(|| digest("l0"));
        let receipts = self.receipts(&digest(TEXTS[text]));
        let base = self.newest.manifest_put(REPOSITORIES[place], TEXTS[text], &[], &[]);
        let tags = tags.collect();
        ManifestPut { references, tags, precondition, subject, receipts, ..base }.into()
    }

    /// Steps that are one command by themselves.
    pub(crate) fn plain(&self, step: Step) -> Command {
        let here = |place: usize| repository(REPOSITORIES[place]);
        let of = |text: usize| digest(TEXTS[text]);
        let actor = || "admin".to_owned();
        match step {
            Step::Commit { repository, text } => BlobCommit {
                repository: here(repository),
                digest: of(text),
                size: SIZE,
                receipts: self.receipts(&of(text)),
                actor: actor(),
            }
            .into(),
            Step::ManifestDelete { repository, text } => {
                let (repository, digest) = (here(repository), of(text));
                ManifestDelete { repository, digest, actor: actor() }.into()
            }
            Step::TagDelete { repository, tag: name } => {
                let (repository, tag) = (here(repository), tag(&format!("v{name}")));
                TagDelete { repository, tag, precondition: None, actor: actor() }.into()
            }
            Step::Mount { repository, from, text } => {
                let (repository, from) = (here(repository), from.map(here));
                BlobMount { repository, from, digest: of(text), actor: actor() }.into()
            }
            Step::Unlink { repository, text } => {
                let (repository, digest) = (here(repository), of(text));
                BlobUnlink { repository, digest, actor: actor() }.into()
            }
            Step::Renew { repository, text } => {
                LeaseRenew { repository: here(repository), digests: vec![of(text)] }.into()
            }
            Step::RepositoryUpdate { repository, public, immutable, limit } => {
                use metadata::repositories::Visibility::{Private, Public};
                RepositoryUpdate {
                    repository: here(repository),
                    actor: actor(),
                    visibility: Some(if public { Public } else { Private }),
                    immutable_tags: Some(immutable),
                    short_description: None,
                    long_description: None,
                    tag_limit: Some(limit),
                }
                .into()
            }
            Step::RepositoryDelete { repository } => {
                RepositoryDelete { repository: here(repository), actor: actor() }.into()
            }
            Step::Pulls { repository, text } => pulls(&here(repository), &of(text)),
            step => Self::plain_of_rules(step),
        }
    }

    fn plain_of_rules(step: Step) -> Command {
        let here = |place: usize| repository(REPOSITORIES[place]);
        let actor = "admin".to_owned();
        match step {
            Step::Settings { read_only, grace_s, undelete_s } => {
                settings(read_only, grace_s, undelete_s)
            }
            Step::TagUndelete { repository, tag: name, .. } => {
                let (repository, tag) = (here(repository), tag(&format!("v{name}")));
                TagUndelete { repository, tag, actor }.into()
            }
            Step::Quota { repository, blobs } => AccountUpdate {
                name: here(repository).namespace().to_owned(),
                actor,
                full_name: None,
                is_admin: None,
                is_active: None,
                quota_bytes: Some(blobs * SIZE),
            }
            .into(),
            step => Self::plain_of_blobs(step),
        }
    }

    fn plain_of_blobs(step: Step) -> Command {
        let of = |text: usize| digest(TEXTS[text]);
        match step {
            Step::CondemnAny { text } => Condemn { digest: of(text) }.into(),
            Step::DeleteAny { text, generation } => Delete { digest: of(text), generation }.into(),
            Step::Drop { text, replica } => {
                HolderDrop { digest: of(text), replica_id: id(replica) }.into()
            }
            Step::Forget { text, replica } => {
                Forget { digest: of(text), replica_id: id(replica) }.into()
            }
            other => unreachable!("{other:?} is no plain command"),
        }
    }
}

fn settings(read_only: bool, grace_s: u64, undelete_s: u64) -> Command {
    let events = RetentionSet {
        is_on: Some(grace_s > 3),
        kept_max: Some(grace_s * 4),
        age_max_s: Some(grace_s % 2 * 100),
    };
    SettingsSet {
        read_only: Some(read_only),
        grace_s: Some(grace_s),
        undelete_s: Some(undelete_s),
        events: Some(events),
        ..SettingsSet::default()
    }
    .into()
}

fn pulls(repository: &RepositoryName, digest: &Digest) -> Command {
    let pull = |tag| Pull {
        repository: repository.clone(),
        tag,
        digest: digest.clone(),
        actor: Some([6; 16]),
    };
    PullsNote { pulls: vec![pull(None), pull(Some(tag("v1")))] }.into()
}
