//! Passwords of users: Argon2id with the crate's parameters (19 MiB, 2 passes), which are those that OWASP names.

use crate::service_error::{Kind, ServiceError};
use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use std::sync::{Mutex, PoisonError};

/// Shorter ones are guessed.
const CHARS_MIN: usize = 12;
/// Longer ones only cost time.
const BYTES_MAX: usize = 1024;
/// What the password of a user who does not exist is compared with, so that the answer takes as long.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
/// One at a time: each takes 19 MiB, and strangers ask for them.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Refuses what is easily guessed.
pub fn check_password(password: &str) -> Result<(), ServiceError> {
    if password.chars().count() < CHARS_MIN || password.len() > BYTES_MAX || password.contains(['\0', '\n', '\r']) {
        return Err(ServiceError::field(
            "password",
            format!("allowed is one line of {CHARS_MIN} to {BYTES_MAX} characters"),
        ));
    }
    Ok(())
}

/// For the database.
pub fn hash_password(password: &str) -> Result<String, ServiceError> {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.map(|hash| hash.to_string()).map_err(|e| ServiceError::new(Kind::Internal, format!("the password: {e}")))
}

/// Whether it is the password; `None` for a user who does not exist.
pub fn is_password(password: &str, hash: Option<&str>) -> bool {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let is_right = Argon2::default().verify_password(password.as_bytes(), hash.unwrap_or(NOBODY)).is_ok();
    is_right && hash.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_one_line_of_twelve_characters_or_more() {
        for (password, is_good) in [
            ("correct horse", true),
            ("twelve chars", true),
            ("eleven char", false),
            ("\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}", false),
            ("with a\nnew line", false),
            ("with a NUL \0 in it", false),
            ("", false),
            (&"x".repeat(BYTES_MAX), true),
            (&"x".repeat(BYTES_MAX + 1), false),
        ] {
            let checked = check_password(password);
            assert_eq!(checked.is_ok(), is_good, "{password:?}");
            assert!(checked.is_ok() || !checked.unwrap_err().to_string().contains(password) || password.is_empty());
        }
    }

    #[test]
    fn a_password_is_argon2id_and_two_hashes_of_it_differ() {
        let hash = hash_password("correct horse").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, hash_password("correct horse").unwrap());
        assert!(is_password("correct horse", Some(&hash)));
        assert!(!is_password("correct hors", Some(&hash)));
        assert!(!is_password("correct horse", None) && !is_password("", Some("damaged")));
    }

    #[test]
    fn asking_for_a_user_who_does_not_exist_takes_as_long() {
        assert!(Argon2::default().verify_password(b"x", NOBODY).is_err());
        // It is a hash, so that the work is really done: a broken one would be refused at once.
        assert!(argon2::PasswordHash::new(NOBODY).is_ok());
    }
}
