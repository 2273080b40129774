//! `holdfast completion`: what lets a shell complete verbs and flags.

use std::io::{Write, stdout};

use clap::{Args, Command, ValueEnum};
use clap_complete::aot::{Bash, Fish, Zsh, generate};

use crate::exit::Stop;
use crate::management::table::unwritable;

/// What it prints and where that belongs.
pub const HELP: &str = "\
Prints what lets a shell complete verbs and flags. It belongs where that shell looks for it:

  holdfast completion bash > /usr/share/bash-completion/completions/holdfast
  holdfast completion zsh > \"${fpath[1]}/_holdfast\"
  holdfast completion fish > ~/.config/fish/completions/holdfast.fish";

/// Arguments of `completion`.
#[derive(Args, Clone, Copy)]
pub struct CompletionArgs {
    /// For which shell
    shell: Shell,
}

#[derive(Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// Prints the script for a command line.
pub fn run(command: Command, args: CompletionArgs) -> Result<(), Stop> {
    stdout().write_all(&script(command, args.shell)).map_err(unwritable)
}

fn script(mut command: Command, shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    match shell {
        Shell::Bash => generate(Bash, &mut command, "holdfast", &mut script),
        Shell::Zsh => generate(Zsh, &mut command, "holdfast", &mut script),
        Shell::Fish => generate(Fish, &mut command, "holdfast", &mut script),
    }
    script
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::definition;

    #[test]
    fn every_shell_learns_the_verbs_below_a_noun() {
        for shell in Shell::value_variants() {
            let script = String::from_utf8(script(definition(), *shell)).unwrap();
            for word in ["set-password", "new-password-file", "join-token"] {
                assert!(script.contains(word), "{word}:\n{script}");
            }
        }
    }
}
