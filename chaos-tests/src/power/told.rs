//! What the writer says on its output: before it asks for something, and when it was told it is
//! done.

use std::fmt;
use std::str::FromStr;

use anyhow::{Error, bail};

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The log is open again. What it held last follows, and all of it is durable.
    Opened,
    /// The entry (term, index) was there when the log was opened.
    Found(u64, u64),
    /// The entry (term, index) is durable.
    Appended(u64, u64),
    /// The vote of this term will be saved.
    Voting(u64),
    /// It is durable.
    Voted(u64),
    /// The entries from this index on will be forgotten.
    Truncating(u64),
    /// They are.
    Truncated(u64),
    /// The entries up to this index will be forgotten.
    Purging(u64),
    /// They are.
    Purged(u64),
    /// The batch of this number will be committed.
    Committing(u64),
    /// All batches up to this number were flushed to the system.
    Flushed(u64),
    /// The blob of this number is sealed.
    Sealed(u64),
    /// It will be removed.
    Removing(u64),
}

impl fmt::Display for Told {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opened => write!(to, "told opened"),
            Self::Found(term, index) => write!(to, "told found {term} {index}"),
            Self::Appended(term, index) => write!(to, "told appended {term} {index}"),
            Self::Voting(term) => write!(to, "told voting {term}"),
            Self::Voted(term) => write!(to, "told voted {term}"),
            Self::Truncating(index) => write!(to, "told truncating {index}"),
            Self::Truncated(index) => write!(to, "told truncated {index}"),
            Self::Purging(index) => write!(to, "told purging {index}"),
            Self::Purged(index) => write!(to, "told purged {index}"),
            Self::Committing(batch) => write!(to, "told committing {batch}"),
            Self::Flushed(batch) => write!(to, "told flushed {batch}"),
            Self::Sealed(blob) => write!(to, "told sealed {blob}"),
            Self::Removing(blob) => write!(to, "told removing {blob}"),
        }
    }
}

impl FromStr for Told {
    type Err = Error;

    fn from_str(line: &str) -> Result<Self, Error> {
        let words: Vec<&str> = line.split(' ').collect();
        Ok(match words[..] {
            ["told", "opened"] => Self::Opened,
            ["told", "found", term, index] => Self::Found(term.parse()?, index.parse()?),
            ["told", "appended", term, index] => Self::Appended(term.parse()?, index.parse()?),
            ["told", kind, number] => {
                let number = number.parse()?;
                match kind {
                    "voting" => Self::Voting(number),
                    "voted" => Self::Voted(number),
                    "truncating" => Self::Truncating(number),
                    "truncated" => Self::Truncated(number),
                    "purging" => Self::Purging(number),
                    "purged" => Self::Purged(number),
                    "committing" => Self::Committing(number),
                    "flushed" => Self::Flushed(number),
                    "sealed" => Self::Sealed(number),
                    "removing" => Self::Removing(number),
                    other => bail!("a writer does not say {other:?}"),
                }
            }
            _ => bail!("a writer does not say {line:?}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood() {
        let all = [Told::Appended(3, 4), Told::Voting(1), Told::Voted(1), Told::Truncating(5)];
        let more = [Told::Truncated(5), Told::Purging(2), Told::Purged(2), Told::Found(8, 1)];
        let rest = [
            Told::Committing(8),
            Told::Flushed(8),
            Told::Sealed(9),
            Told::Removing(9),
            Told::Opened,
        ];
        for told in all.into_iter().chain(more).chain(rest) {
            assert_eq!(told.to_string().parse::<Told>().unwrap(), told);
        }
        for line in ["told sealed", "told lied 3", "told appended 3", "running 1 test"] {
            assert!(line.parse::<Told>().is_err(), "{line}");
        }
    }
}
