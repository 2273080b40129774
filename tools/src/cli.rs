//! The command line: verbs, their help, and how they end.

use std::ffi::OsString;

use clap::builder::FalseyValueParser;
use clap::{CommandFactory, Parser, Subcommand};

use crate::admin_reset::{self, AdminResetArgs};
use crate::backup::{self, AccountsArgs, BackupArgs};
use crate::bench::{self, BenchArgs};
use crate::completion::{self, CompletionArgs};
use crate::config::Config;
use crate::content::{self, ContentArgs};
use crate::destroy::{self, DestroyArgs};
use crate::doctor::{self, DoctorArgs};
use crate::emergency_repair::{self, EmergencyRepairArgs};
use crate::exit::{Exit, Stop};
use crate::flags::ConfigFlags;
use crate::import::{self, ImportArgs};
use crate::install::{self, InstallArgs};
use crate::join::{self, JoinArgs};
use crate::join_token::{self, JoinTokenArgs};
use crate::management::Noun;
use crate::quickstart::{self, QuickstartArgs};
use crate::remove::{self, RemoveArgs};
use crate::restore::{self, RestoreArgs};
use crate::status::{self, StatusArgs};
use crate::{extended_help, machine, preflight};

const ABOUT: &str = "A container registry that keeps every acknowledged push";

const LONG_ABOUT: &str = "\
A container registry that a company runs itself: three, five or seven replicas on plain \
machines with local disks, any of which takes a push or answers a pull, and which together \
keep every acknowledged push through the loss of any minority of them.

Try it on one machine:
  holdfast quickstart

Run it on three:
  holdfast install --config FILE --admin-password-file F      on the first
  holdfast serve --config FILE                                on each, from the service manager
  holdfast join-token create --url https://first --username admin --ca ca.pem
  holdfast join --config FILE --peer first:4443 --join-token T   on the others
  holdfast status --url https://first --username admin --ca ca.pem

Then let people in:
  holdfast user create, holdfast org create, holdfast team create, holdfast repo create

Or bring them, and all images, from another registry:
  holdfast import dtr, holdfast import registry

Save what it knows, and begin anew from that:
  holdfast backup, holdfast accounts export, holdfast restore, holdfast content adopt";

const EXIT_STATUS: &str = "\
Exit status: 0 done, 1 failed, 2 wrong usage, 3 refused for safety, 4 nobody answers.
Every flag can be set by a variable HOLDFAST_<FLAG>, such as HOLDFAST_CONFIG.";

const QUICKSTART_HELP: &str = "\
Starts a real cluster on this machine: one process a replica, formed by the same install and \
join that an operator uses. Then it pushes a small image through one replica, pulls it through \
another, compares the digests, and runs until Ctrl-C. Started again in the same folder it goes \
on with what is there.

  holdfast quickstart
  holdfast quickstart --replicas 5 --base-port 17000
  holdfast quickstart --once          ends after the check, for scripts
  holdfast quickstart --fresh         deletes the former quick start in the folder first

The folder holds admin-password, recovery-key, ca.pem, quickstart.json (written last, when \
every replica answers) and replica-1, replica-2, … with configuration, data and log of each.";

const INSTALL_HELP: &str = "\
Makes the first replica of a new cluster in an empty data folder: the cluster's authority and \
identity, and its administrator. Run it once, on one machine; all others join.

  holdfast install --config /etc/holdfast/holdfast.toml --admin-password-file /root/admin-password

The recovery key opens backups. It is written once, beside the data folder or to \
--recovery-key-file; keep it somewhere else.";

const JOIN_HELP: &str = "\
Makes this machine a member of a running cluster and ends; `holdfast serve` then fetches the \
state and becomes a voter. Three replicas survive the loss of one, five of two. It is refused \
while a voter is unhealthy: remove the dead one first.

  holdfast join --config /etc/holdfast/holdfast.toml --peer node1.example.com:4443 \
--join-token hf1.…

Cut short, it can be run again with the same token.";

const JOIN_TOKEN_HELP: &str = "\
A join token lets new replicas in. It holds the digest of the cluster's authority, so that the \
newcomer knows whom it talks to, and a secret with an expiry and a number of uses.

  holdfast join-token create --url https://node1 --username admin --password-file F --ca ca.pem
  holdfast join-token list   --url …
  holdfast join-token revoke --url … ID";

const SERVE_HELP: &str = "\
Runs this replica until it is told to stop. SIGTERM or Ctrl-C drains: requests end, leadership \
is handed over. SIGHUP reads certificates and the log level again.

  holdfast serve --config /etc/holdfast/holdfast.toml";

const STATUS_HELP: &str = "\
Shows how the cluster is, as the replica that is asked sees it; it answers without a majority too.

  holdfast status --url https://node1 --username admin --password-file F --ca ca.pem
  holdfast status --json --url …
  holdfast status --watch --url …

Exit status: 0 healthy, 1 degraded, 2 no quorum, 4 nobody answers.";

const BENCH_HELP: &str = "\
Measures a registry by workloads that have names; any registry, so that two can be measured \
beside each other. The client hashes nothing and keeps one connection for each of --concurrency.

  holdfast bench --url http://127.0.0.1:7201 --username admin --password-file F \
--workload push-monolith-10m,pull-10m
  holdfast bench --url https://r1 --url https://r2 --ca ca.pem --workload rr-head-manifest-tag
  holdfast bench --url http://127.0.0.1:5000 --workload pull-100m --samples 40 --json
  holdfast bench --url http://127.0.0.1:5000              lists the names

A workload's name may follow a mode: single- (all to the first URL), node- (all to the last), \
rr- (every request to the next, over a new connection), reconnect- (all to the first, each over a \
new connection). Without one, client i talks to URL i.

It pushes what it pulls, into repositories under bench/, zb/ and bench-catalog-…/, and leaves \
them there: use a registry, or an account, that is made for it. Exit status 1 where a sample \
failed.";

/// What was typed.
#[derive(Parser)]
#[command(name = "holdfast", version)]
#[command(about = ABOUT, long_about = LONG_ABOUT, after_help = EXIT_STATUS)]
struct Cli {
    /// Logs at level debug
    #[arg(long, global = true, env = "HOLDFAST_DEBUG", value_parser = FalseyValueParser::new())]
    debug: bool,

    /// Prints the help of every verb
    #[arg(long, env = "HOLDFAST_HELP_EXTENDED", value_parser = FalseyValueParser::new())]
    help_extended: bool,

    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// Starts a cluster on this machine, to try it
    #[command(long_about = QUICKSTART_HELP)]
    Quickstart(QuickstartArgs),
    /// Makes the first replica of a new cluster
    #[command(long_about = INSTALL_HELP)]
    Install(Box<InstallArgs>),
    /// Makes this machine one more replica of a running cluster
    #[command(long_about = JOIN_HELP)]
    Join(Box<JoinArgs>),
    /// Makes, lists and ends what lets new replicas in
    #[command(long_about = JOIN_TOKEN_HELP)]
    JoinToken(JoinTokenArgs),
    /// Runs this replica
    #[command(long_about = SERVE_HELP)]
    Serve(Box<ConfigFlags>),
    /// Shows how the cluster is
    #[command(long_about = STATUS_HELP)]
    Status(StatusArgs),
    /// Removes replicas from the cluster
    #[command(long_about = remove::HELP)]
    Remove(RemoveArgs),
    /// Makes one replica go on alone where a majority is lost for good
    #[command(long_about = emergency_repair::HELP)]
    EmergencyRepair(Box<EmergencyRepairArgs>),
    /// Looks through the data folder of a stopped replica
    #[command(long_about = doctor::HELP)]
    Doctor(DoctorArgs),
    /// Deletes what a replica has on this machine
    #[command(long_about = destroy::HELP)]
    Destroy(Box<DestroyArgs>),
    /// Gives an administrator a new password, at a replica's machine
    #[command(long_about = admin_reset::HELP)]
    AdminReset(Box<AdminResetArgs>),
    /// Saves the state of the cluster, without accounts and content
    #[command(long_about = backup::HELP)]
    Backup(Box<BackupArgs>),
    /// Makes a new cluster from a backup
    #[command(long_about = restore::HELP)]
    Restore(Box<RestoreArgs>),
    /// Saves users, organizations and teams
    #[command(long_about = backup::ACCOUNTS_HELP)]
    Accounts(Box<AccountsArgs>),
    /// Says what content is missing after a restore or a repair
    #[command(long_about = content::HELP)]
    Content(Box<ContentArgs>),
    /// Measures how fast a registry is
    #[command(long_about = BENCH_HELP)]
    Bench(Box<BenchArgs>),
    #[command(flatten)]
    Noun(Noun),
    /// Brings what another registry has into this one
    #[command(long_about = import::HELP)]
    Import(ImportArgs),
    /// Prints what completes verbs and flags in a shell
    #[command(long_about = completion::HELP)]
    Completion(CompletionArgs),
    /// Prints the version
    #[command(visible_alias = "images")]
    Version,
}

/// What `serve` is to run with.
#[derive(Clone, Debug)]
pub struct ServeRequest {
    /// The file, with the flags laid over it, checked.
    pub config: Config,
    /// The flags, to read the file again on SIGHUP.
    pub flags: ConfigFlags,
}

/// Reads the command line, carries it out and returns the exit status; `serve` is the daemon.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    serve: impl FnOnce(ServeRequest) -> Result<(), Stop>,
) -> u8 {
    wire::provider::install();
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too, to standard output and with status 0.
            let _ = error.print();
            return u8::try_from(error.exit_code()).unwrap_or(2);
        }
    };
    match carry_out(cli, serve) {
        Ok(exit) => exit.code(),
        Err(stop) => {
            if !stop.text.is_empty() {
                eprintln!("error: {stop}");
            }
            stop.exit.code()
        }
    }
}

fn carry_out(cli: Cli, serve: impl FnOnce(ServeRequest) -> Result<(), Stop>) -> Result<Exit, Stop> {
    let extended =
        std::env::var("DTR_EXTENDED_HELP").is_ok_and(|value| matches!(&*value, "1" | "true"));
    if cli.help_extended || (extended && cli.verb.is_none()) {
        extended_help::print(Cli::command());
        return Ok(Exit::Done);
    }
    let Some(verb) = cli.verb else {
        eprintln!("{}", Cli::command().render_help());
        return Ok(Exit::Usage);
    };
    match verb {
        Verb::Quickstart(args) => waiting(quickstart::run(&args)).map(|()| Exit::Done),
        Verb::Install(args) => install::run(&args).map(|()| Exit::Done),
        Verb::Join(args) => waiting(join::run(&args)).map(|()| Exit::Done),
        Verb::JoinToken(args) => waiting(join_token::run(&args)).map(|()| Exit::Done),
        Verb::Status(args) => waiting(status::run(&args)),
        Verb::Remove(args) => waiting(remove::run(&args)).map(|()| Exit::Done),
        Verb::EmergencyRepair(args) => waiting(emergency_repair::run(&args)).map(|()| Exit::Done),
        Verb::Doctor(args) => doctor::run(&args),
        Verb::Destroy(args) => destroy::run(&args).map(|()| Exit::Done),
        Verb::AdminReset(args) => waiting(admin_reset::run(&args)).map(|()| Exit::Done),
        Verb::Backup(args) => waiting(args.run()).map(|()| Exit::Done),
        Verb::Restore(args) => waiting(restore::run(&args)).map(|()| Exit::Done),
        Verb::Accounts(args) => waiting(args.run()).map(|()| Exit::Done),
        Verb::Content(args) => waiting(args.run()).map(|()| Exit::Done),
        Verb::Bench(args) => bench::run(&args),
        Verb::Noun(noun) => waiting(noun.run()).map(|()| Exit::Done),
        Verb::Import(args) => waiting(args.run()),
        Verb::Completion(args) => completion::run(Cli::command(), args).map(|()| Exit::Done),
        Verb::Serve(flags) => serve(prepared(*flags, cli.debug)?).map(|()| Exit::Done),
        Verb::Version => {
            println!("holdfast {}", env!("CARGO_PKG_VERSION"));
            Ok(Exit::Done)
        }
    }
}

/// Reads the configuration and looks at the machine.
fn prepared(flags: ConfigFlags, debug: bool) -> Result<ServeRequest, Stop> {
    let mut config = flags.load()?;
    if debug {
        "debug".clone_into(&mut config.log.level);
    }
    preflight::check(&config, preflight::Before::Serving, &machine::host_name())?;
    Ok(ServeRequest { config, flags })
}

/// Runs a verb that waits for the network.
fn waiting<T>(verb: impl Future<Output = Result<T, Stop>>) -> Result<T, Stop> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Stop::failed(format!("the runtime cannot be started: {error}")))?
        .block_on(verb)
}

/// The whole command line, for tests of what is written about it.
#[cfg(test)]
pub(crate) fn definition() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(arguments: &[&str]) -> u8 {
        let arguments = std::iter::once("holdfast").chain(arguments.iter().copied());
        run(arguments.map(OsString::from), |_| Ok(()))
    }

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_is_typed_wrong_ends_with_two_and_help_with_zero() {
        let cases = [
            (&["frobnicate"][..], 2),
            (&["serve", "--frobnicate"], 2),
            (&["quickstart", "--replicas", "8"], 2),
            (&["quickstart", "--replicas", "0"], 2),
            (&["serve", "--config", "/no/such/file.toml"], 2),
            (&["join-token", "create", "--url", "ftp://x"], 2),
            (&["bench", "--workload", "pull-1m"], 2),
            (&["bench", "--url", "http://127.0.0.1:1"], 2),
            (&["bench", "--url", "http://127.0.0.1:1", "--workload", "pull-2m"], 2),
            (&["bench", "--url", "127.0.0.1:1", "--workload", "pull-1m"], 2),
            (&["bench", "--url", "http://127.0.0.1:1", "--workload", "pull-1m"], 4),
            (&["user"], 2),
            (&["user", "list"], 2),
            (&["user", "list", "--url", "http://127.0.0.1:1"], 4),
            (&["user", "list", "--filter", "orgs"], 2),
            (&["user", "update", "ann", "--url", "http://127.0.0.1:1"], 2),
            (&["repo", "create", "acme"], 2),
            (&["repo", "create", "acme/web", "--private", "--public"], 2),
            (&["repo", "grant", "acme/web", "builders", "write"], 2),
            (&["token", "create", "--expires-in", "soon"], 2),
            (&["settings", "set", "readOnlyRegistry"], 2),
            (&["events", "list", "--type", "PUSH", "--url", "http://127.0.0.1:1"], 2),
            (&["events", "list", "--since", "soon", "--url", "http://127.0.0.1:1"], 2),
            (&["events", "list", "--follow", "--url", "http://127.0.0.1:1"], 4),
            (&["audit", "list"], 2),
            (&["audit", "list", "--url", "http://127.0.0.1:1"], 4),
            (&["audit", "export", "--url", "http://127.0.0.1:1"], 4),
            (&["audit", "verify"], 2),
            (&["audit", "verify", "/no/such/file"], 2),
            (&["import"], 2),
            (&["import", "registry", "--url", "http://127.0.0.1:1"], 2),
            (&["import", "registry", "--from", "ftp://x", "--url", "http://127.0.0.1:1"], 2),
            (&["import", "registry", "--from", "x", "--map", "a=b", "--url", "http://h"], 2),
            (&["import", "dtr", "--from", "x", "--jobs", "0", "--url", "http://127.0.0.1:1"], 2),
            (&["completion", "tcsh"], 2),
            (&["completion", "bash"], 0),
            (&["--help"], 0),
            (&["quickstart", "--help"], 0),
            (&["--version"], 0),
            (&["version"], 0),
            (&["--help-extended"], 0),
        ];
        for (arguments, expected) in cases {
            assert_eq!(exit(arguments), expected, "{arguments:?}");
        }
    }

    #[test]
    fn what_is_done_to_a_cluster_is_not_done_by_halves_of_a_command() {
        let cases = [
            (&["remove", "--url", "http://127.0.0.1:1"][..], 2),
            (&["remove", "--replica-ids", "x", "--url", "http://127.0.0.1:1"], 2),
            (&["remove", "--replica-ids", "0123456789ab", "--url", "http://127.0.0.1:1"], 4),
            (&["doctor"], 2),
            (&["doctor", "--data", "/no/such/folder"], 2),
            (&["emergency-repair", "--prune"], 3),
            (&["emergency-repair"], 2),
            (&["destroy"], 2),
            (&["content", "adopt", "--url", "http://127.0.0.1:1"], 4),
            (&["backup", "--url", "http://127.0.0.1:1", "--output", "/no/such/folder/f"], 1),
            (&["backup", "verify"], 2),
            (&["backup", "verify", "/no/such/file"], 1),
            (&["restore", "--config", "/no/such/file.toml"], 2),
            (&["accounts"], 2),
        ];
        for (arguments, expected) in cases {
            assert_eq!(exit(arguments), expected, "{arguments:?}");
        }
    }

    #[test]
    fn every_flag_has_its_variable() {
        fn check(command: &clap::Command) {
            for argument in command.get_arguments() {
                let Some(long) = argument.get_long() else { continue };
                if matches!(long, "help" | "version") {
                    continue;
                }
                let expected = format!("HOLDFAST_{}", long.replace('-', "_").to_uppercase());
                let variable = argument.get_env().map(|name| name.to_string_lossy().into_owned());
                assert_eq!(variable, Some(expected), "{} --{long}", command.get_name());
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }

    #[test]
    fn both_spellings_of_a_flag_are_taken() {
        let command = Cli::command();
        let serve = command.find_subcommand("serve").unwrap();
        let aliases: Vec<&str> =
            serve.get_arguments().filter_map(clap::Arg::get_all_aliases).flatten().collect();
        for alias in ["dtr-external-url", "dtr-cert", "dtr-key", "dtr-storage-volume"] {
            assert!(aliases.contains(&alias), "{alias}");
        }
    }
}
