//! As much of the encoding as bounds what a directory may send.
//!
//! The library that reads the answers takes any length and any depth, and reads what is nested by
//! calling itself. So no message reaches it that is larger or deeper than LDAP's own are.

/// Bytes of one message, at most: a group of some ten thousand members.
pub(crate) const MESSAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Levels within levels, at most; LDAP's own messages have fewer than ten.
const DEPTH_MAX: usize = 32;

/// Which bytes an element begins with.
const SEQUENCE: u8 = 0x30;
const CONSTRUCTED: u8 = 0x20;
const EXTENDED_RESPONSE: u8 = 0x78;
const ENUMERATED: u8 = 0x0a;

/// A message that is not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    #[error("it sent a message of more than {MESSAGE_BYTES_MAX} bytes")]
    TooLarge,
    #[error("it sent something that is not LDAP; is TLS wanted there, or not?")]
    NotOne,
}

/// An element's first bytes.
struct Head {
    tag: u8,
    bytes: usize,
    content_bytes: usize,
}

/// The head that stands at the beginning; `None` where bytes of it are to come.
fn head(bytes: &[u8]) -> Result<Option<Head>, Unfit> {
    let [tag, first, rest @ ..] = bytes else { return Ok(None) };
    let (tag, more) = (*tag, usize::from(first & 0x7f));
    if *first < 0x80 {
        return Ok(Some(Head { tag, bytes: 2, content_bytes: more }));
    }
    if more == 0 || more > 4 {
        return Err(Unfit::NotOne);
    }
    let Some(digits) = rest.get(..more) else { return Ok(None) };
    let content_bytes = digits.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    Ok(Some(Head { tag, bytes: 2 + more, content_bytes }))
}

/// The length of the message that stands at the beginning; `None` where bytes of it are to come.
pub(crate) fn message(bytes: &[u8]) -> Result<Option<usize>, Unfit> {
    if bytes.first().is_some_and(|tag| *tag != SEQUENCE) {
        return Err(Unfit::NotOne);
    }
    let Some(head) = head(bytes)? else { return Ok(None) };
    let length = head.bytes + head.content_bytes;
    if length > MESSAGE_BYTES_MAX {
        return Err(Unfit::TooLarge);
    }
    if bytes.len() < length {
        return Ok(None);
    }
    check_nesting(&bytes[..length])?;
    Ok(Some(length))
}

/// Every element lies within the one around it, and not too deep.
fn check_nesting(message: &[u8]) -> Result<(), Unfit> {
    let (mut ends, mut at) = (vec![message.len()], 0);
    while at < message.len() {
        while ends.len() > 1 && ends.last() == Some(&at) {
            ends.pop();
        }
        let head = head(&message[at..])?.ok_or(Unfit::NotOne)?;
        let (begin, end) = (at + head.bytes, at + head.bytes + head.content_bytes);
        if ends.last().is_none_or(|around| end > *around) {
            return Err(Unfit::NotOne);
        }
        if head.tag & CONSTRUCTED == 0 {
            at = end;
            continue;
        }
        ends.push(end);
        if ends.len() > DEPTH_MAX {
            return Err(Unfit::NotOne);
        }
        at = begin;
    }
    Ok(())
}

/// The code of the first extended answer of a connection.
///
/// Source: RFC 4511, 4.12.
pub(crate) fn extended_code(message: &[u8]) -> Option<u8> {
    let outer = head(message).ok()??;
    let id = &message[outer.bytes..];
    let id_head = head(id).ok()??;
    let answer = id.get(id_head.bytes + id_head.content_bytes..)?;
    let answer_head = head(answer).ok()??;
    let code = answer.get(answer_head.bytes..)?;
    let code_head = head(code).ok()??;
    let is_one = answer_head.tag == EXTENDED_RESPONSE
        && code_head.tag == ENUMERATED
        && code_head.content_bytes == 1;
    if is_one { code.get(code_head.bytes).copied() } else { None }
}

#[cfg(test)]
mod tests {
    use super::{DEPTH_MAX, Unfit, extended_code, message};

    #[test]
    fn a_message_is_whole_bounded_and_not_too_deep() {
        let nested = |depth: usize| {
            let mut bytes = vec![0x30, 0x00];
            for _ in 1..depth {
                let length = u8::try_from(bytes.len()).unwrap();
                let head =
                    if length < 0x80 { vec![0x30, length] } else { vec![0x30, 0x81, length] };
                bytes = [head, bytes].concat();
            }
            bytes
        };
        let deep = nested(DEPTH_MAX - 1);
        type Case<'a> = (&'a [u8], Result<Option<usize>, Unfit>);
        let cases: [Case<'_>; 10] = [
            (b"", Ok(None)),
            (b"\x30", Ok(None)),
            (b"\x30\x82\x01", Ok(None)),
            (b"\x30\x02\x05", Ok(None)),
            (b"\x30\x02\x05\x00\x30", Ok(Some(4))),
            (b"\x16\x03\x01", Err(Unfit::NotOne)),
            (b"\x30\x84\xff\xff\xff\xff", Err(Unfit::TooLarge)),
            (b"\x30\x80\x00\x00", Err(Unfit::NotOne)),
            (b"\x30\x02\x04\x05", Err(Unfit::NotOne)),
            (&deep, Ok(Some(deep.len()))),
        ];
        for (bytes, expected) in cases {
            assert_eq!(message(bytes), expected, "{bytes:02x?}");
        }
        assert_eq!(message(&nested(DEPTH_MAX)), Err(Unfit::NotOne));
    }

    #[test]
    fn the_code_of_an_extended_answer_is_read() {
        let success = b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00";
        assert_eq!(extended_code(success), Some(0));
        let refused = b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x34\x04\x00\x04\x00";
        assert_eq!(extended_code(refused), Some(0x34));
        assert_eq!(extended_code(b"\x30\x05\x02\x01\x01\x61\x00"), None);
        for length in 0..success.len() {
            assert!(matches!(extended_code(&success[..length]), None | Some(0)), "{length}");
        }
    }
}
