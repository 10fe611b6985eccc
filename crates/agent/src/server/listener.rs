//! The server's side: listens for agents, pairs them, knows who is connected, and hands out their folders as sources.
//!
//! It never trusts a certificate that it does not list itself, and lets no asynchronous type out.

use crate::carrier::{self, ALPN_AGENT, ALPN_PAIR, connection_lost, within};
use crate::reactor::Reactor;
use crate::server::admission::{Admission, Admissions, OnAdmission};
use crate::server::agent_registry::{self, AgentRegistry, Host, HostStore};
use crate::server::ca::{CertificateAuthority, agent_name};
use crate::server::connection_limits::{ConnectionLimits, ConnectionPlace, network};
use crate::server::connections::Connections;
use crate::server::host_file::HostFile;
use crate::server::session::{ConnectionEnd, Session};
use crate::server::source::AgentSource;
use crate::token::{self, Token};
use crate::wire::fault;
use crate::wire::messages::{Introduction, PairAnswer, PairRequest, printable};
use crate::{pairing, tls};
use octo_core::time::TICKS_PER_SEC;
use octo_core::{Cancel, Code, Error};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::server::TlsStream;

/// ConnectionLimits that have not shown an agent's certificate yet: in all, and of one address. All agents of a branch office may come
/// from one address at once.
const STRANGERS_MAX: usize = 256;
const STRANGERS_SHARE_MAX: usize = 128;
/// ConnectionLimits of agents that are introducing themselves: in all, and of one host.
const ARRIVING_MAX: usize = 2048;
const ARRIVING_SHARE_MAX: usize = 4;
/// How long a run waits for an agent that is not connected (any more).
const AGENT_WAIT: Duration = Duration::from_secs(60);
/// How often it is written down that a connected agent is here.
const NOTED: Duration = Duration::from_secs(600);

struct Admitter {
    authority: CertificateAuthority,
    hosts: AgentRegistry,
    connections: Arc<Connections>,
    acceptor: TlsAcceptor,
    arriving: ConnectionLimits<String>,
    admissions: Admissions,
}

/// The place where agents arrive.
pub struct AgentListener {
    reactor: Arc<Reactor>,
    admitter: Arc<Admitter>,
    address: SocketAddr,
}

impl AgentListener {
    /// Listens. `folder` keeps the authority and the hosts; both are made if there are none.
    pub fn open(folder: &Path, listen: SocketAddr) -> Result<AgentListener, Error> {
        AgentListener::open_with(folder, Arc::new(HostFile::within(folder)), listen, Arc::new(|_, _| ()))
    }

    /// Listens, and tells who was let in and who was refused. `folder` keeps the authority.
    pub fn open_with(
        folder: &Path,
        hosts: Arc<dyn HostStore>,
        listen: SocketAddr,
        on_admission: OnAdmission,
    ) -> Result<AgentListener, Error> {
        let authority = CertificateAuthority::load_or_make(&folder.join("authority.json"))?;
        let hosts = AgentRegistry::new(hosts);
        let acceptor = TlsAcceptor::from(tls::server(&authority.certificate, authority.server()?)?);
        let arriving = ConnectionLimits::new(ARRIVING_MAX, ARRIVING_SHARE_MAX);
        let admissions = Admissions::new(on_admission);
        let admitter =
            Arc::new(Admitter { authority, hosts, connections: Arc::default(), acceptor, arriving, admissions });
        let reactor = Arc::new(Reactor::start("agents")?);
        let taken = |error| Error::new(Code::Usage, format!("listening for agents on {listen}: {error}"));
        let listener = reactor.run(async { TcpListener::bind(listen).await.map_err(taken) })?;
        let address = listener.local_addr().map_err(taken)?;
        let theirs = Arc::clone(&admitter);
        reactor.run(async {
            tokio::spawn(accept(listener, theirs));
            Ok(())
        })?;
        Ok(AgentListener { reactor, admitter, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets a host pair, also if it is paired already. The token is shown to the administrator once.
    pub fn invite(&self, host: &str) -> Result<Token, Error> {
        self.admitter.hosts.change(|hosts| self.invite_among(hosts, host))
    }

    /// The same for a caller that changes the hosts itself, together with something else.
    pub fn invite_among(&self, hosts: &mut Vec<Host>, host: &str) -> Result<Token, Error> {
        let token = Token::new(tls::pin(&self.admitter.authority.certificate))?;
        agent_registry::invite(hosts, host, &token, crate::now())?;
        Ok(token)
    }

    /// All hosts, in the order in which they were invited.
    pub fn hosts(&self) -> Result<Vec<Host>, Error> {
        self.admitter.hosts.all()
    }

    /// Whether the agent of a host is connected now.
    pub fn is_connected(&self, host: &str) -> bool {
        !self.admitter.connections.all(host).is_empty()
    }

    /// What the connected agent of a host says of itself, and the address that it came from; none if it is not connected, and
    /// more than one if others have the same identity.
    pub fn agents(&self, host: &str) -> Vec<(Introduction, IpAddr)> {
        self.admitter.connections.all(host).iter().map(|link| (link.introduction.clone(), link.from)).collect()
    }

    /// Ends the host's connection and refuses it from now on.
    pub fn revoke(&self, host: &str) -> Result<(), Error> {
        self.admitter.hosts.change(|hosts| agent_registry::revoke(hosts, host))?;
        self.dismiss(host);
        Ok(())
    }

    /// Ends the connections of a host.
    pub fn dismiss(&self, host: &str) {
        self.admitter.connections.dismiss(host);
    }

    /// A folder of a host, waiting for its agent for up to a minute. Fails with a code that stops the run.
    pub fn source(&self, host: &str, root: &str, cancel: Cancel) -> Result<AgentSource, Error> {
        let known = self.hosts()?.iter().any(|it| it.name == host && it.is_paired());
        if !known {
            let detail = format!("no agent is paired as {host:?}; make a token with `octobackup host add {host}`");
            return Err(Error::new(Code::Usage, detail));
        }
        let (reactor, connections) = (Arc::clone(&self.reactor), Arc::clone(&self.admitter.connections));
        AgentSource::open(reactor, connections, host, root, AGENT_WAIT, cancel)
    }
}

impl Drop for AgentListener {
    fn drop(&mut self) {
        self.admitter.connections.dismiss_all();
    }
}

async fn accept(listener: TcpListener, admitter: Arc<Admitter>) {
    let strangers = ConnectionLimits::new(STRANGERS_MAX, STRANGERS_SHARE_MAX);
    loop {
        let Ok((stream, address)) = listener.accept().await else {
            // No descriptors left, most likely: some will be.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Some(place) = strangers.enter(network(address.ip())) else { continue };
        let (admitter, stranger) = (Arc::clone(&admitter), Arc::clone(&place));
        let task = tokio::spawn(async move {
            // A stranger who proves nothing gets no answer.
            let greeted = within(2 * carrier::HANDSHAKE_SECS, admitter.greet(stream, address.ip(), &stranger)).await;
            drop(stranger);
            if let Ok(Some((host, gone))) = greeted {
                admitter.note(&host, gone).await;
            }
        });
        let task = task.abort_handle();
        place.closed_by(move || task.abort());
    }
}

impl Admitter {
    /// The host whose agent it was, and a note of its end; none for what was only a question.
    async fn greet(
        &self,
        stream: TcpStream,
        from: IpAddr,
        stranger: &ConnectionPlace<IpAddr>,
    ) -> Result<Option<(String, ConnectionEnd)>, Error> {
        stream.set_nodelay(true).map_err(connection_lost)?;
        let shaken = within(carrier::HANDSHAKE_SECS, async { Ok(self.acceptor.accept(stream).await) }).await?;
        if shaken.as_ref().is_err_and(tls::is_certificate_refused) {
            self.admissions.refused(Admission::CertificateRefused { host: None }, from).await;
        }
        let tls = shaken.map_err(connection_lost)?;
        let certificate = tls.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let certificate = certificate.map(|it| it.clone().into_owned());
        let protocol = tls.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
        match (protocol.as_deref(), certificate) {
            (Some(ALPN_AGENT), Some(certificate)) => {
                let welcomed = self.welcome(tls, &tls::fingerprint(&certificate), from, stranger).await;
                if welcomed.as_ref().is_err_and(|error| error.code == Code::LogonFailed) {
                    self.admissions.refused(self.certificate_refused(&certificate), from).await;
                }
                welcomed.map(Some)
            }
            (Some(ALPN_PAIR), certificate) => self.pair(tls, certificate, from).await.map(|()| None),
            _ => Err(fault("a connection for nothing we know")),
        }
    }

    async fn welcome(
        &self,
        tls: TlsStream<TcpStream>,
        certificate: &str,
        from: IpAddr,
        stranger: &ConnectionPlace<IpAddr>,
    ) -> Result<(String, ConnectionEnd), Error> {
        let host = self.hosts.admit(certificate)?;
        // It is no stranger: however many of those come now, it keeps its place. Its own host may not have many of them.
        let arriving =
            self.arriving.enter(host.clone()).ok_or_else(|| connection_lost("this host connects too often"))?;
        arriving.set_known(true);
        let _until_it_is_here = arriving.begin_work();
        stranger.leave();
        let link = Arc::new(Session::begin(tls, from).await?);
        let said = &link.introduction;
        let now = crate::now();
        let skew_secs = said.clock_ticks.saturating_sub(now.0) / TICKS_PER_SEC;
        if !self.connections.arrive(&host, Arc::clone(&link)).await {
            self.admissions.refused(Admission::Cloned { host: host.clone() }, from).await;
        }
        // Asked again, now that it can be found and ended: it may have been revoked meanwhile.
        let counted = self.hosts.seen(certificate, &said.version, skew_secs, now);
        if counted.is_err() {
            self.connections.dismiss(&host);
        }
        counted.map(|()| (host, link.gone()))
    }

    /// Keeps book of when the agent was here last. It holds no connection.
    async fn note(&self, host: &str, mut gone: ConnectionEnd) {
        let mut is_here = true;
        while is_here {
            is_here = tokio::time::timeout(NOTED, gone.changed()).await.is_err();
            // What cannot be written now is only less exact.
            let _ = self.hosts.was_here(host, crate::now());
        }
    }

    async fn pair(
        &self,
        mut tls: TlsStream<TcpStream>,
        certificate: Option<CertificateDer<'static>>,
        from: IpAddr,
    ) -> Result<(), Error> {
        let request: PairRequest = pairing::receive(&mut tls).await?;
        let certified = self.certify(&request, certificate.as_ref());
        let admission = match (&certified, &request.secret, &certificate) {
            (Ok((Some(host), _)), ..) => {
                Some(Admission::Paired { host: host.clone(), machine: printable(&request.host) })
            }
            (Err(error), Some(_), _) if error.code == Code::LogonFailed => Some(Admission::TokenRefused),
            (Err(error), None, Some(present)) if error.code == Code::LogonFailed => {
                Some(self.certificate_refused(present))
            }
            _ => None,
        };
        // An agent that used up a token must get its certificate though the audit log is slow, and learns what becomes of
        // the answer.
        let (paired, refused) = match admission {
            Some(paired @ Admission::Paired { .. }) => (Some(self.admissions.paired(paired, from)), None),
            refused => (None, refused),
        };
        let answer = certified.map_or_else(|error| PairAnswer::Error(error.to_string()), |(_, answer)| answer);
        let sent = pairing::send(&mut tls, &answer).await;
        let ended = tokio::io::AsyncWriteExt::shutdown(&mut tls).await.map_err(connection_lost);
        if let Some(paired) = paired {
            let _ = paired.await;
        }
        if let Some(refused) = refused {
            self.admissions.refused(refused, from).await;
        }
        sent.and(ended)
    }

    /// Of a certificate that our authority issued.
    fn certificate_refused(&self, certificate: &CertificateDer<'_>) -> Admission {
        let hosts = self.hosts.all().unwrap_or_default().into_iter().map(|host| (agent_name(&host.agent), host.name));
        Admission::CertificateRefused { host: tls::issued_for(certificate, hosts) }
    }

    /// The answer, and the host that a token paired.
    fn certify(
        &self,
        request: &PairRequest,
        certificate: Option<&CertificateDer<'_>>,
    ) -> Result<(Option<String>, PairAnswer), Error> {
        let now = crate::now();
        let point = token::from_hex(&request.public_key).ok_or_else(|| fault("the key is not hexadecimal"))?;
        let issue = |host: &Host| {
            let issued = self.authority.issue(&host.agent, &point, now)?;
            let fingerprint = tls::fingerprint(issued.der());
            Ok(((host.agent.clone(), issued.pem()), fingerprint))
        };
        let (host, (agent, certificate)) = match (&request.secret, certificate) {
            (Some(secret), _) => {
                let secret = token::from_hex(secret).ok_or_else(|| fault("the secret is not hexadecimal"))?;
                let (host, issued) = self.hosts.pair(&token::secret_hash(&secret), now, issue)?;
                // What was connected under this name is another agent now.
                self.connections.dismiss(&host);
                (Some(host), issued)
            }
            (None, Some(present)) => (None, self.hosts.renew(&tls::fingerprint(present), issue)?),
            (None, None) => return Err(Error::new(Code::LogonFailed, "neither a token nor a certificate")),
        };
        Ok((host, PairAnswer::Ok { agent, certificate, authority: self.authority.pem.clone() }))
    }
}
