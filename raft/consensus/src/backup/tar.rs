//! The little of tar that an archive needs: plain files with short names.
//!
//! There is one way to write a header, so a header that does not read back to the same bytes was
//! damaged. Source: POSIX.1-1988, "ustar".

/// Headers, and the padding of members, come in blocks of this size.
pub(super) const BLOCK_BYTES: usize = 512;

/// Two empty blocks end a tar.
pub(super) const END_BYTES: usize = 2 * BLOCK_BYTES;

const NAME_BYTES_MAX: usize = 100;
/// Where the checksum stands.
const SUM: std::ops::Range<usize> = 148..156;

/// What a header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) size_bytes: u64,
    /// Seconds since 1970.
    pub(super) modified_s: u64,
}

impl Member {
    /// The header of the member.
    pub(super) fn header(&self) -> [u8; BLOCK_BYTES] {
        let mut block = [0; BLOCK_BYTES];
        let name = &self.name.as_bytes()[..self.name.len().min(NAME_BYTES_MAX)];
        block[..name.len()].copy_from_slice(name);
        block[100..108].copy_from_slice(b"0000600\0");
        block[108..116].copy_from_slice(b"0000000\0");
        block[116..124].copy_from_slice(b"0000000\0");
        block[124..136].copy_from_slice(format!("{:011o}\0", self.size_bytes).as_bytes());
        block[136..148].copy_from_slice(format!("{:011o}\0", self.modified_s).as_bytes());
        block[156] = b'0';
        block[257..265].copy_from_slice(b"ustar\x0000");
        // The checksum is taken with blanks in its own place.
        block[SUM].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[SUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block
    }

    /// Reads [`Member::header`]; `None` where the block is none that it writes.
    pub(super) fn read(block: &[u8; BLOCK_BYTES]) -> Option<Self> {
        let name = block[..NAME_BYTES_MAX].split(|byte| *byte == 0).next()?;
        let member = Self {
            name: std::str::from_utf8(name).ok()?.to_owned(),
            size_bytes: octal(&block[124..135])?,
            modified_s: octal(&block[136..147])?,
        };
        (member.header() == *block).then_some(member)
    }
}

/// The bytes that fill the last block of a member.
pub(super) fn padding(size_bytes: u64) -> usize {
    let over = usize::try_from(size_bytes % BLOCK_BYTES as u64).unwrap_or(0);
    if over == 0 { 0 } else { BLOCK_BYTES - over }
}

fn octal(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |number, digit| match digit {
        b'0'..=b'7' => Some(number * 8 + u64::from(digit - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_reads_back_and_no_bit_of_it_may_differ() {
        let name = "repositories/17".to_owned();
        let member = Member { name, size_bytes: 8_388_608, modified_s: 1_700_000_000 };
        let header = member.header();
        assert_eq!(Member::read(&header), Some(member));
        for at in 0..header.len() * 8 {
            let mut flipped = header;
            flipped[at / 8] ^= 1 << (at % 8);
            assert_eq!(Member::read(&flipped), None, "bit {at}");
        }
    }

    #[test]
    fn members_are_padded_to_whole_blocks() {
        for (size, padded) in [(0, 0), (1, 511), (511, 1), (512, 0), (513, 511)] {
            assert_eq!(padding(size), padded, "{size}");
        }
    }
}
