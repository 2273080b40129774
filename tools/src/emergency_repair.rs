//! `holdfast emergency-repair`: a majority is lost, and one replica goes on alone.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use clap::builder::FalseyValueParser;
use comfy_table::Table;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use consensus::repair::{Asked, Position, Repair, RepairError, Said};
use consensus::start::StartError;
use wire::clock::{Clock, SystemClock};
use wire::dial::TcpDial;

use crate::doctor;
use crate::exit::Stop;
use crate::flags::ConfigFlags;
use crate::prompt;

/// What `--help` says.
pub const HELP: &str = "\
For the day when a majority of the replicas is lost for good and their disks do not come back. \
One replica that is left goes on alone, with all that it has; the others join it anew. Run it on \
that replica's machine, while it is stopped, as the user that owns its data folder.

  holdfast emergency-repair --config /etc/holdfast/holdfast.toml --existing-replica-id 5eb9459a7832
  holdfast emergency-repair --config FILE --existing-replica-id ID --compare /mnt/other/data --yes

It asks all other members first, and refuses (exit status 3) while a majority could be had, or one \
of them knows a leader. Where several replicas are left, choose the one whose last entry has the \
highest term, and of those the highest number: --compare shows another folder beside this one.

What others had agreed on and this one has not is lost; the audit log says so. The cluster has a \
new id and a new authority, so nobody of the old one can talk into it. Nothing is collected until \
`holdfast content adopt --finish`: the others keep their content when they come back by `holdfast \
join --rejoin`.";

/// Flags of `emergency-repair`.
#[derive(Args, Clone)]
pub struct EmergencyRepairArgs {
    #[command(flatten)]
    config: ConfigFlags,

    /// The id of this machine's replica, so that the right folder is meant
    #[arg(long, value_name = "ID", env = "HOLDFAST_EXISTING_REPLICA_ID")]
    existing_replica_id: Option<String>,

    /// The data folder of another replica, to be shown beside; may be given again
    #[arg(long, value_name = "DIR", env = "HOLDFAST_COMPARE")]
    compare: Vec<PathBuf>,

    /// Always refused: the data of the other replicas may be the last copies
    #[arg(long, env = "HOLDFAST_PRUNE", value_parser = FalseyValueParser::new(), hide = true)]
    prune: bool,

    /// Does not ask
    #[arg(long, short, env = "HOLDFAST_YES", value_parser = FalseyValueParser::new())]
    yes: bool,
}

/// Repairs this machine's replica.
pub async fn run(args: &EmergencyRepairArgs) -> Result<(), Stop> {
    if args.prune {
        return Err(Stop::refused(
            "--prune is refused: what the other replicas have may be the last copies; `holdfast \
             destroy` on their machines wipes them",
        ));
    }
    let config = args.config.load()?;
    let repair = Repair::open(&config.data).map_err(|error| stop(&error))?;
    match prepared(args, &repair).await {
        Ok(()) => {}
        Err(stop) => {
            repair.close().await;
            return Err(stop);
        }
    }
    let done =
        repair.carry_out(SystemClock::new().wall_ms()).await.map_err(|error| stop(&error))?;
    println!("replica {} is cluster {}", done.replica_id, done.cluster_id);
    let file = args.config.config.clone().unwrap_or_default();
    eprintln!(
        "Next: holdfast serve --config {}\n\
         Then, on each of the others: holdfast join --rejoin, with a new join token.\n\
         At last: holdfast content adopt --finish\n\
         The authority is new: clients fetch /ca again.",
        file.display()
    );
    Ok(())
}

/// Shows what there is, asks the others, and asks the operator.
async fn prepared(args: &EmergencyRepairArgs, repair: &Repair) -> Result<(), Stop> {
    let own = repair.replica_id().to_string();
    match args.existing_replica_id.as_deref() {
        Some(id) if id == own => {}
        Some(id) => {
            return Err(Stop::usage(format!(
                "--existing-replica-id is {id}, and this folder is that of replica {own}"
            )));
        }
        None => {
            return Err(Stop::usage(format!(
                "--existing-replica-id is missing: this folder is that of replica {own}"
            )));
        }
    }
    let asked = repair.ask(Arc::new(TcpDial::default())).await;
    let mut table = header();
    add(&mut table, &own, Some(repair.position()), "this folder");
    for one in &asked {
        let (position, state) = state(one);
        add(&mut table, &one.replica_id.to_string(), position, &state);
    }
    for folder in &args.compare {
        let found = doctor::look(folder, None)?;
        let id = found.replica_id.map_or_else(String::new, |id| id.to_string());
        add(&mut table, &id, Some(found.position()), &folder.display().to_string());
    }
    eprintln!("cluster {}\n{table}", repair.cluster_id());
    if let Some(objection) = repair.objection(&asked) {
        return Err(Stop::refused(objection));
    }
    if args.yes {
        return Ok(());
    }
    let question = format!(
        "Whatever the others had after entry {} is lost. Type the replica's id to go on",
        repair.position().last_log
    );
    if prompt::line(&question, "--yes")? == own {
        return Ok(());
    }
    Err(Stop::refused("nothing was changed"))
}

fn header() -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_HORIZONTAL_ONLY);
    table.set_header(["replica", "last entry", "of term", "carried out", "term", ""]);
    table
}

fn add(table: &mut Table, id: &str, position: Option<Position>, state: &str) {
    let numbers = position.map(|at| [at.last_log, at.last_term, at.applied, at.term]);
    let texts = numbers.map(|numbers| numbers.map(|number| number.to_string()));
    let [last_log, last_term, applied, term] = texts.unwrap_or_default();
    table.add_row([id, &last_log, &last_term, &applied, &term, state]);
}

fn state(asked: &Asked) -> (Option<Position>, String) {
    let at = &asked.address;
    match &asked.said {
        Said::Runs { leader: Some(leader), position } => {
            (Some(*position), format!("runs at {at}, follows {leader}"))
        }
        Said::Runs { leader: None, position } => {
            (Some(*position), format!("runs at {at}, no leader"))
        }
        Said::Stranger(why) => (None, format!("runs at {at}: {why}")),
        Said::Silent(why) => (None, format!("{at} does not answer: {why}")),
    }
}

fn stop(error: &RepairError) -> Stop {
    match error {
        RepairError::Start(StartError::Folder(cause)) if cause.is_for_safety() => {
            Stop::refused(format!("{cause}; stop the replica first"))
        }
        RepairError::Start(_) => Stop::failed(format!(
            "{error}\nThis folder cannot be repaired: try another replica's (`holdfast doctor` \
             says what is wrong with this one)"
        )),
        RepairError::Failed(_) => Stop::failed(error.to_string()),
    }
}
