//! The keys of a session, and which cipher it can use.

use crate::transport::{HandshakeMessage, HandshakeTap};
use octo_core::{Code, Error};
use smb2::client::connection::{Connection, NegotiatedParams};
use smb2::crypto::encryption::Cipher;
use smb2::crypto::kdf::{PreauthHasher, derive_session_keys};
use smb2::types::Dialect;
use zeroize::Zeroizing;

const CAP_ENCRYPTION: u32 = 0x40;
/// MS-SMB2 3.2.5.3: the session's key is the first 16 bytes of what the logon gave.
const SESSION_KEY_BYTES: usize = 16;

type Key = Zeroizing<Vec<u8>>;

/// The keys of a session.
pub(crate) struct Keys {
    pub signing: Key,
    /// Kept until it is known whether they are used; `None` where the server cannot encrypt.
    encryption: Option<(Cipher, Key, Key)>,
}

/// What the server can encrypt with; `None` if it cannot.
pub(crate) fn cipher(params: &NegotiatedParams) -> Option<Cipher> {
    match params.dialect {
        Dialect::Smb3_1_1 => params.cipher,
        // Before 3.1.1 nothing is said of ciphers: it is always this one.
        Dialect::Smb3_0 | Dialect::Smb3_0_2 if params.capabilities.bits() & CAP_ENCRYPTION != 0 => {
            Some(Cipher::Aes128Ccm)
        }
        _ => None,
    }
}

impl Keys {
    /// From what the logon gave. Signing always takes 128 bits, also beside a cipher of 256; such a cipher takes all
    /// that the logon gave.
    pub fn derive(secret: &[u8], params: &NegotiatedParams, handshake: &[HandshakeMessage]) -> Keys {
        let short = &secret[..secret.len().min(SESSION_KEY_BYTES)];
        if params.dialect < Dialect::Smb3_0 {
            return Keys { signing: Zeroizing::new(short.to_vec()), encryption: None };
        }
        // The last answer is not part of the hash: it is signed with what the hash gives.
        let mut hash = PreauthHasher::new();
        handshake[..handshake.len().saturating_sub(1)].iter().for_each(|m| hash.update(&m.bytes));
        let preauth = (params.dialect == Dialect::Smb3_1_1).then(|| hash.value());
        let signing = derive_session_keys(short, params.dialect, preauth, 128).signing_key;
        let encryption = cipher(params).map(|cipher| {
            let (secret, bits) = match cipher {
                Cipher::Aes256Ccm | Cipher::Aes256Gcm => (secret, 256),
                Cipher::Aes128Ccm | Cipher::Aes128Gcm => (short, 128),
            };
            let keys = derive_session_keys(secret, params.dialect, preauth, bits);
            (cipher, Zeroizing::new(keys.encryption_key), Zeroizing::new(keys.decryption_key))
        });
        Keys { signing: Zeroizing::new(signing), encryption }
    }

    /// Encrypts everything from now on.
    pub fn encrypt(&self, conn: &mut Connection, tap: &HandshakeTap) -> Result<(), Error> {
        let Some((cipher, out, back)) = &self.encryption else {
            return Err(Error::new(Code::Insecure, "the server demands encryption and knows no cipher that we know"));
        };
        conn.activate_encryption(out.to_vec(), back.to_vec(), *cipher);
        tap.seal();
        Ok(())
    }
}
