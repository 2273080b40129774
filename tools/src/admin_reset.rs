//! `holdfast admin-reset`: a new password for an administrator when nobody can sign in any more.

use std::sync::Arc;

use clap::Args;
use clap::builder::FalseyValueParser;
use consensus::operator::{self, Reset, ResetError};
use wire::dial::TcpDial;

use crate::config::listeners;
use crate::exit::{Exit, Stop};
use crate::flags::ConfigFlags;
use crate::management::new_password::NewPassword;
use crate::password;

/// What `--help` says.
pub const HELP: &str = "\
Gives an administrator a new password where all are lost, and makes them an active administrator \
again. Run it on the machine of a replica that is running, as a user who may read its data folder: \
the replica's own key is what proves that you may. A majority of the cluster must be there.

  holdfast admin-reset --config /etc/holdfast/holdfast.toml --new-password-file F
  holdfast admin-reset --config /etc/holdfast/holdfast.toml --admin ann

Whoever was signed in with the old password is signed out everywhere. The replica's log says that \
it was done.";

/// Flags of `admin-reset`.
#[derive(Args, Clone)]
pub struct AdminResetArgs {
    #[command(flatten)]
    config: ConfigFlags,

    /// The administrator's name
    #[arg(long, value_name = "NAME", default_value = "admin", env = "HOLDFAST_ADMIN")]
    admin: String,

    /// Makes a user of that name where there is none
    #[arg(long, env = "HOLDFAST_CREATE", value_parser = FalseyValueParser::new())]
    create: bool,

    /// Has the cluster take passwords again, where the setting refusePasswords is on
    #[arg(long, env = "HOLDFAST_ALLOW_PASSWORDS", value_parser = FalseyValueParser::new())]
    allow_passwords: bool,

    #[command(flatten)]
    password: NewPassword,
}

/// Asks this machine's replica.
pub async fn run(args: &AdminResetArgs) -> Result<(), Stop> {
    let config = args.config.load()?;
    let (host, port) = listeners::address("peer.listen", &config.peer.listen)
        .map_err(|error| Stop::usage(error.clone()))?;
    let peer = format!("{}:{port}", reachable(host));
    let new = args.password.read(&args.admin)?;
    let reset = Reset {
        folder: config.data.clone(),
        peer,
        administrator: args.admin.clone(),
        password_hash: password::hash(&new)?,
        create: args.create,
        allow_passwords: args.allow_passwords,
        dial: Arc::new(TcpDial::default()),
    };
    operator::reset_administrator(reset).await.map_err(|error| stop(&error))?;
    println!("{} is an administrator with the new password", args.admin);
    Ok(())
}

/// Where a listener on `host` is reached from its own machine.
fn reachable(host: &str) -> &str {
    match host {
        "0.0.0.0" => "127.0.0.1",
        "[::]" => "[::1]",
        host => host,
    }
}

fn stop(error: &ResetError) -> Stop {
    let exit = match error {
        ResetError::Folder(_) | ResetError::Keys(_) | ResetError::Refused(_) => Exit::Failed,
        ResetError::Unreachable(_) => Exit::Unreachable,
    };
    Stop::new(exit, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::reachable;

    #[test]
    fn a_listener_on_all_addresses_is_reached_on_this_machine() {
        for (host, reached) in
            [("0.0.0.0", "127.0.0.1"), ("[::]", "[::1]"), ("10.1.2.3", "10.1.2.3")]
        {
            assert_eq!(reachable(host), reached);
        }
    }
}
