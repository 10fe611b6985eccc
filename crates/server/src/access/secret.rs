//! Random secrets that prove who somebody is: sessions, API tokens, the setup code. Only their hash is kept.

use crate::service_error::{Kind, ServiceError};
use octo_api::access::{TOKEN_BYTES, TOKEN_PREFIX, is_token};
use zeroize::Zeroizing;

/// Other words for other purposes, so that one hash says nothing about the other.
const CONTEXT: &str = "octobackup 2026 csrf token of a session";

/// A secret, as its owner sends it.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// A new one.
    pub fn new() -> Result<Secret, ServiceError> {
        let mut bytes = Zeroizing::new([0; TOKEN_BYTES]);
        getrandom::fill(&mut *bytes)
            .map_err(|e| ServiceError::new(Kind::Internal, format!("no random numbers: {e}")))?;
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Secret(Zeroizing::new(format!("{TOKEN_PREFIX}{digits}"))))
    }

    /// What somebody sent; `None` if it cannot be one.
    pub fn parse(text: &str) -> Option<Secret> {
        is_token(text).then(|| Secret(Zeroizing::new(text.to_owned())))
    }

    /// The secret itself, to show to its owner once.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What the database keeps. A secret is random and long: nothing slower is needed.
    pub fn hash(&self) -> [u8; 32] {
        *blake3::hash(self.0.as_bytes()).as_bytes()
    }

    /// What a page of ours must send along: other sites can make a browser send the session's cookie, but not read this.
    pub fn csrf(&self) -> String {
        blake3::Hash::from_bytes(blake3::derive_key(CONTEXT, self.0.as_bytes())).to_hex().to_string()
    }

    /// Whether somebody sent what [`csrf`](Self::csrf) says, in constant time.
    pub fn is_csrf(&self, sent: &str) -> bool {
        blake3::hash(sent.as_bytes()) == blake3::hash(self.csrf().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_again_by_its_hash_only() {
        let secret = Secret::new().unwrap();
        let again = Secret::parse(secret.reveal()).unwrap();
        assert_eq!(secret.hash(), again.hash());
        assert_ne!(secret.hash(), Secret::new().unwrap().hash());
        assert!(secret.is_csrf(&again.csrf()) && !secret.is_csrf("") && !secret.is_csrf(secret.reveal()));
        let cut = &secret.reveal()[..secret.reveal().len() - 1];
        for no in ["", "octo_", cut, &secret.reveal().to_uppercase(), &format!("{}0", secret.reveal())] {
            assert!(Secret::parse(no).is_none(), "{no}");
        }
    }
}
