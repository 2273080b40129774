//! Hashes of passwords that other products made: bcrypt, and PBKDF2 with SHA-256.
//!
//! They come with a list of accounts. Each is good for signing in, and replaced by our own when its
//! owner does for the first time. What checking one costs is bounded: a list must not be a way to
//! keep a replica busy.

use std::num::NonZeroU32;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ring::pbkdf2;

/// Rounds of bcrypt as a power of two; 14 takes about a second.
const COST: std::ops::RangeInclusive<u32> = 4..=14;
/// Iterations of PBKDF2; the most take about half a second.
const ITERATIONS: std::ops::RangeInclusive<u32> = 1_000..=2_000_000;
/// Bytes of salt, and of the hash.
const SALT_BYTES: std::ops::RangeInclusive<usize> = 4..=64;
const HASH_BYTES: std::ops::RangeInclusive<usize> = 16..=64;

/// What is said of a text that is none.
pub const FORMS: &str = "passwordHash is bcrypt ($2b$, cost 4 to 14) or PBKDF2-SHA256 \
    ($pbkdf2-sha256$i=ITERATIONS$SALT$HASH, $pbkdf2-sha256$ITERATIONS$SALT$HASH or \
    pbkdf2_sha256$ITERATIONS$SALT$HASH, 1000 to 2000000 iterations)";

/// A hash that is not ours.
#[derive(Debug, PartialEq, Eq)]
pub enum ImportedHash<'a> {
    /// `$2a$`, `$2b$` or `$2y$`.
    Bcrypt(&'a str),
    /// PBKDF2 with HMAC-SHA256.
    Pbkdf2 {
        /// How often it hashed.
        iterations: NonZeroU32,
        /// With what.
        salt: Vec<u8>,
        /// To what.
        hash: Vec<u8>,
    },
}

/// Reads one; `None` for any other text, and for one beyond the bounds.
pub fn parse(text: &str) -> Option<ImportedHash<'_>> {
    if ["$2a$", "$2b$", "$2y$"].iter().any(|prefix| text.starts_with(prefix)) {
        return bcrypt_of(text);
    }
    let django = text.strip_prefix("pbkdf2_sha256$");
    let rest = django.or_else(|| text.strip_prefix("$pbkdf2-sha256$"))?;
    let [iterations, salt, hash] = rest.split('$').collect::<Vec<_>>()[..] else { return None };
    // Django hashes the salt's text as it stands.
    let salt = if django.is_some() { salt.as_bytes().to_vec() } else { decoded(salt)? };
    let (iterations, hash) = (iterations_of(iterations)?, decoded(hash)?);
    let fits = ITERATIONS.contains(&iterations.get())
        && SALT_BYTES.contains(&salt.len())
        && HASH_BYTES.contains(&hash.len());
    fits.then_some(ImportedHash::Pbkdf2 { iterations, salt, hash })
}

impl ImportedHash<'_> {
    /// Whether this password was hashed; compares in constant time.
    pub fn matches(&self, password: &str) -> bool {
        match self {
            Self::Bcrypt(text) => bcrypt::verify(password, text).unwrap_or(false),
            Self::Pbkdf2 { iterations, salt, hash } => {
                let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
                pbkdf2::verify(algorithm, *iterations, salt, password.as_bytes(), hash).is_ok()
            }
        }
    }
}

/// `$2b$`, two digits, `$`, and 53 letters of salt and hash.
fn bcrypt_of(text: &str) -> Option<ImportedHash<'_>> {
    let (cost, rest) = text.get(4..)?.split_once('$')?;
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"./".contains(&byte);
    let fits = cost.len() == 2
        && cost.bytes().all(|digit| digit.is_ascii_digit())
        && COST.contains(&cost.parse().ok()?)
        && rest.len() == 53
        && rest.bytes().all(is_letter);
    fits.then_some(ImportedHash::Bcrypt(text))
}

/// `29000`, or `i=29000` perhaps followed by `,l=32`.
fn iterations_of(text: &str) -> Option<NonZeroU32> {
    let text = text.strip_prefix("i=").unwrap_or(text);
    let digits = text.split_once(",l=").map_or(text, |(digits, _)| digits);
    digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// Base64, with or without padding; some write a dot for the plus.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(&STANDARD, config).decode(text.replace('.', "+")).ok()
}

#[cfg(test)]
mod tests {
    use super::parse;

    /// Made by other programs: `htpasswd -B`, and Python's `hashlib`.
    const BCRYPT: &str = "$2b$04$abcdefghijklmnopqrstuujb.HQN.5Q7GRIWCpvMsmOZEmuk6cPA.";
    const PBKDF2: &str = "$pbkdf2-sha256$29000$\
                          MDEyMzQ1Njc4OWFiY2RlZg$qvlhxwkJ25xU6OKxW46avNAWbXkaGFciHny/6qeeYyk";
    const DJANGO: &str = "pbkdf2_sha256$60000$\
                          pinchofsalt$85cjYvJFiu0xtbPVVDFagGxsSTpZy3/A0G98K5nfN+k=";

    #[test]
    fn hashes_of_other_products_know_their_password() {
        for text in [BCRYPT, PBKDF2, DJANGO] {
            let hash = parse(text).unwrap();
            assert!(hash.matches("violet-kettle-37"), "{text}");
            assert!(!hash.matches("violet-kettle-38") && !hash.matches(""), "{text}");
        }
    }

    #[test]
    fn what_is_no_hash_or_costs_too_much_is_refused() {
        let argon2 = "$argon2id$v=19$m=19456,t=2,p=1$aG9sZGZhc3Q$AAECAwQFBgcICQ";
        let salt = "AAAAAAAAAAAAAAAA";
        let hash = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
        let pbkdf2 = |head: &str, salt: &str, hash: &str| format!("{head}${salt}${hash}");
        let cases = [
            (String::new(), false),
            ("secret".to_owned(), false),
            (argon2.to_owned(), false),
            (BCRYPT.replace("$04$", "$03$"), false),
            (BCRYPT.replace("$04$", "$15$"), false),
            (BCRYPT.replace("$04$", "$14$"), true),
            (BCRYPT.replace("$04$", "$4$"), false),
            (BCRYPT.replace("$2b$", "$2x$"), false),
            (BCRYPT[..59].to_owned(), false),
            (format!("{BCRYPT}x"), false),
            (pbkdf2("$pbkdf2-sha256$i=1000,l=32", salt, hash), true),
            (pbkdf2("$pbkdf2-sha256$29000", salt, hash), true),
            (pbkdf2("pbkdf2_sha256$29000", "saltysalt", hash), true),
            (pbkdf2("$pbkdf2-sha256$999", salt, hash), false),
            (pbkdf2("$pbkdf2-sha256$2000001", salt, hash), false),
            (pbkdf2("$pbkdf2-sha256$99999999999", salt, hash), false),
            (pbkdf2("$pbkdf2-sha256$+2000", salt, hash), false),
            (pbkdf2("$pbkdf2-sha256$2000", "AAA", hash), false),
            (pbkdf2("$pbkdf2-sha256$2000", salt, "AAAA"), false),
            (pbkdf2("$pbkdf2-sha256$2000", salt, "!"), false),
            (pbkdf2("$pbkdf2-sha256$2000", salt, hash) + "$x", false),
            (pbkdf2("$pbkdf2-sha512$2000", salt, hash), false),
        ];
        for (text, is_one) in cases {
            assert_eq!(parse(&text).is_some(), is_one, "{text}");
        }
    }
}
