//! The server's own certificate authority: made once, known to its agents, and to nobody else.

use crate::carrier::SERVER_NAME;
use crate::state;
use crate::tls::{Proof, certificate, private_key};
use octo_core::{Code, Error, Timestamp};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm,
};
use serde::{Deserialize, Serialize};
use std::path::Path;
use time::OffsetDateTime;
use tokio_rustls::rustls::pki_types::CertificateDer;

/// How long an agent's certificate lives.
const CERTIFICATE_SECS: i64 = 90 * 86_400;
/// The clocks of server and agent may differ by so much.
const SKEW_SECS: i64 = 2 * 86_400;
/// An uncompressed point of P-256.
const POINT_BYTES: usize = 65;

#[derive(Serialize, Deserialize)]
struct Kept {
    certificate: String,
    key: String,
}

/// Issues certificates.
pub(crate) struct CertificateAuthority {
    issuer: Issuer<'static, KeyPair>,
    pub certificate: CertificateDer<'static>,
    pub pem: String,
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::new(Code::Insecure, format!("the authority for agents: {error}"))
}

/// A bare public key: anyone who cannot sign with the key behind it gains nothing from its certificate.
struct Point<'a>(&'a [u8]);

impl PublicKeyData for Point<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

/// What certificates of an agent are issued for.
pub(crate) fn agent_name(agent: &str) -> String {
    format!("{agent}.agent.octobackup.internal")
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// The authority's own description: the same at every start, so that certificates keep naming the same issuer.
fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named("octoBackup agents");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

impl CertificateAuthority {
    /// The authority kept in `path`, or a new one.
    pub fn load_or_make(path: &Path) -> Result<CertificateAuthority, Error> {
        let kept = match state::read::<Kept>(path)? {
            Some(kept) => kept,
            None => {
                let key = KeyPair::generate().map_err(failed)?;
                let certificate = authority_params().self_signed(&key).map_err(failed)?;
                let kept = Kept { certificate: certificate.pem(), key: key.serialize_pem() };
                state::write(path, &kept)?;
                kept
            }
        };
        let key = KeyPair::from_pem(&kept.key).map_err(|_| failed("its key is damaged"))?;
        let certificate = certificate(&kept.certificate)?;
        Ok(CertificateAuthority { issuer: Issuer::new(authority_params(), key), certificate, pem: kept.certificate })
    }

    /// What the server proves itself with; made again at each start and never kept.
    pub fn server(&self) -> Result<Proof, Error> {
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = CertificateParams::new(vec![SERVER_NAME.to_owned()]).map_err(failed)?;
        params.distinguished_name = named(SERVER_NAME);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let issued = params.signed_by(&key, &self.issuer).map_err(failed)?;
        let chain = vec![issued.der().clone(), self.certificate.clone()];
        Ok((chain, private_key(&key.serialize_pem())?))
    }

    /// A certificate for an agent's key.
    pub fn issue(&self, agent: &str, point: &[u8], now: Timestamp) -> Result<Certificate, Error> {
        if point.len() != POINT_BYTES || point[0] != 4 {
            return Err(failed("the agent's key is not a point of P-256"));
        }
        let (secs, _) = now.to_unix();
        let moment = |secs| OffsetDateTime::from_unix_timestamp(secs).map_err(failed);
        let mut params = CertificateParams::new(vec![agent_name(agent)]).map_err(failed)?;
        params.distinguished_name = named(agent);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.not_before = moment(secs.saturating_sub(SKEW_SECS))?;
        params.not_after = moment(secs.saturating_add(CERTIFICATE_SECS))?;
        params.signed_by(&Point(point), &self.issuer).map_err(failed)
    }
}
