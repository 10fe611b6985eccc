//! A loopback address that nobody else uses, claimed without leaving anything behind.

use std::net::{Ipv4Addr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// The ports that Samba listens on.
pub(super) const PORTS: [u16; 2] = [445, super::known::OTHER_PORT];
const CANDIDATES_MAX: u32 = 1000;

/// A claimed address. The claim is a socket in the abstract namespace: the kernel frees it with the process.
pub(super) struct Address {
    ip: Ipv4Addr,
    _claim: UnixListener,
}

impl Address {
    /// Claims one, beginning at a place of this process's own.
    pub fn claim() -> Address {
        static USED: AtomicU32 = AtomicU32::new(0);
        for _ in 0..CANDIDATES_MAX {
            let n = process::id().wrapping_mul(97).wrapping_add(USED.fetch_add(1, Ordering::Relaxed));
            // 127.64.0.1 to 127.191.255.254: far from what other programs use.
            let (b, c, d) = (64 + (n / 65_024 % 128) as u8, (n / 254 % 256) as u8, 1 + (n % 254) as u8);
            let ip = Ipv4Addr::new(127, b, c, d);
            if let Some(claim) = claim(ip) {
                return Address { ip, _claim: claim };
            }
        }
        panic!("no loopback address has its ports {PORTS:?} free: does another server listen on all addresses?")
    }

    pub fn ip(&self) -> Ipv4Addr {
        self.ip
    }
}

fn claim(ip: Ipv4Addr) -> Option<UnixListener> {
    let name = SocketAddr::from_abstract_name(format!("octo-samba-{ip}")).ok()?;
    let claim = UnixListener::bind_addr(&name).ok()?;
    PORTS.iter().all(|&port| TcpListener::bind((ip, port)).is_ok()).then_some(claim)
}
