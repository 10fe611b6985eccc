//! The keys of a session, from the password and what crossed the wire: MS-NLMP 3.3.2 and 3.4.5.1, MS-SMB2 3.1.4.2.

use aes_gcm::aead::AeadInOut;
use hmac::{Hmac, KeyInit, Mac};
use md4::{Digest, Md4};
use md5::Md5;
use smb2::crypto::encryption::{Cipher, decrypt_message, encrypt_message};
use smb2::crypto::kdf::{PreauthHasher, derive_session_keys};
use smb2::crypto::signing::{SigningAlgorithm, algorithm_for_dialect, sign_message};
use smb2::msg::negotiate::{NegotiateContext, NegotiateResponse};
use smb2::pack::{ReadCursor, Unpack};
use smb2::types::Dialect;

const HEADER: usize = 64;
const TRANSFORM_HEADER: usize = 52;
const AES_GMAC: u16 = 2;

/// What both ends derive their keys from, or nothing if this is no AUTHENTICATE message of NTLM.
pub fn session_secret(request: &[u8], password: &str) -> Option<Vec<u8>> {
    let at = request.windows(12).position(|bytes| bytes == b"NTLMSSP\0\x03\0\0\0")?;
    let message = &request[at..];
    let field = |at: usize| {
        let len = usize::from(u16::from_le_bytes(message[at..at + 2].try_into().unwrap()));
        let from = u32::from_le_bytes(message[at + 4..at + 8].try_into().unwrap()) as usize;
        &message[from..from + len]
    };
    let proof = field(20).get(..16)?;
    let units: Vec<u16> = field(36).chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
    let user = String::from_utf16_lossy(&units).to_uppercase();
    let identity = [&utf16(&user)[..], field(28)].concat();
    let base = hmac_md5(&hmac_md5(&Md4::digest(utf16(password)), &identity), proof);
    let wrapped = field(52);
    Some(if wrapped.is_empty() { base } else { rc4(&base, wrapped) })
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn hmac_md5(key: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Md5>::new_from_slice(key).unwrap();
    mac.update(bytes);
    mac.finalize().into_bytes().to_vec()
}

fn rc4(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut state: Vec<u8> = (0..=255).collect();
    let mut j = 0_u8;
    for i in 0..256 {
        j = j.wrapping_add(state[i]).wrapping_add(key[i % key.len()]);
        state.swap(i, j.into());
    }
    let (mut i, mut j) = (0_u8, 0_u8);
    let byte = |byte: &u8| {
        i = i.wrapping_add(1);
        j = j.wrapping_add(state[usize::from(i)]);
        state.swap(i.into(), j.into());
        byte ^ state[usize::from(state[usize::from(i)].wrapping_add(state[usize::from(j)]))]
    };
    data.iter().map(byte).collect()
}

/// One of the two conversations of a relay, as its other end knows it: what was agreed, and the keys.
#[derive(Default)]
pub struct Side {
    hash: PreauthHasher,
    terms: Option<Terms>,
    keys: Option<Keys>,
    sealed: u64,
}

struct Terms {
    dialect: Dialect,
    signing: SigningAlgorithm,
    cipher: Option<Cipher>,
}

struct Keys {
    signing: Vec<u8>,
    to_server: Vec<u8>,
    to_client: Vec<u8>,
}

/// How a message was protected on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    Nothing,
    Signed,
    /// Within this session.
    Encrypted(u64),
}

/// From whom to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    ToServer,
    ToClient,
}

impl Side {
    /// A message of the logon, but its last answer.
    pub fn heard(&mut self, message: &[u8]) {
        self.hash.update(message);
    }

    /// The answer to NEGOTIATE.
    pub fn agree(&mut self, answer: &[u8]) {
        let Ok(said) = NegotiateResponse::unpack(&mut ReadCursor::new(&answer[HEADER..])) else { return };
        let dialect = said.dialect_revision;
        let (mut is_gmac, mut cipher) = (false, (dialect >= Dialect::Smb3_0).then_some(Cipher::Aes128Ccm));
        for context in said.negotiate_contexts {
            match context {
                NegotiateContext::Signing { algorithms } => is_gmac = algorithms.first() == Some(&AES_GMAC),
                NegotiateContext::Encryption { ciphers } => {
                    let known = [Cipher::Aes128Ccm, Cipher::Aes128Gcm, Cipher::Aes256Ccm, Cipher::Aes256Gcm];
                    let number = ciphers.first().map_or(0, |&number| usize::from(number));
                    cipher = number.checked_sub(1).and_then(|at| known.get(at)).copied();
                }
                _ => {}
            }
        }
        self.terms = Some(Terms { dialect, signing: algorithm_for_dialect(dialect, is_gmac), cipher });
    }

    /// Everything up to the last request of the logon was heard.
    pub fn derive(&mut self, secret: &[u8]) {
        let Some(terms) = &self.terms else { return };
        if terms.dialect < Dialect::Smb3_0 {
            self.keys = Some(Keys { signing: secret.to_vec(), to_server: Vec::new(), to_client: Vec::new() });
            return;
        }
        let hash = (terms.dialect == Dialect::Smb3_1_1).then(|| self.hash.value());
        let bits = if matches!(terms.cipher, Some(Cipher::Aes256Ccm | Cipher::Aes256Gcm)) { 256 } else { 128 };
        let keys = derive_session_keys(secret, terms.dialect, hash, bits);
        let signing = derive_session_keys(secret, terms.dialect, hash, 128).signing_key;
        self.keys = Some(Keys { signing, to_server: keys.encryption_key, to_client: keys.decryption_key });
    }

    /// What was said, and how it was protected.
    pub fn open(&self, raw: Vec<u8>, way: Way) -> (Vec<u8>, Protection) {
        if !raw.starts_with(b"\xFDSMB") {
            let signed = raw.get(16).is_some_and(|flags| flags & 8 != 0) && self.keys.is_some();
            return (raw, if signed { Protection::Signed } else { Protection::Nothing });
        }
        let (keys, cipher) = self.cipher().expect("encrypted, without a logon");
        let key = if way == Way::ToServer { &keys.to_server } else { &keys.to_client };
        let (header, rest) = raw.split_at(TRANSFORM_HEADER);
        let session = u64::from_le_bytes(header[44..52].try_into().unwrap());
        (decrypt_message(header, rest, key, cipher).unwrap(), Protection::Encrypted(session))
    }

    /// Protects a message as this end expects it.
    pub fn seal(&mut self, mut message: Vec<u8>, protection: Protection, way: Way) -> Vec<u8> {
        match protection {
            Protection::Nothing => message,
            Protection::Signed => {
                let (Some(keys), Some(terms)) = (&self.keys, &self.terms) else { return message };
                for part in parts(&message) {
                    sign(&mut message[part], &keys.signing, terms.signing, way);
                }
                message
            }
            Protection::Encrypted(session) => {
                self.sealed += 1;
                let Some((keys, cipher)) = self.cipher() else { return message };
                let key = if way == Way::ToServer { &keys.to_server } else { &keys.to_client };
                let mut nonce = [0; 16];
                nonce[..8].copy_from_slice(&self.sealed.to_le_bytes());
                let (header, sealed) = encrypt_message(&message, key, cipher, &nonce, session).unwrap();
                [header, sealed].concat()
            }
        }
    }

    fn cipher(&self) -> Option<(&Keys, Cipher)> {
        self.keys.as_ref().zip(self.terms.as_ref()?.cipher)
    }
}

/// Where the messages of a compound lie, as far as it makes sense.
pub fn parts(message: &[u8]) -> Vec<std::ops::Range<usize>> {
    let (mut all, mut from) = (Vec::new(), 0);
    loop {
        let next =
            message.get(from + 20..from + 24).map_or(0, |at| u32::from_le_bytes(at.try_into().unwrap()) as usize);
        if next < HEADER || from + next >= message.len() {
            all.push(from..message.len());
            return all;
        }
        all.push(from..from + next);
        from += next;
    }
}

fn sign(message: &mut [u8], key: &[u8], algorithm: SigningAlgorithm, way: Way) {
    if message.len() < HEADER {
        return;
    }
    message[16] |= 8;
    let id = u64::from_le_bytes(message[24..32].try_into().unwrap());
    let is_cancel = message[12..14] == [12, 0];
    if algorithm != SigningAlgorithm::AesGmac || way == Way::ToServer {
        sign_message(message, key, algorithm, id, is_cancel).unwrap();
        return;
    }
    // The library signs as a client only, and of these algorithms one tells the two ends apart (MS-SMB2 3.1.4.1).
    message[48..64].fill(0);
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&id.to_le_bytes());
    nonce[8] = 1 | if is_cancel { 2 } else { 0 };
    let gmac = aes_gcm::Aes128Gcm::new_from_slice(key).unwrap();
    let tag = gmac.encrypt_inout_detached(&nonce.into(), message, (&mut [][..]).into()).unwrap();
    message[48..64].copy_from_slice(&tag);
}
