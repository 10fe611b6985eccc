//! TLS for the entrance over TCP: with a certificate of one's own, or a generated one.

use crate::service_error::{Kind, ServiceError};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::client::verify_server_name;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::ParsedCertificate;

/// A larger file was named by mistake.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// What proves the server to those who connect.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ServerConfig>,
    certificate: CertificateDer<'static>,
}

impl Tls {
    /// From two files in PEM. Only the server's user may read the key.
    pub fn read(certificate: &Path, key: &Path) -> Result<Tls, ServiceError> {
        let wrong = |path: &Path, why: String| {
            let field = if path == key { "http.key" } else { "http.certificate" };
            ServiceError::field(field, format!("{}: {why}", path.display()))
        };
        let mode = std::fs::metadata(key).map_err(|e| wrong(key, e.to_string()))?.permissions().mode() & 0o777;
        // A group may: certbot and others give keys to the group of those who need them.
        if mode & 0o007 != 0 {
            return Err(wrong(key, format!("others may read it (its mode is {mode:04o}); chmod 640 makes it private")));
        }
        let chain = certificates(certificate).map_err(|why| wrong(certificate, why))?;
        let own = chain.first().cloned().ok_or_else(|| wrong(certificate, "it is empty".into()))?;
        let key_der = PrivateKeyDer::from_pem_file(key).map_err(|e| wrong(key, format!("no private key: {e}")))?;
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key_der));
        let mut config = config.map_err(|e| wrong(certificate, format!("not usable with {}: {e}", key.display())))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Tls { config: Arc::new(config), certificate: own })
    }

    /// A certificate that the server made for itself, for these names; made now if there is none, or not for all of them.
    pub fn generated(data_dir: &Path, names: &[String]) -> Result<Tls, ServiceError> {
        let (certificate, key) = generated_files(data_dir);
        let failed =
            |e: String| ServiceError::new(Kind::Internal, format!("the certificate {}: {e}", certificate.display()));
        if let Some(name) = names.iter().find(|name| ServerName::try_from(name.as_str()).is_err()) {
            return Err(ServiceError::field("http.generate_for", format!("{name:?} is neither a name nor an address")));
        }
        if !is_for(&certificate, names) {
            let made = rcgen::generate_simple_self_signed(names.to_vec()).map_err(|e| failed(e.to_string()))?;
            let folder = certificate.parent().unwrap_or(Path::new("/"));
            std::fs::create_dir_all(folder).map_err(|e| failed(e.to_string()))?;
            // First gone and last there: if there is a certificate, the key is that of it.
            remove(&certificate).map_err(|e| failed(e.to_string()))?;
            write(&key, &made.signing_key.serialize_pem()).map_err(|e| failed(e.to_string()))?;
            write(&certificate, &made.cert.pem()).map_err(|e| failed(e.to_string()))?;
        }
        Tls::read(&certificate, &key)
    }

    pub(super) fn acceptor(self) -> TlsAcceptor {
        TlsAcceptor::from(self.config)
    }

    /// Whether the certificate is for this name.
    pub(super) fn is_for(&self, name: &str) -> bool {
        covers(&self.certificate, name)
    }
}

/// Whether there is a certificate, and it is for all these names. One that cannot be read is none.
fn is_for(certificate: &Path, names: &[String]) -> bool {
    let Some(first) = certificates(certificate).ok().and_then(|chain| chain.into_iter().next()) else { return false };
    names.iter().all(|name| covers(&first, name))
}

fn covers(certificate: &CertificateDer<'_>, name: &str) -> bool {
    let parsed = ParsedCertificate::try_from(certificate);
    parsed.is_ok_and(|it| ServerName::try_from(name).is_ok_and(|name| verify_server_name(&it, &name).is_ok()))
}

/// Where the generated certificate and its key are.
pub(crate) fn generated_files(data_dir: &Path) -> (PathBuf, PathBuf) {
    (data_dir.join("tls/certificate.pem"), data_dir.join("tls/key.pem"))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let meta = std::fs::metadata(path).map_err(|e| e.to_string())?;
    if meta.len() > FILE_BYTES_MAX {
        return Err("it is larger than any certificate".into());
    }
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match found {
        Ok(found) if found.is_empty() => Err("there is no certificate in it (PEM is wanted)".into()),
        found => found.map_err(|e| e.to_string()),
    }
}

#[expect(clippy::disallowed_methods, reason = "a small file of its own, not one of a mirror")]
fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let new = path.with_extension("new");
    remove(&new)?;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all())?;
    std::fs::rename(&new, path)
}
