//! What a password that somebody chooses must be: long enough, and not the first that is guessed.

use crate::{access_token, worst_passwords};

/// Characters of a password, at least and at most.
pub const CHARACTERS_MIN: usize = 8;
/// The most characters; in bytes [`crate::password::PASSWORD_BYTES_MAX`].
pub const CHARACTERS_MAX: usize = 4_096;

/// Why a password is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Guessed by trying all there are.
    #[error("a password has at least {CHARACTERS_MIN} characters; choose a longer one")]
    TooShort,
    /// Hashing must not be a way to keep a replica busy.
    #[error("a password has at most {CHARACTERS_MAX} characters; choose a shorter one")]
    TooLong,
    /// Guessed first.
    #[error("this password is among those that are guessed first; choose another")]
    WellKnown,
    /// It would be read as an access token.
    #[error("a password must not have the form of an access token; choose another")]
    TokenForm,
    /// Guessed next.
    #[error("a password must differ from the account's name; choose another")]
    OwnName,
}

/// Whether an account of that name may have this password.
///
/// # Errors
///
/// Which rule it is against.
pub fn check(account: &str, password: &str) -> Result<(), Unfit> {
    let characters = password.chars().count();
    if characters < CHARACTERS_MIN {
        Err(Unfit::TooShort)
    } else if characters > CHARACTERS_MAX {
        Err(Unfit::TooLong)
    } else if access_token::hash_of(password).is_some() {
        Err(Unfit::TokenForm)
    } else if worst_passwords::contains(password) {
        Err(Unfit::WellKnown)
    } else if password.to_lowercase() == account.to_lowercase() {
        Err(Unfit::OwnName)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Unfit, check};

    #[test]
    fn a_password_is_long_enough_and_hard_to_guess() {
        let cases = [
            ("", Err(Unfit::TooShort)),
            ("1234567", Err(Unfit::TooShort)),
            ("ééééééé", Err(Unfit::TooShort)),
            ("éééééééé", Ok(())),
            ("engine-1", Ok(())),
            (&"ü".repeat(4_096), Ok(())),
            (&"x".repeat(4_097), Err(Unfit::TooLong)),
            ("password", Err(Unfit::WellKnown)),
            ("PassWord1", Err(Unfit::WellKnown)),
            ("lovelace", Err(Unfit::OwnName)),
            ("LoveLace", Err(Unfit::OwnName)),
            ("lovelace2", Ok(())),
        ];
        for (password, expected) in cases {
            assert_eq!(check("lovelace", password), expected, "{password:.20}");
        }
    }
}
