//! Who may speak with whom: TLS 1.3 on both sides, each proven by a certificate of the server's own authority.
//!
//! No other authority is ever trusted, and no older protocol is spoken.

use crate::carrier::{ALPN_AGENT, ALPN_PAIR};
use octo_core::{Code, Error};
use std::sync::Arc;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::client::{WebPkiServerVerifier, verify_server_name};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{
    self, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
};

/// A certificate with those above it, and its key.
pub(crate) type Proof = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// The bytes of a certificate's hash that a token carries.
pub(crate) const PIN_BYTES: usize = 16;

/// What a token says of the authority.
pub(crate) fn pin(certificate: &CertificateDer<'_>) -> [u8; PIN_BYTES] {
    let hash = blake3::hash(certificate);
    std::array::from_fn(|at| hash.as_bytes()[at])
}

/// Tells certificates apart.
pub(crate) fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    blake3::hash(certificate).to_hex().to_string()
}

/// The first of `names` that a certificate, already proven to be of our authority, was issued for.
pub(crate) fn issued_for<T>(
    certificate: &CertificateDer<'_>,
    mut names: impl Iterator<Item = (String, T)>,
) -> Option<T> {
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    let is_for = |name: String| ServerName::try_from(name).is_ok_and(|it| verify_server_name(&parsed, &it).is_ok());
    names.find_map(|(name, value)| is_for(name).then_some(value))
}

/// Whether a handshake failed because the other side's certificate does not count.
pub(crate) fn is_certificate_refused(error: &std::io::Error) -> bool {
    let error = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(error, Some(rustls::Error::InvalidCertificate(_)))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn broken(error: impl std::fmt::Display) -> Error {
    Error::new(Code::Insecure, error.to_string())
}

fn only(authority: &CertificateDer<'static>) -> Result<Arc<RootCertStore>, Error> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.clone()).map_err(broken)?;
    Ok(Arc::new(roots))
}

/// Reads a certificate in PEM.
pub(crate) fn certificate(pem: &str) -> Result<CertificateDer<'static>, Error> {
    CertificateDer::from_pem_slice(pem.as_bytes())
        .map_err(|_| broken("the authority for agents: a certificate is damaged"))
}

/// Reads a key in PEM.
pub(crate) fn private_key(pem: &str) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| broken("the authority for agents: a key is damaged"))
}

/// For the server: agents prove themselves, and those that want to be paired cannot yet.
pub(crate) fn server(authority: &CertificateDer<'static>, proof: Proof) -> Result<Arc<ServerConfig>, Error> {
    let verifier = WebPkiClientVerifier::builder_with_provider(only(authority)?, provider())
        .allow_unauthenticated()
        .build()
        .map_err(broken)?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(broken)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(proof.0, proof.1)
        .map_err(broken)?;
    config.alpn_protocols = vec![ALPN_AGENT.to_vec(), ALPN_PAIR.to_vec()];
    // A resumed session would be one more thing to revoke.
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// For an agent that is paired.
pub(crate) fn agent(
    authority: &CertificateDer<'static>,
    proof: Proof,
    protocol: &[u8],
) -> Result<Arc<ClientConfig>, Error> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(broken)?
        .with_root_certificates(only(authority)?)
        .with_client_auth_cert(proof.0, proof.1)
        .map_err(broken)?;
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(Arc::new(config))
}

/// For an agent that is to be paired and knows nothing but the hash of its token.
pub(crate) fn pinned_config(pin: [u8; PIN_BYTES]) -> Result<Arc<ClientConfig>, Error> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(broken)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Pinned { pin, provider: provider() }))
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN_PAIR.to_vec()];
    Ok(Arc::new(config))
}

/// Trusts the one authority whose certificate has this hash, and whom it vouches for.
#[derive(Debug)]
struct Pinned {
    pin: [u8; PIN_BYTES],
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let unknown = || rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let authority = intermediates.iter().find(|it| pin(it) == self.pin).ok_or_else(unknown)?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider));
        let verifier = verifier.build().map_err(|_| unknown())?;
        verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.2 is not spoken".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
