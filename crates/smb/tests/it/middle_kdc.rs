//! Somebody between us and the KDC who turns over any bit of its answers: refused or harmless, never a panic.

use crate::fixture::*;
use octo_core::Account;
use octo_smb::{Credentials, Kerberos, Logon, Password, SmbOptions, SmbSource};
use octo_testkit::samba::{Kdc, Samba, SambaOptions};
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Which answer of a logon, which of its bytes, and with what.
type Turn = Option<(usize, usize, u8)>;

/// A KDC over UDP that hands out the real one's answers, one of them bent.
struct Bent {
    addr: SocketAddr,
    turn: Arc<Mutex<(Turn, Vec<usize>)>>,
}

impl Bent {
    fn start(kdc: &str) -> Bent {
        let (front, back) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        back.connect(kdc).unwrap();
        back.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let bent = Bent { addr: front.local_addr().unwrap(), turn: Arc::default() };
        let turn = Arc::clone(&bent.turn);
        // Ends with the process: each test has its own.
        thread::spawn(move || {
            let mut buffer = vec![0; 65_536];
            while let Ok((len, client)) = front.recv_from(&mut buffer) {
                back.send(&buffer[..len]).unwrap();
                let len = back.recv(&mut buffer).unwrap();
                let mut state = turn.lock().unwrap();
                if let Some((answer, at, with)) = state.0
                    && answer == state.1.len()
                {
                    buffer[at % len] ^= with;
                }
                state.1.push(len);
                front.send_to(&buffer[..len], client).unwrap();
            }
        });
        bent
    }

    /// Logs on; tells the answers' lengths, and whether it was let in.
    fn log_on(&self, samba: &Samba, turn: Turn) -> (Vec<usize>, bool) {
        *self.turn.lock().unwrap() = (turn, Vec::new());
        let password = Password::new(Samba::password("plain"));
        let who = Credentials { account: Account::parse(&format!("plain@{}", Kdc::REALM)).unwrap(), password };
        let logon = Logon::Kerberos(Kerberos { cache: None, kdc: Some(self.addr.to_string()) });
        let connected = SmbSource::connect(address(samba, "data"), who, SmbOptions { logon, ..SmbOptions::default() });
        if let Err(error) = &connected {
            assert!(error.code.stops_run() && !error.detail.contains("pw-plain"), "{turn:?}: {error}");
        }
        (self.turn.lock().unwrap().1.clone(), connected.is_ok())
    }
}

#[test]
fn an_answer_of_the_kdc_that_is_bent_anywhere_is_refused_or_harmless() {
    let samba = Samba::start(SambaOptions::new().with_kerberos());
    let bent = Bent::start(samba.kdc().address());
    let (lengths, is_in) = bent.log_on(&samba, None);
    assert!(is_in && lengths.len() == 3, "a demand for proof, a ticket to get tickets, a ticket: {lengths:?}");
    let panics = std::panic::take_hook();
    std::panic::set_hook(Box::new(|info| {
        let _ = std::fs::write("/dev/stderr", format!("{info}\n"));
        std::process::abort();
    }));
    for (answer, len) in lengths.into_iter().enumerate() {
        for at in (0..len).step_by(3) {
            bent.log_on(&samba, Some((answer, at, 1 << (at % 8))));
        }
    }
    std::panic::set_hook(panics);
    assert!(bent.log_on(&samba, None).1);
}
