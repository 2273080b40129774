//! How a command ends: an exit status that scripts can rely on, and a sentence for people.

use std::fmt;

/// The exit status of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done; of `status`: healthy.
    Done,
    /// 1: failed; of `status`: degraded.
    Failed,
    /// 2: the command line or the configuration is wrong; of `status`: no quorum.
    Usage,
    /// 3: refused for safety.
    Refused,
    /// 4: nobody answers.
    Unreachable,
}

impl Exit {
    /// The number that the process ends with.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Unreachable => 4,
        }
    }
}

/// Why a command stopped before it was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The exit status.
    pub exit: Exit,
    /// What happened, to what, and what to do. Empty where all was said already.
    pub text: String,
}

impl Stop {
    /// Stops with `exit` and a sentence.
    pub fn new(exit: Exit, text: impl Into<String>) -> Self {
        Self { exit, text: text.into() }
    }

    /// It was tried and did not work.
    pub fn failed(text: impl Into<String>) -> Self {
        Self::new(Exit::Failed, text)
    }

    /// The command line or the configuration is wrong.
    pub fn usage(text: impl Into<String>) -> Self {
        Self::new(Exit::Usage, text)
    }

    /// It would have been unsafe.
    pub fn refused(text: impl Into<String>) -> Self {
        Self::new(Exit::Refused, text)
    }

    /// Nobody answered.
    pub fn unreachable(text: impl Into<String>) -> Self {
        Self::new(Exit::Unreachable, text)
    }

    /// A file or folder could not be used.
    pub fn file(doing: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        let advice = match error.kind() {
            std::io::ErrorKind::PermissionDenied => "; run as the user that owns it",
            std::io::ErrorKind::StorageFull => {
                "; the disk is full: free some room and run it again"
            }
            _ => "",
        };
        Self::failed(format!("cannot {doing} {}: {error}{advice}", path.display()))
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl std::error::Error for Stop {}
