//! A server that lies behind the logon, in messages that are signed or encrypted as they should be: the source takes what is
//! harmless, names the fault otherwise, and never calls anything whole that is not.

mod lies;
mod restores;
mod runs;
mod turns;

use crate::fixture::*;
use crate::relay::{Protection, Relay, Reply};
use octo_core::SmbAddress;
use octo_core::{Code, Error, Listed, Source};
use octo_smb::{Credentials, Dialect, Encrypt, Logon, SmbOptions, SmbSource, Timeouts};
use octo_testkit::samba::{Samba, SambaOptions};
use std::fs;
use std::time::Duration;

pub const CREATE: u8 = 5;
pub const CLOSE: u8 = 6;
pub const READ: u8 = 8;
pub const QUERY_DIRECTORY: u8 = 14;
pub const QUERY_INFO: u8 = 16;
const TREE_CONNECT: u8 = 3;
const SUCCESS: u32 = 0;
const OPLOCK_BREAK: u8 = 18;

/// More than are listed by one message.
const FILES: usize = 420;
/// By one message with the open, by one read, and by many.
const SIZES: [usize; 3] = [10, 70_000, 1_100_001];

/// How the session is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Guest,
    /// HMAC-SHA256.
    Smb21Signed,
    /// AES-CMAC.
    Smb302Signed,
    /// AES-GMAC.
    Smb311Signed,
    /// AES-CCM.
    Smb300Encrypted,
    /// AES-GCM.
    Smb311Encrypted,
}

pub const MODES: [Mode; 6] = [
    Mode::Guest,
    Mode::Smb21Signed,
    Mode::Smb302Signed,
    Mode::Smb311Signed,
    Mode::Smb300Encrypted,
    Mode::Smb311Encrypted,
];

/// A real server behind a relay that knows its password.
pub struct Bench {
    pub samba: Samba,
    pub relay: Relay,
    pub mode: Mode,
}

impl Bench {
    pub fn new(mode: Mode) -> Bench {
        let max = match mode {
            Mode::Smb21Signed => "SMB2_10",
            Mode::Smb300Encrypted => "SMB3_00",
            Mode::Smb302Signed => "SMB3_02",
            _ => "SMB3_11",
        };
        let options = SambaOptions::new()
            .global(&format!("server max protocol = {max}"))
            .global("map to guest = Bad User")
            .global("guest account = plain")
            .share("public", "public", &["guest ok = yes", "vfs objects ="]);
        let samba = Samba::start(options);
        let relay = Relay::start(&samba, "plain");
        Bench { samba, relay, mode }
    }

    pub fn connect(&self, timeouts: Timeouts) -> Result<SmbSource, Error> {
        let (address, who, options) = self.access(timeouts);
        SmbSource::connect(address, who, options)
    }

    fn access(&self, timeouts: Timeouts) -> (SmbAddress, Credentials, SmbOptions) {
        let address = SmbAddress::parse(&format!("//{}/public", self.relay.addr)).unwrap().0;
        let encrypts = matches!(self.mode, Mode::Smb300Encrypted | Mode::Smb311Encrypted);
        let (logon, who) = match self.mode {
            Mode::Guest => (Logon::Guest, Credentials::default()),
            _ => (Logon::Ntlm, credentials("plain")),
        };
        let options = SmbOptions {
            logon,
            timeouts,
            encrypt: if encrypts { Encrypt::Require } else { Encrypt::Off },
            min_dialect: Dialect::Smb2_1,
            ..SmbOptions::default()
        };
        (address, who, options)
    }

    fn fill(&self) {
        let folder = self.samba.share_path("public");
        fs::create_dir(folder.join("many")).unwrap();
        for number in 0..FILES {
            fs::write(folder.join(format!("many/{} {number:05}", "a long name ".repeat(10))), b"").unwrap();
        }
        for size in SIZES {
            fs::write(folder.join(size.to_string()), vec![7; size]).unwrap();
        }
    }

    /// Lists and fetches everything, while the server lies so. The first loss of a connection is final.
    fn under(&self, lie: impl FnMut(&mut Reply) + Send + 'static) -> Result<(), Error> {
        self.relay.set(lie);
        let limit = Duration::from_secs(30);
        let timeouts = Timeouts { connect: limit, response: limit, reconnect: Duration::ZERO, ..Timeouts::default() };
        self.connect(timeouts).and_then(|source| use_all(&source))
    }

    /// The same where a lost connection is made again.
    fn under_reconnecting(&self, lie: impl FnMut(&mut Reply) + Send + 'static) -> Result<(), Error> {
        self.relay.set(lie);
        let limit = Duration::from_secs(30);
        let timeouts = Timeouts { connect: limit, response: limit, reconnect: limit, ..Timeouts::default() };
        self.connect(timeouts).and_then(|source| use_all(&source))
    }

    /// The same where an answer does not come: it is not waited for as long.
    fn under_silence(&self, lie: impl FnMut(&mut Reply) + Send + 'static) -> Result<(), Error> {
        self.relay.set(lie);
        let (response, answer) = (Duration::from_millis(300), Duration::from_secs(3));
        let timeouts = Timeouts { response, answer, reconnect: Duration::ZERO, ..Timeouts::default() };
        self.connect(timeouts).and_then(|source| use_all(&source))
    }
}

/// Lists and fetches everything; what is called whole must be whole.
fn use_all(source: &SmbSource) -> Result<(), Error> {
    let (listed, kept) = list(source, "many");
    if let Listed::Incomplete(error) = listed {
        return Err(error);
    }
    assert_eq!(kept.entries.len(), FILES, "a listing that is called complete");
    source.snapshots()?;
    let batch: Vec<_> = SIZES.iter().map(|&size| request(&size.to_string(), size as u64)).collect();
    let fetched = fetch(source, &batch);
    // Where one ends the run, nothing more is said of the others.
    if let Some(error) = fetched.iter().filter_map(|one| one.failed.as_ref()).find(|error| error.code.stops_run()) {
        return Err(error.clone());
    }
    for (fetched, size) in fetched.into_iter().zip(SIZES) {
        match (fetched.failed.clone(), fetched.finished) {
            // The engine takes this for a change while it was read.
            (None, end) if fetched.opened.map(|meta| meta.size_bytes) != end.map(|meta| meta.size_bytes) => {
                return Err(Error::new(Code::ChangedWhileRead, "another size at the end"));
            }
            (None, Some(_)) => assert!(fetched.bytes() == vec![7; size], "{size} bytes that are called whole"),
            (Some(error), None) => return Err(error),
            other => panic!("{size} bytes: {other:?}"),
        }
    }
    Ok(())
}

#[test]
fn an_honest_relay_is_not_noticed_in_any_mode() {
    for mode in MODES {
        let bench = Bench::new(mode);
        bench.fill();
        let seen = std::sync::Arc::new(std::sync::Mutex::new(None));
        let last = std::sync::Arc::clone(&seen);
        bench.under(move |reply| *last.lock().unwrap() = Some(reply.messages[0].protection)).unwrap();
        let last = seen.lock().unwrap().unwrap();
        let expected = match mode {
            Mode::Guest => last == Protection::Nothing,
            Mode::Smb300Encrypted | Mode::Smb311Encrypted => matches!(last, Protection::Encrypted(_)),
            _ => last == Protection::Signed,
        };
        assert!(expected, "{mode:?}: {last:?}");
    }
}

fn is_success(part: &[u8]) -> bool {
    u32::from_le_bytes(part[8..12].try_into().unwrap()) == SUCCESS
}
