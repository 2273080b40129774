//! Names of entries, as far as they must be compared: two spellings of one name are the same.

/// A name of an entry in one spelling: lower case, without blanks around its parts, every escape
/// undone and written anew; the attributes of a part that has several in order.
///
/// Two entries whose names differ only in case are one here, as they are for the attributes that
/// name people and groups.
///
/// # Errors
///
/// In words: the text is no name of an entry.
///
/// Source: RFC 4514.
pub fn normalized(text: &str) -> Result<String, String> {
    let mut parts = Vec::new();
    for part in split(text, &[',', ';']) {
        let mut pairs = Vec::new();
        for pair in split(part, &['+']) {
            let (attribute, value) = pair.split_once('=').ok_or_else(|| not_one(text))?;
            let attribute = attribute.trim().to_lowercase();
            let is_name = |letter: char| letter.is_ascii_alphanumeric() || ".-".contains(letter);
            if attribute.is_empty() || !attribute.chars().all(is_name) {
                return Err(not_one(text));
            }
            let value = unescaped(value).ok_or_else(|| not_one(text))?.to_lowercase();
            pairs.push(format!("{attribute}={}", escaped(&value)));
        }
        pairs.sort_unstable();
        parts.push(pairs.join("+"));
    }
    Ok(parts.join(","))
}

fn not_one(text: &str) -> String {
    let short: String = text.chars().take(100).collect();
    format!("{short:?} is no name of an entry: it reads like ou=people,dc=example,dc=com")
}

/// The pieces between separators that are not escaped or quoted.
fn split<'a>(text: &'a str, separators: &[char]) -> Vec<&'a str> {
    let (mut pieces, mut from, mut is_escaped, mut is_quoted) = (Vec::new(), 0, false, false);
    for (at, letter) in text.char_indices() {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ if !is_quoted && separators.contains(&letter) => {
                pieces.push(&text[from..at]);
                from = at + letter.len_utf8();
            }
            _ => {}
        }
    }
    pieces.push(&text[from..]);
    pieces
}

/// A value without its escapes, quotes and the blanks around it; `None` where an escape is none.
fn unescaped(value: &str) -> Option<String> {
    let value = value.trim_start();
    let (mut bytes, mut kept, mut rest) = (Vec::new(), 0, value.as_bytes().iter());
    while let Some(byte) = rest.next() {
        match byte {
            b'\\' => {
                let next = *rest.as_slice().first()?;
                let pair = rest.as_slice().get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
                let is_hex = |pair: &&str| pair.bytes().all(|digit| digit.is_ascii_hexdigit());
                if let Some(pair) = pair.filter(is_hex) {
                    bytes.push(u8::from_str_radix(pair, 16).ok()?);
                    rest.nth(1);
                } else {
                    bytes.push(next);
                    rest.next();
                }
                kept = bytes.len();
            }
            b'"' => kept = bytes.len(),
            byte => {
                bytes.push(*byte);
                if *byte != b' ' {
                    kept = bytes.len();
                }
            }
        }
    }
    bytes.truncate(kept);
    String::from_utf8(bytes).ok()
}

fn escaped(value: &str) -> String {
    value.chars().fold(String::with_capacity(value.len()), |mut text, letter| {
        if ",;+=\"\\<>#".contains(letter) {
            text.push('\\');
        }
        text.push(letter);
        text
    })
}

#[cfg(test)]
mod tests {
    use super::normalized;

    #[test]
    fn spellings_of_one_name_are_alike_and_others_are_not() {
        let same = [
            "uid=ann,ou=People,dc=example",
            "UID=Ann, ou=people , DC=example",
            "uid=\\41nn,ou=people,dc=example",
        ];
        for text in same {
            assert_eq!(normalized(text).unwrap(), "uid=ann,ou=people,dc=example", "{text}");
        }
        assert_eq!(normalized("cn=Lee\\, Ann,dc=x").unwrap(), "cn=lee\\, ann,dc=x");
        assert_eq!(normalized("cn=Lee\\2c Ann,dc=x").unwrap(), "cn=lee\\, ann,dc=x");
        assert_eq!(normalized("cn=\"Lee, Ann\",dc=x").unwrap(), "cn=lee\\, ann,dc=x");
        assert_eq!(normalized("b=2+a=1,dc=x").unwrap(), "a=1+b=2,dc=x");
        assert_eq!(normalized("cn=J\\c3\\bcrgen,dc=x"), normalized("cn=Jürgen,dc=x"));
        assert_ne!(normalized("cn=a\\,dc=x"), normalized("cn=a,dc=x"));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["", "people", "=x", "ou people=x", "ou=a,,dc=x", "cn=a\\", "cn=\\ff"] {
            assert!(normalized(text).is_err(), "{text:?}");
        }
    }
}
