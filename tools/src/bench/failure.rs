//! Why a sample failed, in one sentence.

use std::fmt;

use super::address::Address;
use crate::exit::{Exit, Stop};

/// A request that did not do what it should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What happened, to what.
    pub text: String,
    /// The status, where there was an answer.
    pub status: Option<u16>,
    /// Whether nobody could be reached.
    pub unreachable: bool,
}

impl Failure {
    /// An answer that was understood and is not what was expected.
    pub fn answer(text: impl Into<String>, status: Option<u16>) -> Self {
        Self { text: text.into(), status, unreachable: false }
    }

    /// The connection to `address` could not be opened, or broke.
    pub fn connection(address: &Address, error: &std::io::Error) -> Self {
        let cause = error.to_string();
        let text = if cause.contains(&address.dialled) {
            cause
        } else {
            format!("{}: {cause}", address.url())
        };
        Self { text, status: None, unreachable: true }
    }

    /// As the end of the command.
    pub fn into_stop(self) -> Stop {
        let advice = match self.status {
            Some(401) => "; it needs a login: give --username and --password-file",
            Some(403) => "; the account may not do this: it needs the right to push",
            None if self.unreachable && self.text.contains("ertificate") => {
                "; give the server's authority by --ca (a Holdfast replica hands it out at /ca)"
            }
            None if self.unreachable => "; is the registry running, and is the port right?",
            _ => "",
        };
        let exit = if self.unreachable { Exit::Unreachable } else { Exit::Failed };
        Stop::new(exit, format!("{}{advice}", self.text))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}
