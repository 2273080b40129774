//! Deeds to jobs: what people have the cluster do. What a job then changes tells of itself.

use super::credentials;
use super::deed::Deed;
use crate::command::Command;
use crate::jobs::running::{JobEffect, JobEnd};
use crate::jobs::spec::Parameter;
use crate::jobs::{self, JobId};
use crate::tables::{Damage, Read};

pub(super) fn told(read: &impl Read, command: &Command) -> Result<Option<Deed>, Damage> {
    let of = |actor: &str, verb, action: &str| Deed::new(actor, verb, ("action", action));
    Ok(Some(match command {
        Command::JobCreate(create) => {
            let deed = of(&create.actor, "job.create", &create.spec.action);
            deed.with("parameters", names(&create.spec.parameters))
        }
        Command::JobCancel(cancel) => of_job(read, (&cancel.actor, "job.cancel"), &cancel.id)?,
        Command::JobDelete(delete) => of_job(read, (&delete.actor, "job.delete"), &delete.id)?,
        // What it changes besides is told as if it had been asked for.
        Command::JobEnd(JobEnd { effect, .. }) => {
            let Some(effect) = effect else { return Ok(None) };
            return of_effect(read, effect);
        }
        Command::CronSet(set) => {
            let deed = of(&set.actor, "cron.set", &set.spec.action);
            deed.with("schedule", &set.schedule).with("parameters", names(&set.spec.parameters))
        }
        Command::CronDelete(delete) => of(&delete.actor, "cron.delete", &delete.action),
        Command::ActionConfigSet(set) => {
            let deed = of(&set.actor, "action-config.set", &set.action);
            deed.with("parameters", names(&set.parameters))
        }
        Command::ActionConfigDelete(delete) => {
            of(&delete.actor, "action-config.delete", &delete.action)
        }
        Command::WorkerCapacitySet(set) => {
            let replica = set.replica_id.to_string();
            let deed = Deed::new(&set.actor, "worker.capacity", ("replica", &replica));
            let shown = set.capacity.iter().map(|it| format!("{}={}", it.name, it.amount));
            deed.with("capacity", shown.collect::<Vec<_>>().join(" "))
        }
        _ => return Ok(None),
    }))
}

fn of_effect(read: &impl Read, effect: &JobEffect) -> Result<Option<Deed>, Damage> {
    match effect {
        JobEffect::TokenKeyRotate { rotate } => credentials::told(read, &rotate.clone().into()),
    }
}

fn of_job(
    read: &impl Read,
    (actor, verb): (&str, &'static str),
    id: &JobId,
) -> Result<Deed, Damage> {
    let deed = Deed::new(actor, verb, ("job", &uuid(id)));
    Ok(deed.with_given("action", jobs::find(read, id)?.map(|job| job.spec.action)))
}

/// Values may be long, or nobody's business.
fn names(parameters: &[Parameter]) -> String {
    let names: Vec<&str> = parameters.iter().map(|parameter| parameter.name.as_str()).collect();
    names.join(" ")
}

/// An id as the API shows it.
pub(super) fn uuid(id: &JobId) -> String {
    let mut text = String::with_capacity(36);
    for (place, byte) in id.iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}
