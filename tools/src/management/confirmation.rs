//! The question before something is deleted.

use clap::Args;
use clap::builder::FalseyValueParser;

use crate::exit::Stop;
use crate::prompt;

/// The flag of every verb that deletes.
#[derive(Args, Clone, Copy)]
pub struct Confirmation {
    /// Does not ask; needed where nobody can be asked
    #[arg(long, short = 'y', env = "HOLDFAST_YES", value_parser = FalseyValueParser::new())]
    yes: bool,
}

impl Confirmation {
    /// Goes on only where it was confirmed that `what` is to be deleted.
    ///
    /// # Errors
    ///
    /// A usage error naming `--yes` where there is no terminal, and exit 1 after a no.
    pub fn ask(self, what: &str) -> Result<(), Stop> {
        if self.yes {
            return Ok(());
        }
        let answer = prompt::line(&format!("Delete {what}? [y/N]"), "--yes")?;
        if is_yes(&answer) { Ok(()) } else { Err(Stop::failed("nothing was deleted")) }
    }
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn only_yes_is_yes() {
        for answer in ["y", "Y", "yes", " YES "] {
            assert!(is_yes(answer), "{answer:?}");
        }
        for answer in ["", "n", "no", "yess", "j"] {
            assert!(!is_yes(answer), "{answer:?}");
        }
    }

    #[test]
    fn without_a_terminal_the_flag_decides() {
        assert_eq!(Confirmation { yes: true }.ask("it"), Ok(()));
        if prompt::possible() {
            return;
        }
        let stop = Confirmation { yes: false }.ask("it").unwrap_err();
        assert_eq!(stop.exit, Exit::Usage);
        assert!(stop.text.contains("--yes"), "{stop}");
    }
}
