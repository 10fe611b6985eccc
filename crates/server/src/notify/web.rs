//! Webhooks and heartbeats: one request each. Redirects are not followed: a message goes where a person said, or nowhere.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// A server that says nothing for so long is not there.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// Sends JSON, signed if there is a secret. `Ok` means an answer of 200 to 299.
pub(super) fn post(url: &str, id: i64, body: &str, secret: Option<&str>) -> Result<(), String> {
    let mut request =
        agent().post(url).header("Content-Type", "application/json").header("Octobackup-Delivery", id.to_string());
    if let Some(secret) = secret {
        request = request.header("Octobackup-Signature", signature(secret, body));
    }
    answered(request.send(body))
}

/// Calls an address.
pub(super) fn call(url: &str) -> Result<(), String> {
    answered(agent().get(url).call())
}

/// `sha256=` and the HMAC of the body in hexadecimal digits.
pub(super) fn signature(secret: &str, body: &str) -> String {
    // Any length is a key for HMAC.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(body.as_bytes());
    let digits = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("sha256={digits}")
}

fn answered(result: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<(), String> {
    // What the address is does not belong into the words: it may hold a key.
    let response = result.map_err(|e| format!("it does not answer: {e}"))?;
    let status = response.status();
    if status.is_success() { Ok(()) } else { Err(format!("it answered {status}")) }
}

/// With the certificates that the machine trusts, as the mail has.
fn agent() -> &'static Agent {
    static AGENT: OnceLock<Agent> = OnceLock::new();
    AGENT.get_or_init(|| {
        let found = rustls_native_certs::load_native_certs().certs;
        let roots: Vec<_> = found.iter().map(|cert| Certificate::from_der(cert).to_owned()).collect();
        let tls = TlsConfig::builder().root_certs(RootCerts::Specific(Arc::new(roots))).build();
        Agent::config_builder()
            .timeout_global(Some(SEND_TIMEOUT))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .user_agent(concat!("octobackup/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .build()
            .new_agent()
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_signature_is_what_everybody_else_computes() {
        // RFC 4231, test case 2.
        assert_eq!(
            super::signature("Jefe", "what do ya want for nothing?"),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
