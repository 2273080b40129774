//! Sessions of people who use the pages: the text in their cookie, and what proves that a request
//! comes from one of our pages.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use metadata::page_sessions::SessionHash;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::access_token::{hash, hex};

/// Random bytes of a session.
const SECRET_BYTES: usize = 32;

/// The text's length in bytes: six bits a letter.
const TEXT_BYTES: usize = (SECRET_BYTES * 8).div_ceil(6);

/// A new session's text and what is kept of it.
///
/// # Errors
///
/// The system has no randomness to give.
pub fn draw() -> Result<(Zeroizing<String>, SessionHash), String> {
    let mut secret = Zeroizing::new([0; SECRET_BYTES]);
    let drawn = SystemRandom::new().fill(&mut *secret);
    drawn.map_err(|_| "the system gives no random numbers".to_owned())?;
    let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(*secret));
    let kept = hash(&text);
    Ok((text, kept))
}

/// What is kept of a text in the form of a session; `None` for any other.
pub fn hash_of(text: &str) -> Option<SessionHash> {
    (text.len() == TEXT_BYTES).then(|| hash(text))
}

/// What pages send with every change, in a header that no other site can set: it follows from the
/// session's text, which a script can't read, and says nothing of it.
pub fn csrf_token(text: &str) -> String {
    hex(&hash(&format!("csrf {text}")))
}

/// Whether `given` is the session's; how long that takes says nothing of where they differ.
pub fn is_csrf_token(text: &str, given: &str) -> bool {
    let expected = csrf_token(text);
    let pairs = expected.bytes().zip(given.bytes());
    given.len() == expected.len()
        && pairs.fold(0, |differ, (a, b)| std::hint::black_box(differ | (a ^ b))) == 0
}

#[cfg(test)]
mod tests {
    use super::{csrf_token, draw, hash_of, is_csrf_token};

    #[test]
    fn a_session_is_known_by_its_text_alone() {
        let ((text, hash), (other, _)) = (draw().unwrap(), draw().unwrap());
        assert_eq!(hash_of(&text), Some(hash));
        assert_ne!(hash_of(&other), Some(hash));
        assert_eq!(hash_of(&text[1..]), None);
        assert!(is_csrf_token(&text, &csrf_token(&text)));
        for given in ["", "x", &csrf_token(&other), &csrf_token(&text)[1..], &text] {
            assert!(!is_csrf_token(&text, given), "{given}");
        }
    }
}
