//! Who was let in and who was rejected, reported to the audit log. It decides nothing, and holds no secret.

use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// Rejections that are reported at the same time.
const REFUSING_MAX: usize = 8;

/// What became of somebody who came as an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// A token was used: from now on this host is the machine that used it.
    Paired {
        /// The host that the token was for.
        host: String,
        /// What the machine calls itself.
        machine: String,
    },
    /// Another agent with the identity of this host is connected already, and answers.
    Cloned {
        /// The host that both are.
        host: String,
    },
    /// A token that is wrong, was used already, or has expired.
    TokenRefused,
    /// A certificate that does not count: revoked, replaced, expired, or of somebody else's authority.
    CertificateRefused {
        /// The host that it was issued for; none if our authority did not issue it, or it has expired.
        host: Option<String>,
    },
}

/// Called with each admission and the address that it came from, in no order, on a thread that may wait.
pub type OnAdmission = Arc<dyn Fn(&Admission, IpAddr) + Send + Sync>;

/// Tells of admissions, on threads that may wait.
pub(crate) struct Admissions {
    on_admission: OnAdmission,
    /// A permit for each rejection that is being reported.
    refusing: Arc<Semaphore>,
}

impl Admissions {
    pub fn new(on_admission: OnAdmission) -> Admissions {
        Admissions { on_admission, refusing: Arc::new(Semaphore::new(REFUSING_MAX)) }
    }

    /// Begins at once to tell of somebody who was let in, whatever becomes of the connection.
    pub fn paired(&self, admission: Admission, from: IpAddr) -> JoinHandle<()> {
        let on_admission = Arc::clone(&self.on_admission);
        tokio::task::spawn_blocking(move || on_admission(&admission, from))
    }

    /// Tells of a stranger. However many come while the audit log is slow, few are under way.
    pub async fn refused(&self, admission: Admission, from: IpAddr) {
        let turn = Arc::clone(&self.refusing).acquire_owned().await;
        let on_admission = Arc::clone(&self.on_admission);
        let tell = move || {
            on_admission(&admission, from);
            drop(turn);
        };
        let _ = tokio::task::spawn_blocking(tell).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::identity;
    use crate::carrier::{ALPN_AGENT, ALPN_PAIR};
    use crate::reactor::Reactor;
    use crate::server::ca::CertificateAuthority;
    use crate::server::listener::AgentListener;
    use crate::tls;
    use crate::tls::private_key;
    use octo_core::Timestamp;
    use rcgen::KeyPair;
    use std::sync::mpsc;
    use std::time::Duration;

    #[test]
    fn certificates_that_do_not_count_are_told_and_so_is_the_host_of_those_that_our_authority_issued() {
        let folder = tempfile::tempdir().unwrap();
        let (sender, receiver) = mpsc::channel();
        let on_admission: OnAdmission =
            Arc::new(move |admission, from| sender.send((admission.clone(), from)).unwrap());
        let hosts = Arc::new(crate::server::host_file::HostFile::within(folder.path()));
        let listener =
            AgentListener::open_with(folder.path(), hosts, ([127, 0, 0, 1], 0).into(), on_admission).unwrap();
        for name in ["files-0", "files-1"] {
            listener.invite(name).unwrap();
        }
        let id = listener.hosts().unwrap()[1].agent.clone();
        let ours = CertificateAuthority::load_or_make(&folder.path().join("authority.json")).unwrap();
        let foreign = CertificateAuthority::load_or_make(&folder.path().join("other.json")).unwrap();
        let reactor = Reactor::start("test").unwrap();
        let comes = |authority: &CertificateAuthority, agent: &str, issued: Timestamp, protocol: &[u8]| {
            let key = KeyPair::generate().unwrap();
            let certificate = authority.issue(agent, key.public_key_raw(), issued).unwrap();
            let proof = (vec![certificate.der().clone()], private_key(&key.serialize_pem()).unwrap());
            let config = tls::agent(&ours.certificate, proof, protocol).unwrap();
            let stream = reactor.run(identity::connect(&listener.address().to_string(), config));
            let (admission, from) = receiver.recv_timeout(Duration::from_secs(60)).unwrap();
            assert_eq!(from, IpAddr::from([127, 0, 0, 1]));
            drop(stream);
            admission
        };
        let (now, long_ago) = (crate::now(), crate::now().plus_secs(-200 * 86_400));
        let refused = |host: Option<&str>| Admission::CertificateRefused { host: host.map(str::to_owned) };
        assert_eq!(comes(&foreign, &id, now, ALPN_AGENT), refused(None), "another authority's");
        assert_eq!(comes(&foreign, &id, now, ALPN_PAIR), refused(None), "another authority's, to be renewed");
        assert_eq!(comes(&ours, &id, long_ago, ALPN_AGENT), refused(None), "expired");
        assert_eq!(comes(&ours, &id, now, ALPN_AGENT), refused(Some("files-1")), "not listed");
        assert_eq!(comes(&ours, "no-such-agent", now, ALPN_AGENT), refused(None), "of nobody we know");
    }
}
