//! Passwords: Argon2id, on the blocking pool, a few at a time.
//!
//! A right password is remembered for a minute as a keyed hash, together with the stored hash it
//! was checked against: a changed password ends it at once. An unknown account costs the same time
//! as a wrong password.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::Semaphore;
use wire::clock::Clock;
use zeroize::Zeroizing;

use crate::imported_hash;
use crate::password_rule::CHARACTERS_MAX;
use crate::recent::Recent;
use crate::throttle::Throttle;
use crate::token::random_key;

/// Checks that run side by side; each takes 19 MiB for some 30 ms.
const CHECKS_MAX: usize = 2;
/// Checks that wait for their turn; one more is answered "busy".
const WAITING_MAX: usize = 200;
/// How long a right password is remembered.
const REMEMBERED_MS: u64 = 60_000;
/// Right passwords that are remembered.
const REMEMBERED_MAX: usize = 4_096;
/// Bytes a password may have: as many as the most characters may take.
pub const PASSWORD_BYTES_MAX: usize = 4 * CHARACTERS_MAX;
/// Bytes of a name under which failures are kept.
const THROTTLED_BYTES_MAX: usize = 200;
/// Stands in for the hash of an account that does not exist: same parameters, no known password.
const DECOY: &str = "$argon2id$v=19$m=19456,t=2,p=1$aG9sZGZhc3QtZGVjb3ktc2FsdA$\
                     AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

/// Why a password was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordFailure {
    /// No such account, or another password: both look alike.
    #[error("unknown user or wrong password")]
    Wrong,
    /// Too many wrong ones for this account from this address, or from this address at all.
    #[error(
        "too many wrong passwords for this account, or for many accounts, from this address; wait"
    )]
    TooMany {
        /// When it may be tried again.
        retry_after_s: u32,
    },
    /// Too many checks at once on this replica.
    #[error("this replica checks as many passwords as it can; try again")]
    Busy,
}

/// A right password of the last minute.
struct Remembered {
    stored: String,
    until_ms: u64,
}

/// Checks passwords.
pub struct Passwords {
    clock: Arc<dyn Clock>,
    slots: Arc<Semaphore>,
    waiting: AtomicUsize,
    key: hmac::Key,
    remembered: Mutex<Recent<Vec<u8>, Remembered>>,
    throttle: Throttle,
}

impl Passwords {
    /// Nothing is remembered yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            slots: Arc::new(Semaphore::new(CHECKS_MAX)),
            waiting: AtomicUsize::new(0),
            key: random_key(),
            remembered: Mutex::new(Recent::new(REMEMBERED_MAX)),
            throttle: Throttle::default(),
        }
    }

    /// Whether `password` is the account's, whose stored hash is `stored` (`None`: no such
    /// account).
    pub async fn check(
        &self,
        account: &str,
        password: &Zeroizing<String>,
        stored: Option<&str>,
        address: IpAddr,
    ) -> Result<(), PasswordFailure> {
        let name = self.name(account, password);
        let matches = self.matches(&name, password, stored);
        self.check_by((account, password, stored), address, matches).await
    }

    /// The same where `ask` says whether the password is right; `stored` ends what is remembered
    /// when it changes. What fails to be asked counts neither way.
    pub async fn check_by<E: From<PasswordFailure>>(
        &self,
        (account, password, stored): (&str, &Zeroizing<String>, Option<&str>),
        address: IpAddr,
        ask: impl Future<Output = Result<bool, E>>,
    ) -> Result<(), E> {
        let name = self.name(account, password);
        if self.is_remembered(&name, stored) {
            return Ok(());
        }
        let account = throttled(account);
        let turn = self.throttle.take_turn(account, address, self.clock.monotonic_ms());
        let wait_ms = turn.map_err(|wait_ms| {
            let retry_after_s = u32::try_from(wait_ms.div_ceil(1_000)).unwrap_or(u32::MAX);
            PasswordFailure::TooMany { retry_after_s }
        })?;
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;

        if ask.await? {
            self.throttle.succeeded(account, address, self.clock.monotonic_ms());
            self.remember(name, stored);
            return Ok(());
        }
        self.throttle.failed(account, address, self.clock.monotonic_ms());
        Err(PasswordFailure::Wrong.into())
    }

    async fn matches(
        &self,
        name: &[u8],
        password: &Zeroizing<String>,
        stored: Option<&str>,
    ) -> Result<bool, PasswordFailure> {
        let place = Place::take(&self.waiting).ok_or(PasswordFailure::Busy)?;
        let slots = Arc::clone(&self.slots);
        let slot = slots.acquire_owned().await.map_err(|_| PasswordFailure::Busy)?;
        drop(place);
        // Requests of one client arrive side by side: the first one's answer serves the others.
        if self.is_remembered(name, stored) {
            return Ok(true);
        }
        let password = password.clone();
        let known = stored.is_some();
        let stored = stored.unwrap_or(DECOY).to_owned();
        let check = tokio::task::spawn_blocking(move || {
            let _slot = slot;
            verify(&password, &stored)
        });
        Ok(check.await.unwrap_or(false) && known)
    }

    fn is_remembered(&self, name: &[u8], stored: Option<&str>) -> bool {
        let now_ms = self.clock.monotonic_ms();
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.get_mut(&name.to_vec()).is_some_and(|found| {
            found.until_ms > now_ms && stored.is_some_and(|stored| stored == found.stored)
        })
    }

    fn remember(&self, name: Vec<u8>, stored: Option<&str>) {
        let Some(stored) = stored else { return };
        let until_ms = self.clock.monotonic_ms() + REMEMBERED_MS;
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.insert(name, Remembered { stored: stored.to_owned(), until_ms });
    }

    /// A keyed hash of account and password: what is remembered holds neither.
    fn name(&self, account: &str, password: &str) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&(account.len() as u64).to_be_bytes());
        context.update(account.as_bytes());
        context.update(password.as_bytes());
        context.sign().as_ref().to_vec()
    }
}

/// As much of a name as the throttle keeps: no account has a longer one, and many that are as long
/// as a request may be must not fill the memory.
fn throttled(account: &str) -> &str {
    let mut end = account.len().min(THROTTLED_BYTES_MAX);
    while !account.is_char_boundary(end) {
        end -= 1;
    }
    &account[..end]
}

/// A place among those who wait for a check.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize) -> Option<Self> {
        let before = waiting.fetch_add(1, Ordering::Relaxed);
        let place = Self(waiting);
        (before < WAITING_MAX).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Compares in constant time; `false` where the stored text is no Argon2 hash.
fn verify(password: &str, stored: &str) -> bool {
    if password.len() > PASSWORD_BYTES_MAX {
        return false;
    }
    if let Some(imported) = imported_hash::parse(stored) {
        return imported.matches(password);
    }
    PasswordHash::new(stored)
        .is_ok_and(|hash| argon2id().verify_password(password.as_bytes(), &hash).is_ok())
}

/// The text to store for a new password.
///
/// # Errors
///
/// In words: the password is empty or too long, or the system gives no randomness.
pub async fn hash(password: Zeroizing<String>) -> Result<String, String> {
    let work = tokio::task::spawn_blocking(move || hash_now(&password));
    work.await.unwrap_or_else(|_| Err("hashing the password failed".to_owned()))
}

fn hash_now(password: &str) -> Result<String, String> {
    if password.is_empty() || password.len() > PASSWORD_BYTES_MAX {
        return Err(format!("a password has 1 to {PASSWORD_BYTES_MAX} bytes"));
    }
    let mut salt = [0_u8; 16];
    let no_randomness = |_| "the system gives no random bytes".to_owned();
    SystemRandom::new().fill(&mut salt).map_err(no_randomness)?;
    let salt = SaltString::encode_b64(&salt).map_err(|error| error.to_string())?;
    let hash = argon2id().hash_password(password.as_bytes(), &salt);
    hash.map(|hash| hash.to_string()).map_err(|error| error.to_string())
}

/// 19 MiB, 2 passes, 1 lane: the first of the settings that OWASP recommends.
fn argon2id() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::Arc;
    use std::time::Duration;

    use argon2::password_hash::PasswordHash;
    use wire::clock::SystemClock;
    use zeroize::Zeroizing;

    use super::{DECOY, PASSWORD_BYTES_MAX, PasswordFailure, Passwords, hash, hash_now, verify};

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn secret(text: &str) -> Zeroizing<String> {
        Zeroizing::new(text.to_owned())
    }

    #[test]
    fn the_decoy_costs_what_a_real_hash_costs() {
        let real = hash_now("a").unwrap();
        let (decoy, real) = (PasswordHash::new(DECOY).unwrap(), PasswordHash::new(&real).unwrap());
        assert_eq!(decoy.params, real.params);
        assert_eq!(decoy.algorithm, real.algorithm);
        assert_eq!(decoy.hash.unwrap().len(), real.hash.unwrap().len());
    }

    #[test]
    fn only_the_right_password_of_a_readable_hash_does() {
        let stored = hash_now("right").unwrap();
        assert!(verify("right", &stored));
        assert!(!verify("wrong", &stored));
        assert!(!verify("", &stored));
        assert!(!verify("right", "no hash"));
        assert!(hash_now("").is_err());
        assert!(hash_now(&"x".repeat(PASSWORD_BYTES_MAX + 1)).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_changed_hash_ends_what_was_remembered() {
        let passwords = Passwords::new(Arc::new(SystemClock::new()));
        let old = hash(secret("old")).await.unwrap();
        let new = hash(secret("new")).await.unwrap();
        assert_eq!(passwords.check("ann", &secret("old"), Some(&old), HERE).await, Ok(()));
        assert!(passwords.is_remembered(&passwords.name("ann", "old"), Some(&old)));
        assert!(!passwords.is_remembered(&passwords.name("ann", "old"), Some(&new)));
        assert!(!passwords.is_remembered(&passwords.name("ann", "old"), None));
        let again = passwords.check("ann", &secret("old"), Some(&new), HERE).await;
        assert_eq!(again, Err(PasswordFailure::Wrong));
        tokio::time::advance(Duration::from_secs(61)).await;
        assert!(!passwords.is_remembered(&passwords.name("ann", "old"), Some(&old)), "a minute");
    }

    #[tokio::test(start_paused = true)]
    async fn an_unknown_account_is_wrong_whatever_the_password() {
        let passwords = Passwords::new(Arc::new(SystemClock::new()));
        for _ in 0..2 {
            let answer = passwords.check("nobody", &secret("x"), None, HERE).await;
            assert_eq!(answer, Err(PasswordFailure::Wrong));
        }
    }
}
