//! The TCP connection with a tap on it: mends the NEGOTIATE on its way out, records the handshake for the preauth hash,
//! and, once sealed, lets nothing through that is not encrypted.
//!
//! The client library announces neither encryption nor that signing is demanded, and derives keys from bytes that this
//! mending would change; hence the record, from which our own logon ([`crate::logon`]) hashes and validates.

use crate::status::nt;
use async_trait::async_trait;
use octo_core::{Code, Error};
use smb2::transport::{ReceiveProgress, TcpTransport, TransportReceive, TransportSend};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The most messages a handshake takes: NEGOTIATE and two rounds of SESSION_SETUP, with room to spare.
const HANDSHAKE_MESSAGES_MAX: usize = 16;
const HEADER_BYTES: usize = 64;
const NEGOTIATE: u16 = 0;
const SESSION_SETUP: u16 = 1;
/// SMB2_NEGOTIATE_SIGNING_REQUIRED (MS-SMB2 2.2.3).
const SIGNING_REQUIRED: u8 = 0x02;
/// SMB2_GLOBAL_CAP_ENCRYPTION (MS-SMB2 2.2.3).
const CAP_ENCRYPTION: u8 = 0x40;

/// One message of the handshake, header included, as it crossed the wire.
#[derive(Debug, Clone)]
pub(crate) struct HandshakeMessage {
    pub is_reply: bool,
    pub bytes: Vec<u8>,
}

/// A handle on the tapped connection; clones share it.
#[derive(Clone)]
pub(crate) struct HandshakeTap(Arc<Inner>);

struct Inner {
    tcp: TcpTransport,
    demands_signing: bool,
    /// `None` once the handshake is over.
    handshake: Mutex<Option<Vec<HandshakeMessage>>>,
    sealed: AtomicBool,
    /// Why the connection could not go on, as is seen here first: who waits for an answer may hear only that it is lost.
    broken: Mutex<Option<Error>>,
}

impl HandshakeTap {
    /// A guest, who cannot sign, must not demand it.
    pub fn new(tcp: TcpTransport, demands_signing: bool) -> HandshakeTap {
        let handshake = Mutex::new(Some(Vec::new()));
        HandshakeTap(Arc::new(Inner {
            tcp,
            demands_signing,
            handshake,
            sealed: AtomicBool::new(false),
            broken: Mutex::default(),
        }))
    }

    /// The handshake so far.
    pub fn recorded(&self) -> Vec<HandshakeMessage> {
        self.0.handshake.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default()
    }

    /// Ends the recording and hands over what was recorded.
    pub fn finish(&self) -> Vec<HandshakeMessage> {
        self.0.handshake.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default()
    }

    /// Why opening a session failed with `error`: the reason is what was seen here, if anything was.
    pub fn reason(&self, error: Error) -> Error {
        let broken = self.0.broken.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let explains = |broken: &Error| broken.code == Code::NoSmb || error.code == Code::ConnectionLost;
        broken.filter(explains).unwrap_or(error)
    }

    fn note(&self, code: Code, why: String) {
        let mut broken = self.0.broken.lock().unwrap_or_else(PoisonError::into_inner);
        broken.get_or_insert_with(|| Error::new(code, why));
    }

    fn note_protocol(&self, received: &smb2::Result<Vec<u8>>) {
        let handshake = self.0.handshake.lock().unwrap_or_else(PoisonError::into_inner);
        if handshake.as_ref().is_none_or(|messages| messages.iter().any(|message| message.is_reply)) {
            return;
        }
        let what = match received {
            Ok(bytes) if bytes.starts_with(b"\xFFSMB") => "the server answers with SMB 1",
            Ok(bytes) if bytes.get(1..4) == Some(b"SMB") => return,
            Err(smb2::Error::Disconnected | smb2::Error::Timeout | smb2::Error::Io(_)) => return,
            _ => "the answer is of another protocol",
        };
        drop(handshake);
        self.note(Code::NoSmb, what.to_owned());
    }

    /// From now on, whatever is not encrypted is neither sent nor accepted.
    pub fn seal(&self) {
        self.0.sealed.store(true, Ordering::SeqCst);
    }

    fn check_sealed(&self, bytes: &[u8]) -> smb2::Result<()> {
        if self.0.sealed.load(Ordering::SeqCst) && !bytes.starts_with(b"\xFDSMB") {
            return Err(invalid("a message that is not encrypted, on a connection that must be"));
        }
        Ok(())
    }

    fn record(&self, is_reply: bool, bytes: &[u8]) -> smb2::Result<()> {
        let mut handshake = self.0.handshake.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(messages) = handshake.as_mut() else { return Ok(()) };
        if !matches!(command(bytes), Some(NEGOTIATE | SESSION_SETUP)) || (is_reply && status(bytes) == nt::PENDING) {
            return Ok(());
        }
        if messages.len() == HANDSHAKE_MESSAGES_MAX {
            return Err(invalid("a handshake that does not end"));
        }
        messages.push(HandshakeMessage { is_reply, bytes: bytes.to_vec() });
        Ok(())
    }
}

#[async_trait]
impl TransportSend for HandshakeTap {
    async fn send(&self, data: &[u8]) -> smb2::Result<()> {
        self.check_sealed(data)?;
        if command(data) == Some(NEGOTIATE) {
            let mut mended = data.to_vec();
            mend_negotiate(&mut mended, self.0.demands_signing);
            self.record(false, &mended)?;
            return self.0.tcp.send(&mended).await;
        }
        self.record(false, data)?;
        self.0.tcp.send(data).await
    }
}

#[async_trait]
impl TransportReceive for HandshakeTap {
    async fn receive(&self) -> smb2::Result<Vec<u8>> {
        let received = self.0.tcp.receive().await;
        self.note_protocol(&received);
        let checked = received.and_then(|data| {
            self.check_sealed(&data)?;
            self.record(true, &data)?;
            Ok(data)
        });
        if let Err(error @ smb2::Error::InvalidData { .. }) = &checked {
            self.note(Code::Protocol, error.to_string());
        }
        checked
    }

    fn receive_progress(&self) -> Option<Arc<ReceiveProgress>> {
        self.0.tcp.receive_progress()
    }
}

fn mend_negotiate(message: &mut [u8], demands_signing: bool) {
    if demands_signing && let Some(security_mode) = message.get_mut(HEADER_BYTES + 4) {
        *security_mode |= SIGNING_REQUIRED;
    }
    if let Some(capabilities) = message.get_mut(HEADER_BYTES + 8) {
        *capabilities |= CAP_ENCRYPTION;
    }
}

/// The command of a message in the clear.
fn command(message: &[u8]) -> Option<u16> {
    let clear = message.starts_with(b"\xFESMB") && message.len() >= HEADER_BYTES;
    clear.then(|| u16::from_le_bytes([message[12], message[13]]))
}

fn status(message: &[u8]) -> u32 {
    message.get(8..12).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
}

pub(crate) fn invalid(message: &str) -> smb2::Error {
    smb2::Error::InvalidData { message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn who_hears_only_of_a_lost_connection_learns_why_it_was_lost() {
        // A frame that is longer than any may be, and an answer of another protocol.
        let answers: [(&[u8], Code); 2] = [(&[0, 0, 0, 3, 1, 2, 3], Code::NoSmb), (b"HTTP/1.1 400", Code::NoSmb)];
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        for (answer, code) in answers {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let tap = runtime.block_on(async {
                let address = listener.local_addr().unwrap().to_string();
                HandshakeTap::new(TcpTransport::connect_with(&address, Default::default()).await.unwrap(), true)
            });
            let mut server = listener.accept().unwrap().0;
            server.write_all(answer).unwrap();
            drop(server);
            let _ = runtime.block_on(tap.receive());
            assert_eq!(tap.reason(Error::new(Code::ConnectionLost, "")).code, code, "{answer:?}");
        }
    }
}
