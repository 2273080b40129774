//! Password hashes, for the first administrator's account.

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, SaltString};

use crate::exit::Stop;

/// Passwords shorter than this many bytes are refused.
pub const BYTES_MIN: usize = 8;

/// Longer ones are, too: hashing must not be a way to keep a replica busy.
pub const BYTES_MAX: usize = 1_024;

/// Hashes `password` with Argon2id and a random salt, in the PHC string form.
pub fn hash(password: &str) -> Result<String, Stop> {
    if !(BYTES_MIN..=BYTES_MAX).contains(&password.len()) {
        return Err(Stop::usage(format!(
            "the administrator's password has {} bytes: it may have {BYTES_MIN} to {BYTES_MAX}",
            password.len()
        )));
    }
    let failed = |error| Stop::failed(format!("the password cannot be hashed: {error}"));
    let salt = SaltString::encode_b64(&rand::random::<[u8; 16]>()).map_err(failed)?;
    let hash = Argon2::default().hash_password(password.as_bytes(), &salt).map_err(failed)?;
    Ok(hash.to_string())
}

/// A password nobody has to think up: 24 letters and digits, about 140 bits.
pub fn random() -> String {
    const LETTERS: &[u8] = b"abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    use rand::Rng;
    let mut random = rand::rng();
    (0..24).map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::password_hash::{PasswordHash, PasswordVerifier};

    #[test]
    fn a_hash_verifies_its_password_and_no_other() {
        let text = hash("correct horse").unwrap();
        assert!(text.starts_with("$argon2id$"));
        let parsed = PasswordHash::new(&text).unwrap();
        assert!(Argon2::default().verify_password(b"correct horse", &parsed).is_ok());
        assert!(Argon2::default().verify_password(b"correct horsf", &parsed).is_err());
    }

    #[test]
    fn short_and_endless_passwords_are_refused() {
        for password in ["", "1234567", &"x".repeat(BYTES_MAX + 1)] {
            assert!(hash(password).is_err(), "{} bytes", password.len());
        }
    }

    #[test]
    fn random_passwords_differ() {
        assert_ne!(random(), random());
        assert_eq!(random().len(), 24);
    }
}
