//! Secrets at rest: sealed with a key that only the service user can read.
//!
//! The key is a file beside the database, or handed in by systemd. What is sealed is bound to the name it is for, so that
//! exchanging two rows of the database exchanges nothing. A key that is not the one the database was made with is refused
//! when the server starts. Nothing here is ever printed.

use crate::service_error::{Kind, ServiceError};
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
/// What the key is called.
pub const FILE: &str = "key";
/// What it is called before the database has its proof.
const NEW_KEY: &str = "key.new";
/// The database's setting that shows whether a key is the right one.
const PROOF: &str = "key-proof";

/// The key.
pub struct Vault {
    cipher: XChaCha20Poly1305,
    file: PathBuf,
    /// What only the right key opens, as the database has it.
    proof: Vec<u8>,
}

impl Vault {
    /// Reads the key, or makes one for a database that never had one.
    pub fn open(data_dir: &Path, store: &Store) -> Result<Vault, ServiceError> {
        let proof = store.read(|db| settings::get(db, PROOF))?;
        let handed_in = std::env::var_os(SYSTEMD_VARIABLE).map(|dir| PathBuf::from(dir).join(SYSTEMD_NAME));
        let path = handed_in.filter(|path| path.exists()).unwrap_or_else(|| data_dir.join(FILE));
        let new = data_dir.join(NEW_KEY);
        if let Some(proof) = proof {
            let proof = from_hex(&proof).unwrap_or_default();
            // The server died between the proof and the key's name.
            if read_key(&path)?.is_none() && read_key(&new)?.is_some_and(|key| opens(&key, &proof)) {
                put_in_place(&new, &path)?;
            }
            let missing = || broken(&path, "it is missing; the stored secrets cannot be read without it. Put it back");
            let key = read_key(&path)?.ok_or_else(missing)?;
            if !opens(&key, &proof) {
                return Err(broken(&path, "it is not the key that the database was made with"));
            }
            return Ok(Vault { cipher: XChaCha20Poly1305::new(&Key::from(*key)), file: path, proof });
        }
        let handed_in = read_key(&path)?.filter(|_| path.parent() != Some(data_dir));
        if let (None, Some(trace)) = (&handed_in, read_key(&path)?.map(|_| &path)) {
            return Err(lost_database(store.path(), trace));
        }
        let is_handed_in = handed_in.is_some();
        let key = handed_in.map_or_else(|| make_key(&new), Ok)?;
        let vault = Vault { cipher: XChaCha20Poly1305::new(&Key::from(*key)), file: path.clone(), proof: Vec::new() };
        let proof = vault.seal(PROOF, PROOF)?;
        // The proof first: a key without a database then always is one that has lost its database.
        store.change(|db| settings::put(db, PROOF, &to_hex(&proof)))?;
        if !is_handed_in {
            put_in_place(&new, &path)?;
        }
        Ok(Vault { proof, ..vault })
    }

    /// Whether the key is still where the next start looks for it.
    pub fn check(&self) -> Result<(), ServiceError> {
        let path = &self.file;
        let missing = || {
            broken(
                path,
                "it is missing; the next start fails without it. Put it back, from a copy of the server's data",
            )
        };
        let key = read_key(path)?.ok_or_else(missing)?;
        if opens(&key, &self.proof) {
            Ok(())
        } else {
            Err(broken(path, "it was replaced by another one. Put the right one back"))
        }
    }

    /// Where the key is.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Seals `secret` for what is called `name`.
    pub fn seal(&self, name: &str, secret: &str) -> Result<Vec<u8>, ServiceError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce)
            .map_err(|e| ServiceError::new(Kind::Internal, format!("no random numbers: {e}")))?;
        let payload = Payload { msg: secret.as_bytes(), aad: name.as_bytes() };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| ServiceError::new(Kind::Internal, "the secret cannot be sealed"))?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// Opens what was sealed for `name`.
    pub fn unseal(&self, name: &str, sealed: &[u8]) -> Result<Zeroizing<String>, ServiceError> {
        let damaged =
            || ServiceError::new(Kind::Internal, format!("the stored secret of {name} is damaged; set it again"));
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or_else(damaged)?;
        let payload = Payload { msg: sealed, aad: name.as_bytes() };
        let secret = self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| damaged())?;
        String::from_utf8(secret).map(Zeroizing::new).map_err(|_| damaged())
    }
}

fn broken(path: &Path, why: &str) -> ServiceError {
    ServiceError::new(Kind::Internal, format!("the key {}: {why}", path.display()))
}

/// `None` if there is no such file.
fn read_key(path: &Path) -> Result<Option<Zeroizing<[u8; KEY_BYTES]>>, ServiceError> {
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

/// Whether this key opens the proof.
fn opens(key: &[u8; KEY_BYTES], proof: &[u8]) -> bool {
    let vault = Vault { cipher: XChaCha20Poly1305::new(&Key::from(*key)), file: PathBuf::new(), proof: Vec::new() };
    vault.unseal(PROOF, proof).is_ok()
}

/// What remains of a server whose database is gone: starting would make a new server of it, without jobs.
pub fn lost_database(database: &Path, trace: &Path) -> ServiceError {
    let (database, trace) = (database.display(), trace.display());
    let detail = format!(
        "the database {database} is missing or empty, but {trace} of a server is there. Put the database back from a copy made by \
         octobackup backup (docs: disaster recovery); to start over without jobs and history, move {trace} away"
    );
    ServiceError::new(Kind::Internal, detail)
}

/// The key is on the disk before anything is sealed with it; it has its name only after its proof is in the database.
fn make_key(new: &Path) -> Result<Zeroizing<[u8; KEY_BYTES]>, ServiceError> {
    let failed = |e: std::io::Error| broken(new, &format!("it cannot be made: {e}"));
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    getrandom::fill(&mut *key).map_err(|e| broken(new, &format!("no random numbers: {e}")))?;
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(new).map_err(failed)?;
    file.write_all(&*key).and_then(|()| file.sync_all()).map_err(failed)?;
    sync_folder_of(new).map_err(failed)?;
    Ok(key)
}

fn put_in_place(new: &Path, path: &Path) -> Result<(), ServiceError> {
    let placed = std::fs::rename(new, path).and_then(|()| sync_folder_of(path));
    placed.map_err(|e| broken(path, &format!("it cannot be made: {e}")))
}

fn sync_folder_of(file: &Path) -> std::io::Result<()> {
    std::fs::File::open(file.parent().unwrap_or(Path::new("/")))?.sync_all()
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
