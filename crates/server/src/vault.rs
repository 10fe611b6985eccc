//! Secrets at rest: sealed with a key that only the service user can read.
//!
//! The key is a file beside the database, or handed in by systemd. What is sealed is bound to the name it is for, so that
//! exchanging two rows of the database exchanges nothing. A key that is not the one the database was made with is refused
//! when the server starts. Nothing here is ever printed.

use crate::refusal::{Kind, Refusal};
use crate::store::{Store, settings};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
/// Where systemd puts what `LoadCredential=octobackup-key:...` names.
const SYSTEMD_VARIABLE: &str = "CREDENTIALS_DIRECTORY";
const SYSTEMD_NAME: &str = "octobackup-key";
/// The database's setting that shows whether a key is the right one.
const PROOF: &str = "key-proof";

/// The key.
pub struct Vault {
    cipher: XChaCha20Poly1305,
    file: PathBuf,
}

impl Vault {
    /// Reads the key, or makes one for a database that never had one.
    pub fn open(data_dir: &Path, store: &Store) -> Result<Vault, Refusal> {
        let proof = store.read(|db| settings::get(db, PROOF))?;
        let handed_in = std::env::var_os(SYSTEMD_VARIABLE).map(|dir| PathBuf::from(dir).join(SYSTEMD_NAME));
        let path = handed_in.filter(|path| path.exists()).unwrap_or_else(|| data_dir.join("key"));
        let key = match read_key(&path)? {
            Some(key) => key,
            None if proof.is_none() => make_key(&path)?,
            None => {
                return Err(broken(&path, "it is missing; the stored secrets cannot be read without it. Put it back"));
            }
        };
        let vault = Vault { cipher: XChaCha20Poly1305::new(&Key::from(*key)), file: path.clone() };
        match proof.as_deref().map(from_hex) {
            None => {
                let sealed = vault.seal(PROOF, PROOF)?;
                store.change(|db| settings::put(db, PROOF, &to_hex(&sealed)))?;
            }
            Some(sealed) if sealed.as_deref().is_some_and(|sealed| vault.unseal(PROOF, sealed).is_ok()) => {}
            Some(_) => return Err(broken(&path, "it is not the key that the database was made with")),
        }
        Ok(vault)
    }

    /// Where the key is.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Seals `secret` for what is called `name`.
    pub fn seal(&self, name: &str, secret: &str) -> Result<Vec<u8>, Refusal> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|e| Refusal::new(Kind::Internal, format!("no random numbers: {e}")))?;
        let payload = Payload { msg: secret.as_bytes(), aad: name.as_bytes() };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| Refusal::new(Kind::Internal, "the secret cannot be sealed"))?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// Opens what was sealed for `name`.
    pub fn unseal(&self, name: &str, sealed: &[u8]) -> Result<Zeroizing<String>, Refusal> {
        let damaged = || Refusal::new(Kind::Internal, format!("the stored secret of {name} is damaged; set it again"));
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or_else(damaged)?;
        let payload = Payload { msg: sealed, aad: name.as_bytes() };
        let secret = self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| damaged())?;
        String::from_utf8(secret).map(Zeroizing::new).map_err(|_| damaged())
    }
}

fn broken(path: &Path, why: &str) -> Refusal {
    Refusal::new(Kind::Internal, format!("the key {}: {why}", path.display()))
}

/// `None` if there is no such file.
fn read_key(path: &Path) -> Result<Option<Zeroizing<[u8; KEY_BYTES]>>, Refusal> {
    let mut file = match std::fs::File::open(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.map_err(|e| broken(path, &e.to_string()))?,
    };
    let mode = file.metadata().map_err(|e| broken(path, &e.to_string()))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(broken(path, &format!("others may read it (its mode is {mode:04o}); chmod 600 makes it private")));
    }
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    let read = file.read_exact(&mut *key).and_then(|()| file.read(&mut [0]));
    match read {
        Ok(0) => Ok(Some(key)),
        _ => Err(broken(path, &format!("it must have exactly {KEY_BYTES} bytes"))),
    }
}

/// The key is on the disk before anything is sealed with it.
fn make_key(path: &Path) -> Result<Zeroizing<[u8; KEY_BYTES]>, Refusal> {
    let failed = |e: std::io::Error| broken(path, &format!("it cannot be made: {e}"));
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    getrandom::fill(&mut *key).map_err(|e| broken(path, &format!("no random numbers: {e}")))?;
    let new = path.with_extension("new");
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new).map_err(failed)?;
    file.write_all(&*key).and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(&new, path).map_err(failed)?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok(key)
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("db")).unwrap();
        (folder, store)
    }

    #[test]
    fn a_secret_opens_only_under_its_name_and_unchanged() {
        let (folder, store) = world();
        let vault = Vault::open(folder.path(), &store).unwrap();
        let sealed = vault.seal("fs1", "S3cret").unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"S3cret"));
        assert_eq!(vault.unseal("fs1", &sealed).unwrap().as_str(), "S3cret");
        assert_ne!(sealed, vault.seal("fs1", "S3cret").unwrap(), "two seals of one secret look alike");
        assert!(vault.unseal("fs2", &sealed).is_err());
        for at in 0..sealed.len() {
            let mut bent = sealed.clone();
            bent[at] ^= 1;
            assert!(vault.unseal("fs1", &bent).is_err());
            assert!(vault.unseal("fs1", &sealed[..at]).is_err());
        }
        let again = Vault::open(folder.path(), &store).unwrap();
        assert_eq!(again.unseal("fs1", &sealed).unwrap().as_str(), "S3cret");
    }

    #[test]
    fn a_missing_other_or_readable_key_stops_the_start() {
        let (folder, store) = world();
        drop(Vault::open(folder.path(), &store).unwrap());
        let path = folder.path().join("key");
        let said = || Vault::open(folder.path(), &store).map(|_| ()).unwrap_err().detail;
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        assert!(said().contains("others may read it"));
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        std::fs::write(&path, [7; 32]).unwrap();
        assert!(said().contains("not the key"));
        std::fs::write(&path, [7; 31]).unwrap();
        assert!(said().contains("32 bytes"));
        std::fs::remove_file(&path).unwrap();
        assert!(said().contains("missing") && !path.exists());
    }
}
