//! The one-time token that pairs an agent with a server: a secret, and by what the server is recognised.

use crate::tls::PIN_BYTES;
use octo_core::{Code, Error};
use std::fmt;

const SECRET_BYTES: usize = 16;
const PREFIX: &str = "octo1-";

/// A one-time token. Its `Debug` form does not tell it.
pub struct Token {
    secret: [u8; SECRET_BYTES],
    pub(crate) pin: [u8; PIN_BYTES],
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

fn random(bytes: &mut [u8]) -> Result<(), Error> {
    getrandom::fill(bytes).map_err(|error| Error::new(Code::Insecure, format!("no random numbers: {error}")))
}

/// So many random bytes as hexadecimal digits.
pub(crate) fn random_hex(count: usize) -> Result<String, Error> {
    let mut bytes = vec![0; count];
    random(&mut bytes)?;
    Ok(hex(&bytes))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let digit = |d: &u8| char::from(*d).to_digit(16).and_then(|d| u8::try_from(d).ok());
    digits.chunks(2).map(|pair| Some(digit(&pair[0])? << 4 | digit(&pair[1])?)).collect()
}

/// What is kept of a secret.
pub(crate) fn secret_hash(secret: &[u8]) -> String {
    blake3::hash(secret).to_hex().to_string()
}

impl Token {
    /// A new one, for the server whose authority has this hash.
    pub(crate) fn new(pin: [u8; PIN_BYTES]) -> Result<Token, Error> {
        let mut secret = [0; SECRET_BYTES];
        random(&mut secret)?;
        Ok(Token { secret, pin })
    }

    /// Reads what a person was given. Fails with [`Code::Usage`], not repeating it.
    pub fn parse(text: &str) -> Result<Token, Error> {
        let bad = || Error::new(Code::Usage, "this is not a token: it reads octo1- and 64 hexadecimal digits");
        let bytes = text.trim().strip_prefix(PREFIX).and_then(from_hex).ok_or_else(bad)?;
        let (secret, pin) = bytes.split_at_checked(SECRET_BYTES).ok_or_else(bad)?;
        Ok(Token { secret: secret.try_into().map_err(|_| bad())?, pin: pin.try_into().map_err(|_| bad())? })
    }

    /// The text for the administrator: shown once, kept nowhere.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}{}", hex(&self.secret), hex(&self.pin))
    }

    pub(crate) fn secret_hex(&self) -> String {
        hex(&self.secret)
    }

    pub(crate) fn hash(&self) -> String {
        secret_hash(&self.secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_back_and_anything_else_refused_without_repeating_it() {
        let token = Token::new([9; 16]).unwrap();
        let same = Token::parse(&format!(" {}\n", token.reveal())).unwrap();
        assert_eq!((same.secret, same.pin), (token.secret, token.pin));
        assert!(!format!("{token:?}").contains(&token.secret_hex()));
        for bad in
            ["", "octo1-", "octo1-zz", "octo1-00", "octo1-äöü", &token.reveal()[1..], &format!("{}00", token.reveal())]
        {
            let error = Token::parse(bad).unwrap_err();
            assert!(bad.len() < 8 || !error.to_string().contains(bad));
        }
    }
}
