//! Crons: each moment fires once, whoever asks, and what was missed comes once.

use metadata::directory::commands::{BackendSet, LdapSet};
use metadata::directory::{LdapRow, sync::DirectoryRunBegin};
use metadata::jobs::actions::LDAP_SYNC;
use metadata::jobs::commands::JobCancel;
use metadata::jobs::crons::{self, CronDelete, CronFire, CronRow, CronSet};
use metadata::jobs::running::Ending;
use metadata::jobs::spec::JobSpec;
use metadata::outcome::Answer;
use metadata::refusal::Refusal;
use metadata::tables::Table;

use crate::cluster::{Cluster, HOUR_MS, id};
use crate::directory_samples::ldap;
use crate::jobs::{beat, claimed, ended, job, with_workers};

fn set(action: &str, schedule: &str) -> CronSet {
    let (actor, schedule) = ("admin".to_owned(), schedule.to_owned());
    CronSet { actor, spec: JobSpec::of(action), schedule }
}

fn cron(cluster: &Cluster, action: &str) -> CronRow {
    crons::find(&cluster.tables, action).unwrap().unwrap()
}

fn fire(cluster: &Cluster, action: &str) -> CronFire {
    CronFire { action: action.to_owned(), due_wall_ms: cron(cluster, action).next_wall_ms }
}

#[test]
fn a_moment_fires_once_and_what_was_missed_comes_once() {
    let mut cluster = with_workers();
    cluster.does(set("false", "@hourly"));
    let first = fire(&cluster, "false");
    assert_eq!(cluster.does(first.clone()), Answer::Done, "its moment has not come");
    assert_eq!(first.due_wall_ms % HOUR_MS, 0);
    cluster.pass(HOUR_MS);
    // All replicas see it pass at the same time.
    let proposals = (0..3).map(|_| cluster.proposal(&first.clone().into())).collect();
    let outcomes = cluster.propose(proposals, 0);
    assert!(matches!(outcomes[0], Ok(Answer::JobCreated { .. })), "{outcomes:?}");
    assert_eq!(outcomes[1..], [Ok(Answer::Done), Ok(Answer::Done)]);
    assert_eq!(cluster.tables.count(Table::Jobs), 1);
    cluster.does(beat(1, 1));
    let hold = claimed(&mut cluster, 1, 1).unwrap();
    assert_eq!(job(&cluster, &hold.id).scheduled_wall_ms, first.due_wall_ms);
    cluster.does(ended(hold, Ending::Done));

    cluster.pass(7 * HOUR_MS + 1);
    let late = fire(&cluster, "false");
    assert_eq!(late.due_wall_ms, first.due_wall_ms + HOUR_MS);
    assert!(matches!(cluster.does(late.clone()), Answer::JobCreated { .. }));
    let next = cron(&cluster, "false").next_wall_ms;
    assert!(next > first.due_wall_ms + 7 * HOUR_MS, "six that were missed are not made up for");
    assert_eq!(cluster.does(late), Answer::Done);
    assert_eq!(cluster.tables.count(Table::Jobs), 2);
}

#[test]
fn while_the_last_one_is_not_over_none_is_made_and_neither_between_its_attempts() {
    let mut cluster = with_workers();
    let spec = JobSpec { retries: 1, ..JobSpec::of("false") };
    cluster.does(CronSet { spec, ..set("false", "@hourly") });
    let hour = |cluster: &mut Cluster| {
        cluster.pass(HOUR_MS);
        cluster.does(beat(1, 1));
        let fire = fire(cluster, "false");
        cluster.does(fire)
    };
    let Answer::JobCreated { id: first } = hour(&mut cluster) else { panic!() };
    assert_eq!(hour(&mut cluster), Answer::Done);
    assert_eq!(cron(&cluster, "false").skipped, 1);
    let hold = claimed(&mut cluster, 1, 1).unwrap();
    cluster.does(ended(hold, Ending::Failed));
    let retry = cron(&cluster, "false").last_job.unwrap();
    assert_eq!(job(&cluster, &retry).retry_from, Some(first));
    assert_eq!(hour(&mut cluster), Answer::Done, "it is tried again still");
    cluster.does(JobCancel { actor: "admin".into(), id: retry });
    assert!(matches!(hour(&mut cluster), Answer::JobCreated { .. }));
}

#[test]
fn a_cron_is_replaced_deleted_and_refused_with_a_sentence() {
    let mut cluster = with_workers();
    cluster.does(set("sleep", "@hourly"));
    let before = cron(&cluster, "sleep");
    cluster.does(set("sleep", " 0 30 3 * * * "));
    let after = cron(&cluster, "sleep");
    assert_eq!((after.id, after.schedule.as_str()), (before.id, "0 30 3 * * *"));
    assert_eq!(cluster.tables.count(Table::Crons), 1);
    for (action, schedule) in
        [("sleep", "30 3 * * *"), ("sleep", "0 0 0 30 2 *"), ("sleep", ""), ("x", "@daily")]
    {
        let refused = cluster.run(set(action, schedule));
        assert!(matches!(refused, Err(Refusal::JobUnfit { .. })), "{action} {schedule:?}");
    }
    let by_user = CronSet { actor: "alice".into(), ..set("sleep", "@daily") };
    assert_eq!(cluster.run(by_user), Err(Refusal::NotAuthorized { actor: "alice".into() }));
    let delete = CronDelete { actor: "admin".into(), action: "sleep".into() };
    cluster.does(delete.clone());
    assert_eq!(cluster.run(delete), Err(Refusal::CronUnknown { action: "sleep".into() }));
    let gone = CronFire { action: "sleep".into(), due_wall_ms: after.next_wall_ms };
    assert_eq!(cluster.does(gone), Answer::Done);
}

#[test]
fn the_directory_is_synced_by_the_schedule_of_its_settings_and_by_no_other() {
    let mut cluster = with_workers();
    let put = |schedule: &str| LdapSet {
        actor: "admin".into(),
        recovery_password_hash: None,
        ldap: LdapRow { schedule: schedule.into(), ..ldap("admin") },
    };
    let switch = |is_ldap| BackendSet { actor: "admin".into(), is_ldap };
    cluster.does(put("*/20 * * * *"));
    assert!(crons::find(&cluster.tables, LDAP_SYNC).unwrap().is_none(), "nobody signs in by it");
    cluster.does(switch(true));
    let row = cron(&cluster, LDAP_SYNC);
    assert_eq!(row.schedule, "0 */20 * * * *");
    cluster.pass(1000);
    cluster.does(put("*/20 * * * *"));
    assert_eq!(cron(&cluster, LDAP_SYNC), row, "the same settings again change nothing");
    cluster.does(put(""));
    assert_eq!(cron(&cluster, LDAP_SYNC).schedule, "@hourly");
    assert!(matches!(cluster.run(put("now")), Err(Refusal::DirectoryNotReady { .. })));
    assert!(matches!(cluster.run(set(LDAP_SYNC, "@daily")), Err(Refusal::JobUnfit { .. })));
    let delete = CronDelete { actor: "admin".into(), action: LDAP_SYNC.into() };
    assert!(matches!(cluster.run(delete), Err(Refusal::JobUnfit { .. })));

    // The job that syncs may be taken over in the middle; another sync waits.
    let begin = |replica, job| DirectoryRunBegin { replica_id: id(replica), job };
    cluster.does(begin(1, Some([7; 16])));
    for other in [begin(2, None), begin(2, Some([8; 16]))] {
        assert!(matches!(cluster.run(other), Err(Refusal::SyncRunning { .. })));
    }
    cluster.does(begin(2, Some([7; 16])));
    cluster.does(switch(false));
    assert!(crons::find(&cluster.tables, LDAP_SYNC).unwrap().is_none());
}
