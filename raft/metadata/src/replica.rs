//! A replica's two names: its id, chosen at random, and the short number the cluster gives it.

use std::fmt::{Display, Formatter};
use std::str::FromStr;

/// Names a replica for ever: twelve lower-case hexadecimal digits, never used for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplicaId(u64);

/// A text that is not a replica id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a replica id has twelve digits of 0-9 and a-f, not {0:?}")]
pub struct ReplicaIdError(String);

impl ReplicaId {
    /// Reads twelve hexadecimal digits, lower case.
    pub fn parse(text: &str) -> Result<Self, ReplicaIdError> {
        let right =
            text.len() == 12 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let number = right.then(|| u64::from_str_radix(text, 16).ok()).flatten();
        number.map(Self).ok_or_else(|| ReplicaIdError(text.to_owned()))
    }

    /// The id as a number below 2^48: what the consensus calls a node id.
    pub fn as_u64(self) -> u64 {
        self.0
    }

    /// The id that [`as_u64`](Self::as_u64) gave; `None` from 2^48 on.
    pub fn from_u64(number: u64) -> Option<Self> {
        (number < 1 << 48).then_some(Self(number))
    }
}

impl Display for ReplicaId {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:012x}", self.0)
    }
}

impl FromStr for ReplicaId {
    type Err = ReplicaIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// A member's number, from 1: given by the state machine when it joins and never used again.
///
/// Short, so that rows that list holders stay small and an upload's id can carry two of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberNumber(pub u16);

impl Display for MemberNumber {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_id_is_twelve_lower_case_digits_and_nothing_else() {
        for text in ["000000000000", "0123456789ab", "ffffffffffff"] {
            let id = ReplicaId::parse(text).unwrap();
            assert_eq!(id.to_string(), text);
            assert_eq!(ReplicaId::from_u64(id.as_u64()), Some(id));
        }
        for text in
            ["", "0123456789a", "0123456789abc", "0123456789AB", "+123456789ab", "0123456789ag"]
        {
            assert!(ReplicaId::parse(text).is_err(), "{text}");
        }
        assert_eq!(ReplicaId::from_u64(1 << 48), None);
    }
}
