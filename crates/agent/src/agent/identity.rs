//! Who an agent is: its key, its certificate, its server. One file that only the agent may read.

use crate::carrier::{self, ALPN_PAIR, SERVER_NAME, connection_lost, within};
use crate::tls::{certificate, private_key};
use crate::token::{self, Token};
use crate::wire::fault;
use crate::wire::messages::{PairAnswer, PairRequest, printable};
use crate::{pairing, state, tls};
use octo_core::{Code, Error, Timestamp};
use rcgen::KeyPair;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

const DAY_SECS: i64 = 86_400;
/// A certificate is renewed at two thirds of its life.
const RENEW_SECS: i64 = 60 * DAY_SECS;

/// What pairing gave.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// Where the server is: `host:port`.
    pub server: String,
    pub agent: String,
    key: String,
    certificate: String,
    authority: String,
    issued: Timestamp,
}

/// Connects and shakes hands.
pub(crate) async fn connect(server: &str, config: Arc<ClientConfig>) -> Result<TlsStream<TcpStream>, Error> {
    within(carrier::HANDSHAKE_SECS, async {
        let unreachable = |error: std::io::Error| Error::new(Code::Unreachable, format!("{server}: {error}"));
        let stream = TcpStream::connect(server).await.map_err(unreachable)?;
        stream.set_nodelay(true).map_err(connection_lost)?;
        let name = ServerName::try_from(SERVER_NAME).map_err(connection_lost)?;
        let insecure = |error| Error::new(Code::Insecure, format!("{server} could not prove itself: {error}"));
        TlsConnector::from(config).connect(name, stream).await.map_err(insecure)
    })
    .await
}

async fn ask(mut tls: TlsStream<TcpStream>, secret: Option<String>, key: &KeyPair) -> Result<PairAnswer, Error> {
    let request = PairRequest {
        secret,
        public_key: token::hex(key.public_key_raw()),
        host: crate::host_name(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    within(carrier::HANDSHAKE_SECS, async {
        pairing::send(&mut tls, &request).await?;
        pairing::receive(&mut tls).await
    })
    .await
}

impl Identity {
    /// The identity kept in `path`; none before pairing.
    pub fn load(path: &Path) -> Result<Option<Identity>, Error> {
        state::read(path)
    }

    pub fn save(&self, path: &Path) -> Result<(), Error> {
        state::write(path, self)
    }

    fn new(server: &str, key: &KeyPair, answer: PairAnswer) -> Result<Identity, Error> {
        match answer {
            PairAnswer::Error(why) => Err(Error::new(Code::LogonFailed, printable(&why))),
            PairAnswer::Ok { agent, certificate: issued, authority } => {
                certificate(&issued)?;
                Ok(Identity {
                    server: server.to_owned(),
                    agent,
                    key: key.serialize_pem(),
                    certificate: issued,
                    authority,
                    issued: crate::now(),
                })
            }
        }
    }

    /// Pairs with the server: the token is sent only after the server has proven to be the one it came from.
    pub async fn pair(server: &str, token: &Token) -> Result<Identity, Error> {
        let key = KeyPair::generate().map_err(connection_lost)?;
        let tls = connect(server, tls::pinned_config(token.pin)?).await?;
        let identity = Identity::new(server, &key, ask(tls, Some(token.secret_hex()), &key).await?)?;
        if tls::pin(&certificate(&identity.authority)?) != token.pin {
            return Err(fault("the server gave another authority than the token's"));
        }
        Ok(identity)
    }

    /// A new key and certificate from the same server.
    pub async fn renew(&self) -> Result<Identity, Error> {
        let key = KeyPair::generate().map_err(connection_lost)?;
        let tls = connect(&self.server, self.config(ALPN_PAIR)?).await?;
        let renewed = Identity::new(&self.server, &key, ask(tls, None, &key).await?)?;
        // The authority stays the one that was pinned.
        Ok(Identity { authority: self.authority.clone(), ..renewed })
    }

    /// Whether it is time for another certificate; also when the clock went back, which makes the age unknown.
    pub fn is_due(&self, now: Timestamp) -> bool {
        now > self.issued.plus_secs(RENEW_SECS) || now < self.issued.plus_secs(-DAY_SECS)
    }

    /// How to connect with it.
    pub fn config(&self, protocol: &[u8]) -> Result<Arc<ClientConfig>, Error> {
        let proof = (vec![certificate(&self.certificate)?], private_key(&self.key)?);
        tls::agent(&certificate(&self.authority)?, proof, protocol)
    }
}
