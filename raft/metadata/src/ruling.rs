//! How a command ends early: refused, or because the tables are damaged.

use crate::outcome::Answer;
use crate::refusal::Refusal;
use crate::tables::Damage;

/// Why a command did not end in an answer.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The caller's to mend; every replica refuses alike.
    Refused(Box<Refusal>),
    /// This replica's tables are wrong.
    Damaged(Damage),
}

/// What a command, or a step of it, comes to.
pub(crate) type Ruling<T = Answer> = Result<T, Stop>;

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl From<Damage> for Stop {
    fn from(damage: Damage) -> Self {
        Self::Damaged(damage)
    }
}
