//! From what somebody is called in the directory to the name of their account here.

use std::fmt::Write as _;

/// The account's name: an account's name is a namespace, which has no upper case.
///
/// Whether it is fit for an account is decided where one is made.
pub fn of(name: &str) -> String {
    name.to_lowercase()
}

/// A value as a filter takes it: what could end the value or match more than itself is escaped.
///
/// Source: RFC 4515, 3.
pub fn in_filter(value: &str) -> String {
    value.bytes().fold(String::with_capacity(value.len()), |mut text, byte| {
        if matches!(byte, b'\\' | b'*' | b'(' | b')') || !(0x20..0x7f).contains(&byte) {
            // Writing to a string never fails.
            let _ = write!(text, "\\{byte:02x}");
        } else {
            text.push(char::from(byte));
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::{in_filter, of};

    #[test]
    fn names_have_no_upper_case_and_values_end_no_filter() {
        assert_eq!(of("Ann.Lee"), "ann.lee");
        for (value, expected) in [
            ("ann", "ann"),
            ("a*", "a\\2a"),
            ("a)(uid=*", "a\\29\\28uid=\\2a"),
            ("a\\b", "a\\5cb"),
            ("a\0", "a\\00"),
            ("é", "\\c3\\a9"),
            ("a b,c", "a b,c"),
        ] {
            assert_eq!(in_filter(value), expected, "{value:?}");
        }
    }
}
