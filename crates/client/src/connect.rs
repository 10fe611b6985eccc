//! How the client reaches a server: the local socket, or TCP; there with TLS, except on loopback.

use hyper::Uri;
use hyper_util::rt::TokioIo;
use octo_api::ApiError;
use octo_api::error::Kind;
use std::io::{Error, ErrorKind};
use std::path::Path;
#[cfg(unix)]
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// A larger file was named by mistake.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// A server that takes longer to be reached is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// Where a server is.
pub(super) enum Endpoint {
    /// At this socket of this machine.
    #[cfg(unix)]
    Socket(PathBuf),
    /// On the network.
    Tcp {
        /// As it was typed, for messages.
        url: String,
        /// Its name or address, without brackets.
        host: String,
        port: u16,
        /// What the request calls it.
        authority: String,
        /// `None`: without TLS.
        tls: Option<(TlsConnector, ServerName<'static>)>,
    },
}

/// A connection, whatever is below.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Stream for T {}

impl Endpoint {
    /// `https://HOST[:PORT]`, or `http://` on loopback: a token never crosses a network in the clear.
    pub(super) fn to_url(url: &str, ca_file: Option<&Path>) -> Result<Endpoint, ApiError> {
        let wrong = |why: &str| ApiError::field("--url", format!("{url:?}: {why}; allowed is https://HOST:PORT"));
        let uri: Uri = url.parse().map_err(|_| wrong("it is not an address"))?;
        let authority = uri.authority().ok_or_else(|| wrong("it names no host"))?;
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() || authority.as_str().contains('@') {
            return Err(wrong("there is more in it than a host and a port"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let is_here = host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        let (tls, port) = match uri.scheme_str() {
            Some("http") if is_here => (None, 80),
            Some("http") => return Err(wrong("without TLS only loopback is talked to")),
            Some("https") => {
                let name = ServerName::try_from(host.clone()).map_err(|_| wrong("the host is not a name"))?;
                (Some((TlsConnector::from(Arc::new(trusting(ca_file)?)), name)), 443)
            }
            _ => return Err(wrong("it is not a web address")),
        };
        let port = authority.port_u16().unwrap_or(port);
        Ok(Endpoint::Tcp { url: url.to_owned(), host, port, authority: authority.to_string(), tls })
    }

    /// For the request's header.
    pub(super) fn host(&self) -> &str {
        match self {
            #[cfg(unix)]
            Endpoint::Socket(_) => "localhost",
            Endpoint::Tcp { authority, .. } => authority,
        }
    }

    pub(super) async fn dial(&self) -> std::io::Result<TokioIo<Pin<Box<dyn Stream>>>> {
        let late = |_| Error::new(ErrorKind::TimedOut, "it does not answer");
        tokio::time::timeout(CONNECT_TIMEOUT, self.connect()).await.map_err(late)?.map(TokioIo::new)
    }

    async fn connect(&self) -> std::io::Result<Pin<Box<dyn Stream>>> {
        match self {
            #[cfg(unix)]
            Endpoint::Socket(path) => Ok(Box::pin(UnixStream::connect(path).await?)),
            Endpoint::Tcp { host, port, tls, .. } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                match tls {
                    None => Ok(Box::pin(stream)),
                    Some((connector, name)) => Ok(Box::pin(connector.connect(name.clone(), stream).await?)),
                }
            }
        }
    }
}

/// Says what could be done about it.
pub(super) fn unreachable(endpoint: &Endpoint, why: &Error) -> ApiError {
    let (at, hint) = match endpoint {
        #[cfg(unix)]
        Endpoint::Socket(path) => {
            let hint = match why.kind() {
                ErrorKind::PermissionDenied => "you must be root, the service's user, or in the group octobackup",
                _ => "is it running? Start it with: systemctl start octobackup (or octobackup serve)",
            };
            (path.display().to_string(), hint)
        }
        Endpoint::Tcp { url, .. } => {
            let hint = match why.kind() {
                ErrorKind::InvalidData => {
                    "if the server made its certificate itself, copy DATA_DIR/tls/certificate.pem from it and name it with --ca-file"
                }
                _ => "is it running, and does [http] listen in its settings allow to reach it from here?",
            };
            (url.clone(), hint)
        }
    };
    ApiError::new(Kind::Internal, format!("no server at {at}: {why}; {hint}"))
}

/// Trusts these certificates only, or those that the machine trusts.
fn trusting(certificates_file: Option<&Path>) -> Result<ClientConfig, ApiError> {
    let name = certificates_file.map_or("this machine's certificates".into(), |file| file.display().to_string());
    let wrong = |why: String| ApiError::field("--ca-file", format!("{name}: {why}"));
    let found = match certificates_file {
        Some(file) => certificates(file).map_err(wrong)?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found);
    if added == 0 {
        return Err(wrong("no certificate in it can be used".into()));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().map_err(|e| wrong(e.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_never_sent_where_others_could_read_it() {
        for (url, why) in [
            ("http://backup.example:8734", "without TLS"),
            ("http://10.0.0.1", "without TLS"),
            ("ftp://localhost", "not a web address"),
            ("localhost:8734", "not a web address"),
            ("https://", "not an address"),
            ("https://a/b", "more in it"),
            ("https://me@a", "more in it"),
        ] {
            let error = Endpoint::to_url(url, None).err().expect(url);
            assert!(error.to_string().contains(why), "{url}: {error}");
        }
        for url in ["http://127.0.0.1:1", "http://[::1]:1/", "http://localhost:1"] {
            assert!(Endpoint::to_url(url, None).is_ok(), "{url}");
        }
    }
}
