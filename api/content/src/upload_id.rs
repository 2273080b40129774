//! The name of an upload: a uuid that says which two replicas have its bytes.
//!
//! It is a version 8 uuid: the first two 16-bit numbers are the member numbers of the owner and of
//! the second replica (0: there is none); of the rest, but for the version and variant bits, 80
//! bits are random and 10 tie the id to its repository and account. Member numbers are given by the
//! state machine and never used twice, so an old id cannot point at a newcomer. The random part is
//! what makes an id unguessable; the tie is for a replica that takes an upload over and knows
//! nothing else of it.
//!
//! Source: RFC 9562, section 5.8.

use std::fmt;
use std::str::FromStr;

use metadata::replica::MemberNumber;
use oci::digest::Algorithm;
use oci::verifier::digest_of;

use crate::content::UploadMeta;

/// The bits of byte 6 that hold the version, and those of byte 8 that hold the variant.
const VERSION: u8 = 0x80;
const VARIANT: u8 = 0x80;

/// The bits of byte 14 that belong to the tie; byte 15 does whole.
const TIE_HIGH: u8 = 0x03;

/// The name of one upload; the same on every replica.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UploadId([u8; 16]);

impl UploadId {
    /// Names an upload whose bytes are on `owner` and, where there is one, on `second`.
    ///
    /// `random` is used but for the bits of the version and the variant.
    pub fn new(owner: MemberNumber, second: Option<MemberNumber>, random: [u8; 12]) -> Self {
        let mut bytes = [0; 16];
        bytes[..2].copy_from_slice(&owner.0.to_be_bytes());
        bytes[2..4].copy_from_slice(&second.map_or(0, |number| number.0).to_be_bytes());
        bytes[4..].copy_from_slice(&random);
        bytes[6] = (bytes[6] & 0x0f) | VERSION;
        bytes[8] = (bytes[8] & 0x3f) | VARIANT;
        Self(bytes)
    }

    /// As [`UploadId::new`], tied to what the upload is for.
    pub fn bound(
        owner: MemberNumber,
        second: Option<MemberNumber>,
        random: [u8; 12],
        meta: &UploadMeta,
    ) -> Self {
        let mut id = Self::new(owner, second, random);
        let tie = id.tie(meta);
        id.0[14] = (id.0[14] & !TIE_HIGH) | tie[0];
        id.0[15] = tie[1];
        id
    }

    /// Whether the id was made for that repository and account.
    pub fn is_bound_to(&self, meta: &UploadMeta) -> bool {
        [self.0[14] & TIE_HIGH, self.0[15]] == self.tie(meta)
    }

    /// Ten bits that depend on everything else in the id and on what it is for.
    fn tie(&self, meta: &UploadMeta) -> [u8; 2] {
        let mut bytes = self.0[..15].to_vec();
        bytes[14] &= !TIE_HIGH;
        bytes.extend_from_slice(meta.repository.as_str().as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(meta.account.as_bytes());
        let hash = digest_of(Algorithm::Sha256, &bytes).to_bytes();
        // The first byte of the form names the algorithm.
        [hash[1] & TIE_HIGH, hash[2]]
    }

    /// The replica that takes the bytes.
    pub fn owner(&self) -> MemberNumber {
        MemberNumber(u16::from_be_bytes([self.0[0], self.0[1]]))
    }

    /// The replica that goes on where the owner dies.
    pub fn second(&self) -> Option<MemberNumber> {
        let number = u16::from_be_bytes([self.0[2], self.0[3]]);
        (number != 0).then_some(MemberNumber(number))
    }

    /// Reads the form that [`fmt::Display`] writes: lower-case hex in groups of 8-4-4-4-12.
    ///
    /// Returns `None` for anything else, also for a uuid of another version.
    pub fn parse(text: &str) -> Option<Self> {
        let form = text.len() == 36
            && text.bytes().enumerate().all(|(at, byte)| match at {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            });
        if !form {
            return None;
        }
        let hex: Vec<u8> = text.bytes().filter(|byte| *byte != b'-').collect();
        let mut bytes = [0; 16];
        for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).ok()?;
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        let marked = bytes[6] & 0xf0 == VERSION && bytes[8] & 0xc0 == VARIANT;
        marked.then_some(Self(bytes))
    }
}

impl FromStr for UploadId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::parse(text).ok_or(())
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                out.write_str("-")?;
            }
            write!(out, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for UploadId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "UploadId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oci::name::RepositoryName;

    #[test]
    fn an_id_says_where_its_bytes_are_and_reads_back() {
        for (owner, second) in [(1, Some(2)), (65_535, None), (7, Some(65_535))] {
            for fill in [0x00, 0x5a, 0xff] {
                let id = UploadId::new(MemberNumber(owner), second.map(MemberNumber), [fill; 12]);
                let text = id.to_string();
                assert_eq!(UploadId::parse(&text), Some(id), "{text}");
                assert_eq!(id.owner(), MemberNumber(owner));
                assert_eq!(id.second(), second.map(MemberNumber));
                assert_eq!(&text[14..15], "8", "version: {text}");
                assert!("89ab".contains(&text[19..20]), "variant: {text}");
            }
        }
    }

    #[test]
    fn an_id_is_tied_to_its_repository_and_account() {
        let meta = |repository: &str, account: &str| UploadMeta {
            repository: RepositoryName::parse(repository).unwrap(),
            account: account.into(),
            voucher: None,
        };
        let mut strangers = 0;
        for fill in 0..=255 {
            let id = UploadId::bound(
                MemberNumber(1),
                Some(MemberNumber(2)),
                [fill; 12],
                &meta("a/b", "ann"),
            );
            let read = UploadId::parse(&id.to_string()).unwrap();
            assert!(read.is_bound_to(&meta("a/b", "ann")));
            let others = [meta("a/b", "bob"), meta("a/c", "ann"), meta("a/b", "")];
            strangers += others.iter().filter(|other| read.is_bound_to(other)).count();
        }
        assert!(strangers < 10, "{strangers} of 768");
    }

    #[test]
    fn what_is_not_an_id_of_ours_is_refused() {
        let good = UploadId::new(MemberNumber(1), None, [0xab; 12]).to_string();
        let cases = [
            String::new(),
            good.to_uppercase(),
            good.replace('-', ""),
            format!("{good}0"),
            good.replacen("-8", "-4", 1),
            format!("{{{}}}", &good[..34]),
            "../../../../../../../etc/passwd-----".into(),
            good.replacen('0', "+", 1),
            good.replacen('0', "g", 1),
        ];
        for case in cases {
            assert_eq!(UploadId::parse(&case), None, "{case}");
        }
    }
}
