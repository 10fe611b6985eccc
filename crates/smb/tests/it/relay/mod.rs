//! A hostile server: a relay before a real Samba that knows the account's password. It reads each answer in the clear, alters
//! it as a test likes, and signs or encrypts it again, so that lies are delivered behind the logon too.

mod keys;

pub use keys::{Protection, parts};
use keys::{Side, Way, session_secret};
use octo_testkit::samba::Samba;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

pub const NEGOTIATE: u8 = 0;
pub const SESSION_SETUP: u8 = 1;
const MORE_PROCESSING_REQUIRED: u32 = 0xC000_0016;

/// One answer of the server, and what is said instead.
pub struct Reply {
    /// The connection's number, the first as 0.
    pub connection: usize,
    /// At first the one message that the server said, in the clear. It may be a compound.
    pub messages: Vec<Message>,
    /// Whether to hang up after these.
    pub hang_up: bool,
}

/// A message, and how it is protected.
#[derive(Clone)]
pub struct Message {
    pub bytes: Vec<u8>,
    pub protection: Protection,
    /// Whether a bit of the signature, or of what is encrypted, is wrong.
    pub is_forged: bool,
}

impl Reply {
    /// The server's own message.
    pub fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.messages[0].bytes
    }

    /// Calls this for each part of the server's message that answers this command.
    pub fn each(&mut self, command: u8, mut alter: impl FnMut(&mut [u8])) {
        for part in parts(self.bytes()) {
            let part = &mut self.bytes()[part];
            if part[12] == command {
                alter(part);
            }
        }
    }

    /// Whether a part of the server's message answers this command.
    pub fn answers(&mut self, command: u8) -> bool {
        let mut found = false;
        self.each(command, |_| found = true);
        found
    }
}

type Lie = Box<dyn FnMut(&mut Reply) + Send>;

/// A running relay. Its threads end with the connections.
pub struct Relay {
    pub addr: SocketAddr,
    lie: Arc<Mutex<(Lie, usize)>>,
}

impl Relay {
    /// A relay before this server that knows this user's password.
    pub fn start(samba: &Samba, user: &str) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let (server, password) = (format!("{}:{}", samba.addr(), Samba::OTHER_PORT), Samba::password(user));
        let honest: Lie = Box::new(|_| {});
        let lie = Arc::new(Mutex::new((honest, 0)));
        let lies = Arc::clone(&lie);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(&server) else { continue };
                for stream in [&client, &server] {
                    let _ = stream.set_nodelay(true);
                }
                let number = {
                    let (_, connections) = &mut *lies.lock().unwrap();
                    *connections += 1;
                    *connections - 1
                };
                let sides = Arc::new(Mutex::new([Side::default(), Side::default()]));
                let (lie, theirs, password) = (Arc::clone(&lies), Arc::clone(&sides), password.clone());
                let (from, to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                thread::spawn(move || ending(from, to, |from, to| answers(from, to, &theirs, &lie, number)));
                thread::spawn(move || ending(client, server, |from, to| questions(from, to, &sides, &password)));
            }
        });
        Relay { addr, lie }
    }

    /// What becomes of all answers from now on; connections are counted anew.
    pub fn set(&self, lie: impl FnMut(&mut Reply) + Send + 'static) {
        *self.lie.lock().unwrap() = (Box::new(lie), 0);
    }

    /// How many connections were made since.
    pub fn connections(&self) -> usize {
        self.lie.lock().unwrap().1
    }
}

fn ending(
    mut from: TcpStream,
    mut to: TcpStream,
    carry: impl Fn(&mut TcpStream, &mut TcpStream) -> std::io::Result<()>,
) {
    let _ = carry(&mut from, &mut to);
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

fn receive(from: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut len = [0; 4];
    from.read_exact(&mut len)?;
    let mut message = vec![0; u32::from_be_bytes(len) as usize];
    from.read_exact(&mut message)?;
    Ok(message)
}

fn send(to: &mut TcpStream, message: &[u8]) -> std::io::Result<()> {
    to.write_all(&[&(message.len() as u32).to_be_bytes()[..], message].concat())
}

fn questions(
    from: &mut TcpStream,
    to: &mut TcpStream,
    sides: &Mutex<[Side; 2]>,
    password: &str,
) -> std::io::Result<()> {
    loop {
        let raw = receive(from)?;
        let sealed = {
            let [client, server] = &mut *sides.lock().unwrap();
            let (message, protection) = client.open(raw, Way::ToServer);
            if matches!(message[12], NEGOTIATE | SESSION_SETUP) {
                client.heard(&message);
                server.heard(&message);
            }
            if let Some(secret) = session_secret(&message, password) {
                client.derive(&secret);
                server.derive(&secret);
            }
            server.seal(message, protection, Way::ToServer)
        };
        send(to, &sealed)?;
    }
}

fn answers(
    from: &mut TcpStream,
    to: &mut TcpStream,
    sides: &Mutex<[Side; 2]>,
    lie: &Mutex<(Lie, usize)>,
    connection: usize,
) -> std::io::Result<()> {
    loop {
        let raw = receive(from)?;
        let (bytes, protection) = {
            let server = &mut sides.lock().unwrap()[1];
            let (bytes, protection) = server.open(raw, Way::ToClient);
            hear(server, &bytes);
            (bytes, protection)
        };
        let mut reply =
            Reply { connection, messages: vec![Message { bytes, protection, is_forged: false }], hang_up: false };
        (lie.lock().unwrap().0)(&mut reply);
        for message in reply.messages {
            let sealed = {
                let client = &mut sides.lock().unwrap()[0];
                hear(client, &message.bytes);
                let mut sealed = client.seal(message.bytes, message.protection, Way::ToClient);
                // A bit of the signature of each kind: in a header in the clear, and in one of what is encrypted.
                if message.is_forged {
                    let at = if sealed.starts_with(b"\xFDSMB") { 4 } else { 48 };
                    sealed.get_mut(at).into_iter().for_each(|byte| *byte ^= 1);
                }
                sealed
            };
            send(to, &sealed)?;
        }
        if reply.hang_up {
            return Ok(());
        }
    }
}

/// What the answers of the logon mean for the keys.
fn hear(side: &mut Side, answer: &[u8]) {
    if answer.len() <= 64 || !answer.starts_with(b"\xFESMB") {
        return;
    }
    let status = u32::from_le_bytes(answer[8..12].try_into().unwrap());
    if answer[12] == NEGOTIATE {
        side.agree(answer);
    }
    if answer[12] == NEGOTIATE || (answer[12] == SESSION_SETUP && status == MORE_PROCESSING_REQUIRED) {
        side.heard(answer);
    }
}
